//! Values that change by themselves in both systems, each at its own time: when a task of the system ran last, and how
//! long that took.
//!
//! Until the task runs again production repeats itself, so its third answers stay, as those of a stable value do. What
//! tells is a later answer to the same request: both systems have another value by then. If they are alike,
//! production's number is as often the greater one as the shadow system's, and its time is no further from the shadow
//! system's than from its own time before.
//! Not detected: a number that is wrong by chance, upwards as often as downwards and by no more than it changes; a time
//! that is wrong by less than it changes.

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use super::{Groups, fingerprint, rare::place_name, stand::Judged};
use crate::{
    compare::{Category, Discrepancy, nanos},
    evidence::{
        anytime,
        noise::{self, ENOUGH, SUSPICIOUS, Stood},
        report::Standing,
        route::RouteId,
        shape::{Distance, Shift, number},
    },
};

/// One in so many may look like another kind of difference.
const FEW: u64 = 8;

/// Answers of both systems to a request that came twice.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Moves {
    /// The shadow system's values that are not those before.
    shadow: u64,
    /// Of production's values that are not those before: numbers that are greater than the shadow system's, and that
    /// are smaller.
    greater: u64,
    smaller: u64,
    /// Times that are no further from the shadow system's than from production's own before.
    near: u64,
    /// Anything else, and what production had answered before: a cache has that.
    apart: u64,
    /// The furthest from production's own number before.
    widest: Distance,
}

impl Groups {
    /// Counts the values that either system changed between two answers to the same request: `found` are the
    /// differences between the later answers, the others those between the two of each system, the earlier one first.
    pub(crate) fn moved(&mut self, route: &str, found: &[Discrepancy], of_each: [&[Discrepancy]; 2]) {
        let is_value = |found: &&Discrepancy| found.category == Category::Value;
        let [production, shadow] = of_each.map(|found| {
            let found = found.iter().filter(is_value);
            found
                .map(|found| (found.place.as_str(), found))
                .collect::<HashMap<_, _>>()
        });
        let mut seen = HashSet::new();
        for found in found.iter().filter(is_value) {
            let [before, moved] = [&production, &shadow].map(|found_before| found_before.get(&*found.place));
            if before.is_none() && moved.is_none() {
                continue;
            }
            let place = self.pools.known(route, &found.place);
            let at = self.by_place.get(&fingerprint(route, "", &place)).copied();
            let Some(place) = at
                .filter(|at| seen.insert(*at))
                .and_then(|at| self.places.get_mut(at))
            else {
                continue;
            };
            if let Some(before) = before {
                place.moves.count(&before.production, found);
            }
            place.moves.shadow = place.moves.shadow.saturating_add(u64::from(moved.is_some()));
        }
    }

    /// Excuses values that both systems change by themselves. While they do not, repeated answers look stable. What has
    /// one name on a route, such as the time of each task in a list, is known together.
    pub(super) fn moving(&self, all: &mut [Judged]) {
        let mut named: HashMap<(RouteId, &str), Moves> = HashMap::new();
        let mut counted = HashSet::new();
        for group in self.all.iter().filter(|group| counted.insert(group.at)) {
            if let Some((name, place)) = name(&group.place).zip(self.places.get(group.at)) {
                named.entry((group.route_id, name)).or_default().add(&place.moves);
            }
        }
        for (atom, judged) in self.atoms.iter().zip(all) {
            let Stood { standing, why, held } = &judged.stood;
            let is_controlled = held.as_ref().is_some_and(|held| held.source == "control");
            let may = matches!(standing, Standing::Regression | Standing::Undecided)
                && !(is_controlled && *standing == Standing::Regression)
                && *why != noise::FRESHER;
            let Some(group) = self.all.get(atom.group).filter(|_| may) else {
                continue;
            };
            let own = self.place(atom).moves;
            let others = name(&group.place).and_then(|name| named.get(&(group.route_id, name)));
            let together =
                atom.shift.is_time() && own.is_alike() && others.is_some_and(|all| all.excuse(atom.shift));
            if own.excuse(atom.shift) || together {
                judged.stood = Stood::of(Standing::Noise, "moves");
            }
        }
    }
}

impl Moves {
    /// Counts a value of production that was another one before.
    fn count(&mut self, before: &str, found: &Discrepancy) {
        let texts = [before, &*found.production, &*found.shadow];
        let times = texts.map(|text| nanos(text.trim_matches('"')));
        let counter = match (times, texts.map(number)) {
            ([Some(before), Some(now), Some(shadow)], _) => {
                if shadow != before && now.abs_diff(shadow) <= now.abs_diff(before) {
                    &mut self.near
                } else {
                    &mut self.apart
                }
            }
            (_, [Some(before), Some(now), Some(shadow)]) => {
                self.widest = self.widest.max(Distance::of(before, now));
                if shadow.total_cmp(&before).is_eq() {
                    &mut self.apart
                } else if now > shadow {
                    &mut self.greater
                } else {
                    &mut self.smaller
                }
            }
            _ => &mut self.apart,
        };
        *counter = counter.saturating_add(1);
    }

    /// Whether the values of both systems are alike, so that a shift between them is noise.
    pub(super) fn excuse(&self, shift: Shift) -> bool {
        let numbers = self.greater.saturating_add(self.smaller);
        let few = |all: u64| {
            all >= ENOUGH && self.shadow.saturating_mul(2) >= all && self.apart.saturating_mul(FEW) <= all
        };
        if shift.is_time() {
            return few(self.near) && numbers == 0;
        }
        let fair = anytime::unfair(self.greater, self.smaller) < SUSPICIOUS.ln();
        shift.is_numeric() && few(numbers) && self.near == 0 && fair && shift.apart <= self.widest
    }

    /// Whether it moved at all, and nothing contradicts that both systems are alike.
    fn is_alike(&self) -> bool {
        let moved = self
            .near
            .saturating_add(self.greater)
            .saturating_add(self.smaller);
        moved >= 2 && self.shadow > 0 && self.apart.saturating_mul(FEW) <= moved
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.shadow, other.shadow),
            (&mut self.greater, other.greater),
            (&mut self.smaller, other.smaller),
            (&mut self.near, other.near),
            (&mut self.apart, other.apart),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.widest = self.widest.max(other.widest);
    }
}

/// The last name in a place, whatever element of a list it is in.
fn name(place: &str) -> Option<&str> {
    place_name(place)?
        .split('[')
        .next()
        .filter(|name| !name.is_empty())
}
