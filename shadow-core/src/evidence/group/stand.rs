//! The standing of each difference: first by itself, then by what is known about similar ones.
//!
//! A rare shift at a noisy place never collects enough evidence of its own. While it is undecided and no evidence
//! contradicts it, it is noise if
//! - a number that is further off is noise at the same place (`nearer`),
//! - a string of the same kind is noise at the same place, or the text that it is a word of, and more frequent
//!   (`place`),
//! - it is the order of a list whose elements are noise, and more frequent (`content`),
//! - the same shift of the same name is noise over all routes together, as frequent as here (`name`),
//! - both systems change the value, each at its own time (`moves`; also where it is a regression, unless by the control
//!   target),
//! - all remaining shifts have been asked again, together often enough, and are balanced (`rest`).
//!
//! In the same way a rare shift that one system alone has is a regression if it is one over all routes together.

use hashbrown::HashMap;

use crate::evidence::{
    noise::{self, Known, Stood},
    report::{self, Standing, Third},
    route::RouteId,
    shape::{Distance, Shift},
    stats::{Proportion, share},
    trend::Slices,
};

use super::{Atom, AtomId, Groups, Place, rare::place_name};

/// Exchanges that are not after a write, from which on they show what differs without one.
const USUAL: u64 = 16;

/// Totals that the counts of one route's groups are parts of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Denominators {
    /// Matches and mismatches.
    pub(crate) compared: u64,
    /// Of these, mismatches after a skipped write.
    pub(crate) after_write: u64,
    /// All verdicts.
    pub(crate) replayed: u64,
    /// Pairs of answers of one system, by source.
    pub(crate) pairs: [u64; 3],
    /// All verdicts over time.
    pub(crate) slices: Slices,
    /// Evidence is being collected on this route.
    pub(crate) expected: bool,
}

/// The standing of each atom, by id.
#[derive(Debug)]
pub(crate) struct Standings(Vec<Judged>);

#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) stood: Stood,
    pub(super) known: Known,
    explainable: bool,
}

impl Standings {
    /// The standing in an exchange that is after a skipped write, or is not.
    pub(crate) fn of(&self, atom: AtomId, after_write: bool) -> Standing {
        self.get(atom).map_or(Standing::Undecided, |judged| {
            excused(judged.stood.standing, judged.explainable, after_write)
        })
    }

    pub(super) fn get(&self, atom: AtomId) -> Option<&Judged> {
        self.0.get(atom.0 as usize)
    }

    /// Number of further repeated requests that would settle an atom. None would help if it was not stored, or if the
    /// shadow system is only fresher than production.
    pub(crate) fn needed(&self, atom: AtomId) -> u64 {
        let open = self.get(atom).filter(|judged| {
            judged.stood.standing == Standing::Undecided && judged.stood.why != noise::FRESHER
        });
        open.map_or(0, |judged| noise::needed(&judged.known))
    }
}

impl Judged {
    /// The shift as shown in a report.
    pub(super) fn shift(&self, shift: Shift) -> report::Shift {
        let Self { stood, known, .. } = self;
        report::Shift {
            production: shift.production.to_string(),
            shadow: shift.shadow.to_string(),
            apart: shift.apart.as_str().to_owned(),
            standing: stood.standing,
            observed: Proportion::new(known.observed.0, known.observed.1),
            background: stood.held.clone(),
            why: stood.why.to_owned(),
            production_again: known.production,
            shadow_again: known.shadow,
        }
    }

    /// Whether it is a regression in most exchanges that are not after a write, or in a greater share of them than of
    /// those after one, so that no write explains it elsewhere.
    fn is_usual(&self, written: (u64, u64)) -> bool {
        let (found, all) = self.known.observed;
        let more = share(found, all) >= share(written.0, written.1) && found >= USUAL / 2;
        let most = found.saturating_mul(2) >= all;
        self.stood.standing == Standing::Regression && all >= USUAL && (more || most)
    }

    /// Whether it is undecided and no known evidence contradicts its being noise.
    pub(super) fn may_be_noise(&self) -> bool {
        let open = self.stood.standing == Standing::Undecided || self.stood.why == "unknown";
        let suspicious = |third: Third| third.is_suspicious(self.known.siblings);
        open && self.stood.why != noise::FRESHER
            && !suspicious(self.known.shadow)
            && !(suspicious(self.known.production) && self.known.production.stays > 0)
    }
}

impl Groups {
    /// The standing of every atom.
    pub(crate) fn standings(&self, whole: impl Fn(RouteId) -> Denominators) -> Standings {
        let by_group: Vec<Denominators> = self.all.iter().map(|group| whole(group.route_id)).collect();
        let siblings = self.siblings();
        let of = |atom: &Atom| {
            let whole = by_group.get(atom.group).copied().unwrap_or_default();
            let siblings = self.family(atom).and_then(|family| siblings.get(&family));
            let (stood, known) = self.stand(atom, &whole, siblings.copied().unwrap_or_default());
            Judged {
                stood,
                known,
                explainable: atom.explainable,
            }
        };
        let mut all: Vec<Judged> = self.atoms.iter().map(of).collect();
        // The others follow from differences that are noise by their name.
        self.by_name(&mut all);
        self.nearer(&mut all);
        self.by_place(&mut all);
        self.by_content(&mut all);
        self.moving(&mut all);
        self.rare(&mut all);
        for (atom, judged) in self.atoms.iter().zip(&mut all) {
            let whole = by_group.get(atom.group).copied().unwrap_or_default();
            let group = self.all.get(atom.group);
            let explained = group.map_or(0, |group| group.after_skipped_write);
            judged.explainable &= !judged.is_usual((explained, whole.after_write));
        }
        for at in 0..all.len() {
            // Atoms that became part of others have no evidence of their own.
            if let Some(into) = self.atoms.get(at).and_then(|atom| atom.into)
                && let Some(judged) = all.get(self.resolved(into).0 as usize).cloned()
                && let Some(slot) = all.get_mut(at)
            {
                *slot = judged;
            }
        }
        Standings(all)
    }

    /// The current standing of an atom by itself.
    pub(crate) fn standing(&self, atom: AtomId, after_write: bool, whole: &Denominators) -> Standing {
        self.atoms
            .get(self.resolved(atom).0 as usize)
            .map_or(Standing::Undecided, |atom| {
                excused(
                    self.stand(atom, whole, 0).0.standing,
                    atom.explainable,
                    after_write,
                )
            })
    }

    /// The standing of an atom by itself, and the reason. `whole` is that of its route.
    pub(super) fn stand(&self, atom: &Atom, whole: &Denominators, siblings: u64) -> (Stood, Known) {
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
        // If the odd value has a shape of its own, one direction always stays and the other always reverts. Only both
        // together are a fair coin.
        let directed = atom.shift.is_directed();
        let mirror = self.mirror(atom).filter(|_| directed);
        let [production, shadow] = match mirror {
            Some(mirror) => [0, 1].map(|asked: usize| {
                let of = |atom: &Atom| atom.thirds.get(asked).copied().unwrap_or_default();
                of(atom).plus(of(mirror))
            }),
            None => atom.thirds,
        };
        let known = Known {
            observed: part(atom.observed, compared, 0),
            reverse: directed.then(|| mirror.map_or(0, |mirror| mirror.observed)),
            background: background([0; 3]),
            production,
            shadow,
            expected: whole.expected,
            siblings,
        };
        let mut stood = noise::stand(&known);
        if !atom.shift.is_directed() && !stood.standing.is_excused() {
            // An intermittent fault reduces the pairs twice as much, because each of the two answers may have it.
            let place = self.place(atom);
            let same_shape = noise::stand(&Known {
                observed: part(atom.observed, compared, place.observed),
                background: background(place.background),
                ..known
            });
            if same_shape.standing > stood.standing {
                stood = same_shape;
            }
        }
        (stood, known)
    }

    /// The properties that elements of one name on one route have in common.
    fn family(&self, atom: &Atom) -> Option<(RouteId, &str, &str, Shift)> {
        let group = self.all.get(atom.group)?;
        let name = place_name(&group.place)?.split('[').next()?;
        Some((group.route_id, group.category.as_str(), name, atom.shift))
    }

    /// The number of further elements of each name.
    fn siblings(&self) -> HashMap<(RouteId, &str, &str, Shift), u64> {
        let mut siblings: HashMap<_, u64> = HashMap::new();
        for atom in self.atoms.iter().filter(|atom| atom.into.is_none()) {
            if let Some(family) = self.family(atom) {
                siblings
                    .entry(family)
                    .and_modify(|count| *count = count.saturating_add(1))
                    .or_default();
            }
        }
        siblings
    }

    pub(super) fn place(&self, atom: &Atom) -> Place {
        self.all
            .get(atom.group)
            .and_then(|group| self.places.get(group.at))
            .copied()
            .unwrap_or_default()
    }

    /// The atom of the opposite shift.
    fn mirror(&self, atom: &Atom) -> Option<&Atom> {
        let mirrored = atom.shift.mirrored();
        let group = self.all.get(atom.group)?;
        let mirror = self.all.get(*self.by_fingerprint.get(&group.mirror)?)?;
        let (_, atom) = mirror.atoms.iter().find(|(shift, _)| *shift == mirrored)?;
        self.atoms.get(atom.0 as usize)
    }

    /// Excuses numbers that are nearer than others at their place that are noise.
    fn nearer(&self, all: &mut [Judged]) {
        let mut furthest: HashMap<usize, Distance> = HashMap::new();
        for (atom, judged) in self.atoms.iter().zip(&*all) {
            if judged.stood.standing == Standing::Noise && atom.shift.is_numeric() {
                let known = furthest.entry(atom.group).or_default();
                *known = atom.shift.apart.max(*known);
            }
        }
        for (atom, judged) in self.atoms.iter().zip(all) {
            let nearer = furthest
                .get(&atom.group)
                .is_some_and(|known| atom.shift.apart <= *known);
            if nearer && atom.shift.is_numeric() && judged.may_be_noise() {
                judged.stood = Stood::of(Standing::Noise, "nearer");
            }
        }
    }
}

/// The count, with the total reduced by those in which it could not occur.
fn part(found: u64, all: u64, without: u64) -> (u64, u64) {
    (found.min(all), all.saturating_sub(without).max(found.min(all)))
}

fn excused(standing: Standing, explainable: bool, after_write: bool) -> Standing {
    match standing {
        Standing::Noise => Standing::Noise,
        _ if after_write && explainable => Standing::AfterSkippedWrite,
        other => other,
    }
}
