//! Faults of a capture file.

use std::io;

use serde::{Serialize, Serializer};

use super::{MAX_INTERFACES, MAX_RECORD};

/// The reason why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An error of the operating system.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// The file is empty.
    #[error("empty; a capture has at least a file header")]
    Empty,
    /// Another kind of file.
    #[error("neither pcap nor pcapng (it begins with {0}); write one with `tcpdump -w FILE`")]
    NotACapture(String),
    /// The file header itself is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// The place where a file becomes invalid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("damaged at byte {at}{}: {what}", if *.unpacked { " (after decompression)" } else { "" })]
pub struct Damage {
    /// Byte offset of the first record that could not be used.
    pub at: u64,
    /// Whether `at` counts decompressed bytes.
    pub unpacked: bool,
    /// The fault found there.
    pub what: Fault,
}

impl Serialize for Damage {
    /// As the sentence shown to people.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The fault of a record.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The file ends inside a record.
    #[error("the file ends inside a record: {have} of its {need} bytes are there")]
    CutOff {
        /// Bytes that the record needs.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// Longer than anything a capture program writes.
    #[error("a record of {0} bytes; the longest that is read has {MAX_RECORD}")]
    TooLong(u64),
    /// An invalid length of a pcapng block.
    #[error(
        "a block length of {0}; it must be a multiple of 4 and at least that of the block's fixed fields"
    )]
    BlockLength(u32),
    /// The two copies of a pcapng block's length differ.
    #[error("a block says that it is {head} bytes long at its start and {tail} at its end")]
    BlockEnds {
        /// At its start.
        head: u32,
        /// At its end.
        tail: u32,
    },
    /// A packet that exceeds its block.
    #[error("a packet of {0} bytes that does not fit in its block")]
    PacketLength(u32),
    /// A packet of an interface that was not described.
    #[error("a packet of interface {id}, of {known} that the section describes")]
    Interface {
        /// The interface number.
        id: u32,
        /// Number of described interfaces.
        known: usize,
    },
    /// More interfaces than are supported.
    #[error("more than {MAX_INTERFACES} interfaces in one section")]
    Interfaces,
    /// A section header with an unknown byte-order magic.
    #[error("a section header with byte-order magic {0:#010x}")]
    ByteOrder(u32),
    /// Reading or decompressing failed.
    #[error("reading failed: {0}")]
    Read(String),
}
