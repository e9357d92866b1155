//! Sets of differences, and which mismatches they excuse: decided on each query from all evidence so far.
//!
//! For each mismatch only the set of its atoms (group and shift) is kept, and equal sets are only counted. A mismatch
//! that was counted long before its noise was understood is therefore still judged correctly and exactly.
//! Bounds: distinct sets, atoms of a set, the latest mismatches (for bursts of different sets). Anything over a bound
//! is judged immediately, by what is known when it arrives.
//! Bias: a set with one regression is a regression; a difference that was not stored is undecided.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{
    burst::Bursts,
    group::AtomId,
    joint::{Log, StoredLog, Times},
    report::Standing,
    route::RouteId,
};

/// Maximum number of atoms in a set; an exchange with more is judged immediately.
const ATOMS: usize = 512;

/// The atoms of one mismatch, sorted and without duplicates.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Set {
    pub(crate) route: RouteId,
    /// Whether it is a read after a skipped write.
    pub(crate) after_write: bool,
    pub(crate) atoms: Box<[AtomId]>,
}

/// Mismatches by standing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct MismatchCounts {
    pub(crate) regressions: u64,
    pub(crate) undecided: u64,
    pub(crate) noise: u64,
    pub(crate) after_skipped_write: u64,
}

/// How often each set was found.
#[derive(Debug)]
pub(crate) struct Sets {
    ids: HashMap<Set, usize>,
    /// By id.
    counts: Vec<Count>,
    log: Log,
    limit: usize,
    overflow: u64,
}

/// How often one set was found.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: u64,
    /// Before the current window.
    before: u64,
    bursts: Bursts,
}

/// One set with its standing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) id: usize,
    pub(crate) route: RouteId,
    pub(crate) standing: Standing,
    pub(crate) count: u64,
    pub(crate) bursts: Bursts,
}

impl MismatchCounts {
    pub(crate) fn add(&mut self, standing: Standing, count: u64) {
        let to = match standing {
            Standing::Regression => &mut self.regressions,
            Standing::Undecided => &mut self.undecided,
            Standing::Noise => &mut self.noise,
            Standing::AfterSkippedWrite => &mut self.after_skipped_write,
        };
        *to = to.saturating_add(count);
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            regressions: self.regressions.saturating_add(other.regressions),
            undecided: self.undecided.saturating_add(other.undecided),
            noise: self.noise.saturating_add(other.noise),
            after_skipped_write: self.after_skipped_write.saturating_add(other.after_skipped_write),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            regressions: self.regressions.saturating_sub(other.regressions),
            undecided: self.undecided.saturating_sub(other.undecided),
            noise: self.noise.saturating_sub(other.noise),
            after_skipped_write: self.after_skipped_write.saturating_sub(other.after_skipped_write),
        }
    }
}

impl Sets {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            ids: HashMap::new(),
            counts: Vec::new(),
            log: Log::default(),
            limit,
            overflow: 0,
        }
    }

    /// Mismatches that were not stored.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Counts one mismatch in a second; returns it if the table is full.
    pub(crate) fn count(&mut self, mut set: Set, second: u64) -> Result<(), Set> {
        if set.atoms.contains(&AtomId::NONE) {
            // Nothing can excuse it, whatever its other atoms are.
            set.atoms = Box::from([AtomId::NONE]);
        }
        let next = self.counts.len();
        let id = match self.ids.get(&set) {
            Some(id) => *id,
            None if next >= self.limit || set.atoms.len() > ATOMS => {
                self.overflow = self.overflow.saturating_add(1);
                return Err(set);
            }
            None => {
                self.ids.insert(set, next);
                self.counts.push(Count::default());
                next
            }
        };
        if let Some(count) = self.counts.get_mut(id) {
            count.all = count.all.saturating_add(1);
            count.bursts.count(second);
        }
        self.log.count(id, second);
        Ok(())
    }

    /// Mean burst size of all mismatches of these sets together, from a second on; `last` is the latest second.
    pub(crate) fn burst(&self, is_open: impl Fn(usize) -> bool, from: u64, last: u64) -> f64 {
        self.log.factor(is_open, from, last)
    }

    /// Every set with its standing and how often it was found; `atom` gives the standing of one atom, after a skipped
    /// write or not.
    pub(crate) fn judged(&self, atom: impl Fn(AtomId, bool) -> Standing) -> impl Iterator<Item = Found> {
        self.ids.iter().map(move |(set, id)| {
            let count = self.counts.get(*id).copied().unwrap_or_default();
            Found {
                id: *id,
                route: set.route,
                standing: standing(set, &atom),
                count: count.all,
                bursts: count.bursts,
            }
        })
    }

    /// The atoms of all undecided sets.
    pub(crate) fn open(&self, atom: impl Fn(AtomId, bool) -> Standing) -> impl Iterator<Item = &Set> {
        self.ids
            .keys()
            .filter(move |set| standing(set, &atom) == Standing::Undecided)
    }

    /// How often each set was found so far, by id.
    pub(crate) fn counts(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.all).collect()
    }

    /// The bursts in which each set was found so far, by id.
    pub(crate) fn bursts(&self) -> impl Iterator<Item = Bursts> {
        self.counts.iter().map(|count| count.bursts)
    }

    /// How often a set was found in the current window.
    pub(crate) fn in_window(&self, id: usize) -> u64 {
        self.counts
            .get(id)
            .map_or(0, |count| count.all.saturating_sub(count.before))
    }

    /// Starts the next window.
    pub(crate) fn end_window(&mut self) {
        for count in &mut self.counts {
            count.before = count.all;
        }
    }
}

/// All sets of a ledger, in a form that can be stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct StoredSets {
    sets: Vec<StoredSet>,
    pub(crate) log: StoredLog,
    overflow: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct StoredSet {
    route: u32,
    after_write: bool,
    atoms: Vec<u32>,
    count: u64,
    bursts: Bursts,
}

impl Sets {
    /// All sets; `later` seconds are added to all times.
    pub(crate) fn stored(&self, later: u64) -> StoredSets {
        let mut sets: Vec<(usize, StoredSet)> = self
            .ids
            .iter()
            .map(|(set, id)| {
                let count = self.counts.get(*id).copied().unwrap_or_default();
                let stored = StoredSet {
                    route: u32::try_from(set.route.index()).unwrap_or(u32::MAX),
                    after_write: set.after_write,
                    atoms: set.atoms.iter().map(|atom| atom.number()).collect(),
                    count: count.all,
                    bursts: count.bursts,
                };
                (*id, stored)
            })
            .collect();
        sets.sort_by_key(|(id, _)| *id);
        StoredSets {
            sets: sets.into_iter().map(|(_, set)| set).collect(),
            log: self.log.stored(later),
            overflow: self.overflow,
        }
    }

    /// Adds the sets of another ledger and returns their ids here. Their bursts follow from the times, where all of
    /// these are known ([`Sets::add_times`]). `None` if the stored form is damaged.
    pub(crate) fn add_stored(
        &mut self,
        stored: &StoredSets,
        route: impl Fn(u32) -> Option<RouteId>,
        atom: impl Fn(u32) -> AtomId,
    ) -> Option<Vec<usize>> {
        self.overflow = self.overflow.saturating_add(stored.overflow);
        let mut ids = Vec::with_capacity(stored.sets.len());
        for set in &stored.sets {
            let mut atoms: Vec<AtomId> = set.atoms.iter().map(|number| atom(*number)).collect();
            atoms.sort_unstable();
            atoms.dedup();
            if atoms.contains(&AtomId::NONE) {
                atoms = vec![AtomId::NONE];
            }
            let known = Set {
                route: route(set.route)?,
                after_write: set.after_write,
                atoms: atoms.into(),
            };
            let next = self.counts.len();
            let id = *self.ids.entry(known).or_insert(next);
            if id == next {
                self.counts.push(Count::default());
            }
            if let Some(count) = self.counts.get_mut(id) {
                count.all = count.all.saturating_add(set.count);
                if !stored.log.is_complete() {
                    count.bursts = count.bursts.joined(&set.bursts);
                }
            }
            ids.push(id);
        }
        Some(ids)
    }

    /// Adds the times of mismatches by their sets here, of several logs.
    pub(crate) fn add_times(&mut self, times: &Times) {
        let exact = times.bursts();
        self.log = times.log();
        for (id, bursts) in exact {
            if let Some(count) = self.counts.get_mut(id) {
                count.bursts = count.bursts.joined(&bursts);
            }
        }
    }
}

/// The worst standing of its atoms.
pub(crate) fn standing(set: &Set, atom: impl Fn(AtomId, bool) -> Standing) -> Standing {
    let mut all = Standing::Noise;
    for id in &set.atoms {
        match atom(*id, set.after_write) {
            Standing::Regression => return Standing::Regression,
            Standing::Undecided => all = Standing::Undecided,
            Standing::AfterSkippedWrite if all == Standing::Noise => all = Standing::AfterSkippedWrite,
            Standing::AfterSkippedWrite | Standing::Noise => {}
        }
    }
    all
}
