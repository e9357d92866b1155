//! Merging of groups whose places turn out to be the same place.

use shadow_proto::time::Timestamp;

use crate::{
    compare::Category,
    evidence::{report, route::RouteId, shape::Shift, trend::Slices},
};

use super::{AtomId, Fingerprint, Group, Groups, Place, fingerprint};

/// Steps from an atom to the one that it is part of by now: one for each level of a place.
const MERGES: usize = 64;

/// How the exchanges of two counts are related.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Counted {
    /// An exchange, a pair or a third answer may be counted in both, so the sum is at least the larger one.
    Together,
    /// None is counted in both: they are of different routes.
    Apart,
}

impl Counted {
    pub(super) fn sum(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Together => a.max(b),
            Self::Apart => a.saturating_add(b),
        }
    }
}

impl Groups {
    /// Merges the groups of a route that have the same place by now: one group continues under the common place, the
    /// others become part of it, and their atoms part of its atoms.
    pub(super) fn fold(&mut self, route: RouteId) {
        self.fold_as(route, None);
    }

    /// As [`Groups::fold`], by the places that are known to be data on another route.
    pub(super) fn fold_as(&mut self, route: RouteId, like: Option<&str>) {
        for at in 0..self.all.len() {
            let Some(group) = self.all.get(at).filter(|group| group.route_id == route) else {
                continue;
            };
            let place = self.pools.known(like.unwrap_or(&group.route), &group.place);
            if place == group.place {
                continue;
            }
            let from = group.at;
            let id = fingerprint(&group.route, &group.category, &place);
            let next = self.places.len();
            let known = *self
                .by_place
                .entry(fingerprint(&group.route, "", &place))
                .or_insert(next);
            if known == next {
                self.places.push(Place::default());
            }
            self.move_place(from, known, Counted::Together);
            let into = *self.by_fingerprint.entry(id).or_insert(at);
            if into == at {
                if let Some(group) = self.all.get_mut(at) {
                    group.id = id;
                    group.mirror = mirror(&group.route, &group.category, &place);
                    group.at = known;
                    group.place = place;
                }
            } else if let Some(part) = self.all.get_mut(at).map(Group::take) {
                self.move_atoms(into, &part.atoms, Counted::Together);
                if let Some(group) = self.all.get_mut(into) {
                    group.take_over(part, Counted::Together);
                }
            }
        }
    }

    /// Joins the counts of a place with those of another. An exchange or a pair counts once for each place.
    pub(super) fn move_place(&mut self, from: usize, to: usize, counted: Counted) {
        let Some(moved) = self.places.get_mut(from).filter(|_| from != to) else {
            return;
        };
        let moved = core::mem::take(moved);
        if let Some(place) = self.places.get_mut(to) {
            place.observed = counted.sum(place.observed, moved.observed);
            sums(&mut place.background, moved.background, counted);
            place.moves.add(&moved.moves);
        }
    }

    /// Moves atoms to a group: they become part of its atoms with the same shift, so that later evidence is about
    /// them, too.
    pub(super) fn move_atoms(&mut self, group: usize, moved: &[(Shift, AtomId)], counted: Counted) {
        for (shift, id) in moved {
            let Some(into) = self.all.get_mut(group) else {
                return;
            };
            let same = into.atoms.iter().find(|(known, _)| known == shift);
            if let Some(same) = same.map(|(_, same)| *same) {
                self.merge(*id, same, counted);
                continue;
            }
            // The number of all atoms is the limit here.
            into.atoms.push((*shift, *id));
            if let Some(atom) = self.atoms.get_mut(id.0 as usize) {
                atom.group = group;
            }
        }
    }

    /// An exchange, a pair or a third answer counts once for each atom.
    fn merge(&mut self, part: AtomId, into: AtomId, counted: Counted) {
        let Some(atom) = self.atoms.get_mut(part.0 as usize) else {
            return;
        };
        atom.into = Some(into);
        let observed = core::mem::take(&mut atom.observed);
        let leaves = core::mem::take(&mut atom.leaves);
        let background = core::mem::take(&mut atom.background);
        let thirds = core::mem::take(&mut atom.thirds);
        if let Some(atom) = self.atoms.get_mut(into.0 as usize) {
            atom.observed = counted.sum(atom.observed, observed);
            atom.leaves = atom.leaves.saturating_add(leaves);
            sums(&mut atom.background, background, counted);
            for (known, third) in atom.thirds.iter_mut().zip(thirds) {
                match counted {
                    Counted::Apart => *known = known.plus(third),
                    Counted::Together if third.all() > known.all() => *known = third,
                    Counted::Together => {}
                }
            }
        }
    }

    /// The atom that an atom is part of by now.
    pub(super) fn resolved(&self, mut atom: AtomId) -> AtomId {
        // Each step leads to a group that was merged later.
        for _ in 0..MERGES {
            match self.atoms.get(atom.0 as usize).and_then(|atom| atom.into) {
                Some(into) => atom = into,
                None => break,
            }
        }
        atom
    }
}

pub(super) fn sums(counts: &mut [u64; 3], others: [u64; 3], counted: Counted) {
    for (count, other) in counts.iter_mut().zip(others) {
        *count = counted.sum(*count, other);
    }
}

impl Group {
    /// Takes the counts of a group that becomes part of another; it is no longer shown from then on.
    pub(super) fn take(&mut self) -> Part {
        Part {
            exchanges: core::mem::take(&mut self.exchanges),
            after_skipped_write: core::mem::take(&mut self.after_skipped_write),
            discrepancies: core::mem::take(&mut self.discrepancies),
            first: self.first,
            last: self.last,
            slices: core::mem::take(&mut self.slices),
            samples: core::mem::take(&mut self.samples),
            atoms: core::mem::take(&mut self.atoms),
        }
    }

    pub(super) fn take_over(&mut self, part: Part, counted: Counted) {
        if part.exchanges == 0 {
            return;
        }
        self.first = if self.exchanges == 0 {
            part.first
        } else {
            self.first.min(part.first)
        };
        self.last = self.last.max(part.last);
        match counted {
            Counted::Apart => self.slices.add(&part.slices),
            Counted::Together if part.exchanges > self.exchanges => self.slices = part.slices,
            Counted::Together => {}
        }
        self.exchanges = counted.sum(self.exchanges, part.exchanges);
        self.after_skipped_write = counted.sum(self.after_skipped_write, part.after_skipped_write);
        self.discrepancies = self.discrepancies.saturating_add(part.discrepancies);
        if self.samples.is_empty() {
            self.samples = part.samples;
        }
    }
}

/// Counts of a group that becomes part of another.
pub(super) struct Part {
    exchanges: u64,
    after_skipped_write: u64,
    discrepancies: u64,
    first: Timestamp,
    last: Timestamp,
    slices: Slices,
    samples: Vec<(AtomId, report::Sample)>,
    pub(super) atoms: Vec<(Shift, AtomId)>,
}

/// The group of the same difference in the opposite direction.
pub(super) fn mirror(route: &str, category: &str, place: &str) -> Fingerprint {
    let mirrored = if category == Category::Missing.as_str() {
        Category::Added.as_str()
    } else if category == Category::Added.as_str() {
        Category::Missing.as_str()
    } else {
        category
    };
    fingerprint(route, mirrored, place)
}
