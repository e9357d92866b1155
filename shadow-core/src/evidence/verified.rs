//! How much of the answers of each route is verified.
//!
//! A match says little about content that a rule leaves out or that is compared by its digest, and a difference that
//! is noise says little about the value. For some answers of each route the leaves are counted by how they are
//! compared ([`Checked`]). Of these, the leaves that were excused as noise are taken from the groups: a value that
//! still has to have a format (a UUID, a date, a number of about the same size) counts as compared by format.
//! Shares begin again with a mark and with changed rules of comparison: answers that were compared by other rules say
//! nothing about these.
//! Bounds: about ten numbers for each route, and one for each difference.
//! Bias: few noisy leaves of an answer, usually identifiers of the request, do not count against a route if most of the
//! others are verified.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::compare::Checked;
use shadow_proto::exchange::Exchange;

use super::{
    gate_config::GateConfig,
    group::{AtomId, Standings},
    grow::grown,
    ledger::Ledger,
    numbers::float,
    report::{self, Share},
    route::RouteId,
    ruling::{Judgement, Ruling, percent, reason},
    stats::rounded,
    tally::Tally,
};

/// Answers of a route whose leaves are counted at first, and after each mark.
const FIRST: u64 = 16;

/// Afterwards, one answer in this number.
const EVERY: u64 = 256;

/// Leaves of an answer that may be unverified if most of them are noise, and the least share that is verified then.
const ALLOWED: (f64, f64) = (2.0, 0.5);

/// The counted leaves of one route.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Sum {
    answers: u64,
    checked: Checked,
}

/// Leaves that were excused as noise, per comparison of the route.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Excused {
    /// They still have a format.
    pub(super) by_format: f64,
    pub(super) noise: f64,
}

/// A route of which too little is verified.
#[derive(Clone, Debug)]
pub(super) struct Unverified<'r> {
    route: &'r str,
    compared: u64,
    verified: report::Verified,
}

/// State of the counts at the moment from which shares and planted faults count.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginning {
    /// How often the rules of comparison had changed.
    rules: u64,
    sums: Vec<Sum>,
    /// Comparisons of each route.
    compared: Vec<u64>,
    /// Leaves that each difference had covered.
    leaves: Vec<u64>,
    /// The number of the next planted fault.
    pub(super) planted: u64,
}

impl Beginning {
    /// Whether the rules of comparison were changed between the two.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.rules < other.rules
    }
}

impl Ledger {
    /// Whether the leaves of the answer that was just compared are to be counted.
    pub(super) fn leaves_are_due(&self, route: RouteId) -> bool {
        let compared = self.by_route.get(route.index()).map_or(0, Tally::compared);
        let before = self.leaves_from.get(route.index()).copied().unwrap_or(0);
        compared.saturating_sub(before) <= FIRST || compared.is_multiple_of(EVERY)
    }

    /// Counts the leaves of the next answers of each route, whatever was counted before.
    pub(super) fn count_leaves_again(&mut self) {
        self.leaves_from = self.by_route.iter().map(Tally::compared).collect();
    }

    /// The present state of the counts.
    pub(super) fn beginning_now(&self) -> Beginning {
        Beginning {
            rules: self.beginning.rules,
            sums: self.verified.clone(),
            compared: self.by_route.iter().map(Tally::compared).collect(),
            leaves: self.groups.leaves(),
            planted: self.power.next(),
        }
    }

    /// Forgets what was verified, and which faults were planted: from now on other rules of comparison are in force.
    pub fn rules_changed(&mut self) {
        self.count_leaves_again();
        self.power.begin_again();
        self.beginning = Beginning {
            rules: self.beginning.rules.saturating_add(1),
            ..self.beginning_now()
        };
    }

    /// Records the leaves of one answer that was compared.
    pub fn checked(&mut self, exchange: &Exchange, checked: Checked) {
        let route = self.route_of(exchange).index();
        if let Some(sum) = grown(&mut self.verified, route) {
            sum.answers = sum.answers.saturating_add(1);
            sum.checked = sum.checked.plus(checked);
        }
    }

    /// How much of each route is verified since a moment, by route id. `None` for a route without content.
    pub(super) fn verified(&self, standings: &Standings, from: &Beginning) -> Vec<Option<report::Verified>> {
        let before = self.by_now(&from.sums, |sum, part| *sum = sum.plus(*part));
        let excused = self.groups.excused(standings, &from.leaves);
        self.compared_since(from)
            .enumerate()
            .map(|(route, compared)| {
                let sum = self.verified.get(route)?;
                let before = before.get(route).copied().unwrap_or_default();
                let excused = excused.get(&route).copied().unwrap_or_default();
                sum.since(before).shares(excused, compared)
            })
            .collect()
    }

    /// Comparisons since a moment, by route id.
    fn compared_since(&self, from: &Beginning) -> impl Iterator<Item = u64> + '_ {
        let before = self.by_now(&from.compared, |sum, part| *sum = sum.saturating_add(*part));
        let before = before.into_iter().chain(core::iter::repeat(0));
        let compared = self.by_route.iter().map(Tally::compared).zip(before);
        compared.map(|(compared, before)| compared.saturating_sub(before))
    }

    /// Routes of which too little is verified, the one with the most comparisons first.
    pub(super) fn unverified<'l>(
        &'l self,
        gates: &GateConfig,
        verified: &[Option<report::Verified>],
        from: &Beginning,
    ) -> Vec<Unverified<'l>> {
        let compared: Vec<u64> = self.compared_since(from).collect();
        let all = compared
            .iter()
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        let mut found: Vec<Unverified<'l>> = self
            .routes_seen()
            .filter_map(|(id, route, _)| {
                let verified = verified.get(id)?.clone()?;
                let compared = compared.get(id).copied()?;
                let counts = compared > 0 && compared.saturating_mul(100) >= all;
                (counts && !verified.is_enough(gates.verified)).then_some(Unverified {
                    route,
                    compared,
                    verified,
                })
            })
            .collect();
        found.sort_by(|a, b| b.compared.cmp(&a.compared).then_with(|| a.route.cmp(b.route)));
        found
    }
}

/// The counted leaves by route, in a form that can be stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct StoredVerified {
    sums: Vec<Sum>,
    /// Sums and comparisons that do not count any more.
    before: Vec<(Sum, u64)>,
    /// How often the rules of comparison had changed.
    rules: u64,
}

impl Ledger {
    pub(super) fn verified_stored(&self) -> StoredVerified {
        let compared = self.beginning.compared.iter().copied().enumerate();
        let before = compared.map(|(route, compared)| {
            let sum = self.beginning.sums.get(route).copied();
            (sum.unwrap_or_default(), compared)
        });
        StoredVerified {
            sums: self.verified.clone(),
            before: before.collect(),
            rules: self.beginning.rules,
        }
    }

    /// Leaves that differences had covered before the rules of comparison changed.
    pub(super) fn leaves_before(&self) -> &[u64] {
        &self.beginning.leaves
    }

    /// Adds what another ledger verified; `leaves` are those that do not count any more. `None` if the stored form is
    /// damaged.
    pub(super) fn add_verified(
        &mut self,
        stored: &StoredVerified,
        route: impl Fn(usize) -> Option<RouteId>,
        leaves: &HashMap<AtomId, u64>,
    ) -> Option<()> {
        let beginning = &mut self.beginning;
        beginning.rules = beginning.rules.max(stored.rules);
        for (at, sum) in stored.sums.iter().enumerate() {
            let slot = grown(&mut self.verified, route(at)?.index())?;
            *slot = slot.plus(*sum);
        }
        for (at, (sum, compared)) in stored.before.iter().enumerate() {
            let at = route(at)?.index();
            let slot = grown(&mut beginning.sums, at)?;
            *slot = slot.plus(*sum);
            let slot = grown(&mut beginning.compared, at)?;
            *slot = slot.saturating_add(*compared);
        }
        for (atom, leaves) in leaves.iter().filter(|(_, leaves)| **leaves > 0) {
            let at = atom.number() as usize;
            let slot = grown(&mut beginning.leaves, at)?;
            *slot = slot.saturating_add(*leaves);
        }
        Some(())
    }
}

impl Sum {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            answers: self.answers.saturating_add(other.answers),
            checked: self.checked.plus(other.checked),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            answers: self.answers.saturating_sub(before.answers),
            checked: self.checked.minus(before.checked),
        }
    }

    fn shares(&self, excused: Excused, compared: u64) -> Option<report::Verified> {
        let Checked {
            exact,
            by_rule,
            by_format,
            by_digest,
            mut not,
        } = self.checked;
        let mut all = self.checked.all();
        if all.leaves == 0 && not.bytes > 0 {
            // Production only ever answered that nothing was modified: no content of the route was compared.
            not.leaves = self.answers;
            all.leaves = self.answers;
        }
        if all.leaves == 0 || compared == 0 {
            return None;
        }
        let answers = float(self.answers.max(1));
        let leaves = float(all.leaves) / answers;
        // Noise is found where leaves must be equal.
        let plain = float(exact.leaves) / answers;
        let per_answer = |count: f64| count / float(compared);
        let mut noise = per_answer(excused.noise).min(plain);
        let formatted = per_answer(excused.by_format).min(plain - noise);
        // Rounding and few answers leave tiny shares.
        noise = if noise < 1e-9 { 0.0 } else { noise };
        let bytes_of_leaf = if exact.leaves > 0 {
            float(exact.bytes) / float(exact.leaves)
        } else {
            0.0
        };
        let all_bytes = (float(all.bytes) / answers).max(1.0);
        let part = |of: crate::compare::Leaves, more: f64| Share {
            leaves: rounded((float(of.leaves) / answers + more) / leaves),
            bytes: rounded(((float(of.bytes) / answers + more * bytes_of_leaf) / all_bytes).max(0.0)),
        };
        let none = crate::compare::Leaves::default();
        Some(report::Verified {
            answers: self.answers,
            leaves: rounded(leaves),
            exact: part(exact, -(noise + formatted)),
            by_rule: part(by_rule, 0.0),
            by_format: part(by_format, formatted),
            noise: part(none, noise),
            by_digest: part(by_digest, 0.0),
            not: part(not, 0.0),
        })
    }
}

impl report::Verified {
    /// The share of leaves that are compared exactly, by rule or by format.
    pub fn share(&self) -> f64 {
        rounded(self.exact.leaves + self.by_rule.leaves + self.by_format.leaves)
    }

    /// Whether this is enough.
    fn is_enough(&self, wanted: f64) -> bool {
        let share = self.share();
        let missing = (1.0 - share) * self.leaves;
        let mostly_noise = self.noise.leaves * 2.0 >= 1.0 - share;
        let few = missing <= ALLOWED.0 + 1e-9 && share >= ALLOWED.1 - 1e-9;
        share >= wanted - 1e-9 || mostly_noise && few
    }
}

impl Judgement {
    /// Adds the gate on what is verified.
    pub(super) fn verified(self, config: &GateConfig, unverified: &[Unverified<'_>]) -> Self {
        let reason = match unverified {
            [] => reason(
                "verified",
                Ruling::Go,
                format!(
                    "of each route with 1 % of the traffic at least {} of the content is compared",
                    percent(config.verified)
                ),
            ),
            [Unverified { route, verified, .. }, further @ ..] => {
                let further = match further.len() {
                    0 => String::new(),
                    1 => "; and so is 1 more route".to_owned(),
                    further => format!("; and so are {further} more routes"),
                };
                let parts = [
                    (verified.noise, "noise"),
                    (verified.by_digest, "compared by digest"),
                    (verified.not, "not compared"),
                ];
                let parts: Vec<String> = parts
                    .into_iter()
                    .filter(|(share, _)| share.leaves > 0.0005)
                    .map(|(share, what)| format!("{} {what}", percent(share.leaves)))
                    .collect();
                reason(
                    "verified",
                    Ruling::InsufficientEvidence,
                    format!(
                        "{route} is verified to {} of its leaves ({}), needed is {}{further}; ask for formats where \
                         there is noise (shadow noise proposes rules), ignore less, or lower gates.verified",
                        percent(verified.share()),
                        parts.join(", "),
                        percent(config.verified)
                    ),
                )
            }
        };
        self.and(reason)
    }
}

#[cfg(test)]
#[path = "verified_tests.rs"]
mod tests;
