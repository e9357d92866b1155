//! Groups in a form that can be stored, and the sum of those of several ledgers.
//!
//! Places are stored as reports show them, redacted, and otherwise as the fingerprints that reports have as ids.
//! Bounds: those of the ledgers that are added up.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::evidence::{
    report::{self, Third},
    route::RouteId,
    shape::Shift,
    trend::Slices,
};
use shadow_proto::time::Timestamp;

use super::{
    Atom, AtomId, FURTHER_SAMPLES, Fingerprint, Group, Groups, Place,
    fold::{Counted, sums},
};

/// All groups of a ledger.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct StoredGroups {
    groups: Vec<StoredGroup>,
    /// By id.
    atoms: Vec<StoredAtom>,
    places: Vec<(Fingerprint, Place)>,
    /// Objects and lists that are known to be data.
    data: Vec<Fingerprint>,
    overflow: u64,
    background_overflow: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct StoredGroup {
    id: Fingerprint,
    mirror: Fingerprint,
    at: Fingerprint,
    route: u32,
    category: String,
    place: String,
    exchanges: u64,
    after_skipped_write: u64,
    discrepancies: u64,
    first_ns: u64,
    last_ns: u64,
    samples: Vec<(u32, report::Sample)>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct StoredAtom {
    group: u32,
    shift: Shift,
    explainable: bool,
    observed: u64,
    leaves: u64,
    /// Of these, leaves from before the rules of comparison changed the last time.
    before: u64,
    background: [u64; 3],
    thirds: [Third; 2],
}

/// Ids in a ledger, by those in the stored form.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    atoms: Vec<AtomId>,
}

impl Ids {
    /// The id of an atom; everything that was not stored is one atom.
    pub(crate) fn atom(&self, stored: u32) -> AtomId {
        self.atoms.get(stored as usize).copied().unwrap_or(AtomId::NONE)
    }
}

impl AtomId {
    /// Its number in the stored form.
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

impl StoredGroups {
    /// The objects and lists that are known to be data.
    pub(crate) fn data(&self) -> &[Fingerprint] {
        &self.data
    }
}

impl Groups {
    /// Merges the groups of all routes, after it became known that these objects and lists are data.
    pub(crate) fn fold_by(&mut self, data: &[Fingerprint]) {
        self.pools.are_data(data);
        self.folds = self.folds.saturating_add(1);
        let mut routes: Vec<RouteId> = self.all.iter().map(|group| group.route_id).collect();
        routes.sort_unstable_by_key(|route| route.index());
        routes.dedup();
        for route in routes {
            self.fold(route);
        }
    }

    /// All groups; `before` are the leaves that do not count any more, and `later` is added to all times.
    pub(crate) fn stored(&self, before: &[u64], later: u64) -> StoredGroups {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mut at = vec![Fingerprint::default(); self.places.len()];
        for (id, place) in &self.by_place {
            if let Some(slot) = at.get_mut(*place) {
                *slot = *id;
            }
        }
        let before = self.leaves_before(before);
        let atoms = self.atoms.iter().zip(0..).map(|(atom, id)| {
            let id = AtomId(id);
            let resolved = self.resolved(id);
            let of = self.atoms.get(resolved.0 as usize).unwrap_or(atom);
            StoredAtom {
                group: number(of.group),
                shift: atom.shift,
                explainable: atom.explainable,
                observed: atom.observed,
                leaves: atom.leaves,
                before: before.get(&id).copied().unwrap_or(0),
                background: atom.background,
                thirds: atom.thirds,
            }
        });
        let groups = self.all.iter().map(|group| StoredGroup {
            id: group.id,
            mirror: group.mirror,
            at: at.get(group.at).copied().unwrap_or_default(),
            route: number(group.route_id.index()),
            category: group.category.clone(),
            place: group.place.clone(),
            exchanges: group.exchanges,
            after_skipped_write: group.after_skipped_write,
            discrepancies: group.discrepancies,
            first_ns: group.first.as_nanos().saturating_add(later),
            last_ns: group.last.as_nanos().saturating_add(later),
            samples: group
                .samples
                .iter()
                .map(|(atom, sample)| (atom.0, sample.clone()))
                .collect(),
        });
        let mut data = self.pools.data();
        data.sort_unstable();
        StoredGroups {
            groups: groups.collect(),
            atoms: atoms.collect(),
            places: at.iter().copied().zip(self.places.iter().copied()).collect(),
            data,
            overflow: self.overflow,
            background_overflow: self.background_overflow,
        }
    }

    /// Adds the groups of another ledger, whose routes are these here. Returns the ids of its atoms, and the leaves
    /// that do not count any more. `None` if the stored form is damaged.
    pub(crate) fn add_stored(
        &mut self,
        stored: &StoredGroups,
        routes: &[(RouteId, String)],
    ) -> Option<(Ids, HashMap<AtomId, u64>)> {
        self.overflow = self.overflow.saturating_add(stored.overflow);
        self.background_overflow = self
            .background_overflow
            .saturating_add(stored.background_overflow);
        self.pools.are_data(&stored.data);
        for (id, place) in &stored.places {
            let at = self.place_at(*id);
            if let Some(sum) = self.places.get_mut(at) {
                sum.add(place);
            }
        }
        let mut groups = Vec::with_capacity(stored.groups.len());
        for group in &stored.groups {
            let route = routes.get(group.route as usize)?;
            groups.push(self.add_group(group, route));
        }
        let mut ids = Ids::default();
        let mut before: HashMap<AtomId, u64> = HashMap::new();
        for atom in &stored.atoms {
            let id = self.add_atom(atom, *groups.get(atom.group as usize)?)?;
            ids.atoms.push(id);
            let sum = before.entry(id).or_default();
            *sum = sum.saturating_add(atom.before);
        }
        for (at, group) in groups.iter().zip(&stored.groups) {
            let Some(known) = self.all.get_mut(*at) else {
                continue;
            };
            for (atom, sample) in &group.samples {
                let atom = ids.atom(*atom);
                let is_new = known.samples.iter().all(|(sampled, _)| *sampled != atom);
                let room = self
                    .samples
                    .saturating_add(if is_new { FURTHER_SAMPLES } else { 0 });
                if known.samples.len() < room {
                    known.samples.push((atom, sample.clone()));
                }
            }
        }
        Some((ids, before))
    }

    fn place_at(&mut self, id: Fingerprint) -> usize {
        let next = self.places.len();
        let at = *self.by_place.entry(id).or_insert(next);
        if at == next {
            self.places.push(Place::default());
        }
        at
    }

    fn add_group(&mut self, stored: &StoredGroup, (route, name): &(RouteId, String)) -> usize {
        let place_at = self.place_at(stored.at);
        let next = self.all.len();
        let at = *self.by_fingerprint.entry(stored.id).or_insert(next);
        let (first, last) = (stored.first_ns, stored.last_ns);
        let (first, last) = (Timestamp::from_nanos(first), Timestamp::from_nanos(last));
        if at == next {
            self.all.push(Group {
                id: stored.id,
                mirror: stored.mirror,
                at: place_at,
                route_id: *route,
                route: name.clone(),
                category: stored.category.clone(),
                place: stored.place.clone(),
                exchanges: 0,
                after_skipped_write: 0,
                discrepancies: 0,
                first,
                last,
                latest: 0,
                slices: Slices::default(),
                atoms: Vec::new(),
                samples: Vec::new(),
            });
        }
        if let Some(group) = self.all.get_mut(at).filter(|_| stored.exchanges > 0) {
            // Until then its times are not those of an exchange.
            let is_new = group.exchanges == 0;
            group.first = if is_new { first } else { group.first.min(first) };
            group.last = if is_new { last } else { group.last.max(last) };
            group.exchanges = group.exchanges.saturating_add(stored.exchanges);
            group.after_skipped_write = group
                .after_skipped_write
                .saturating_add(stored.after_skipped_write);
            group.discrepancies = group.discrepancies.saturating_add(stored.discrepancies);
        }
        at
    }

    fn add_atom(&mut self, stored: &StoredAtom, at: usize) -> Option<AtomId> {
        let next = AtomId(u32::try_from(self.atoms.len()).ok()?);
        let group = self.all.get_mut(at)?;
        let known = group.atoms.iter().find(|(shift, _)| *shift == stored.shift);
        let id = known.map_or(next, |(_, id)| *id);
        if id == next {
            group.atoms.push((stored.shift, id));
            self.atoms.push(Atom {
                group: at,
                shift: stored.shift,
                explainable: stored.explainable,
                observed: 0,
                leaves: 0,
                latest: 0,
                background: [0; 3],
                thirds: [Third::default(); 2],
                into: None,
                open: None,
            });
        }
        let atom = self.atoms.get_mut(id.0 as usize)?;
        atom.observed = atom.observed.saturating_add(stored.observed);
        atom.leaves = atom.leaves.saturating_add(stored.leaves);
        sums(&mut atom.background, stored.background, Counted::Apart);
        for (sum, third) in atom.thirds.iter_mut().zip(stored.thirds) {
            *sum = sum.plus(third);
        }
        Some(id)
    }
}

impl Place {
    fn add(&mut self, other: &Self) {
        self.observed = self.observed.saturating_add(other.observed);
        sums(&mut self.background, other.background, Counted::Apart);
        self.moves.add(&other.moves);
    }
}
