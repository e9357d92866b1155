//! Which mismatches are excused: decided when it is asked, from all that is known by then.
//!
//! Of each mismatch only the set of its atoms (group and shift) is kept, and of equal sets only how many there were. So
//! a mismatch that was counted long before its noise was understood is judged right, and exactly.
//! Bounds: distinct sets, atoms of a set. What is over them is judged at once, by what is known when it comes.
//! Bias: a set with one atom that nothing excuses is a regression, and so is a difference that found no place.

use hashbrown::HashMap;

use super::{group::AtomId, report::Standing, route::RouteId};

/// Atoms of one set; an exchange with more is judged at once.
const ATOMS: usize = 128;

/// The atoms of one mismatch, sorted and without repetition.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Set {
    pub(crate) route: RouteId,
    /// It is a read behind a skipped write.
    pub(crate) after_write: bool,
    pub(crate) atoms: Box<[AtomId]>,
}

/// Mismatches by what became of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Split {
    pub(crate) regressions: u64,
    pub(crate) noise: u64,
    pub(crate) after_skipped_write: u64,
}

/// How often each set was found.
#[derive(Debug)]
pub(crate) struct Sets {
    ids: HashMap<Set, usize>,
    /// By id: how often, and how often before the present window.
    counts: Vec<(u64, u64)>,
    limit: usize,
    overflow: u64,
}

impl Split {
    pub(crate) fn add(&mut self, standing: Standing, count: u64) {
        let to = match standing {
            Standing::Regression | Standing::Undecided => &mut self.regressions,
            Standing::Noise => &mut self.noise,
            Standing::AfterSkippedWrite => &mut self.after_skipped_write,
        };
        *to = to.saturating_add(count);
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            regressions: self.regressions.saturating_add(other.regressions),
            noise: self.noise.saturating_add(other.noise),
            after_skipped_write: self.after_skipped_write.saturating_add(other.after_skipped_write),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            regressions: self.regressions.saturating_sub(other.regressions),
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
            limit,
            overflow: 0,
        }
    }

    /// Mismatches that found no place.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Counts one mismatch; gives it back when there is no place for it.
    pub(crate) fn count(&mut self, mut set: Set) -> Result<(), Set> {
        if set.atoms.contains(&AtomId::NONE) {
            // Nothing can excuse it, whatever else there is.
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
                self.counts.push((0, 0));
                next
            }
        };
        if let Some((count, _)) = self.counts.get_mut(id) {
            *count = count.saturating_add(1);
        }
        Ok(())
    }

    /// Every set with its standing and how often it was found; `atom` is the standing of one atom behind a skipped
    /// write or not.
    pub(crate) fn judged(
        &self,
        atom: impl Fn(AtomId, bool) -> Standing,
    ) -> impl Iterator<Item = (usize, RouteId, Standing, u64)> {
        self.ids.iter().map(move |(set, id)| {
            let count = self.counts.get(*id).map_or(0, |(count, _)| *count);
            (*id, set.route, standing(set, &atom), count)
        })
    }

    /// How often each set was found so far, by id.
    pub(crate) fn counts(&self) -> Vec<u64> {
        self.counts.iter().map(|(count, _)| *count).collect()
    }

    /// How often a set was found in the present window.
    pub(crate) fn in_window(&self, id: usize) -> u64 {
        self.counts
            .get(id)
            .map_or(0, |(count, before)| count.saturating_sub(*before))
    }

    /// Begins the next window.
    pub(crate) fn end_window(&mut self) {
        for (count, before) in &mut self.counts {
            *before = *count;
        }
    }
}

/// The worst of its atoms.
pub(crate) fn standing(set: &Set, atom: impl Fn(AtomId, bool) -> Standing) -> Standing {
    let mut all = Standing::Noise;
    for id in &set.atoms {
        match atom(*id, set.after_write) {
            Standing::Noise => {}
            Standing::AfterSkippedWrite => all = Standing::AfterSkippedWrite,
            Standing::Regression | Standing::Undecided => return Standing::Regression,
        }
    }
    all
}
