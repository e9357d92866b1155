//! Recognises one connection under several pairs of addresses.
//!
//! A node that translates addresses (a virtual address of a service, masquerading) shows a connection with the
//! addresses before the translation on one interface, and with those after it on another. The translation keeps the
//! sequence number, the acknowledgement number and the payload of each segment. Both numbers begin at random (RFC 9293
//! section 3.4.1), so two connections do not have a segment in common by chance.
//!
//! Bounds: [`SIGHTINGS`] segments, each for [`WITHIN`]. Drops: a segment that was overwritten is not recognised any
//! more; the next one is.

use core::time::Duration;

use crate::{
    time::Timestamp,
    wire::{Flags, Segment},
};

/// Segments that are remembered. A packet passes the interfaces of a host within microseconds.
const SIGHTINGS: usize = 4096;

/// The longest time from one interface to the next.
const WITHIN: Duration = Duration::from_secs(1);

/// Bytes at each end of a payload that are compared.
const EDGE: usize = 8;

/// The part of a segment that a translation of addresses does not change.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Print {
    numbers: u64,
    len: usize,
    syn: bool,
    first: u64,
    last: u64,
}

impl Print {
    /// The print of a segment that tells its connection from others: one with payload, or the answer to a SYN.
    pub(crate) fn of(segment: &Segment<'_>) -> Option<Self> {
        let syn = segment.flags.contains(Flags::SYN);
        if !segment.flags.contains(Flags::ACK) || segment.payload.is_empty() && !syn {
            return None;
        }
        let edge = |bytes: Option<&[u8; EDGE]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Some(Self {
            numbers: u64::from(segment.seq.0) << 32 | u64::from(segment.ack.0),
            len: segment.payload.len(),
            syn,
            first: edge(segment.payload.first_chunk()),
            last: edge(segment.payload.last_chunk()),
        })
    }

    fn place(&self) -> usize {
        // The golden ratio spreads consecutive sequence numbers (Knuth, volume 3, section 6.4).
        let mixed = self.numbers.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
        usize::try_from(mixed).unwrap_or(0) % SIGHTINGS
    }
}

/// The last connection on which a segment was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    /// The slot of the connection, and its generation.
    pub(crate) slot: usize,
    pub(crate) generation: u32,
    /// Whether the connection's client had sent the segment.
    pub(crate) from_client: bool,
}

/// The segments seen last.
#[derive(Debug)]
pub(crate) struct Views {
    recent: Box<[Option<(Print, Timestamp, Sighting)>]>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            recent: vec![None; SIGHTINGS].into(),
        }
    }
}

impl Views {
    /// The connection on which this segment was seen a moment ago.
    pub(crate) fn find(&self, print: &Print, at: Timestamp) -> Option<Sighting> {
        let (seen, then, sighting) = (*self.recent.get(print.place())?)?;
        let apart = at.since(then).max(then.since(at));
        (seen == *print && apart <= WITHIN).then_some(sighting)
    }

    /// Remembers on which connection a segment was seen.
    pub(crate) fn note(&mut self, print: Print, at: Timestamp, sighting: Sighting) {
        if let Some(place) = self.recent.get_mut(print.place()) {
            *place = Some((print, at, sighting));
        }
    }
}
