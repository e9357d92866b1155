//! The table of correspondences: values of production, each with its partner in the shadow system.
//!
//! Owns: the pairs, found by either side, and values whose partner will never be known. Bounds: entries and bytes; the
//! ones that were not used for longest go first. Drops: counted by the caller. Keys are hashed with a random seed, and
//! a hit is compared in full, so no value can be made to stand for another.

use core::{hash::BuildHasher as _, time::Duration};
use std::hash::RandomState;

use hashbrown::HashTable;
use shadow_proto::time::Timestamp;

use super::members::{self, Members};

/// No slot.
const NONE: u32 = u32::MAX;

/// The bytes of an entry besides its two values: the slot, the entries of hash tables, and the allocator's own.
const OVERHEAD: usize = size_of::<Slot>() + 40 + 2 * members::OVERHEAD;

/// Limits of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TableLimits {
    /// Entries.
    pub entries: usize,
    /// Bytes of all entries.
    pub bytes: usize,
    /// An entry that was not used for this long is forgotten.
    pub ttl: Duration,
}

/// A part of the table in which values are unique: a place, a session's place, or everywhere.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Space(pub(super) u64);

impl Space {
    /// For values that are unique wherever they occur.
    pub(super) const EVERYWHERE: Self = Self(0);
}

/// One entry.
#[derive(Debug)]
struct Slot {
    /// Both values, one after the other.
    text: Box<[u8]>,
    /// The length of production's.
    split: u32,
    space: Space,
    /// The place where it was learned.
    home: Space,
    used: Timestamp,
    /// The entry that was used before this one, and the one after it.
    older: u32,
    newer: u32,
    state: State,
    /// Whether the shadow system's value leads to this entry.
    is_back: bool,
}

/// The state of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// The two values correspond.
    Paired,
    /// They correspond at the place where they were learned, and elsewhere other ones may.
    PairedAtHome,
    /// Production's value has no partner, and none will be learned.
    Lost,
    /// A request had the value before any answer: it is the same in both systems until an answer says otherwise.
    Older,
}

impl State {
    /// Whether answers have shown the two values.
    pub(super) fn is_pair(self) -> bool {
        matches!(self, Self::Paired | Self::PairedAtHome)
    }
}

/// One entry, as it is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'t> {
    pub(super) production: &'t [u8],
    pub(super) shadow: &'t [u8],
    pub(super) home: Space,
    pub(super) state: State,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    limits: TableLimits,
    seed: RandomState,
    slots: Vec<Slot>,
    free: Vec<u32>,
    forward: HashTable<u32>,
    back: HashTable<u32>,
    members: Members,
    /// Entries that were ever added.
    added: u64,
    oldest: u32,
    newest: u32,
    bytes: usize,
}

impl Table {
    pub(super) fn new(limits: TableLimits, seed: RandomState) -> Self {
        Self {
            limits,
            seed,
            slots: Vec::new(),
            free: Vec::new(),
            forward: HashTable::new(),
            back: HashTable::new(),
            members: Members::default(),
            added: 0,
            oldest: NONE,
            newest: NONE,
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.forward.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a value may be one of either system's, in any space.
    pub(super) fn may_have(&self, value: &[u8]) -> bool {
        self.members.may_have(value)
    }

    /// Entries that were ever added: while it is the same, what was not there is not there.
    pub(super) fn added(&self) -> u64 {
        self.added
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self {
            added: self.added,
            ..Self::new(self.limits, self.seed.clone())
        };
    }

    /// The entry of a production value.
    pub(super) fn find(&mut self, space: Space, production: &[u8], now: Timestamp) -> Option<Entry<'_>> {
        let at = self.at(space, production)?;
        self.used(at, now)
    }

    /// The entry of a shadow value.
    pub(super) fn find_back(&mut self, space: Space, shadow: &[u8], now: Timestamp) -> Option<Entry<'_>> {
        let hash = self.hash(space, shadow);
        let slots = &self.slots;
        let is_it = |at: &u32| {
            slots
                .get(*at as usize)
                .is_some_and(|slot| slot.space == space && slot.shadow() == shadow)
        };
        let at = *self.back.find(hash, is_it)?;
        self.used(at, now)
    }

    /// Sets the entry of a production value, in place of any that it has. Returns how many others were forgotten to
    /// make room.
    pub(super) fn set(
        &mut self,
        (space, home): (Space, Space),
        (production, shadow): (&[u8], &[u8]),
        state: State,
        now: Timestamp,
    ) -> u64 {
        if let Some(at) = self.at(space, production) {
            self.remove(at);
        }
        let mut text = Vec::with_capacity(production.len().saturating_add(shadow.len()));
        text.extend_from_slice(production);
        text.extend_from_slice(shadow);
        let slot = Slot {
            text: text.into(),
            split: u32::try_from(production.len()).unwrap_or(u32::MAX),
            space,
            home,
            used: now,
            older: NONE,
            newer: NONE,
            state,
            is_back: state.is_pair(),
        };
        self.add(slot);
        self.trim(now)
    }

    /// Makes an entry one that holds only at its own place.
    pub(super) fn keep_at_home(&mut self, space: Space, production: &[u8]) {
        if let Some(at) = self.at(space, production)
            && let Some(slot) = self.slots.get_mut(at as usize)
            && slot.state == State::Paired
        {
            slot.state = State::PairedAtHome;
        }
    }

    /// Every entry, the latest used first.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut at = self.newest;
        core::iter::from_fn(move || {
            let slot = self.slots.get(at as usize)?;
            at = slot.older;
            Some(slot.entry())
        })
    }

    /// Forgets what is too old, or too much. Returns how many.
    pub(super) fn trim(&mut self, now: Timestamp) -> u64 {
        let mut gone = 0u64;
        while let Some(slot) = self.slots.get(self.oldest as usize) {
            let over = self.len() > self.limits.entries || self.bytes > self.limits.bytes;
            if !over && now.since(slot.used) <= self.limits.ttl {
                break;
            }
            self.remove(self.oldest);
            gone = gone.saturating_add(1);
        }
        gone
    }

    fn hash(&self, space: Space, value: &[u8]) -> u64 {
        self.seed.hash_one((space.0, value))
    }

    fn at(&self, space: Space, production: &[u8]) -> Option<u32> {
        let hash = self.hash(space, production);
        let is_it = |at: &u32| {
            self.slots
                .get(*at as usize)
                .is_some_and(|slot| slot.space == space && slot.production() == production)
        };
        self.forward.find(hash, is_it).copied()
    }

    /// An entry that is used now, unless it is too old.
    fn used(&mut self, at: u32, now: Timestamp) -> Option<Entry<'_>> {
        let slot = self.slots.get(at as usize)?;
        if now.since(slot.used) > self.limits.ttl {
            return None;
        }
        self.unlink(at);
        self.link(at);
        let slot = self.slots.get_mut(at as usize)?;
        slot.used = now.max(slot.used);
        Some(slot.entry())
    }

    fn add(&mut self, slot: Slot) {
        let production = self.hash(slot.space, slot.production());
        let shadow = slot.is_back.then(|| self.hash(slot.space, slot.shadow()));
        self.bytes = self.bytes.saturating_add(slot.size());
        self.added = self.added.wrapping_add(1);
        self.members.add(slot.production());
        self.members.add(slot.shadow());
        let (space, text) = (slot.space, slot.shadow().to_vec());
        let at = match self.free.pop() {
            Some(at) => at,
            None => u32::try_from(self.slots.len()).unwrap_or(NONE),
        };
        match self.slots.get_mut(at as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.link(at);
        let Self {
            slots,
            seed,
            forward,
            back,
            ..
        } = self;
        let rehash = |at: &u32, of: fn(&Slot) -> &[u8]| {
            slots
                .get(*at as usize)
                .map_or(0, |slot| seed.hash_one((slot.space.0, of(slot))))
        };
        forward.insert_unique(production, at, |at| rehash(at, Slot::production));
        let Some(shadow) = shadow else { return };
        // The latest production value is the partner of a shadow value that several have.
        let is_same = |at: &u32| {
            slots
                .get(*at as usize)
                .is_some_and(|slot| slot.space == space && slot.shadow() == text)
        };
        if let Ok(known) = back.find_entry(shadow, is_same) {
            let (former, _) = known.remove();
            if let Some(slot) = slots.get_mut(former as usize) {
                slot.is_back = false;
            }
        }
        let rehash = |at: &u32| {
            slots
                .get(*at as usize)
                .map_or(0, |slot| seed.hash_one((slot.space.0, slot.shadow())))
        };
        back.insert_unique(shadow, at, rehash);
    }

    fn remove(&mut self, at: u32) {
        self.unlink(at);
        let Some(slot) = self.slots.get_mut(at as usize) else {
            return;
        };
        let (space, is_back, size) = (slot.space, slot.is_back, slot.size());
        let text = core::mem::take(&mut slot.text);
        let (production, shadow) = text.split_at_checked(slot.split as usize).unwrap_or_default();
        slot.split = 0;
        self.members.remove(production);
        self.members.remove(shadow);
        self.bytes = self.bytes.saturating_sub(size);
        let hash = self.hash(space, production);
        if let Ok(entry) = self.forward.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        if is_back {
            let hash = self.hash(space, shadow);
            if let Ok(entry) = self.back.find_entry(hash, |other| *other == at) {
                entry.remove();
            }
        }
        self.free.push(at);
    }

    fn link(&mut self, at: u32) {
        let newest = core::mem::replace(&mut self.newest, at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            (slot.older, slot.newer) = (newest, NONE);
        }
        match self.slots.get_mut(newest as usize) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else {
            return;
        };
        let (older, newer) = (slot.older, slot.newer);
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }
}

impl Slot {
    fn production(&self) -> &[u8] {
        self.text.get(..self.split as usize).unwrap_or_default()
    }

    fn shadow(&self) -> &[u8] {
        self.text.get(self.split as usize..).unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.text.len().saturating_add(OVERHEAD)
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            production: self.production(),
            shadow: self.shadow(),
            home: self.home,
            state: self.state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (Space, Space) = (Space(1), Space(1));

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn table(entries: usize) -> Table {
        let limits = TableLimits {
            entries,
            bytes: 1 << 30,
            ttl: Duration::from_mins(1),
        };
        Table::new(limits, RandomState::new())
    }

    fn shadow(table: &mut Table, production: &str, now: u64) -> Option<String> {
        let entry = table.find(Space(1), production.as_bytes(), at(now))?;
        Some(String::from_utf8(entry.shadow.to_vec()).unwrap())
    }

    #[test]
    fn a_pair_is_found_from_both_sides_in_its_space_only() {
        let mut table = table(10);
        table.set(HERE, (b"8123", b"977"), State::Paired, at(0));
        assert_eq!(shadow(&mut table, "8123", 1).as_deref(), Some("977"));
        assert!(table.find(Space(2), b"8123", at(1)).is_none());
        let back = table
            .find_back(Space(1), b"977", at(1))
            .map(|entry| entry.production.to_vec());
        assert_eq!(back.as_deref(), Some(&b"8123"[..]));
        assert!(table.find_back(Space(1), b"8123", at(1)).is_none());
        table.clear();
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }

    #[test]
    fn the_ones_not_used_for_longest_go_first_and_all_go_in_time() {
        let mut table = table(3);
        for number in 0..3u8 {
            table.set(HERE, (&[number + 1], &[number + 101]), State::Paired, at(0));
        }
        assert!(table.find(Space(1), &[1], at(1)).is_some());
        assert_eq!(table.set(HERE, (&[9], &[109]), State::Paired, at(2)), 1);
        assert!(table.find(Space(1), &[2], at(2)).is_none(), "the least used");
        assert!(table.find(Space(1), &[1], at(2)).is_some());
        assert!(table.find(Space(1), &[1], at(63)).is_none(), "too old");
        assert_eq!(table.trim(at(63)), 3);
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }

    #[test]
    fn a_shadow_value_leads_to_the_latest_of_several() {
        let mut table = table(10);
        table.set(HERE, (b"first", b"same"), State::Paired, at(0));
        table.set(HERE, (b"second", b"same"), State::Paired, at(1));
        let back = |table: &mut Table| {
            table
                .find_back(Space(1), b"same", at(1))
                .map(|e| e.production.to_vec())
        };
        assert_eq!(back(&mut table).as_deref(), Some(&b"second"[..]));
        table.set(HERE, (b"second", b"other"), State::Paired, at(2));
        assert_eq!(back(&mut table), None);
        assert_eq!(shadow(&mut table, "first", 2).as_deref(), Some("same"));
    }
}
