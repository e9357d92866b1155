//! What can be wrong with a file.

use std::io;

use serde::{Serialize, Serializer};

use super::{MAX_INTERFACES, MAX_RECORD};

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system said no.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// Nothing in it.
    #[error("empty; a capture has at least a file header")]
    Empty,
    /// Another kind of file.
    #[error("neither pcap nor pcapng (it begins with {0}); write one with `tcpdump -w FILE`")]
    NotACapture(String),
    /// The file header itself is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// Where a file stops making sense.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("damaged at byte {at}{}: {what}", if *.unpacked { " (after decompression)" } else { "" })]
pub struct Damage {
    /// Byte offset of the first record that could not be used.
    pub at: u64,
    /// Whether `at` counts decompressed bytes.
    pub unpacked: bool,
    /// What is wrong there.
    pub what: Fault,
}

impl Serialize for Damage {
    /// The sentence that people see.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What is wrong with a record.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The file ends inside a record.
    #[error("the file ends inside a record: {have} of its {need} bytes are there")]
    CutOff {
        /// What the record needs.
        need: usize,
        /// What is left.
        have: usize,
    },
    /// Longer than anything a capture program writes.
    #[error("a record of {0} bytes; the longest that is read has {MAX_RECORD}")]
    TooLong(u64),
    /// A pcapng block that cannot be that long.
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
    /// A packet that passes the end of its block.
    #[error("a packet of {0} bytes that does not fit in its block")]
    PacketLength(u32),
    /// A packet of an interface that was not described.
    #[error("a packet of interface {id}, of {known} that the section describes")]
    Interface {
        /// The number it names.
        id: u32,
        /// How many there are.
        known: usize,
    },
    /// More interfaces than any host has.
    #[error("more than {MAX_INTERFACES} interfaces in one section")]
    Interfaces,
    /// A section header with an unknown byte-order magic.
    #[error("a section header with byte-order magic {0:#010x}")]
    ByteOrder(u32),
    /// Reading or decompressing failed.
    #[error("reading failed: {0}")]
    Read(String),
}
