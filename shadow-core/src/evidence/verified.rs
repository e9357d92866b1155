//! How much of the answers of each route is verified.
//!
//! A match says little about content that a rule leaves out or that is compared by its digest, and a difference that
//! is noise says little about the value. For some answers of each route the leaves are counted by how they are
//! compared ([`Checked`]). Of these, the leaves that were excused as noise are taken from the groups: a value that
//! still has to have a format (a UUID, a date, a number of about the same size) counts as compared by format.
//! Bounds: six numbers for each route.
//! Bias: few noisy leaves of an answer, usually identifiers of the request, do not count against a route if most of the
//! others are verified.

use crate::compare::Checked;
use shadow_proto::exchange::Exchange;

use super::{
    gates::{GateConfig, Judgement, Ruling, percent, reason, ruling},
    group::Standings,
    ledger::Ledger,
    report::{self, Share},
    stats::{float, rounded},
};

/// Answers of a route whose leaves are counted at first.
const FIRST: u64 = 16;

/// Afterwards, one answer in this number.
const EVERY: u64 = 256;

/// Leaves of an answer that may be unverified if most of them are noise, and the least share that is verified then.
const ALLOWED: (f64, f64) = (2.0, 0.5);

/// The counted leaves of one route.
#[derive(Clone, Copy, Debug, Default)]
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

/// Whether the leaves of an answer are to be counted, when this many of its route were compared.
pub(super) fn is_due(compared: u64) -> bool {
    compared <= FIRST || compared.is_multiple_of(EVERY)
}

impl Ledger {
    /// Records the leaves of one answer that was compared.
    pub fn checked(&mut self, exchange: &Exchange, checked: Checked) {
        let route = self.route_of(exchange).index();
        if self.verified.len() <= route {
            self.verified.resize_with(route.saturating_add(1), Sum::default);
        }
        if let Some(sum) = self.verified.get_mut(route) {
            sum.answers = sum.answers.saturating_add(1);
            sum.checked = sum.checked.plus(checked);
        }
    }

    /// How much of each route is verified, by route id. `None` for a route without content.
    pub(super) fn verified(&self, standings: &Standings) -> Vec<Option<report::Verified>> {
        let excused = self.groups.excused(standings);
        let compared = self.by_route.iter().map(super::tally::Tally::compared);
        compared
            .enumerate()
            .map(|(route, compared)| {
                let sum = self.verified.get(route)?;
                let excused = excused.get(&route).copied().unwrap_or_default();
                sum.shares(excused, compared)
            })
            .collect()
    }

    /// Routes of which too little is verified, the one with the most comparisons first.
    pub(super) fn unverified<'l>(
        &'l self,
        gates: &GateConfig,
        verified: &[Option<report::Verified>],
    ) -> Vec<Unverified<'l>> {
        let all = self.total.compared();
        let mut found: Vec<Unverified<'l>> = self
            .routes_seen()
            .filter_map(|(id, route, tally)| {
                let verified = verified.get(id)?.clone()?;
                let compared = tally.compared();
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

impl Sum {
    /// Adds those of another route.
    pub(super) fn take_over(&mut self, part: Self) {
        self.answers = self.answers.saturating_add(part.answers);
        self.checked = self.checked.plus(part.checked);
    }

    fn shares(&self, excused: Excused, compared: u64) -> Option<report::Verified> {
        let Checked {
            exact,
            by_rule,
            by_format,
            by_digest,
            not,
        } = self.checked;
        let all = self.checked.all();
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
    pub(super) fn verified(mut self, config: &GateConfig, unverified: &[Unverified<'_>]) -> Self {
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
        self.reasons.push(reason);
        self.ruling = ruling(&self.reasons);
        self
    }
}

#[cfg(test)]
#[path = "verified_tests.rs"]
mod tests;
