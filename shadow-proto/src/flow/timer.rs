//! Deadlines of many flows.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Timestamp;

/// A heap of deadlines.
///
/// Entries are not moved when a flow is used. The owner checks the flow when an entry is due, and queues it again if
/// its deadline has moved. So a segment costs no timer work, and a flow has at most one entry in each heap.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, usize, u32)>>,
}

impl Timers {
    /// Queues the flow in `slot`, whose present occupant is number `generation`.
    pub(crate) fn push(&mut self, at: Timestamp, slot: usize, generation: u32) {
        self.heap.push(Reverse((at, slot, generation)));
    }

    /// The earliest deadline; it may turn out to be void.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The earliest entry that is due.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<(usize, u32)> {
        if self.next()? > now {
            return None;
        }
        self.pop_first().map(|(_, slot, generation)| (slot, generation))
    }

    /// The earliest entry, due or not.
    pub(crate) fn pop_first(&mut self) -> Option<(Timestamp, usize, u32)> {
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
