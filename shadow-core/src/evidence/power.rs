//! Detection power: the share of planted faults that would have been found.
//!
//! A planted fault is found if one of its differences would not be excused by what is known when the report is made.
//! Like mismatches, planted faults are judged late: kept are the differences that they would make.
//! They count from the latest change of the rules of comparison on, and for a phase from its mark on.
//! Bounds: [`KEPT`] faults, a uniform sample of all, and as many since the latest mark; [`DIFFERENCES`] of each; rows
//! of a report.
//! Bias: towards missed. A fault that only repeats at the same place would be found by third answers, but a fault of
//! the same shape as the noise counts as missed here.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use shadow_proto::exchange::Exchange;

use super::{
    anytime,
    gate_config::GateConfig,
    group::{Standings, StoredWould, Would},
    ledger::Ledger,
    report::{Missed, Power, PowerOf},
    route::RouteId,
    ruling::{Judgement, Ruling, percent, reason},
    stats::{Proportion, rounded, share},
    verified::Beginning,
};
use crate::plant::{Planted, Tried};

/// Faults that are kept.
const KEPT: usize = 4096;

/// Differences of one fault that are kept.
const DIFFERENCES: usize = 4;

/// Rows of each list in a report.
const ROWS: usize = 64;

/// The planted faults.
#[derive(Debug, Default)]
pub(super) struct Planting {
    /// Since the rules of comparison changed the last time.
    all: Sample,
    /// Since the latest mark, if that is later.
    since: Option<Sample>,
}

/// A uniform sample of the faults from a given one on.
#[derive(Debug, Default)]
struct Sample {
    /// The number of the first.
    first: u64,
    /// The number of the next.
    next: u64,
    kept: Vec<SampledFault>,
}

#[derive(Clone, Debug)]
struct SampledFault {
    number: u64,
    route: RouteId,
    kind: Planted,
    place: Box<str>,
    would: Box<[Would]>,
}

/// Counts of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    planted: u64,
    caught: u64,
}

impl Ledger {
    /// Records a fault that was planted into a copy of the shadow system's answer.
    pub fn planted(&mut self, exchange: &Exchange, tried: &Tried) {
        let kept = SampledFault {
            number: self.power.next(),
            route: self.route_of(exchange),
            kind: tried.kind,
            place: tried.place.as_str().into(),
            would: tried.found.iter().take(DIFFERENCES).map(Would::of).collect(),
        };
        self.power.add(kept);
    }

    /// The power since a moment, by what is known now.
    pub(super) fn power(&self, standings: &Standings, from: &Beginning) -> Power {
        let mut all = Sum::default();
        let mut by_route: BTreeMap<&str, Sum> = BTreeMap::new();
        let mut by_kind: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
        let mut missed: HashMap<(&str, String, &'static str), u64> = HashMap::new();
        for kept in self.power.since(from.planted) {
            let route = self.routes.name(kept.route);
            let caught = kept
                .would
                .iter()
                .any(|would| self.groups.would_count(standings, route, would));
            all.count(caught);
            by_route.entry(route).or_default().count(caught);
            by_kind
                .entry((route, kept.kind.as_str()))
                .or_default()
                .count(caught);
            if !caught {
                let why = kept.missed();
                let place = self.groups.generalised(route, &kept.place);
                let count = missed.entry((route, place, why)).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut missed: Vec<Missed> = missed
            .into_iter()
            .map(|((route, place, why), count)| Missed {
                route: route.to_owned(),
                place: self.redactor.place(&place),
                count,
                why: why.to_owned(),
            })
            .collect();
        missed.sort_by(|a, b| {
            let key = |missed: &Missed| (missed.route.clone(), missed.place.clone(), missed.why.clone());
            b.count.cmp(&a.count).then_with(|| key(a).cmp(&key(b)))
        });
        missed.truncate(ROWS);
        let by_kind = by_kind.into_iter().map(|((route, kind), sum)| PowerOf {
            route: route.to_owned(),
            kind: kind.to_owned(),
            caught: sum.proportion(),
        });
        let by_route = by_route.into_iter().map(|(route, sum)| PowerOf {
            route: route.to_owned(),
            kind: String::new(),
            caught: sum.proportion(),
        });
        Power {
            planted: self
                .power
                .next()
                .saturating_sub(self.power.all.first.max(from.planted)),
            caught: all.proportion(),
            by_kind: weakest(by_kind),
            by_route: weakest(by_route),
            missed,
        }
    }
}

impl SampledFault {
    /// The reason why it would not be found.
    fn missed(&self) -> &'static str {
        if self.would.is_empty() {
            "not_compared"
        } else {
            "noise"
        }
    }
}

/// The rows with the most missed faults first.
fn weakest(rows: impl Iterator<Item = PowerOf>) -> Vec<PowerOf> {
    let mut rows: Vec<PowerOf> = rows.collect();
    rows.sort_by(|a, b| {
        let lost = |of: &PowerOf| of.caught.trials.saturating_sub(of.caught.successes);
        lost(b).cmp(&lost(a)).then_with(|| a.route.cmp(&b.route))
    });
    rows.truncate(ROWS);
    rows
}

impl Planting {
    /// The number of the next fault.
    pub(super) fn next(&self) -> u64 {
        self.all.next
    }

    fn add(&mut self, kept: SampledFault) {
        if let Some(since) = &mut self.since {
            since.add(kept.clone());
        }
        self.all.add(kept);
    }

    /// Keeps a sample of the faults from now on as well.
    pub(super) fn sample_again(&mut self) {
        self.since = (self.next() > self.all.first).then(|| Sample::from(self.next()));
    }

    /// Forgets all faults.
    pub(super) fn begin_again(&mut self) {
        *self = Self {
            all: Sample::from(self.next()),
            since: None,
        };
    }

    /// A uniform sample of the faults from the one with this number on.
    fn since(&self, number: u64) -> impl Iterator<Item = &SampledFault> {
        let since = self.since.as_ref().filter(|since| since.first <= number);
        let sample = since.unwrap_or(&self.all);
        sample.kept.iter().filter(move |kept| kept.number >= number)
    }
}

impl Sample {
    fn from(number: u64) -> Self {
        Self {
            first: number,
            next: number,
            kept: Vec::new(),
        }
    }

    fn add(&mut self, kept: SampledFault) {
        let number = kept.number;
        self.next = number.saturating_add(1);
        if self.kept.len() < KEPT {
            self.kept.push(kept);
            return;
        }
        // Each of all faults is equally likely to be among those kept (Vitter 1985).
        let drawn = mixed(number)
            .checked_rem(self.next.saturating_sub(self.first))
            .unwrap_or_default();
        let slot = usize::try_from(drawn)
            .ok()
            .and_then(|drawn| self.kept.get_mut(drawn));
        if let Some(slot) = slot {
            *slot = kept;
        }
    }
}

impl Sum {
    fn count(&mut self, caught: bool) {
        self.planted = self.planted.saturating_add(1);
        self.caught = self.caught.saturating_add(u64::from(caught));
    }

    /// The share that was caught, with an interval that holds at any time.
    fn proportion(self) -> Proportion {
        let interval = anytime::sequence(self.caught, self.planted, anytime::DECIDED);
        Proportion {
            successes: self.caught,
            trials: self.planted,
            rate: share(self.caught, self.planted).map(rounded),
            low: interval.map(|(low, _)| rounded(low)),
            high: interval.map(|(_, high)| rounded(high)),
        }
    }
}

/// A number that looks random (splitmix64, Steele et al. 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Ledger {
    /// As [`Ledger::power`], where only a gate needs it.
    pub(super) fn power_if_asked(
        &self,
        gates: &GateConfig,
        standings: &Standings,
        from: &Beginning,
    ) -> Power {
        if gates.power.is_some() {
            self.power(standings, from)
        } else {
            Power::default()
        }
    }
}

/// The planted faults in a form that can be stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct StoredPower {
    planted: u64,
    kept: Vec<StoredFault>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct StoredFault {
    number: u64,
    route: u32,
    kind: String,
    /// Generalised and redacted.
    place: String,
    would: Vec<StoredWould>,
}

impl Ledger {
    pub(super) fn power_stored(&self) -> StoredPower {
        let all = &self.power.all;
        let kept = all.kept.iter().map(|kept| {
            let route = self.routes.name(kept.route);
            StoredFault {
                number: kept.number,
                route: u32::try_from(kept.route.index()).unwrap_or(u32::MAX),
                kind: kept.kind.as_str().to_owned(),
                place: self.redactor.place(&self.groups.generalised(route, &kept.place)),
                would: kept
                    .would
                    .iter()
                    .map(|would| self.groups.would_stored(route, would))
                    .collect(),
            }
        });
        StoredPower {
            planted: all.next.saturating_sub(all.first),
            kept: kept.collect(),
        }
    }

    /// Adds as many planted faults of another ledger as are its part of a uniform sample of `all`. `None` if the stored
    /// form is damaged.
    pub(super) fn add_power(
        &mut self,
        stored: &StoredPower,
        all: u64,
        route: impl Fn(u32) -> Option<RouteId>,
    ) -> Option<()> {
        let kept = KEPT as u64;
        let part = u128::from(kept).saturating_mul(stored.planted.into());
        let part = part.checked_div(u128::from(all)).unwrap_or(0);
        let part = if all <= kept {
            KEPT
        } else {
            usize::try_from(part).unwrap_or(KEPT)
        };
        let mut faults: Vec<&StoredFault> = stored.kept.iter().collect();
        // The order in the sample says something about the time; this one does not.
        if part < faults.len() {
            faults.select_nth_unstable_by_key(part, |fault| mixed(fault.number));
            faults.truncate(part);
        }
        for fault in faults {
            let kind = Planted::ALL.iter().find(|kind| kind.as_str() == fault.kind)?;
            self.power.all.kept.push(SampledFault {
                number: fault.number,
                route: route(fault.route)?,
                kind: *kind,
                place: fault.place.as_str().into(),
                would: fault.would.iter().take(DIFFERENCES).map(Would::stored).collect(),
            });
        }
        self.power.all.next = self.power.all.next.saturating_add(stored.planted);
        Some(())
    }
}

impl StoredPower {
    /// Number of faults that were planted.
    pub(super) fn planted(&self) -> u64 {
        self.planted
    }
}

impl Judgement {
    /// Adds the gate on detection power, if one is asked for.
    pub(super) fn with_power(self, config: &GateConfig, power: &Power) -> Self {
        let Some(wanted) = config.power else { return self };
        let caught = power.caught;
        let (is_enough, text) = match (caught.rate, caught.low) {
            (Some(rate), Some(low)) => (
                low > wanted,
                format!(
                    "{} of {} planted faults would have been found: {} (at least {}), needed is above {}",
                    caught.successes,
                    caught.trials,
                    percent(rate),
                    percent(low),
                    percent(wanted)
                ),
            ),
            _ => (false, "no fault was planted yet".to_owned()),
        };
        let is = if is_enough {
            Ruling::Go
        } else {
            Ruling::InsufficientEvidence
        };
        self.and(reason("power", is, text))
    }
}

#[cfg(test)]
#[path = "planting_tests.rs"]
mod tests;
