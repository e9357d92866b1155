//! The ledger: every exchange, counted once.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    compare::{ABSENT, Category, Discrepancy, Outcome, Verdict},
    gate::Skip,
    redact::{Answers, Redactor},
};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    burst,
    causes::Causes,
    coverage,
    field_names::FieldNames,
    gate_config::GateConfig,
    group::{Added, AtomId, Context, Groups},
    grow::{count, grown},
    joint,
    latency::Spans,
    power, protocols,
    report::{self, Standing},
    route::{RouteId, Routes},
    sample_request::SampleRequest,
    sets::{self, Set, Sets},
    tally::{Judged, Tally},
    trend::Slicer,
    verified,
    window::Open,
    writes::{WriteLimits, Writes},
};

/// Limits of the ledger.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerLimits {
    /// Maximum number of distinct routes; further ones are counted as `{other}`. Each costs up to 50 KiB.
    pub routes: usize,
    /// Maximum number of distinct words at one place of a path. With more they are data, and all are `{name}`.
    pub names: usize,
    /// Maximum number of groups of discrepancies; discrepancies of further groups are counted together.
    pub groups: usize,
    /// Samples kept for each group.
    pub samples: usize,
    /// Maximum number of distinct sets of differences; a mismatch with a further one is judged when it arrives.
    pub sets: usize,
    /// Limits for remembering skipped writes.
    pub writes: WriteLimits,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            routes: 256,
            names: 42,
            groups: 1024,
            samples: 3,
            sets: 8192,
            writes: WriteLimits::default(),
        }
    }
}

/// Counts, histograms and groups of all exchanges. One per shadow target; time is an argument.
#[derive(Debug)]
pub struct Ledger {
    pub(super) gates: GateConfig,
    /// Production is the new system and the shadow is the old one.
    pub(super) reversed: bool,
    /// Latencies are shown and not judged.
    pub(super) untimed: bool,
    pub(super) redactor: Redactor,
    pub(super) exchanges: u64,
    pub(super) skips: BTreeMap<Skip, u64>,
    pub(super) protocols: protocols::Protocols,
    pub(super) total: Tally,
    pub(super) routes: Routes,
    /// By route id.
    pub(super) by_route: Vec<Tally>,
    pub(super) groups: Groups,
    pub(super) sets: Sets,
    /// By route id.
    pub(super) verified: Vec<verified::Sum>,
    /// The moment when the rules of comparison changed the last time.
    pub(super) beginning: verified::Beginning,
    /// Comparisons of each route after which its leaves are counted again.
    pub(super) leaves_from: Vec<u64>,
    pub(super) power: power::Planting,
    pub(super) causes: Causes,
    pub(super) writes: Writes,
    pub(super) field_names: FieldNames,
    pub(super) coverage: coverage::Windows,
    pub(super) slicer: Slicer,
    pub(super) background: report::Background,
    /// By route id.
    pub(super) windows: Vec<Open>,
    pub(super) window_from: Option<Timestamp>,
    /// The times of errors of either system alone.
    pub(super) errors: joint::Log,
    /// The seconds of the first and of the latest verdict.
    pub(super) clock: Option<(u64, u64)>,
    /// Whether pairs of answers of one system are collected.
    pub(super) expects_pairs: bool,
}

/// Counts that do not add up: an exchange was counted twice, or not at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{exchanges} exchanges are not {skipped} skipped + {replayed} replayed + {in_flight} in flight")]
pub struct LawError {
    /// Exchanges seen.
    pub exchanges: u64,
    /// Of these skipped.
    pub skipped: u64,
    /// Of these with a verdict.
    pub replayed: u64,
    /// Exchanges reported to be in flight.
    pub in_flight: u64,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(limits: LedgerLimits, gates: GateConfig, redactor: Redactor) -> Self {
        Self {
            gates,
            reversed: false,
            untimed: false,
            redactor,
            exchanges: 0,
            skips: BTreeMap::new(),
            protocols: protocols::Protocols::default(),
            total: Tally::default(),
            routes: Routes::new(limits.routes, limits.names),
            by_route: Vec::new(),
            groups: Groups::new(limits.groups, limits.samples),
            sets: Sets::new(limits.sets),
            verified: Vec::new(),
            beginning: verified::Beginning::default(),
            leaves_from: Vec::new(),
            power: power::Planting::default(),
            causes: Causes::default(),
            writes: Writes::new(limits.writes),
            field_names: FieldNames::default(),
            coverage: coverage::Windows::default(),
            slicer: Slicer::default(),
            background: report::Background::default(),
            windows: Vec::new(),
            window_from: None,
            errors: joint::Log::default(),
            clock: None,
            expects_pairs: false,
        }
    }

    /// Sets whether pairs of answers of one system will be collected. If so, a difference about which nothing is known
    /// yet is undecided.
    #[must_use]
    pub fn expecting_pairs(mut self, expects: bool) -> Self {
        self.expects_pairs = expects;
        self.background.expected = expects;
        self
    }

    /// Shows latencies without judging them: requests were not sent as clients sent them.
    pub fn set_untimed(&mut self) {
        self.untimed = true;
    }

    /// Uses other gates from now on, also for what was counted before.
    pub fn set_gates(&mut self, gates: GateConfig) {
        self.gates = gates;
    }

    /// Removes secrets from everything that it keeps.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Counts an exchange produced by the engine. Must be followed by one [`Ledger::skipped`] or [`Ledger::judged`].
    pub fn seen(&mut self, _exchange: &Exchange) {
        self.exchanges = self.exchanges.saturating_add(1);
    }

    /// Counts an exchange that was not replayed.
    pub fn skipped(&mut self, exchange: &Exchange, skip: Skip) {
        count(self.skips.entry(skip).or_default());
        self.protocols.skipped(exchange, skip);
        if !skip.is_intended() {
            self.coverage.missed(coverage::when(exchange));
        }
        self.total.skip(skip);
        let route = self.route_of(exchange);
        self.route(route).skip(skip);
        self.writes.skipped(exchange, skip);
        self.writes.read(exchange);
    }

    /// Counts a replayed exchange with its outcome and verdict. `now` uses the clock of the exchange's timestamps.
    pub fn judged(
        &mut self,
        exchange: &Exchange,
        outcome: &Outcome,
        verdict: &Verdict,
        now: Timestamp,
    ) -> SampleRequest {
        let shadow = match outcome {
            Outcome::Response(response) => Some(response),
            Outcome::Failed(_) => None,
        };
        self.writes.read(exchange);
        self.protocols.judged(exchange, verdict);
        let slice = self.slice(now);
        self.coverage.verdict(exchange, verdict, now);
        let second = burst::second(now);
        let (first, last) = self.clock.unwrap_or((second, second));
        self.clock = Some((first.min(second), last.max(second)));
        let judged = Judged {
            verdict,
            after_write: matches!(verdict, Verdict::Mismatch(_)) && self.writes.explains(exchange, outcome),
            slice,
            second,
            production_5xx: exchange
                .response
                .as_ref()
                .is_some_and(|production| production.status >= 500),
            shadow_5xx: shadow.is_some_and(|shadow| shadow.status >= 500),
            spans: Spans::of(&exchange.timing).zip(shadow.map(|shadow| Spans {
                first: shadow.first_byte,
                whole: shadow.total,
            })),
        };
        let route = self.route_of(exchange);
        if self.total.judged(judged) {
            self.errors.count(0, second);
        }
        self.route(route).judged(judged);
        self.window_from.get_or_insert(now);
        let open = grown(&mut self.windows, route.index());
        if let Some((open, (production, shadow))) = open.zip(judged.spans) {
            open.record(production, shadow);
        }
        self.field_names.count(&self.redactor, exchange, shadow);
        let answers = exchange
            .response
            .as_ref()
            .zip(shadow)
            .map(|(production, shadow)| {
                Answers::new([
                    (&production.headers, &production.body),
                    (&shadow.headers, &shadow.body),
                ])
            });
        let added = self.group((exchange, answers.as_ref()), route, judged, now);
        let mut atoms: Vec<AtomId> = added.iter().map(|added| added.atom).collect();
        atoms.sort_unstable();
        atoms.dedup();
        if matches!(judged.verdict, Verdict::Mismatch(_)) {
            self.keep(route, (judged.after_write, judged.second), &atoms);
        }
        self.explain(exchange, outcome, (route, judged), &atoms);
        let leaves = matches!(outcome, Outcome::Response(_)) && self.leaves_are_due(route);
        SampleRequest {
            leaves,
            ..SampleRequest::of(self.routes.name(route), &added)
        }
    }

    /// Exchanges that were seen but neither skipped nor judged yet.
    pub fn in_flight(&self) -> u64 {
        self.exchanges
            .saturating_sub(self.total.skipped)
            .saturating_sub(self.total.replayed())
    }

    /// Checks that every exchange is accounted for, with `in_flight` still pending.
    pub fn check(&self, in_flight: u64) -> Result<(), LawError> {
        let (skipped, replayed) = (self.total.skipped, self.total.replayed());
        if self.exchanges == skipped.saturating_add(replayed).saturating_add(in_flight) {
            return Ok(());
        }
        Err(LawError {
            exchanges: self.exchanges,
            skipped,
            replayed,
            in_flight,
        })
    }

    fn group(
        &mut self,
        (exchange, answers): (&Exchange, Option<&Answers<'_>>),
        route: RouteId,
        judged: Judged<'_>,
        now: Timestamp,
    ) -> Vec<Added> {
        let context = Context {
            route_id: route,
            route: self.routes.name(route),
            target: &exchange.request.target,
            exchange: self.total.replayed(),
            now,
            slice: judged.slice,
            after_write: judged.after_write,
            redactor: &self.redactor,
            answers,
        };
        match judged.verdict {
            Verdict::Match => Vec::new(),
            Verdict::Mismatch(found) => found
                .iter()
                .map(|found| self.groups.add(context, found.category.as_str(), found))
                .collect(),
            Verdict::ShadowError(failure) => {
                let status = exchange
                    .response
                    .as_ref()
                    .map(|production| production.status.to_string());
                let found = Discrepancy {
                    category: Category::Missing,
                    place: "response".to_owned(),
                    production: status.map_or_else(|| ABSENT.to_owned(), |status| format!("status {status}")),
                    shadow: failure.as_str().to_owned(),
                    leaves: 1,
                };
                vec![self.groups.add(context, failure.as_str(), &found)]
            }
        }
    }

    /// Stores which differences a mismatch has, so that it can be judged later.
    fn keep(&mut self, route: RouteId, (after_write, second): (bool, u64), atoms: &[AtomId]) {
        self.groups.settle(atoms, after_write);
        let set = Set {
            route,
            after_write,
            atoms: atoms.into(),
        };
        if let Err(set) = self.sets.count(set, second) {
            let whole = self.whole(route);
            let standing = sets::standing(&set, |atom, after_write| {
                self.groups.standing(atom, after_write, &whole)
            });
            self.judged_at_once(route, standing);
        }
    }

    fn judged_at_once(&mut self, route: RouteId, standing: Standing) {
        self.total.judged_at_once.add(standing, 1);
        self.route(route).judged_at_once.add(standing, 1);
    }

    /// The time slice that contains `now`.
    fn slice(&mut self, now: Timestamp) -> usize {
        let (slice, halvings) = self.slicer.at(now);
        for _ in 0..halvings {
            self.groups.halve();
            self.causes.halve();
            self.total.slices.halve();
            for tally in &mut self.by_route {
                tally.slices.halve();
            }
        }
        slice
    }

    pub(super) fn route(&mut self, route: RouteId) -> &mut Tally {
        let Self { by_route, total, .. } = self;
        // It was just created; the fallback is never used.
        grown(by_route, route.index()).unwrap_or(total)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "moves_tests.rs"]
mod moves_tests;
#[cfg(test)]
#[path = "noise_tests.rs"]
mod noise_tests;

#[cfg(test)]
#[path = "shop_tests.rs"]
mod shop_tests;

#[cfg(test)]
#[path = "power_tests.rs"]
mod power_tests;

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod bounds_tests;
