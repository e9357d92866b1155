//! Detection power: the share of planted faults that would have been found.
//!
//! A planted fault is found if one of its differences would not be excused by what is known when the report is made.
//! Like mismatches, planted faults are judged late: kept are the differences that they would make.
//! Bounds: [`KEPT`] faults, a uniform sample of all; [`DIFFERENCES`] of each; rows of a report.
//! Bias: towards missed. A fault that only repeats at the same place would be found by third answers, but a fault of
//! the same shape as the noise counts as missed here.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use shadow_proto::exchange::Exchange;

use super::{
    anytime,
    gates::{GateConfig, Judgement, Ruling, percent, reason, ruling},
    group::{Standings, Would},
    ledger::Ledger,
    report::{Missed, Power, PowerOf},
    route::RouteId,
    stats::{Proportion, rounded, share},
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
    planted: u64,
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
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
        let kept = Kept {
            route: self.route_of(exchange),
            kind: tried.kind,
            place: tried.place.as_str().into(),
            would: tried.found.iter().take(DIFFERENCES).map(Would::of).collect(),
        };
        let number = self.power.planted;
        self.power.planted = number.saturating_add(1);
        if self.power.kept.len() < KEPT {
            self.power.kept.push(kept);
            return;
        }
        // Each of all faults is equally likely to be among those kept (Vitter 1985).
        let drawn = mixed(number).checked_rem(self.power.planted).unwrap_or_default();
        let slot = usize::try_from(drawn)
            .ok()
            .and_then(|drawn| self.power.kept.get_mut(drawn));
        if let Some(slot) = slot {
            *slot = kept;
        }
    }

    /// The power by what is known now.
    pub(super) fn power(&self, standings: &Standings) -> Power {
        let mut all = Sum::default();
        let mut by_kind: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
        let mut missed: HashMap<(&str, String, &'static str), u64> = HashMap::new();
        for kept in &self.power.kept {
            let route = self.routes.name(kept.route);
            let caught = kept
                .would
                .iter()
                .any(|would| self.groups.would_count(standings, route, would));
            all.count(caught);
            by_kind
                .entry((route, kept.kind.as_str()))
                .or_default()
                .count(caught);
            if !caught {
                let why = if kept.would.is_empty() {
                    "not_compared"
                } else {
                    "noise"
                };
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
            let key = |missed: &Missed| (missed.route.clone(), missed.place.clone());
            b.count.cmp(&a.count).then_with(|| key(a).cmp(&key(b)))
        });
        missed.truncate(ROWS);
        let mut by_kind: Vec<PowerOf> = by_kind
            .into_iter()
            .map(|((route, kind), sum)| PowerOf {
                route: route.to_owned(),
                kind: kind.to_owned(),
                caught: sum.proportion(),
            })
            .collect();
        by_kind.sort_by(|a, b| {
            let lost = |of: &PowerOf| of.caught.trials.saturating_sub(of.caught.successes);
            lost(b).cmp(&lost(a)).then_with(|| a.route.cmp(&b.route))
        });
        by_kind.truncate(ROWS);
        Power {
            planted: self.power.planted,
            caught: all.proportion(),
            by_kind,
            missed,
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
    pub(super) fn power_if_asked(&self, gates: &GateConfig, standings: &Standings) -> Power {
        if gates.power.is_some() {
            self.power(standings)
        } else {
            Power::default()
        }
    }
}

impl Judgement {
    /// Adds the gate on detection power, if one is asked for.
    pub(super) fn with_power(mut self, config: &GateConfig, power: &Power) -> Self {
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
        self.reasons.push(reason("power", is, text));
        self.ruling = ruling(&self.reasons);
        self
    }
}

#[cfg(test)]
#[path = "planting_tests.rs"]
mod tests;
