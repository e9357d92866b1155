//! Room on the way to the writer.
//!
//! Owns: how many entries, and bytes, of each kind wait. Bounds: [`QUEUE`] entries and [`QUEUE_BYTES`] bytes of all kinds together,
//! of which each has a part of its own, so that a flood of one never takes the place of another.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Entry;

/// Entries that may wait.
pub const QUEUE: usize = 1024;

/// Bytes that they may hold together, roughly.
pub const QUEUE_BYTES: usize = 16 << 20;

/// What an entry competes with for room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Cases of what differed.
    Difference,
    /// Cases of what was recorded and not sent.
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

    /// Its part of the room, in quarters.
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
    /// Takes room for one entry, when its kind has any.
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

    /// Gives it back.
    pub(super) fn give_back(&self, kind: Kind, weight: usize) {
        let (entries, bytes) = &self.0[kind as usize];
        entries.fetch_sub(1, Relaxed);
        bytes.fetch_sub(weight, Relaxed);
    }
}
