//! The groups as a report shows them, and what each difference is taken for.

use crate::evidence::{
    noise::{self, Known},
    report::{self, Standing},
    route::RouteId,
    stats::Proportion,
    trend::{Slicer, Slices},
};

use super::{Atom, AtomId, Group, Groups, Place, hex};

/// What the counts of one route's groups are parts of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whole {
    /// Matches and mismatches.
    pub(crate) compared: u64,
    /// Of these, mismatches behind a skipped write.
    pub(crate) after_write: u64,
    /// Every verdict.
    pub(crate) replayed: u64,
    /// Pairs of answers of one system, by source.
    pub(crate) pairs: [u64; 3],
    /// Every verdict over time.
    pub(crate) slices: Slices,
}

impl Groups {
    /// What an atom is taken for, and why. `whole` is that of its route.
    fn stand(&self, atom: &Atom, whole: &Whole) -> (Standing, report::Shift) {
        let compared = if atom.explainable {
            whole.compared.saturating_sub(whole.after_write)
        } else {
            whole.compared
        };
        let background = |without: [u64; 3]| {
            let mut known = [(0, 0); 3];
            let parts = atom.background.iter().zip(whole.pairs.iter().zip(without));
            for (slot, (found, (all, without))) in known.iter_mut().zip(parts) {
                *slot = part(*found, *all, without);
            }
            known
        };
        let known = Known {
            observed: part(atom.observed, compared, 0),
            reverse: atom.shift.is_directed().then(|| self.reverse(atom)),
            background: background([0; 3]),
        };
        let mut stood = noise::stand(&known);
        if !atom.shift.is_directed() && !stood.0.is_excused() {
            // A fault that comes and goes takes twice as much from the pairs: once by each of the two answers.
            let place = self.place(atom);
            let same_shape = noise::stand(&Known {
                observed: part(atom.observed, compared, place.observed),
                background: background(place.background),
                ..known
            });
            if same_shape.0 > stood.0 {
                stood = same_shape;
            }
        }
        let (standing, held_against) = stood;
        let shift = report::Shift {
            production: atom.shift.production.to_string(),
            shadow: atom.shift.shadow.to_string(),
            apart: atom.shift.apart.as_str().to_owned(),
            standing,
            observed: Proportion::new(atom.observed.min(compared), compared),
            background: held_against,
        };
        (standing, shift)
    }

    fn place(&self, atom: &Atom) -> Place {
        self.all
            .get(atom.group)
            .and_then(|group| self.places.get(group.at))
            .copied()
            .unwrap_or_default()
    }

    /// How often the same was observed the other way round.
    fn reverse(&self, atom: &Atom) -> u64 {
        let mirrored = atom.shift.mirrored();
        self.all
            .get(atom.group)
            .and_then(|group| self.by_fingerprint.get(&group.mirror))
            .and_then(|mirror| self.all.get(*mirror))
            .and_then(|mirror| mirror.atoms.iter().find(|(shift, _)| *shift == mirrored))
            .and_then(|(_, atom)| self.atoms.get(atom.0 as usize))
            .map_or(0, |atom| atom.observed)
    }

    /// What every atom is taken for by itself, by id.
    pub(crate) fn standings(&self, whole: impl Fn(RouteId) -> Whole) -> Standings {
        let by_route: Vec<Whole> = self.all.iter().map(|group| whole(group.route_id)).collect();
        let of = |atom: &Atom| {
            let whole = by_route.get(atom.group).copied().unwrap_or_default();
            (self.stand(atom, &whole).0, atom.explainable)
        };
        Standings(self.atoms.iter().map(of).collect())
    }

    /// What a few atoms are taken for by now.
    pub(crate) fn standing(&self, atom: AtomId, after_write: bool, whole: &Whole) -> Standing {
        match self.atoms.get(atom.0 as usize) {
            None => Standing::Regression,
            Some(atom) => excused((self.stand(atom, whole).0, atom.explainable), after_write),
        }
    }

    /// Those that were found, by standing, then the largest first; of equal ones in a stable order.
    pub(crate) fn ranked(&self, slicer: &Slicer, whole: impl Fn(RouteId) -> Whole) -> Vec<report::Group> {
        let mut ranked: Vec<report::Group> = self
            .all
            .iter()
            .filter(|group| group.exchanges > 0)
            .map(|group| self.shown(group, slicer, &whole(group.route_id)))
            .collect();
        ranked.sort_by(|a, b| {
            let (excused_a, excused_b) = (a.standing.is_excused(), b.standing.is_excused());
            excused_a
                .cmp(&excused_b)
                .then_with(|| b.exchanges.cmp(&a.exchanges))
                .then_with(|| a.id.cmp(&b.id))
        });
        ranked
    }

    fn shown(&self, group: &Group, slicer: &Slicer, whole: &Whole) -> report::Group {
        let atoms = |id: &AtomId| self.atoms.get(id.0 as usize);
        // A failure is no difference between two answers.
        let failure = group.is_failure();
        let mut shifts: Vec<report::Shift> = group
            .atoms
            .iter()
            .filter_map(|(_, id)| atoms(id))
            .filter(|atom| atom.observed > 0 && !failure)
            .map(|atom| self.stand(atom, whole).1)
            .collect();
        shifts.sort_by(|a, b| {
            let key = |shift: &report::Shift| {
                (
                    shift.production.clone(),
                    shift.shadow.clone(),
                    shift.apart.clone(),
                )
            };
            b.observed
                .successes
                .cmp(&a.observed.successes)
                .then_with(|| key(a).cmp(&key(b)))
        });
        let standing = if failure {
            Standing::Regression
        } else {
            let worst = shifts.iter().map(|shift| shift.standing).min();
            worst.unwrap_or(Standing::AfterSkippedWrite)
        };
        let mut samples: Vec<(Standing, report::Sample)> = group
            .samples
            .iter()
            .map(|(id, sample)| {
                let standing = atoms(id).map_or(Standing::Regression, |atom| self.stand(atom, whole).0);
                (standing, sample.clone())
            })
            .collect();
        samples.sort_by_key(|(standing, _)| *standing);
        report::Group {
            id: hex(&group.id),
            route: group.route.clone(),
            category: group.category.clone(),
            place: group.place.clone(),
            standing,
            exchanges: group.exchanges,
            after_skipped_write: group.after_skipped_write,
            rate: Proportion::new(group.exchanges.min(whole.replayed), whole.replayed),
            trend: slicer.trend(&group.slices, &whole.slices),
            discrepancies: group.discrepancies,
            first_ns: group.first.as_nanos(),
            last_ns: group.last.as_nanos(),
            shifts,
            samples: samples.into_iter().map(|(_, sample)| sample).collect(),
        }
    }
}

/// What each atom is taken for by itself, and whether a skipped write may explain it.
#[derive(Debug)]
pub(crate) struct Standings(Vec<(Standing, bool)>);

impl Standings {
    /// In an exchange that is behind a skipped write, or is not.
    pub(crate) fn of(&self, atom: AtomId, after_write: bool) -> Standing {
        self.0
            .get(atom.0 as usize)
            .map_or(Standing::Regression, |known| excused(*known, after_write))
    }
}

/// What was found, of all but those in which it could not be.
fn part(found: u64, all: u64, without: u64) -> (u64, u64) {
    (found.min(all), all.saturating_sub(without).max(found.min(all)))
}

fn excused((standing, explainable): (Standing, bool), after_write: bool) -> Standing {
    match standing {
        Standing::Noise => Standing::Noise,
        _ if after_write && explainable => Standing::AfterSkippedWrite,
        other => other,
    }
}
