//! From captured bytes to a [`Segment`].
//!
//! Owns: decoding of ring records ([`record`]) and of captured link-layer frames ([`frame`]). Bounds: reads only the
//! slice it is given. Drops: nothing silently; a frame that is not a TCP segment is a named [`frame::Skip`].

pub mod checksum;
pub mod frame;
pub mod multipath;
pub mod record;

use multipath::Multipath;
use shadow_common::flow::Endpoint;

use crate::{seq::SeqNum, time::Timestamp};

/// One TCP segment, or a chunk of one, as captured.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// The sender.
    pub src: Endpoint,
    /// The receiver.
    pub dst: Endpoint,
    /// Its direction, when the source knows it (a target endpoint matched). `None` in a capture file.
    pub direction: Option<Direction>,
    /// The kernel's number of the interface it was seen on, or the label of an attachment in another network namespace
    /// ([`shadow_common::config::LABELLED`]); 0 in a capture file.
    pub ifindex: u32,
    /// Sequence number of the first payload byte here, or of the SYN.
    pub seq: SeqNum,
    /// Acknowledgement number; meaningful with [`Flags::ACK`].
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// The captured payload bytes.
    pub payload: &'a [u8],
    /// Payload bytes that were on the wire after `payload` and were not captured (snap length, oversize skb).
    pub missing: u32,
    /// Its Multipath TCP option, when the source reads it.
    pub multipath: Option<Multipath>,
}

impl Segment<'_> {
    /// Whether it only acknowledges: no payload, captured or not, and no SYN, FIN or RST.
    pub const fn is_bare(&self) -> bool {
        const CONTROL: Flags = Flags::SYN.union(Flags::FIN).union(Flags::RST);
        self.payload.is_empty() && self.missing == 0 && self.flags.0 & CONTROL.0 == 0
    }
}

/// The direction of a segment or a stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// From the client: requests.
    ToServer,
    /// From the server: responses.
    ToClient,
}

impl Direction {
    /// The opposite direction.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// TCP control bits (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push function.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field is significant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x20);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
