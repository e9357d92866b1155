//! The dynamic table of HPACK (RFC 7541 section 2.3.2), as far as it was seen.
//!
//! Owns: the newest insertions. Entries are counted from the newest one, so the table needs no history: after a start
//! in the middle of a connection it is empty, and each entry inserted since then has its right index, whatever the
//! size of the real table is. A reference to anything older is unknown. Bounds: [`CAP`] bytes, less than an encoder may
//! use; then the oldest entries become unknown.

use std::collections::VecDeque;

use bytes::Bytes;

/// Most bytes kept, counted as RFC 7541 section 4.1 does.
pub(super) const CAP: usize = 64 << 10;

/// Size of an entry besides its name and value (RFC 7541 section 4.1).
const OVERHEAD: usize = 32;

/// An entry. A part is `None` when it is not known.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) name: Option<Bytes>,
    pub(super) value: Option<Bytes>,
}

impl Entry {
    fn size(&self) -> usize {
        let len = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        len(&self.name) + len(&self.value) + OVERHEAD
    }
}

/// The known part of the table.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    /// The size that the encoder keeps to; `None` when an update of it may have been missed.
    max: Option<usize>,
}

impl Table {
    /// The table at the start of a connection.
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            max: Some(4_096),
        }
    }

    /// Forgets everything: insertions or updates of the size were missed.
    pub(super) fn lose(&mut self) {
        self.entries.clear();
        self.size = 0;
        self.max = None;
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.size
    }

    /// The size that the encoder keeps to, if known.
    pub(super) fn max(&self) -> Option<usize> {
        self.max
    }

    /// Applies an update of the size (RFC 7541 section 6.3).
    pub(super) fn resize(&mut self, max: usize) {
        self.max = Some(max);
        self.evict(max.min(CAP));
    }

    /// An entry, from 0 for the newest. `None` when there is none that is known.
    pub(super) fn get(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    /// Inserts an entry. Of an unknown part not even the length is known, so from then on it is not known what is
    /// evicted.
    pub(super) fn insert(&mut self, entry: Entry) {
        if entry.name.is_none() || entry.value.is_none() {
            self.max = None;
        }
        let size = entry.size();
        let room = self.max.unwrap_or(CAP).min(CAP);
        if size <= room {
            self.evict(room.saturating_sub(size));
            self.push(entry);
            return;
        }
        // Section 4.4: not an error; the table is empty afterwards. One that only exceeds the cap takes its place in
        // the count, unknown.
        self.entries.clear();
        self.size = 0;
        if self.max.is_none_or(|max| size <= max) {
            self.push(Entry::default());
        }
    }

    fn push(&mut self, entry: Entry) {
        self.size += entry.size();
        self.entries.push_front(entry);
    }

    fn evict(&mut self, most: usize) {
        while self.size > most
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size = self.size.saturating_sub(oldest.size());
        }
    }
}
