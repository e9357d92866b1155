//! Third answers to requests whose first two answers differ.

use hashbrown::HashMap;

use crate::{
    compare::{Category, Discrepancy},
    evidence::{
        report::{Standing, Third},
        shape::Shift,
    },
};

use super::{AtomId, Context, Denominators, Groups, fingerprint};

/// The system that gave a third answer to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ThirdSystem {
    /// Production, when the same request came again.
    Production,
    /// The shadow system, which got the request a second time.
    Shadow,
}

/// Two different answers, and a third one to the same request.
#[derive(Clone, Copy, Debug)]
pub struct ThirdAnswer<'f> {
    /// Differences between production's answer and the shadow system's.
    pub found: &'f [Discrepancy],
    /// Differences between the two answers of the system that was asked again.
    pub itself: &'f [Discrepancy],
    /// Differences between its second answer and the only answer of the other system.
    pub other: &'f [Discrepancy],
    /// Whether the same requester asked again, close in time. Otherwise production may have had a reason to answer
    /// differently, so that an answer that equals neither says nothing.
    pub is_close: bool,
}

/// The evidence by which an atom was found to be undecided or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Basis {
    thirds: [Third; 2],
    pairs: u64,
    /// The power of two, and the eighths of it.
    observed: (u32, u64),
}

impl Groups {
    /// The atom of a discrepancy, if it was stored.
    fn known(&self, route: &str, found: &Discrepancy) -> Option<AtomId> {
        let place = self.pools.known(route, &found.place);
        let id = fingerprint(route, found.category.as_str(), &place);
        let group = self.all.get(*self.by_fingerprint.get(&id)?)?;
        let shift = Shift::of(found);
        let (_, atom) = group.atoms.iter().find(|(known, _)| *known == shift)?;
        Some(*atom)
    }

    /// Whether one of these differences is undecided by itself.
    pub(crate) fn is_open(&mut self, route: &str, found: &[Discrepancy], whole: &Denominators) -> bool {
        found.iter().any(|found| {
            self.known(route, found)
                .is_some_and(|atom| self.is_undecided(atom, whole))
        })
    }

    /// Whether all of these differences are known to be noise.
    pub(crate) fn is_noise(&self, route: &str, found: &[Discrepancy], whole: &Denominators) -> bool {
        found.iter().all(|found| {
            let standing = self
                .known(route, found)
                .map(|atom| self.standing(atom, false, whole));
            standing == Some(Standing::Noise)
        })
    }

    /// Whether an atom is undecided by itself. This is asked for each mismatch and is expensive, so the answer is kept
    /// until there is other evidence, or an eighth more exchanges with the atom.
    fn is_undecided(&mut self, id: AtomId, whole: &Denominators) -> bool {
        let Some(atom) = self.atoms.get(id.0 as usize) else {
            return false;
        };
        let sum = |counts: &[u64]| counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
        let eighths = atom
            .observed
            .checked_ilog2()
            .map_or(0, |log| atom.observed >> log.saturating_sub(3));
        let basis = Basis {
            thirds: atom.thirds,
            pairs: sum(&whole.pairs).saturating_add(sum(&atom.background)),
            observed: (atom.observed.checked_ilog2().unwrap_or_default(), eighths),
        };
        if let Some((_, open)) = atom.open.filter(|(known, _)| *known == basis) {
            return open;
        }
        let open = self.stand(atom, whole, 0).0.standing == Standing::Undecided;
        if let Some(atom) = self.atoms.get_mut(id.0 as usize) {
            atom.open = Some((basis, open));
        }
        open
    }

    /// Counts the outcome of a third answer for every difference between the first two, and returns whether it was
    /// counted. Elements are counted by place, so that a stable one is visible among others that always vary. Where
    /// many elements have one place, those that only one answer has say nothing about the values of the others.
    pub(crate) fn thirds(
        &mut self,
        context: Context<'_>,
        asked: ThirdSystem,
        thirds: ThirdAnswer<'_>,
    ) -> bool {
        let ThirdAnswer {
            found,
            itself,
            other,
            is_close,
        } = thirds;
        let cut = |found: &[Discrepancy]| found.iter().any(|found| found.category == Category::More);
        if cut(found) || cut(itself) || cut(other) {
            // Nothing is known about a difference that was not stored.
            return false;
        }
        let [itself, other] = [itself, other].map(|found| self.count_by_place(context.route, found));
        let mut seen: Vec<AtomId> = Vec::with_capacity(found.len());
        for found in found {
            let Some((_, atom)) = self.atom(context, found.category.as_str(), found) else {
                continue;
            };
            let place = self.counted_place(context.route, found);
            let varies = |by_place: &HashMap<Counted, u32>| by_place.get(&place).copied().unwrap_or(0);
            let (itself, other) = (varies(&itself), varies(&other));
            if seen.contains(&atom) || itself == 0 && other == 0 {
                continue;
            }
            seen.push(atom);
            let atom = self.atoms.get_mut(atom.0 as usize);
            if let Some(third) = atom.and_then(|atom| atom.thirds.get_mut(asked as usize)) {
                let count = match itself.cmp(&other) {
                    core::cmp::Ordering::Less => &mut third.stays,
                    core::cmp::Ordering::Greater => &mut third.reverts,
                    core::cmp::Ordering::Equal if is_close => &mut third.varies,
                    core::cmp::Ordering::Equal => continue,
                };
                *count = count.saturating_add(1);
            }
        }
        true
    }

    /// The number of differing elements at each place.
    fn count_by_place(&self, route: &str, found: &[Discrepancy]) -> HashMap<Counted, u32> {
        let mut places = HashMap::with_capacity(found.len());
        for found in found {
            let count: &mut u32 = places.entry(self.counted_place(route, found)).or_default();
            *count = count.saturating_add(1);
        }
        places
    }

    fn counted_place(&self, route: &str, found: &Discrepancy) -> Counted {
        let place = self.pools.known(route, &found.place);
        let is_one_sided = matches!(found.category, Category::Missing | Category::Added);
        let is_pooled = place != found.place;
        (place, is_pooled && is_one_sided)
    }
}

/// A place, and whether its elements are only in one of two answers.
type Counted = (String, bool);
