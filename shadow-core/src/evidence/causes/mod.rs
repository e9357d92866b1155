//! Causes: which differences belong together, and what the requests that show them have in common.
//!
//! Of each exchange with a verdict the features of its request are counted: for a match by route, for any other verdict
//! by its *signature*, which is the set of its differences. Everything else follows from these counts when the report
//! is made, so a difference that is understood to be noise later is in no cause.
//! Bounds: signatures, differences of each, features of each kind, counts of all rows together. With too many
//! signatures the rarest half is forgotten, on both sides of every comparison. A feature that did not fit into a row is
//! never shown.
//! Bias: a feature is shown only if the interval of the difference of both shares excludes chance and half of the
//! others. All names are redacted before they are kept, and one that redaction changes is not kept.

mod asking;
mod change;
mod cluster;
mod features;
mod find;
mod join;
mod known;
mod row;
mod same_route;
mod separate;
#[cfg(test)]
mod tests;
mod words;

use hashbrown::HashMap;

use super::{group::AtomId, grow::grown, route::RouteId};
use features::Features;
use row::{Room, Row};

pub(crate) use asking::Asking;
pub(crate) use known::Known;

/// Maximum number of distinct signatures.
const SIGNATURES: usize = 8192;

/// Differences of one signature that are kept.
const ATOMS: usize = 128;

/// The differences of one exchange.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Signature {
    route: RouteId,
    /// Whether it is a read after a skipped write.
    after_write: bool,
    /// Sorted, without duplicates.
    atoms: Box<[AtomId]>,
}

/// Counts of all exchanges with a verdict.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    features: Features,
    ids: HashMap<Signature, usize>,
    /// By the id of a signature.
    differed: Vec<Row>,
    /// By route: the exchanges without a difference.
    matched: Vec<Row>,
    room: Room,
    /// Exchanges whose signature was forgotten.
    forgotten: u64,
}

impl Causes {
    /// Counts an exchange whose answers match.
    pub(crate) fn matched(&mut self, asking: Asking<'_>) {
        let features = self.features.of(asking);
        if let Some(row) = grown(&mut self.matched, asking.route_id.index()) {
            row.count(&features, asking.slice, &mut self.room, self.features.lost());
        }
    }

    /// Counts an exchange with differences; `atoms` sorted and without duplicates.
    pub(crate) fn differed(&mut self, asking: Asking<'_>, after_write: bool, atoms: &[AtomId]) {
        let atoms: Box<[AtomId]> = atoms
            .iter()
            .filter(|atom| **atom != AtomId::NONE)
            .take(ATOMS)
            .copied()
            .collect();
        if atoms.is_empty() {
            return;
        }
        let features = self.features.of(asking);
        let signature = Signature {
            route: asking.route_id,
            after_write,
            atoms,
        };
        if self.ids.len() >= SIGNATURES && !self.ids.contains_key(&signature) {
            self.forget();
        }
        let next = self.differed.len();
        let at = *self.ids.entry(signature).or_insert(next);
        if at == next {
            self.differed.push(Row::default());
        }
        if let Some(row) = self.differed.get_mut(at) {
            row.count(&features, asking.slice, &mut self.room, self.features.lost());
        }
    }

    /// Adds up neighbouring time slices.
    pub(crate) fn halve(&mut self) {
        for row in self.differed.iter_mut().chain(&mut self.matched) {
            row.slices.halve();
        }
    }

    /// Forgets the rarer half of the signatures.
    fn forget(&mut self) {
        let mut known: Vec<(Signature, Row)> = self
            .ids
            .drain()
            .filter_map(|(signature, at)| Some((signature, core::mem::take(self.differed.get_mut(at)?))))
            .collect();
        // The newest of equally rare ones stay.
        known.sort_by(|(_, a), (_, b)| b.all.cmp(&a.all).then_with(|| b.latest.cmp(&a.latest)));
        self.differed.clear();
        for (at, (signature, row)) in known.into_iter().enumerate() {
            if at < SIGNATURES / 2 {
                self.ids.insert(signature, at);
                self.differed.push(row);
            } else {
                self.room.free(&row);
                self.forgotten = self.forgotten.saturating_add(row.all);
            }
        }
    }
}

/// The number of kept entries.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) signatures: usize,
    pub(crate) features: usize,
    pub(crate) counts: usize,
}

#[cfg(test)]
impl Causes {
    pub(crate) fn size(&self) -> Size {
        Size {
            signatures: self.ids.len(),
            features: self.features.all().len(),
            counts: self.room.used(),
        }
    }
}
