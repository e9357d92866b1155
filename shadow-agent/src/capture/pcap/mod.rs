//! Capture files: pcap and pcapng, plain or compressed with gzip or zstd, from a path or from standard input.
//!
//! Owns: the file formats. Bounds: one buffer ([`MAX_RECORD`] at most), one entry per pcapng interface
//! ([`MAX_INTERFACES`] at most). Drops: pcapng blocks that hold no packet. Frames come in file order, which need not be
//! time order. Bias: a damaged file is used up to the damage, which is then reported with its place.
//!
//! The crate `pcap-parser` is the oracle of this module's tests. It is not used here because of how it treats malicious
//! or merely unusual files (0.17): a packet that exceeds its block reads as incomplete, so the damage shows only after
//! the rest of the file was buffered; binary time resolutions are refused; `if_tsoffset` of a big-endian file is read
//! little-endian; the obsolete packet block and the big-endian modified format are not read.

mod ahead;
mod batch;
mod counts;
mod error;
mod input;
mod legacy;
mod ng;
mod only;
mod packed;
#[cfg(test)]
mod tests;
pub mod write;

use std::{fs::File, io, io::Read, path::Path, time::Duration};

use shadow_proto::{
    time::Timestamp,
    wire::{
        Segment,
        frame::{Decoder, LinkType, Skip},
    },
};

use super::{Polled, Source, SourceError};
use input::Input;
use only::Only;
pub use packed::Packing;

pub use ahead::Reading;
pub use batch::{Batch, Batches, Key, flow_number};
pub use counts::{Counts, Tally};
pub use error::{Damage, Fault, OpenError};

/// The longest record or packet block that is read; tcpdump writes at most 256 KiB.
pub const MAX_RECORD: usize = 16 << 20;
/// Interfaces in one section of a pcapng file.
pub const MAX_INTERFACES: usize = 1 << 16;

/// A frame of the file.
#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    /// Its first protocol.
    link: LinkType,
    /// When it was captured, in nanoseconds since the Unix epoch.
    at: Timestamp,
    /// Its length on the wire; more than `data` holds when a snap length cut it.
    wire_len: usize,
    /// The captured bytes.
    data: &'a [u8],
    /// Its offset in the buffer of the file.
    start: usize,
}

/// A capture file that is being read.
#[derive(Debug)]
pub struct PcapFile {
    input: Input,
    format: Format,
    packing: Option<Packing>,
    decoder: Decoder,
    counts: Counts,
    damage: Option<Damage>,
    /// The interface whose frames are read; all when none is named.
    only: Option<Only>,
}

/// Result of [`PcapFile::next_segment`].
#[derive(Debug)]
pub enum Next<'a> {
    /// A segment.
    Segment(Segment<'a>),
    /// A frame that is not a TCP segment; it has been counted.
    Skipped(Skip),
    /// The end of the file.
    End,
}

type Decoded<'a> = (Frame<'a>, Result<Segment<'a>, Skip>);

#[derive(Debug)]
enum Format {
    Legacy(legacy::Legacy),
    Ng(ng::Ng),
}

impl PcapFile {
    /// Opens a file, or standard input when the path is `-`.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if path == Path::new("-") {
            return Self::from_reader(Box::new(io::stdin()));
        }
        Self::from_reader(Box::new(File::open(path)?))
    }

    /// Reads from anything.
    pub fn from_reader(reader: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        let mut input = Input::new(reader, false);
        let packing = match input.peek::<4>()? {
            Some(magic) => Packing::of(magic),
            None => None,
        };
        if let Some(packing) = packing {
            input = Input::new(packing.unpack(input.into_reader()), true);
        }
        let Some(magic) = input.peek::<4>()? else {
            return Err(match input.buffered() {
                [] => OpenError::Empty,
                start => OpenError::NotACapture(described(start)),
            });
        };
        let format = if magic == ng::SECTION_HEADER.to_ne_bytes() {
            Format::Ng(ng::Ng::default())
        } else if let Some(legacy) = legacy::Legacy::start(magic, &mut input)? {
            Format::Legacy(legacy)
        } else {
            return Err(OpenError::NotACapture(described(&magic)));
        };
        Ok(Self {
            input,
            format,
            packing,
            decoder: Decoder::default(),
            counts: Counts::default(),
            damage: None,
            only: None,
        })
    }

    /// Reads only frames that were captured at this interface: by its name in a pcapng file or a PKTAP header, by its
    /// index in a cooked capture (v2).
    pub fn only_interface(&mut self, name: &str) {
        self.only = Some(Only::new(name));
    }

    /// `pcap` or `pcapng`.
    pub const fn format(&self) -> &'static str {
        match self.format {
            Format::Legacy(_) => "pcap",
            Format::Ng(_) => "pcapng",
        }
    }

    /// How the file is compressed.
    pub const fn packing(&self) -> Option<Packing> {
        self.packing
    }

    /// Bytes read so far, after decompression.
    pub const fn position(&self) -> u64 {
        self.input.position()
    }

    /// Whether the next frame is not read ahead, so that [`Format::next_frame`] may have to wait for it.
    pub fn must_read(&self) -> bool {
        self.input.buffered().is_empty()
    }

    /// Counts of the frames so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The next frame in file order, decoded. After damage every further call reports it again.
    pub fn next_segment(&mut self) -> Result<Next<'_>, Damage> {
        Ok(match self.next_decoded()? {
            Some((_, Ok(segment))) => Next::Segment(segment),
            Some((_, Err(skip))) => Next::Skipped(skip),
            None => Next::End,
        })
    }

    /// The next frame, decoded and counted.
    fn next_decoded(&mut self) -> Result<Option<Decoded<'_>>, Damage> {
        let Self {
            input,
            format,
            packing: _,
            decoder,
            counts,
            damage,
            only,
        } = self;
        let next = format.next_frame(input, damage, only)?;
        if let Some(only) = only {
            counts.not_selected = only.passed_over;
        }
        let Some(frame) = next else {
            return Ok(None);
        };
        counts.packets += 1;
        let decoded = decoder.decode(frame.link, frame.data, frame.wire_len, frame.at);
        match &decoded {
            Ok(_) => counts.segments += 1,
            Err(skip) => {
                counts.skipped.add(*skip);
                if let (Skip::LinkType, LinkType::Other(code) | LinkType::Prefixed(code)) = (skip, frame.link)
                {
                    *counts.link_types.entry(code).or_default() += 1;
                }
            }
        }
        Ok(Some((frame, decoded)))
    }

    #[cfg(test)]
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Damage> {
        self.format
            .next_frame(&mut self.input, &mut self.damage, &mut None)
    }
}

impl Format {
    /// Data after damage cannot be trusted, so `damage` is final.
    fn next_frame<'a>(
        &mut self,
        input: &'a mut Input,
        damage: &mut Option<Damage>,
        only: &mut Option<Only>,
    ) -> Result<Option<Frame<'a>>, Damage> {
        if let Some(damage) = damage {
            return Err(damage.clone());
        }
        let next = match self {
            Self::Legacy(legacy) => legacy.next_frame(input, only),
            Self::Ng(ng) => ng.next_frame(input, only),
        };
        next.inspect_err(|found| *damage = Some(found.clone()))
    }
}

impl Source for PcapFile {
    /// Reading a file never waits, except for standard input.
    fn poll(&mut self, _wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        const BATCH: usize = 256;
        let mut segments = 0;
        for count in 0..BATCH {
            match self.next_segment() {
                Ok(Next::Segment(segment)) => {
                    sink(&segment);
                    segments += 1;
                }
                Ok(Next::Skipped(_)) => {}
                Ok(Next::End) if count == 0 => return Ok(Polled::End),
                Ok(Next::End) => break,
                Err(damage) => return Err(SourceError::File(damage.to_string())),
            }
        }
        Ok(Polled::Segments(segments))
    }
}

/// The first bytes, and advice for a kind of file that they identify.
fn described(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let known = match bytes {
        [0xfd, b'7', b'z', b'X'] => ": xz; unpack it first",
        [b'B', b'Z', b'h', _] => ": bzip2; unpack it first",
        [0x04, 0x22, 0x4d, 0x18] => ": lz4; unpack it first",
        [b'P', b'K', 3, 4] => ": zip; unpack it first",
        b"snoo" | [b'R', b'T', b'S', b'S'] | [b'G', b'M', b'B', b'U'] => ": convert it with `editcap`",
        _ => "",
    };
    parts.join(" ") + known
}
