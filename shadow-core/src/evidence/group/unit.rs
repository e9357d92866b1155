//! Groups and their shifts as the causes see them.

use crate::evidence::{report, route::RouteId, shape::Shift};

use super::{Atom, AtomId, Groups, Standings, fingerprint, hex};

/// One difference: a group with a shift.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit<'g> {
    /// Index of the group.
    pub(crate) at: usize,
    pub(crate) route_id: RouteId,
    pub(crate) category: &'g str,
    /// Redacted.
    pub(crate) place: &'g str,
    pub(crate) shift: Shift,
    /// It is about replays without an answer.
    pub(crate) is_failure: bool,
}

impl Groups {
    /// The difference that each atom belongs to by now, by its index.
    pub(crate) fn units(&self) -> Vec<Option<Unit<'_>>> {
        self.atoms.iter().map(|atom| self.unit(atom)).collect()
    }

    fn unit(&self, atom: &Atom) -> Option<Unit<'_>> {
        let atom = match atom.into {
            Some(into) => self.atoms.get(self.resolved(into).index())?,
            None => atom,
        };
        let mut at = atom.group;
        let mut group = self.all.get(at)?;
        if group.exchanges == 0 {
            // It became part of another group, if it was ever found between the two systems.
            let place = self.pools.known(&group.route, &group.place);
            at = *self
                .by_fingerprint
                .get(&fingerprint(&group.route, &group.category, &place))?;
            group = self.all.get(at)?;
        }
        Some(Unit {
            at,
            route_id: group.route_id,
            category: &group.category,
            place: &group.place,
            shift: atom.shift,
            is_failure: group.is_failure(),
        })
    }

    /// The id of a group.
    pub(crate) fn id(&self, at: usize) -> String {
        self.all.get(at).map(|group| hex(&group.id)).unwrap_or_default()
    }

    /// The exchanges of a group that nothing excuses; with a shift only those with it.
    pub(crate) fn counted(&self, at: usize, shift: Option<Shift>, standings: &Standings) -> u64 {
        let Some(group) = self.all.get(at) else {
            return 0;
        };
        let counted = group
            .atoms
            .iter()
            .filter(|(known, _)| shift.is_none_or(|shift| shift == *known))
            .filter(|(_, atom)| group.is_failure() || !standings.of(*atom, false).is_excused())
            .filter_map(|(_, atom)| self.atoms.get(atom.index()));
        counted
            .fold(0, |sum: u64, atom| sum.saturating_add(atom.observed))
            .min(group.exchanges)
    }

    /// A sample of a group, of this shift if there is one.
    pub(crate) fn sample(&self, at: usize, shift: Shift) -> Option<report::Sample> {
        let samples = &self.all.get(at)?.samples;
        let is_of = |atom: AtomId| self.atoms.get(atom.0 as usize).map(|atom| atom.shift) == Some(shift);
        let fits = samples.iter().find(|(atom, _)| is_of(*atom));
        fits.or_else(|| samples.first()).map(|(_, sample)| sample.clone())
    }
}

impl AtomId {
    /// Its index in a table of all atoms.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}
