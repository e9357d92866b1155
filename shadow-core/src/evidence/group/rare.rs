//! Rare differences, which are judged together with those of the same name on other routes.

use hashbrown::{HashMap, HashSet};

use crate::evidence::{
    anytime::{self, UNFAIR},
    noise::{self, Known, Stood},
    report::{Standing, Third},
    route::RouteId,
};

use super::{Atom, Groups, stand::Judged};

/// The systems that have a directed shift.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Side {
    /// Either, as far as is known.
    #[default]
    Both,
    /// Perhaps one alone.
    PerhapsOne,
    /// One alone.
    One,
}

impl Groups {
    /// Judges what is too rare to be judged by itself.
    pub(super) fn rare(&self, all: &mut [Judged]) {
        let sides = self.sides(all);
        for (judged, side) in all.iter_mut().zip(&sides) {
            if *side == Side::One && judged.may_be_noise() {
                judged.stood = Stood::of(Standing::Regression, "one_sided");
            }
        }
        rest(all, &sides);
    }

    /// By atom: whether both systems have its shift. A `null` in a hundred answers of each of ten routes, and never the
    /// other way round, is no noise. Elements of lists count as one name.
    fn sides(&self, all: &[Judged]) -> Vec<Side> {
        let key = |atom: &Atom| {
            let group = self.all.get(atom.group)?;
            let name = place_name(&group.place)?.split('[').next()?;
            Some((group.category.as_str(), name, atom.shift))
        };
        let mut pooled: HashMap<_, (u64, u64)> = HashMap::new();
        for (atom, judged) in self.atoms.iter().zip(all) {
            let open = atom.into.is_none() && judged.may_be_noise();
            if let Some((key, reverse)) = key(atom).zip(judged.known.reverse).filter(|_| open) {
                let (there, back) = pooled.entry(key).or_default();
                *there = there.saturating_add(judged.known.observed.0);
                *back = back.saturating_add(reverse);
            }
        }
        let side = |atom: &Atom| {
            let (there, back) = key(atom).and_then(|key| pooled.get(&key)).copied()?;
            let against = anytime::unfair(there, back);
            Some(if there <= back || against < noise::SUSPICIOUS_IF_VARYING.ln() {
                Side::Both
            } else if against < UNFAIR.ln() {
                Side::PerhapsOne
            } else {
                Side::One
            })
        };
        self.atoms
            .iter()
            .map(|atom| side(atom).unwrap_or_default())
            .collect()
    }

    /// Excuses shifts of a name that is noise over all routes, if they are no more frequent here than in its pairs.
    pub(super) fn by_name(&self, all: &mut [Judged]) {
        let key = |atom: &Atom| {
            let group = self.all.get(atom.group)?;
            let name = place_name(&group.place)?;
            Some((group.category.as_str(), name, atom.shift))
        };
        let mut pooled: HashMap<_, (HashSet<RouteId>, Known)> = HashMap::new();
        for (atom, judged) in self.atoms.iter().zip(&*all) {
            let Some(key) = key(atom) else { continue };
            let (routes, sum) = pooled.entry(key).or_default();
            routes.extend(self.all.get(atom.group).map(|group| group.route_id));
            *sum = plus(*sum, &judged.known);
        }
        for (atom, judged) in self.atoms.iter().zip(all) {
            let Some((routes, sum)) = key(atom).and_then(|key| pooled.get(&key)) else {
                continue;
            };
            if routes.len() < 2 || !judged.may_be_noise() {
                continue;
            }
            let of = sum.background.iter().fold(
                (0, 0),
                |most: (u64, u64), pairs| {
                    if pairs.1 > most.1 { *pairs } else { most }
                },
            );
            let here = judged.known.observed;
            if noise::is_within(here, of) && noise::stand(sum).standing == Standing::Noise {
                judged.stood = Stood::of(Standing::Noise, "name");
            }
        }
    }
}

/// Excuses the remaining atoms if all of them together are balanced: single ones are too rare to decide. An atom that
/// one system alone seems to have is none of them.
fn rest(all: &mut [Judged], sides: &[Side]) {
    let asked = |(judged, side): &(&mut Judged, &Side)| {
        judged.may_be_noise() && judged.known.shadow.all() > 0 && **side == Side::Both
    };
    let third = all.iter_mut().zip(sides).filter(asked);
    let third = third.fold(Third::default(), |sum, (judged, _)| sum.plus(judged.known.shadow));
    if third.is_noise(0) {
        for (judged, _) in all.iter_mut().zip(sides).filter(asked) {
            judged.stood = Stood::of(Standing::Noise, "rest");
        }
    }
}

fn plus(sum: Known, known: &Known) -> Known {
    let part = |a: (u64, u64), b: (u64, u64)| (a.0.saturating_add(b.0), a.1.saturating_add(b.1));
    let mut background = sum.background;
    for (sum, known) in background.iter_mut().zip(known.background) {
        *sum = part(*sum, known);
    }
    Known {
        observed: part(sum.observed, known.observed),
        reverse: match (sum.reverse, known.reverse) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        },
        background,
        production: sum.production.plus(known.production),
        shadow: sum.shadow.plus(known.shadow),
        expected: true,
        siblings: 0,
    }
}

/// The last member name of a place in a document; `None` if there is none.
pub(super) fn place_name(place: &str) -> Option<&str> {
    let (_, name) = place.rsplit_once(['.', '/', '@'])?;
    let name = name.trim_end_matches("[*]");
    // Text in markup has no name of its own.
    (!name.is_empty() && name != "*" && !name.starts_with("text()")).then_some(name)
}
