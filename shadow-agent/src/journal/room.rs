//! Capacity of the queue to the writer.
//!
//! Owns: the number of entries, and bytes, of each kind that wait. Bounds: [`QUEUE`] entries and [`QUEUE_BYTES`] bytes
//! of all kinds together. Each kind has a part of its own, so that many entries of one kind never displace another.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Entry;

/// Entries that may wait.
pub const QUEUE: usize = 1024;

/// Approximate limit of their bytes in total.
pub const QUEUE_BYTES: usize = 16 << 20;

/// The kind of an entry, for its part of the capacity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Cases of differences.
    Difference,
    /// Cases of requests that were recorded and not sent.
    Recorded,
    /// Windows, events and reports.
    Account,
}

impl Kind {
    pub(super) fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Case(case) if case.is_recorded() => Self::Recorded,
            Entry::Case(_) => Self::Difference,
            Entry::Windows(_) | Entry::Event(_) | Entry::Report(_) => Self::Account,
        }
    }

    /// Its part of the capacity, in quarters.
    const fn quarters(self) -> usize {
        match self {
            Self::Difference => 2,
            Self::Recorded | Self::Account => 1,
        }
    }
}

/// Entries and bytes that wait, of each kind.
#[derive(Debug, Default)]
pub(super) struct Room([(AtomicUsize, AtomicUsize); 3]);

impl Room {
    /// Reserves capacity for one entry, if its kind has any left.
    pub(super) fn take(&self, kind: Kind, weight: usize) -> bool {
        let (entries, bytes) = &self.0[kind as usize];
        let entries = entries.fetch_add(1, Relaxed).saturating_add(1);
        let bytes = bytes.fetch_add(weight, Relaxed).saturating_add(weight);
        let fits = entries <= QUEUE / 4 * kind.quarters() && bytes <= QUEUE_BYTES / 4 * kind.quarters();
        if !fits {
            self.give_back(kind, weight);
        }
        fits
    }

    /// Releases the capacity.
    pub(super) fn give_back(&self, kind: Kind, weight: usize) {
        let (entries, bytes) = &self.0[kind as usize];
        entries.fetch_sub(1, Relaxed);
        bytes.fetch_sub(weight, Relaxed);
    }
}
