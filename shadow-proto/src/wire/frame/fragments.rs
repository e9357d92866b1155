//! Reassembly of IP fragments.
//!
//! Bounds: [`MOST`] incomplete datagrams, 64 KiB and [`MOST_PARTS`] parts each; the oldest is dropped first, and a
//! part that arrives [`LONGEST`] after the first completes nothing. Bias: overlapping fragments are used to make
//! datagrams look different to different readers, so such a datagram is never reassembled (RFC 5722), and neither is
//! one with a fragment that the capture cut.

use core::time::Duration;

use crate::time::Timestamp;

/// Most datagrams that wait for a part.
const MOST: usize = 64;
/// Most parts of one datagram.
const MOST_PARTS: usize = 512;
/// RFC 8200 section 4.5.
const LONGEST: Duration = Duration::from_mins(1);
/// The longest datagram.
const LONGEST_DATAGRAM: usize = 65_535;

/// Key of the fragments of one datagram (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Key {
    src: [u8; 16],
    dst: [u8; 16],
    id: u32,
    protocol: u8,
}

/// One fragment.
#[derive(Debug)]
struct Fragment<'a> {
    key: Key,
    offset: usize,
    more: bool,
    data: &'a [u8],
}

#[derive(Debug)]
struct Datagram {
    key: Key,
    since: Timestamp,
    /// Whether it can no longer be reassembled.
    broken: bool,
    end: Option<usize>,
    /// In order, without overlap.
    parts: Vec<(usize, Vec<u8>)>,
}

/// The incomplete datagrams.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: Vec<Datagram>,
}

impl Fragments {
    /// Adds a fragment; writes the packet that it completes to `whole`.
    pub(super) fn push(&mut self, packet: &[u8], at: Timestamp, whole: &mut Vec<u8>) -> bool {
        let Some(fragment) = Fragment::read(packet) else {
            return false;
        };
        let known = |datagram: &Datagram| datagram.key == fragment.key;
        let place = self.waiting.iter().position(known).unwrap_or_else(|| {
            if self.waiting.len() >= MOST {
                self.waiting.remove(0);
            }
            self.waiting.push(Datagram::new(fragment.key, at));
            self.waiting.len() - 1
        });
        let Some(datagram) = self.waiting.get_mut(place) else {
            return false;
        };
        if at > datagram.since + LONGEST {
            *datagram = Datagram::new(fragment.key, at);
        }
        datagram.add(&fragment);
        if !datagram.is_whole() {
            return false;
        }
        let datagram = self.waiting.remove(place);
        datagram.write(packet, whole)
    }
}

impl Datagram {
    fn new(key: Key, since: Timestamp) -> Self {
        Self {
            key,
            since,
            broken: false,
            end: None,
            parts: Vec::new(),
        }
    }

    fn add(&mut self, fragment: &Fragment<'_>) {
        let &Fragment {
            offset, more, data, ..
        } = fragment;
        let end = offset + data.len();
        let place = self.parts.partition_point(|(start, _)| *start < offset);
        let next = self.parts.get(place);
        // An identical copy.
        if more != (self.end == Some(end))
            && next.is_some_and(|(start, known)| *start == offset && known == data)
        {
            return;
        }
        let before = place.checked_sub(1).and_then(|place| self.parts.get(place));
        let overlaps = before.is_some_and(|(start, known)| start + known.len() > offset)
            || next.is_some_and(|(start, _)| *start < end);
        let past_end = match self.end {
            Some(known) => end > known || !more && end != known,
            None => {
                !more
                    && self
                        .parts
                        .last()
                        .is_some_and(|(start, known)| start + known.len() > end)
            }
        };
        let odd = more && data.len() % 8 != 0 || data.is_empty() || end > LONGEST_DATAGRAM;
        if self.broken || overlaps || past_end || odd || self.parts.len() >= MOST_PARTS {
            self.broken = true;
            self.parts.clear();
            return;
        }
        if !more {
            self.end = Some(end);
        }
        self.parts.insert(place, (offset, data.to_vec()));
    }

    fn is_whole(&self) -> bool {
        let held: usize = self.parts.iter().map(|(_, data)| data.len()).sum();
        !self.broken && self.end == Some(held)
    }

    /// Writes one packet with the smallest equivalent header; `sample` is any of its fragments.
    fn write(self, sample: &[u8], whole: &mut Vec<u8>) -> bool {
        let Self { key, end, parts, .. } = self;
        let length = end.unwrap_or_default();
        whole.clear();
        if sample.first().is_some_and(|first| first >> 4 == 4) {
            let Ok(total) = u16::try_from(length + 20) else {
                return false;
            };
            let [high, low] = total.to_be_bytes();
            whole.extend([0x45, 0, high, low, 0, 0, 0, 0, 64, key.protocol, 0, 0]);
            whole.extend(sample.get(12..20).unwrap_or_default());
        } else {
            let Ok(total) = u16::try_from(length) else {
                return false;
            };
            let [high, low] = total.to_be_bytes();
            whole.extend([0x60, 0, 0, 0, high, low, key.protocol, 64]);
            whole.extend(sample.get(8..40).unwrap_or_default());
        }
        for (_, data) in parts {
            whole.extend(data);
        }
        true
    }
}

impl<'a> Fragment<'a> {
    fn read(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::v4(packet),
            6 => Self::v6(packet),
            _ => None,
        }
    }

    fn v4(packet: &'a [u8]) -> Option<Self> {
        let header: &[u8; 20] = packet.first_chunk()?;
        let &[
            version_ihl,
            _,
            l0,
            l1,
            id0,
            id1,
            f0,
            f1,
            _,
            protocol,
            _,
            _,
            ref ends @ ..,
        ] = header;
        let mut key = Key {
            src: [0; 16],
            dst: [0; 16],
            id: u16::from_be_bytes([id0, id1]).into(),
            protocol,
        };
        key.src.first_chunk_mut::<4>()?.copy_from_slice(ends.get(..4)?);
        key.dst.first_chunk_mut::<4>()?.copy_from_slice(ends.get(4..)?);
        let start = usize::from(version_ihl & 0x0f) * 4;
        let field = u16::from_be_bytes([f0, f1]);
        Some(Self {
            key,
            offset: usize::from(field & 0x1fff) * 8,
            more: field & 0x2000 != 0,
            data: packet.get(start..usize::from(u16::from_be_bytes([l0, l1])))?,
        })
    }

    /// Headers before the fragment header are in every fragment, and do not determine where TCP is.
    fn v6(packet: &'a [u8]) -> Option<Self> {
        const MOST_EXTENSIONS: usize = 4;
        let header: &[u8; 40] = packet.first_chunk()?;
        let &[_, _, _, _, l0, l1, mut next, _, ref ends @ ..] = header;
        let end = usize::from(u16::from_be_bytes([l0, l1])) + 40;
        let mut at = 40;
        for _ in 0..MOST_EXTENSIONS {
            let &[after, size, f0, f1, i0, i1, i2, i3] = packet.get(at..)?.first_chunk()?;
            match next {
                44 => {
                    let field = u16::from_be_bytes([f0, f1]);
                    return Some(Self {
                        key: Key {
                            src: *ends.first_chunk()?,
                            dst: *ends.last_chunk()?,
                            id: u32::from_be_bytes([i0, i1, i2, i3]),
                            protocol: after,
                        },
                        offset: usize::from(field & 0xfff8),
                        more: field & 1 != 0,
                        data: packet.get(at + 8..end)?,
                    });
                }
                0 | 43 | 60 => {
                    next = after;
                    at += (usize::from(size) + 1) * 8;
                }
                _ => return None,
            }
        }
        None
    }
}
