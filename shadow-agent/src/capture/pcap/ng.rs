//! The pcapng format: blocks, in sections that each choose their byte order (draft-ietf-opsawg-pcapng).

use shadow_proto::{time::Timestamp, wire::frame::LinkType};

use super::{Damage, Fault, Frame, MAX_INTERFACES, MAX_RECORD, input::Input, legacy::word, only::Only};

/// A section header; the same number in both byte orders.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length at the start of a block, and the length once more at its end.
const BLOCK_HEAD: usize = 8;
const BLOCK_TAIL: usize = 4;

/// The section at hand.
#[derive(Debug, Default)]
pub(super) struct Ng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Of each; empty if the file gives none.
    names: Vec<String>,
    /// Of the last packet that had one: simple packet blocks have none.
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap: u32,
    clock: Clock,
}

/// The fields of a packet block; the packet's bytes begin at `data` in the block.
struct Packet {
    interface: u32,
    stamp: Option<u64>,
    captured: u32,
    wire: u32,
    data: usize,
}

impl Ng {
    pub(super) fn next_frame<'a>(
        &mut self,
        input: &'a mut Input,
        only: &mut Option<Only>,
    ) -> Result<Option<Frame<'a>>, Damage> {
        loop {
            if input.at_end()? {
                return Ok(None);
            }
            let (kind, length) = self.head(input)?;
            match kind {
                SECTION_HEADER => {
                    self.interfaces.clear();
                    self.names.clear();
                }
                INTERFACE => self.interface(input, length)?,
                OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                    let (interface, packet) = self.packet(kind, input, length)?;
                    let block = input.take(length);
                    let start = block.start + packet.data;
                    let data = start..start + packet.captured as usize;
                    if let Some(only) = only {
                        let name = self.names.get(packet.interface as usize).map(String::as_str);
                        if !only.wants(interface.link, name, input.bytes(data.clone())) {
                            continue;
                        }
                    }
                    return Ok(Some(Frame {
                        link: interface.link,
                        at: self.last,
                        wire_len: packet.wire.max(packet.captured) as usize,
                        start,
                        data: input.bytes(data),
                    }));
                }
                _ => {}
            }
            input.skip(length)?;
        }
    }

    /// Type and length of the block that begins here; a section header sets the byte order that its own length uses.
    fn head(&mut self, input: &mut Input) -> Result<(u32, usize), Damage> {
        let head = input.want(BLOCK_HEAD)?;
        let (kind, mut length) = (word(head, 0, self.big_endian), word(head, 4, self.big_endian));
        let mut least = BLOCK_HEAD + BLOCK_TAIL;
        if kind == SECTION_HEADER {
            const BYTE_ORDER: u32 = 0x1a2b_3c4d;
            least = 28;
            let magic = word(input.want(BLOCK_HEAD + 4)?, 8, false);
            self.big_endian = match magic {
                BYTE_ORDER => false,
                _ if magic == BYTE_ORDER.swap_bytes() => true,
                other => return Err(input.damage(Fault::ByteOrder(other))),
            };
            length = word(input.want(BLOCK_HEAD)?, 4, self.big_endian);
        }
        if (length as usize) < least || !length.is_multiple_of(4) {
            return Err(input.damage(Fault::BlockLength(length)));
        }
        Ok((kind, length as usize))
    }

    /// The whole block, both lengths checked.
    fn block<'a>(&self, input: &'a mut Input, length: usize, fixed: usize) -> Result<&'a [u8], Damage> {
        if length > MAX_RECORD {
            return Err(input.damage(Fault::TooLong(length as u64)));
        }
        let block = input.want(length)?;
        let (head, tail) = (
            word(block, 4, self.big_endian),
            word(block, length - BLOCK_TAIL, self.big_endian),
        );
        if head != tail {
            return Err(input.damage(Fault::BlockEnds { head, tail }));
        }
        if length < fixed + BLOCK_TAIL {
            return Err(input.damage(Fault::BlockLength(head)));
        }
        Ok(input.buffered().get(..length).unwrap_or_default())
    }

    fn interface(&mut self, input: &mut Input, length: usize) -> Result<(), Damage> {
        const FIXED: usize = 16;
        let big_endian = self.big_endian;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(input.damage(Fault::Interfaces));
        }
        let block = self.block(input, length, FIXED)?;
        let link = short(block, 8, big_endian);
        let options = block.get(FIXED..length - BLOCK_TAIL).unwrap_or_default();
        let interface = Interface {
            link: LinkType::from_code(link),
            snap: word(block, 12, big_endian),
            clock: Clock::from_options(options, big_endian),
        };
        let name = name(options, big_endian);
        self.interfaces.push(interface);
        self.names.push(name);
        Ok(())
    }

    /// Reads a packet block, without taking it.
    fn packet(&mut self, kind: u32, input: &mut Input, length: usize) -> Result<(Interface, Packet), Damage> {
        let fixed = if kind == SIMPLE_PACKET { 12 } else { 28 };
        let big_endian = self.big_endian;
        let block = self.block(input, length, fixed)?;
        let field = |at| word(block, at, big_endian);
        let stamp = Some(u64::from(field(12)) << 32 | u64::from(field(16)));
        let mut packet = match kind {
            SIMPLE_PACKET => Packet {
                interface: 0,
                stamp: None,
                captured: field(8),
                wire: field(8),
                data: fixed,
            },
            _ => Packet {
                // The obsolete block keeps a count of dropped packets in the other half of the field.
                interface: if kind == OBSOLETE_PACKET {
                    short(block, 8, big_endian).into()
                } else {
                    field(8)
                },
                stamp,
                captured: field(20),
                wire: field(24),
                data: fixed,
            },
        };
        let Some(interface) = self.interfaces.get(packet.interface as usize).copied() else {
            return Err(input.damage(Fault::Interface {
                id: packet.interface,
                known: self.interfaces.len(),
            }));
        };
        let room = length - fixed - BLOCK_TAIL;
        if kind == SIMPLE_PACKET {
            // It does not say how much of the packet it holds: as much as the snap length let through.
            let snap = if interface.snap == 0 {
                u32::MAX
            } else {
                interface.snap
            };
            packet.captured = packet.wire.min(snap).min(u32::try_from(room).unwrap_or(u32::MAX));
        }
        if packet.captured as usize > room {
            return Err(input.damage(Fault::PacketLength(packet.captured)));
        }
        self.last = packet
            .stamp
            .map_or(self.last, |units| interface.clock.timestamp(units));
        Ok((interface, packet))
    }
}

/// How an interface counts time: `if_tsresol` and `if_tsoffset`.
#[derive(Clone, Copy, Debug)]
struct Clock {
    scale: Scale,
    /// Seconds to add.
    offset: i64,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    /// Nanoseconds in a unit.
    Times(u64),
    /// Units in a second, if one is shorter than a nanosecond or not a whole number of them.
    PerSecond(u128),
}

impl Clock {
    fn from_options(options: &[u8], big_endian: bool) -> Self {
        const TSRESOL: u16 = 9;
        const TSOFFSET: u16 = 14;
        const MICROSECONDS: u8 = 6;
        let (mut resolution, mut offset) = (MICROSECONDS, 0);
        for option in self::options(options, big_endian) {
            match option {
                (TSRESOL, &[value]) => resolution = value,
                (TSOFFSET, value) => {
                    if let Ok(value) = value.try_into() {
                        offset = if big_endian {
                            i64::from_be_bytes(value)
                        } else {
                            i64::from_le_bytes(value)
                        };
                    }
                }
                _ => {}
            }
        }
        Self {
            scale: Scale::new(resolution),
            offset,
        }
    }

    /// Saturates at both ends of time.
    fn timestamp(self, units: u64) -> Timestamp {
        let nanos = match self.scale {
            Scale::Times(nanos) => u128::from(units) * u128::from(nanos),
            Scale::PerSecond(count) => u128::from(units) * 1_000_000_000 / count,
        };
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let nanos = nanos
            .saturating_add(i128::from(self.offset) * 1_000_000_000)
            .max(0);
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Scale {
    /// The top bit chooses between powers of two and of ten.
    fn new(resolution: u8) -> Self {
        const BINARY: u8 = 0x80;
        let exponent = u32::from(resolution & !BINARY);
        if resolution & BINARY != 0 {
            return Self::PerSecond(1 << exponent);
        }
        match 9_u32.checked_sub(exponent) {
            Some(power) => Self::Times(10_u64.pow(power)),
            None => Self::PerSecond(10_u128.checked_pow(exponent).unwrap_or(u128::MAX)),
        }
    }
}

/// The options of a block: code and value.
fn options(mut rest: &[u8], big_endian: bool) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let (code, length) = (
            short(head, 0, big_endian),
            usize::from(short(head, 2, big_endian)),
        );
        let value = after.get(..length)?;
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}

/// The name of an interface (`if_name`); empty if there is none.
fn name(block: &[u8], big_endian: bool) -> String {
    const NAME: u16 = 2;
    const LONGEST: usize = 64;
    let name = options(block, big_endian).find(|(code, _)| *code == NAME);
    let name = name.map_or(&[][..], |(_, name)| name.get(..LONGEST).unwrap_or(name));
    String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()
}

/// A 16-bit field; zero past the end.
fn short(bytes: &[u8], at: usize, big_endian: bool) -> u16 {
    let bytes = bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .unwrap_or_default();
    if big_endian {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    }
}
