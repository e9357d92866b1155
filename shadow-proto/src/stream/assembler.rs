//! Puts the segments of one direction in order.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{seq::SeqNum, time::Timestamp};

/// Cost of one stored range besides its bytes; without it, one-byte segments would appear cheap.
const OVERHEAD: usize = 128;

/// Orders the bytes of one direction.
///
/// Positions are 64-bit stream offsets from the first expected byte, so that sequence number wrap is handled in one
/// place, [`Assembler::distance`].
#[derive(Debug)]
pub struct Assembler {
    next: u64,
    next_seq: SeqNum,
    acked: u64,
    end: Option<u64>,
    stored: BTreeMap<u64, Stored>,
    buffered: usize,
}

/// A stored range of bytes, or of lost bytes.
#[derive(Clone, Debug)]
pub struct Stored {
    /// When the segment was captured.
    pub at: Timestamp,
    /// Offset in the other direction up to which the sender had received.
    pub ack: Option<u64>,
    /// Whether a segment began here.
    pub starts_segment: bool,
    /// Whether another copy of these bytes differed.
    pub conflict: bool,
    /// The bytes; empty when `lost` is not 0.
    pub bytes: Bytes,
    /// Number of bytes known to be missing here.
    pub lost: u64,
}

impl Stored {
    fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.lost
    }

    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

/// Result of [`Assembler::insert`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Inserted {
    /// Bytes that were new.
    pub stored: u64,
    /// Whether they differed from bytes that were already stored.
    pub conflict: bool,
}

/// Missing bytes before something that is known to exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hole {
    /// Number of bytes.
    pub len: u64,
    /// Whether the receiver acknowledged them: then no retransmission will bring them.
    pub acked: bool,
}

impl Assembler {
    /// Expects `next` as the first sequence number.
    pub fn new(next: SeqNum) -> Self {
        Self {
            next: 0,
            next_seq: next,
            acked: 0,
            end: None,
            stored: BTreeMap::new(),
            buffered: 0,
        }
    }

    /// The offset of the next byte to be returned.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Bytes and bookkeeping held, in bytes.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Whether no byte has arrived yet.
    pub fn is_untouched(&self) -> bool {
        self.next == 0 && self.stored.is_empty()
    }

    /// Distance of `seq` from the next expected sequence number; negative when it is older.
    pub fn distance(&self, seq: SeqNum) -> i32 {
        seq.distance_from(self.next_seq)
    }

    /// The offset of a sequence number; `None` before the start of the stream.
    pub fn offset(&self, seq: SeqNum) -> Option<u64> {
        self.next.checked_add_signed(self.distance(seq).into())
    }

    /// The sequence number of an offset.
    pub fn seq(&self, offset: u64) -> SeqNum {
        self.next_seq.after(offset).before(self.next)
    }

    /// The offset after the last byte that has arrived.
    pub fn known_end(&self) -> u64 {
        let stored = self.stored.last_key_value();
        stored
            .map_or(0, |(&start, range)| start.saturating_add(range.len()))
            .max(self.next)
    }

    /// Records that the receiver has everything before `offset`.
    pub fn acknowledge(&mut self, offset: u64) {
        self.acked = self.acked.max(offset);
    }

    /// Records that the stream ends at `offset`. The first end wins.
    pub fn end_at(&mut self, offset: u64) {
        self.end.get_or_insert(offset);
    }

    /// Whether every byte up to the FIN was returned.
    pub fn is_ended(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    /// Skips bytes that were consumed without being stored.
    pub fn advance(&mut self, bytes: u64) {
        self.next = self.next.saturating_add(bytes);
        self.next_seq = self.next_seq.after(bytes);
    }

    /// Stores the bytes of `from` that are new, at `offset` (not before [`Assembler::next`]).
    pub fn insert(&mut self, offset: u64, from: &Stored) -> Inserted {
        let mut result = Inserted::default();
        let (mut cursor, end) = (offset, offset.saturating_add(from.len()));
        while cursor < end {
            if let Some((&start, old)) = self.stored.range_mut(..=cursor).next_back()
                && start.saturating_add(old.len()) > cursor
            {
                let stop = end.min(start.saturating_add(old.len()));
                if differs(old, cursor - start, from, cursor - offset, stop - cursor) {
                    old.conflict = true;
                    result.conflict = true;
                }
                cursor = stop;
                continue;
            }
            let free = self
                .stored
                .range(cursor..)
                .next()
                .map_or(end, |(&start, _)| start.min(end));
            let part = from.part(cursor - offset, free - cursor);
            self.buffered += part.cost();
            result.stored += part.len();
            self.stored.insert(cursor, part);
            cursor = free;
        }
        result
    }

    /// Removes the next range in order and returns it with its offset.
    pub fn take(&mut self) -> Option<(u64, Stored)> {
        let entry = self.stored.first_entry()?;
        let offset = *entry.key();
        if offset > self.next {
            return None;
        }
        let stored = entry.remove();
        self.buffered = self.buffered.saturating_sub(stored.cost());
        let skip = self.next.saturating_sub(offset);
        let rest = stored.part(skip, stored.len().saturating_sub(skip));
        let at = self.next;
        self.advance(rest.len());
        Some((at, rest))
    }

    /// The range that [`Assembler::take`] would return.
    pub fn front(&mut self) -> Option<&mut Stored> {
        let entry = self.stored.first_entry()?;
        (*entry.key() <= self.next).then(|| entry.into_mut())
    }

    /// Puts back the last `bytes.len()` bytes that were returned; they will be returned again.
    pub fn put_back(&mut self, rest: Stored) {
        let len = rest.len();
        self.next = self.next.saturating_sub(len);
        self.next_seq = self.next_seq.before(len);
        self.buffered += rest.cost();
        self.stored.insert(self.next, rest);
    }

    /// The hole before the next known byte.
    pub fn hole(&self) -> Option<Hole> {
        if self.stored.is_empty() && self.acked <= self.next && self.end.is_none() {
            return None;
        }
        let stored = self.stored.first_key_value().map(|(&offset, _)| offset);
        if stored.is_some_and(|offset| offset <= self.next) {
            return None;
        }
        // A FIN takes one sequence number, which is acknowledged like a byte.
        let acked = self.acked.min(self.end.unwrap_or(u64::MAX));
        let is_acked = acked > self.next;
        let to = match stored {
            Some(offset) => offset,
            None if is_acked => acked,
            None => self.end.unwrap_or(self.next),
        };
        let len = to.saturating_sub(self.next);
        (len > 0).then_some(Hole { len, acked: is_acked })
    }
}

impl Stored {
    /// The `len` bytes starting at `skip`.
    #[must_use]
    pub fn part(&self, skip: u64, len: u64) -> Self {
        let lost = self.lost > 0;
        let range = || {
            let start = usize::try_from(skip).ok()?;
            let end = start.checked_add(usize::try_from(len).ok()?)?;
            (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
        };
        Self {
            starts_segment: self.starts_segment && skip == 0,
            bytes: if lost {
                Bytes::new()
            } else {
                range().unwrap_or_default()
            },
            lost: if lost { len } else { 0 },
            ..*self
        }
    }
}

/// Whether both ranges hold bytes there that differ. Lost bytes never differ.
fn differs(old: &Stored, old_skip: u64, new: &Stored, new_skip: u64, len: u64) -> bool {
    let (old, new) = (old.part(old_skip, len), new.part(new_skip, len));
    old.lost == 0 && new.lost == 0 && old.bytes != new.bytes
}
