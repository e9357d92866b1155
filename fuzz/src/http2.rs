//! One HTTP/2 connection as a list of frames with any header, length and payload: nothing is held at the end, and
//! without gaps the result is the same in one piece and byte by byte. Field blocks are any bytes, so this tries HPACK
//! and its provenance, too.

use bytes::Bytes;
use shadow_proto::wire::Flags;

use super::connection::{Line, same};

/// Most frames of one input.
const MOST: usize = 400;

/// Input: operations of five bytes (sender and operation, type, flags, stream, length), each followed by a payload.
pub fn run(input: &[u8]) {
    let settings = frame(4, 0, 0, &[]);
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings].concat();
    let mut lines = vec![Line::Data(0, preface.into()), Line::Data(1, settings.into())];
    let mut rest = input;
    while let ([op, kind, flags, stream, len, behind @ ..], true) = (rest, lines.len() < MOST) {
        let from = usize::from(op & 1);
        let (payload, behind) = behind.split_at(usize::from(*len).min(behind.len()));
        rest = behind;
        match op >> 1 & 7 {
            // Bytes that are no frame, or only begin one.
            0 => lines.push(Line::Data(from, Bytes::copy_from_slice(payload))),
            1 => lines.push(Line::Lost(from, u32::from(*len) + 1)),
            2 => lines.push(Line::Wait(u64::from(*len % 16))),
            3 => lines.push(Line::End(
                from,
                if kind & 1 == 0 { Flags::FIN } else { Flags::RST },
            )),
            _ => {
                let bytes = frame(kind & 15, *flags, u32::from(*stream), payload);
                lines.push(Line::Data(from, bytes.into()));
            }
        }
    }
    lines.retain(|line| !matches!(line, Line::Data(_, bytes) if bytes.is_empty()));
    same(&lines);
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut out = vec![len[1], len[2], len[3], kind, flags];
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}
