//! Whether a difference that no system made would be excused.

use core::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::{
    compare::Discrepancy,
    evidence::{report::Standing, shape::Shift},
};

use super::{Fingerprint, Group, Groups, Standings, fingerprint};

/// In the place of a number of folds: the group of one that was stored, whose place is not known any more.
const FIXED: u64 = u64::MAX;

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
        let is_known = |(folds, _): &(u64, Fingerprint)| *folds == groups.folds || *folds == FIXED;
        if let Some((_, id)) = self.group.get().filter(is_known) {
            return id;
        }
        let place = groups.pools.known(route, &self.place);
        let id = fingerprint(route, self.category, &place);
        self.group.set(Some((groups.folds, id)));
        id
    }
}

/// The same in a form that can be stored: only its group and its shift.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct StoredWould {
    group: Fingerprint,
    shift: Shift,
}

impl Would {
    /// One of another ledger. Its group stays the same.
    pub(crate) fn stored(stored: &StoredWould) -> Self {
        Self {
            category: "",
            place: Box::default(),
            shift: stored.shift,
            group: Cell::new(Some((FIXED, stored.group))),
        }
    }
}

impl Groups {
    pub(crate) fn would_stored(&self, route: &str, would: &Would) -> StoredWould {
        StoredWould {
            group: would.group(self, route),
            shift: would.shift,
        }
    }

    /// The place with its data steps replaced.
    pub(crate) fn generalised(&self, route: &str, place: &str) -> String {
        self.pools.known(route, place)
    }

    /// The group that a group became part of, if it did.
    fn present<'g>(&'g self, route: &str, group: &'g Group) -> &'g Group {
        if !group.atoms.is_empty() {
            return group;
        }
        let place = self.pools.known(route, &group.place);
        let id = fingerprint(route, &group.category, &place);
        let present = self.by_fingerprint.get(&id).and_then(|at| self.all.get(*at));
        present.unwrap_or(group)
    }

    /// Whether a difference would not be excused by what is known now. A shift that was never seen follows those of its
    /// place, as a rare one does.
    pub(crate) fn would_count(&self, standings: &Standings, route: &str, would: &Would) -> bool {
        let group = self
            .by_fingerprint
            .get(&would.group(self, route))
            .and_then(|at| self.all.get(*at));
        let Some(group) = group.map(|group| self.present(route, group)) else {
            return true;
        };
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
