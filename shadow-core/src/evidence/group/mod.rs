//! Groups of discrepancies that differ only in the exchange, with observed and background counts for each of their
//! shifts.
//!
//! Bounds: groups, shifts of a group, atoms (a group with a shift) of all groups, samples of a group. A discrepancy
//! that does not fit in is counted, and nothing excuses it. Only samples are redacted and kept, so during a storm of
//! mismatches each one costs a hash and a few counts.

mod excuse;
mod fold;
mod follow;
mod join;
mod moves;
mod place;
mod planted;
mod pool;
mod rare;
mod show;
mod stand;
mod stored;
#[cfg(test)]
mod tests;
mod thirds;
mod unit;

pub(crate) use planted::{StoredWould, Would};
pub(crate) use stand::{Denominators, Standings};
pub(crate) use stored::StoredGroups;
pub use thirds::{ThirdAnswer, ThirdSystem};
pub(crate) use unit::Unit;

use core::fmt::Write as _;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    compare::{Category, Discrepancy, Failure},
    redact::{Answers, Redactor},
};
use shadow_proto::time::Timestamp;

use fold::mirror;
use moves::Moves;

use super::{
    background::Background,
    report::{self, Third},
    route::RouteId,
    shape::Shift,
    trend::Slices,
    writes,
};

/// Maximum number of shifts in a group.
const SHIFTS: usize = 48;

/// Atoms per allowed group.
const ATOMS_PER_GROUP: usize = 4;

/// Samples of a group beyond its limit, kept for shifts that have none yet.
const FURTHER_SAMPLES: usize = 4;

/// Id of an atom: a group with one of its shifts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct AtomId(u32);

impl AtomId {
    /// The id of everything that was not stored.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// All groups of a target.
#[derive(Debug)]
pub(crate) struct Groups {
    by_fingerprint: HashMap<Fingerprint, usize>,
    all: Vec<Group>,
    atoms: Vec<Atom>,
    by_place: HashMap<Fingerprint, usize>,
    places: Vec<Place>,
    pools: pool::Pools,
    /// How often a step of places was recognised as data.
    folds: u64,
    limit: usize,
    samples: usize,
    overflow: u64,
    background_overflow: u64,
}

pub(super) type Fingerprint = [u8; 6];

#[derive(Debug)]
struct Group {
    id: Fingerprint,
    /// The group of the opposite difference: what is missing here is added there.
    mirror: Fingerprint,
    /// Index of its route and place, regardless of the category.
    at: usize,
    route_id: RouteId,
    route: String,
    category: String,
    place: String,
    exchanges: u64,
    after_skipped_write: u64,
    discrepancies: u64,
    first: Timestamp,
    last: Timestamp,
    /// The number of the last exchange counted here.
    latest: u64,
    slices: Slices,
    atoms: Vec<(Shift, AtomId)>,
    samples: Vec<(AtomId, report::Sample)>,
}

/// A place on a route. Counts how often only the shapes differed there, which shows nothing about values of one shape.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Place {
    observed: u64,
    background: [u64; 3],
    #[serde(default)]
    moves: Moves,
}

#[derive(Debug)]
struct Atom {
    group: usize,
    shift: Shift,
    /// A skipped write may explain it.
    explainable: bool,
    /// Exchanges with it, except those that a skipped write explains.
    observed: u64,
    /// Leaves of production's answers that it covered, in all of them.
    leaves: u64,
    latest: u64,
    background: [u64; 3],
    /// Third answers, by [`ThirdSystem`].
    thirds: [Third; 2],
    /// The atom that it became part of.
    into: Option<AtomId>,
    /// Whether it was undecided, and the evidence by which.
    open: Option<(thirds::Basis, bool)>,
}

/// Where and when a discrepancy was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'c> {
    pub(crate) route_id: RouteId,
    pub(crate) route: &'c str,
    pub(crate) target: &'c [u8],
    /// A number unique to the exchange; not 0.
    pub(crate) exchange: u64,
    pub(crate) now: Timestamp,
    pub(crate) slice: usize,
    pub(crate) after_write: bool,
    pub(crate) redactor: &'c Redactor,
    /// The answers in which it was found.
    pub(crate) answers: Option<&'c Answers<'c>>,
}

/// The result of counting one discrepancy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    pub(crate) atom: AtomId,
    pub(crate) group: Option<Fingerprint>,
    /// Whether it became a sample.
    pub(crate) sample: bool,
}

impl Groups {
    pub(crate) fn new(limit: usize, samples: usize) -> Self {
        Self {
            by_fingerprint: HashMap::new(),
            all: Vec::new(),
            atoms: Vec::new(),
            by_place: HashMap::new(),
            places: Vec::new(),
            pools: pool::Pools::default(),
            folds: 0,
            limit,
            samples,
            overflow: 0,
            background_overflow: 0,
        }
    }

    /// Discrepancies that were not stored.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Numbers of groups, atoms and places.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        (self.all.len(), self.atoms.len(), self.places.len())
    }

    /// Differences in pairs that were not stored.
    pub(crate) fn background_overflow(&self) -> u64 {
        self.background_overflow
    }

    /// Counts one discrepancy. `category` is its category, or the name of a failure.
    pub(crate) fn add(&mut self, context: Context<'_>, category: &str, found: &Discrepancy) -> Added {
        let Some((at, atom)) = self.atom(context, category, found) else {
            self.overflow = self.overflow.saturating_add(1);
            return Added {
                atom: AtomId::NONE,
                group: None,
                sample: false,
            };
        };
        let samples = self.samples;
        let Context {
            exchange,
            now,
            after_write,
            slice,
            ..
        } = context;
        let mut explained = false;
        if let Some(atom) = self.atoms.get_mut(atom.0 as usize) {
            explained = after_write && atom.explainable;
            if atom.latest != exchange && !explained {
                atom.observed = atom.observed.saturating_add(1);
            }
            if !explained {
                atom.leaves = atom.leaves.saturating_add(found.leaves.into());
            }
            atom.latest = exchange;
        }
        let mut added = Added {
            atom,
            group: None,
            sample: false,
        };
        let Some(group) = self.all.get_mut(at) else {
            return added;
        };
        added.group = Some(group.id);
        if group.exchanges == 0 {
            group.first = now;
        }
        group.discrepancies = group.discrepancies.saturating_add(1);
        group.last = group.last.max(now);
        let again = group.latest == exchange;
        if !again {
            group.latest = exchange;
            group.exchanges = group.exchanges.saturating_add(1);
            group.after_skipped_write = group.after_skipped_write.saturating_add(u64::from(explained));
            group.slices.count(slice);
        }
        added.sample = group.wants(samples, atom, again);
        if added.sample {
            group.samples.push((atom, show::sample(context, found)));
        }
        added
    }

    /// Counts all atoms of one exchange together; call it once per exchange, with atoms sorted and without duplicates.
    pub(crate) fn settle(&mut self, atoms: &[AtomId], after_write: bool) {
        if !after_write {
            self.at_places(atoms, |place| &mut place.observed);
        }
    }

    /// Updates a counter at each place where only the shapes differ.
    fn at_places(&mut self, atoms: &[AtomId], counter: impl Fn(&mut Place) -> &mut u64) {
        let mut at: Vec<(usize, bool)> = atoms
            .iter()
            .filter_map(|id| self.atoms.get(id.0 as usize))
            .filter_map(|atom| Some((self.all.get(atom.group)?.at, atom.shift.is_directed())))
            .collect();
        // Equal shapes first: they decide for their place.
        at.sort_unstable();
        at.dedup_by_key(|(place, _)| *place);
        for (place, directed) in at {
            if let Some(place) = self.places.get_mut(place).filter(|_| directed) {
                let counter = counter(place);
                *counter = counter.saturating_add(1);
            }
        }
    }

    /// Counts the differences of one pair of answers of the same system.
    pub(crate) fn background(&mut self, context: Context<'_>, source: Background, found: &[Discrepancy]) {
        let mut seen: Vec<AtomId> = Vec::with_capacity(found.len());
        for found in found {
            match self.atom(context, found.category.as_str(), found) {
                Some((_, atom)) => seen.push(atom),
                None => self.background_overflow = self.background_overflow.saturating_add(1),
            }
        }
        seen.sort_unstable();
        seen.dedup();
        for atom in &seen {
            let atom = self.atoms.get_mut(atom.0 as usize);
            if let Some(count) = atom.and_then(|atom| atom.background.get_mut(source.index())) {
                *count = count.saturating_add(1);
            }
        }
        self.at_places(&seen, |place| {
            let [control, recurring, twice] = &mut place.background;
            match source {
                Background::Control => control,
                Background::Recurring => recurring,
                Background::Twice => twice,
            }
        });
    }

    /// Adds up neighbouring time slices.
    pub(crate) fn halve(&mut self) {
        for group in &mut self.all {
            group.slices.halve();
        }
    }

    /// The atom of a discrepancy, and the index of its group.
    fn atom(&mut self, context: Context<'_>, category: &str, found: &Discrepancy) -> Option<(usize, AtomId)> {
        if found.category == Category::More {
            // The differences that were not stored have no place, so no evidence can be about them.
            return None;
        }
        let pool::Pooled { place, is_new } = if context.exchange == 0 {
            // Answers of one system say nothing about which parts recur in the differences between the systems.
            pool::Pooled {
                place: self.pools.known(context.route, &found.place),
                is_new: false,
            }
        } else {
            let lacked = pool::Lacked::by(category);
            self.pools
                .observe(context.route, &found.place, lacked, context.exchange)
        };
        let id = fingerprint(context.route, category, &place);
        if is_new {
            self.folds = self.folds.saturating_add(1);
            self.fold(context.route_id);
        }
        let at = match self.by_fingerprint.get(&id) {
            Some(at) => *at,
            None if self.all.len() >= self.limit => return None,
            None => {
                let at = self.all.len();
                let next = self.places.len();
                let known = fingerprint(context.route, "", &place);
                let place_at = *self.by_place.entry(known).or_insert(next);
                if place_at == next {
                    self.places.push(Place::default());
                }
                self.by_fingerprint.insert(id, at);
                self.all.push(Group::new(id, place_at, context, category, &place));
                at
            }
        };
        let group = self.all.get_mut(at)?;
        let shift = Shift::of(found);
        if let Some((_, atom)) = group.atoms.iter().find(|(known, _)| *known == shift) {
            return Some((at, *atom));
        }
        if group.atoms.len() >= SHIFTS || self.atoms.len() >= self.limit.saturating_mul(ATOMS_PER_GROUP) {
            return None;
        }
        let atom = AtomId(u32::try_from(self.atoms.len()).ok()?);
        group.atoms.push((shift, atom));
        self.atoms.push(Atom {
            group: at,
            shift,
            explainable: writes::may_explain(found),
            observed: 0,
            leaves: 0,
            latest: 0,
            background: [0; 3],
            thirds: [Third::default(); 2],
            into: None,
            open: None,
        });
        Some((at, atom))
    }
}

impl Group {
    /// Whether the group is about replays without an answer.
    fn is_failure(&self) -> bool {
        Failure::ALL
            .iter()
            .any(|failure| failure.as_str() == self.category)
    }

    fn new(id: Fingerprint, at: usize, context: Context<'_>, category: &str, place: &str) -> Self {
        Self {
            id,
            mirror: mirror(context.route, category, place),
            at,
            route_id: context.route_id,
            route: context.route.to_owned(),
            category: category.to_owned(),
            place: context.redactor.place(place),
            exchanges: 0,
            after_skipped_write: 0,
            discrepancies: 0,
            first: context.now,
            last: context.now,
            latest: 0,
            slices: Slices::default(),
            atoms: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Whether to keep a discrepancy as a sample: it is from one of the first exchanges, or the first of its shift.
    fn wants(&self, samples: usize, atom: AtomId, again: bool) -> bool {
        let new = samples > 0 && self.samples.iter().all(|(sampled, _)| *sampled != atom);
        (!again && self.samples.len() < samples)
            || (new && self.samples.len() < samples.saturating_add(FURTHER_SAMPLES))
    }
}

/// Equal in every run, so that rules and tickets can refer to a group.
fn fingerprint(route: &str, category: &str, place: &str) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for part in [route, category, place] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let mut fingerprint = Fingerprint::default();
    hasher.finalize_xof().fill(&mut fingerprint);
    fingerprint
}

/// A fingerprint in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
