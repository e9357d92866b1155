//! Frames (RFC 9113 section 4), with the freedom that an encoder has: padding, priorities, and where blocks are cut.

use crate::support::rng::Rng;

/// The client's preface.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut out = vec![len[1], len[2], len[3], kind, flags];
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// SETTINGS.
pub(crate) fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = pairs
        .iter()
        .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes()))
        .collect();
    frame(4, 0, 0, &payload)
}

/// The acknowledgement of SETTINGS.
pub(crate) fn settings_ack() -> Vec<u8> {
    frame(4, 1, 0, b"")
}

/// DATA, perhaps padded.
pub(crate) fn data(stream: u32, ends: bool, content: &[u8], rng: &mut Rng) -> Vec<u8> {
    let flags = u8::from(ends);
    if !rng.chance(150) {
        return frame(0, flags, stream, content);
    }
    frame(0, flags | 8, stream, &padded(content, rng))
}

fn padded(content: &[u8], rng: &mut Rng) -> Vec<u8> {
    let padding = [0, 1, 7, 255][rng.below(4)];
    let mut out = vec![u8::try_from(padding).expect("below 256")];
    out.extend_from_slice(content);
    out.extend(core::iter::repeat_n(0, padding));
    out
}

/// HEADERS and CONTINUATION.
pub(crate) fn headers(stream: u32, ends: bool, block: &[u8], rng: &mut Rng) -> Vec<u8> {
    let pieces = if rng.chance(200) { rng.between(1, 4) } else { 0 };
    let mut cuts: Vec<usize> = (0..pieces).map(|_| rng.below(block.len() + 1)).collect();
    cuts.extend([0, block.len()]);
    cuts.sort_unstable();
    let parts: Vec<&[u8]> = cuts.windows(2).map(|ends| &block[ends[0]..ends[1]]).collect();
    let mut out = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let end = if place + 1 == parts.len() { 4 } else { 0 };
        if place > 0 {
            out.extend(frame(9, end, stream, part));
            continue;
        }
        let mut flags = u8::from(ends) | end;
        let mut payload = part.to_vec();
        if rng.chance(200) {
            flags |= 0x20;
            payload.splice(0..0, [0, 0, 0, 0, 15]);
        }
        if rng.chance(150) {
            flags |= 8;
            payload = padded(&payload, rng);
        }
        out.extend(frame(1, flags, stream, &payload));
    }
    out
}

/// A frame that belongs to no message.
pub(crate) fn aside(side: usize, open: u32, rng: &mut Rng) -> Vec<u8> {
    let stream = open.max(1);
    match rng.below(if side == 0 { 6 } else { 5 }) {
        0 => frame(6, u8::from(rng.chance(500)), 0, b"12345678"),
        1 => frame(8, 0, 0, &[0, 0, 1, 0]),
        2 => frame(8, 0, stream, &[0, 0, 1, 0]),
        3 => frame(0xbe, 0x55, stream, b"an extension"),
        4 => frame(6, 0, 0, &rng.next().to_be_bytes()),
        _ => frame(2, 0, stream, &[0, 0, 0, 0, 7]),
    }
}
