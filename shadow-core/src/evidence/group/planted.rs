//! Whether a difference that no system made would be excused.

use core::cell::Cell;

use crate::{
    compare::Discrepancy,
    evidence::{report::Standing, shape::Shift},
};

use super::{Fingerprint, Groups, Standings, fingerprint};

/// A difference that a planted fault would make.
#[derive(Clone, Debug)]
pub(crate) struct Would {
    category: &'static str,
    place: Box<str>,
    shift: Shift,
    /// Its group, by the places that were known to be data when there were so many.
    group: Cell<Option<(u64, Fingerprint)>>,
}

impl Would {
    pub(crate) fn of(found: &Discrepancy) -> Self {
        Self {
            category: found.category.as_str(),
            place: found.place.as_str().into(),
            shift: Shift::of(found),
            group: Cell::new(None),
        }
    }

    /// The group it would be in.
    fn group(&self, groups: &Groups, route: &str) -> Fingerprint {
        if let Some((_, id)) = self.group.get().filter(|(folds, _)| *folds == groups.folds) {
            return id;
        }
        let place = groups.pools.known(route, &self.place);
        let id = fingerprint(route, self.category, &place);
        self.group.set(Some((groups.folds, id)));
        id
    }
}

impl Groups {
    /// The place with its data steps replaced.
    pub(crate) fn generalised(&self, route: &str, place: &str) -> String {
        self.pools.known(route, place)
    }

    /// Whether a difference would not be excused by what is known now. A shift that was never seen follows those of its
    /// place, as a rare one does.
    pub(crate) fn would_count(&self, standings: &Standings, route: &str, would: &Would) -> bool {
        let group = self
            .by_fingerprint
            .get(&would.group(self, route))
            .and_then(|at| self.all.get(*at));
        let Some(group) = group else { return true };
        let is_noise = |atom| standings.of(atom, false) == Standing::Noise;
        if let Some((_, atom)) = group.atoms.iter().find(|(shift, _)| *shift == would.shift) {
            return !is_noise(*atom);
        }
        !group.atoms.iter().any(|(shift, atom)| {
            let nearer = would.shift.is_numeric() && shift.is_numeric() && would.shift.apart <= shift.apart;
            let as_free = would.shift.is_free_text() && shift.is_free_text();
            (nearer || as_free) && is_noise(*atom)
        })
    }
}
