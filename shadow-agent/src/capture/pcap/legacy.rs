//! The pcap format: one header, one link layer, then records (draft-ietf-opsawg-pcap).

use shadow_proto::{time::Timestamp, wire::frame::LinkType};

use super::{Damage, Fault, Frame, MAX_RECORD, input::Input, only::Only};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

#[derive(Debug)]
pub(super) struct Legacy {
    big_endian: bool,
    link: LinkType,
    /// Nanoseconds in one unit of the sub-second field.
    unit: u64,
    /// Bytes before the packet in each record.
    record_header: usize,
}

impl Legacy {
    /// Reads the file header; `None` when `magic` is another format's.
    pub(super) fn start(magic: [u8; 4], input: &mut Input) -> Result<Option<Self>, Damage> {
        const MICROSECONDS: u32 = 0xa1b2_c3d4;
        const NANOSECONDS: u32 = 0xa1b2_3c4d;
        // Alexey Kuznetsov's patched libpcap: eight more bytes in each record header.
        const MODIFIED: u32 = 0xa1b2_cd34;

        let known = |magic| matches!(magic, MICROSECONDS | NANOSECONDS | MODIFIED);
        let (little, big) = (u32::from_le_bytes(magic), u32::from_be_bytes(magic));
        let (magic, big_endian) = match (known(little), known(big)) {
            (true, _) => (little, false),
            (_, true) => (big, true),
            _ => return Ok(None),
        };
        let header = input.want(FILE_HEADER)?;
        // The upper bits say how long the frame check sequence is, which the IP length leaves out anyway.
        let link = word(header, 20, big_endian) & 0xffff;
        input.take(FILE_HEADER);
        Ok(Some(Self {
            big_endian,
            link: LinkType::from_code(u16::try_from(link).unwrap_or(u16::MAX)),
            unit: if magic == NANOSECONDS { 1 } else { 1_000 },
            record_header: if magic == MODIFIED {
                RECORD_HEADER + 8
            } else {
                RECORD_HEADER
            },
        }))
    }

    pub(super) fn next_frame<'a>(
        &self,
        input: &'a mut Input,
        only: &mut Option<Only>,
    ) -> Result<Option<Frame<'a>>, Damage> {
        loop {
            if input.at_end()? {
                return Ok(None);
            }
            let header = input.want(self.record_header)?;
            let field = |at| word(header, at, self.big_endian);
            let (seconds, fraction, captured, wire) = (field(0), field(4), field(8), field(12));
            let captured = captured as usize;
            if captured > MAX_RECORD - self.record_header {
                return Err(input.damage(Fault::TooLong(captured as u64)));
            }
            input.want(self.record_header + captured)?;
            input.take(self.record_header);
            let data = input.take(captured);
            if let Some(only) = only
                && !only.wants(self.link, None, input.bytes(data.clone()))
            {
                continue;
            }
            return Ok(Some(Frame {
                link: self.link,
                at: Timestamp::from_nanos(
                    u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit,
                ),
                wire_len: (wire as usize).max(captured),
                start: data.start,
                data: input.bytes(data),
            }));
        }
    }
}

/// A 32-bit field; zero past the end, which callers rule out.
pub(super) fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let bytes = bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .unwrap_or_default();
    if big_endian {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    }
}
