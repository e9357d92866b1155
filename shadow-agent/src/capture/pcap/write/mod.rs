//! Writing pcapng: one section, its interfaces, packets rebuilt from segments, names and loss statistics.
//!
//! Owns: the blocks (draft-ietf-opsawg-pcapng) and the packets in them ([`packet`]). Bounds: one packet is built at a
//! time; [`MAX_INTERFACES`] interfaces. Drops: nothing. Time stamps are nanoseconds since the
//! Unix epoch. Frames begin with the IP header (LINKTYPE_RAW): link-layer headers are not captured.

mod packet;
#[cfg(test)]
mod tests;

pub(crate) use packet::address;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::IpAddr,
};

use shadow_proto::{time::Timestamp, wire::Segment};

use super::{MAX_INTERFACES, ng::SECTION_HEADER};

const INTERFACE: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const LINKTYPE_RAW: u16 = 101;
const NANOSECONDS: u8 = 9;

const COMMENT: u16 = 1;
/// Longer option values are cut.
const LONGEST_OPTION: usize = 4096;

/// Packets lost and kept at an interface, over the time of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// When the file's capture began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Segments that matched what was to be captured.
    pub received: u64,
    /// Of these, segments that the kernel program could not hand over (its ring was full).
    pub lost_in_kernel: u64,
    /// Segments that were written.
    pub written: u64,
}

/// A pcapng file that is being written.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// Number in the file by the kernel's index.
    interfaces: BTreeMap<u32, u32>,
    block: Vec<u8>,
    bytes: u64,
    packets: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a section. `comment` describes the file.
    pub fn new(out: W, comment: &str) -> io::Result<Self> {
        const HARDWARE: u16 = 2;
        const SYSTEM: u16 = 3;
        const APPLICATION: u16 = 4;
        const BYTE_ORDER: u32 = 0x1a2b_3c4d;
        let mut writer = Self {
            out,
            interfaces: BTreeMap::new(),
            block: Vec::with_capacity(8 << 10),
            bytes: 0,
            packets: 0,
        };
        writer.begin(SECTION_HEADER);
        writer.words(&[BYTE_ORDER, 1, u32::MAX, u32::MAX]);
        writer.option(COMMENT, comment.as_bytes());
        writer.option(HARDWARE, std::env::consts::ARCH.as_bytes());
        writer.option(SYSTEM, std::env::consts::OS.as_bytes());
        writer.option(
            APPLICATION,
            concat!("shadow ", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        writer.end_of_options();
        writer.end()?;
        Ok(writer)
    }

    /// Describes an interface, by the kernel's index of it; once for each.
    pub fn interface(&mut self, index: u32, name: &str, description: &str) -> io::Result<()> {
        const NAME: u16 = 2;
        const DESCRIPTION: u16 = 3;
        const TSRESOL: u16 = 9;
        if self.interfaces.contains_key(&index) || self.interfaces.len() >= MAX_INTERFACES {
            return Ok(());
        }
        let id = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.interfaces.insert(index, id);
        self.begin(INTERFACE);
        self.shorts(&[LINKTYPE_RAW, 0]);
        self.words(&[0]);
        self.option(NAME, name.as_bytes());
        self.option(DESCRIPTION, description.as_bytes());
        self.option(TSRESOL, &[NANOSECONDS]);
        self.end_of_options();
        self.end()
    }

    /// Whether [`Writer::interface`] was called for it.
    pub fn knows(&self, index: u32) -> bool {
        self.interfaces.contains_key(&index)
    }

    /// Names of addresses, which Wireshark shows instead of them.
    pub fn names<'a>(&mut self, names: impl IntoIterator<Item = (IpAddr, &'a str)>) -> io::Result<()> {
        const IPV4: u16 = 1;
        const IPV6: u16 = 2;
        self.begin(NAME_RESOLUTION);
        for (address, name) in names {
            let (kind, mut value) = match address {
                IpAddr::V4(address) => (IPV4, address.octets().to_vec()),
                IpAddr::V6(address) => (IPV6, address.octets().to_vec()),
            };
            value.extend(name.bytes().filter(|byte| *byte != 0).take(LONGEST_OPTION - 32));
            value.push(0);
            self.option(kind, &value);
        }
        // The end of the records, and no options.
        self.end_of_options();
        self.end()
    }

    /// Writes a segment that was captured `at` (since the Unix epoch) as one packet, or as several when it is longer
    /// than a packet can be. An interface that was not described is described by its number.
    pub fn segment(
        &mut self,
        interface: u32,
        at: Timestamp,
        segment: &Segment<'_>,
        mut comment: Option<&str>,
    ) -> io::Result<()> {
        if !self.knows(interface) {
            self.interface(interface, &format!("if{interface}"), "")?;
        }
        let id = self.interfaces.get(&interface).copied().unwrap_or_default();
        let [high, low] = halves(at.as_nanos());
        for piece in packet::pieces(segment) {
            self.begin(ENHANCED_PACKET);
            let wire = u32::try_from(piece.wire_len()).unwrap_or(u32::MAX);
            self.words(&[id, high, low, 0, wire]);
            let start = self.block.len();
            piece.write(&mut self.block);
            let captured = u32::try_from(self.block.len() - start).unwrap_or(u32::MAX);
            if let Some(place) = self.block.get_mut(start - 8..start - 4) {
                place.copy_from_slice(&captured.to_le_bytes());
            }
            self.pad();
            if let Some(comment) = comment.take() {
                self.option(COMMENT, comment.as_bytes());
                self.end_of_options();
            }
            self.end()?;
            self.packets += 1;
        }
        Ok(())
    }

    /// The losses at an interface; at the end of the file.
    pub fn statistics(&mut self, interface: u32, statistics: &Statistics) -> io::Result<()> {
        const START: u16 = 2;
        const END: u16 = 3;
        const RECEIVED: u16 = 4;
        const DROPPED_BY_INTERFACE: u16 = 5;
        const ACCEPTED: u16 = 6;
        const DELIVERED: u16 = 8;
        let Statistics {
            start,
            end,
            received,
            lost_in_kernel,
            written,
        } = *statistics;
        let Some(id) = self.interfaces.get(&interface).copied() else {
            return Ok(());
        };
        self.begin(INTERFACE_STATISTICS);
        let [high, low] = halves(end.as_nanos());
        self.words(&[id, high, low]);
        for (code, at) in [(START, start), (END, end)] {
            let [high, low] = halves(at.as_nanos());
            self.option(code, &[high.to_le_bytes(), low.to_le_bytes()].concat());
        }
        for (code, count) in [
            (RECEIVED, received),
            (DROPPED_BY_INTERFACE, lost_in_kernel),
            (ACCEPTED, received),
            (DELIVERED, written),
        ] {
            self.option(code, &count.to_le_bytes());
        }
        self.end_of_options();
        self.end()
    }

    /// Bytes written so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets written so far.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Flushes, and returns the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// Returns the output as it is.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// The output.
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.words(&[kind, 0]);
    }

    fn end(&mut self) -> io::Result<()> {
        // Packets, options and names are all far shorter than 4 GiB.
        let length = u32::try_from(self.block.len() + 4).unwrap_or(u32::MAX);
        if let Some(place) = self.block.get_mut(4..8) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        self.words(&[length]);
        self.out.write_all(&self.block)?;
        self.bytes += self.block.len() as u64;
        Ok(())
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.block.extend_from_slice(&word.to_le_bytes());
        }
    }

    fn shorts(&mut self, shorts: &[u16]) {
        for short in shorts {
            self.block.extend_from_slice(&short.to_le_bytes());
        }
    }

    /// An empty value is omitted.
    fn option(&mut self, code: u16, value: &[u8]) {
        let value = value.get(..LONGEST_OPTION).unwrap_or(value);
        if value.is_empty() {
            return;
        }
        let length = u16::try_from(value.len()).unwrap_or_default();
        self.shorts(&[code, length]);
        self.block.extend_from_slice(value);
        self.pad();
    }

    fn end_of_options(&mut self) {
        self.shorts(&[0, 0]);
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value >> 32, value & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default())
}
