//! The role of each byte that was read, for a recorder that must know which bytes are safe to keep.
//!
//! Off unless [`Engine::report_ranges`](crate::engine::Engine::report_ranges) was called. Owns: the log of one engine
//! call. Bounds: the caller takes it after each call, so it holds what one segment or one timeout made readable.
//! Bias: a byte has a role only while the connection is synchronised, so that a guess never shows a secret.

use shadow_common::flow::FlowKey;

use crate::wire::Direction;

/// The role of a byte in its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A request line or a status line, without its line end.
    StartLine,
    /// The name of a header or trailer field.
    FieldName,
    /// The value of the field whose name came before.
    FieldValue,
    /// A part of a compressed field block (HTTP/2): names and values, and references to them.
    FieldBlock,
    /// Content.
    Content,
    /// Line ends, the colon of a field and the blanks around its value, chunk sizes, frame headers.
    Framing,
    /// A chunk extension.
    Extension,
    /// Read, but without a certain meaning.
    Unknown,
}

/// One entry of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Record<'a> {
    /// The position of the payload of the segment that was pushed last.
    Placed {
        /// Its stream.
        direction: Direction,
        /// Offset of its first byte; negative for bytes older than the capture.
        at: i64,
    },
    /// Bytes of a stream were read. Offsets only grow; bytes that are left out have no known role.
    Read {
        /// The connection.
        flow: FlowKey,
        /// The stream.
        direction: Direction,
        /// Offset of the first byte.
        offset: u64,
        /// Their role.
        role: Role,
        /// The bytes, as the reader took them.
        bytes: &'a [u8],
    },
    /// Nothing more will be read of this connection.
    Over(FlowKey),
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Placed {
        direction: Direction,
        at: i64,
    },
    Read {
        flow: FlowKey,
        direction: Direction,
        offset: u64,
        role: Role,
        len: usize,
    },
    Over(FlowKey),
}

/// Log of what was read since it was last taken, in order.
#[derive(Debug, Default)]
pub struct RangeLog {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl RangeLog {
    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut at = 0;
        self.entries.iter().map(move |entry| match *entry {
            Entry::Placed { direction, at } => Record::Placed { direction, at },
            Entry::Over(flow) => Record::Over(flow),
            Entry::Read {
                flow,
                direction,
                offset,
                role,
                len,
            } => {
                let bytes = self.bytes.get(at..at + len).unwrap_or_default();
                at += len;
                Record::Read {
                    flow,
                    direction,
                    offset,
                    role,
                    bytes,
                }
            }
        })
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }

    pub(crate) fn placed(&mut self, direction: Direction, at: i64) {
        self.entries.push(Entry::Placed { direction, at });
    }

    pub(crate) fn over(&mut self, flow: FlowKey) {
        self.entries.push(Entry::Over(flow));
    }

    /// Adjacent bytes with one role form one entry.
    pub(crate) fn read(
        &mut self,
        flow: FlowKey,
        direction: Direction,
        offset: u64,
        role: Role,
        bytes: &[u8],
    ) {
        if bytes.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        if let Some(Entry::Read {
            flow: last_flow,
            direction: last_direction,
            offset: start,
            role: last_role,
            len,
        }) = self.entries.last_mut()
            && (*last_role, *last_direction) == (role, direction)
            && *start + *len as u64 == offset
            && *last_flow == flow
        {
            *len += bytes.len();
            return;
        }
        self.entries.push(Entry::Read {
            flow,
            direction,
            offset,
            role,
            len: bytes.len(),
        });
    }
}
