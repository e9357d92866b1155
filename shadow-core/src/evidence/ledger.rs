//! Every exchange, counted once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    compare::{ABSENT, Category, Discrepancy, Failure, Outcome, Verdict},
    exchange::{Exchange, Request, reasons},
    gate::Skip,
    redact::Redactor,
    time::Timestamp,
};

use super::{
    gates::GateConfig,
    group::{Context, Groups},
    groups::{self, Pairs},
    latency::{Latencies, Spans},
    route::{RouteId, Routes},
    window::{Counted, Open, RouteWindow},
};

reasons! {
    /// Where a pair of answers of the same system is from.
    Background {
        /// The shadow system's two answers to one request that was sent to it twice.
        Twice = "twice",
        /// Production's own answers to identical safe requests, close in time.
        Twins = "twins",
        /// The answer of a control target, which runs what production runs, and production's.
        Control = "control",
    }
}

/// Who wants an exchange that was just judged as a sample.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Method and path template. Empty when nobody wants it.
    pub route: String,
    /// Ids of every group it belongs to. Empty when nobody wants it.
    pub groups: Vec<String>,
    /// Of these, the ids of those that have too few samples yet.
    pub samples: Vec<String>,
}

impl Wanted {
    /// Whether nobody wants it, as nearly always.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// What the ledger may hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerLimits {
    /// Routes that are told apart; further ones are counted as `{other}`. Each costs up to 50 KiB.
    pub routes: usize,
    /// Groups of discrepancies; what belongs to further ones is counted together.
    pub groups: usize,
    /// Samples kept of one group.
    pub samples: usize,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            routes: 256,
            groups: 1024,
            samples: 3,
        }
    }
}

/// Counts, histograms and groups of everything that was seen. One per agent; time is an argument.
#[derive(Debug)]
pub struct Ledger {
    pub(super) gates: GateConfig,
    redactor: Redactor,
    pub(super) exchanges: u64,
    pub(super) skips: BTreeMap<Skip, u64>,
    pub(super) total: Tally,
    pub(super) routes: Routes,
    /// By route id.
    pub(super) by_route: Vec<Tally>,
    pub(super) groups: Groups,
    pub(super) background: groups::Background,
    /// By route id.
    windows: Vec<Open>,
    window_from: Option<Timestamp>,
}

/// What is counted of all exchanges, and of each route.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) skipped: u64,
    pub(super) matched: u64,
    pub(super) mismatched: u64,
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Replays whose production answer, and whose shadow answer, had a 5xx status.
    pub(super) production_5xx: u64,
    pub(super) shadow_5xx: u64,
    /// Pairs of answers of the same system.
    pub(super) pairs: u64,
    /// Both of the same exchanges: those that both systems answered.
    pub(super) production: Latencies,
    pub(super) shadow: Latencies,
}

/// A count that does not add up: an exchange was counted twice, or not at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{exchanges} exchanges are not {skipped} skipped + {replayed} replayed + {in_flight} in flight")]
pub struct LawError {
    /// Exchanges seen.
    pub exchanges: u64,
    /// Of these skipped.
    pub skipped: u64,
    /// Of these with a verdict.
    pub replayed: u64,
    /// Of these said to be neither yet.
    pub in_flight: u64,
}

/// What is recorded of one replay.
#[derive(Clone, Copy)]
struct Judged<'j> {
    verdict: &'j Verdict,
    production_5xx: bool,
    shadow_5xx: bool,
    /// Of production and of the shadow system.
    spans: Option<(Spans, Spans)>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(limits: LedgerLimits, gates: GateConfig, redactor: Redactor) -> Self {
        Self {
            gates,
            redactor,
            exchanges: 0,
            skips: BTreeMap::new(),
            total: Tally::default(),
            routes: Routes::new(limits.routes),
            by_route: Vec::new(),
            groups: Groups::new(limits.groups, limits.samples),
            background: groups::Background::default(),
            windows: Vec::new(),
            window_from: None,
        }
    }

    /// An exchange came out of the engine. To be followed by one [`Ledger::skipped`] or one [`Ledger::judged`].
    pub fn seen(&mut self, _exchange: &Exchange) {
        self.exchanges = self.exchanges.saturating_add(1);
    }

    /// It was not replayed.
    pub fn skipped(&mut self, exchange: &Exchange, skip: Skip) {
        count(self.skips.entry(skip).or_default());
        count(&mut self.total.skipped);
        let route = self.routes.learn(&exchange.request);
        count(&mut self.route(route).skipped);
    }

    /// It was replayed, with this outcome and this verdict. `now` is of the clock of the exchange's timestamps.
    pub fn judged(
        &mut self,
        exchange: &Exchange,
        outcome: &Outcome,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Wanted {
        let shadow = match outcome {
            Outcome::Response(response) => Some(response),
            Outcome::Failed(_) => None,
        };
        let judged = Judged {
            verdict,
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
        let route = self.routes.learn(&exchange.request);
        self.total.judged(judged);
        self.route(route).judged(judged);
        self.window_from.get_or_insert(now);
        let open = grown(&mut self.windows, route);
        if let Some((open, (production, shadow))) = open.zip(judged.spans) {
            open.record(production, shadow);
        }
        self.group(exchange, route, verdict, now)
    }

    /// Two answers of the same system to `request` differed in `found`, or, when that is empty, did not.
    pub fn background(
        &mut self,
        request: &Request,
        source: Background,
        found: &[Discrepancy],
        _now: Timestamp,
    ) {
        let pairs = self.background.of(source);
        count(&mut pairs.compared);
        pairs.differed = pairs.differed.saturating_add(u64::from(!found.is_empty()));
        let route = self.routes.learn(request);
        count(&mut self.route(route).pairs);
    }

    /// What happened on each route since the last call, of routes on which something did.
    pub fn take_window(&mut self, now: Timestamp) -> Vec<RouteWindow> {
        let from = self.window_from.replace(now).unwrap_or(now);
        let Self {
            by_route, windows, ..
        } = self;
        windows.resize_with(by_route.len().max(windows.len()), Open::default);
        let names = self.routes.names().iter();
        names
            .zip(by_route.iter().zip(windows))
            .map(|(name, (tally, open))| RouteWindow {
                route: name.clone(),
                ..open.close(Counted::of(tally), (from, now))
            })
            .filter(|window| !window.is_empty())
            .collect()
    }

    /// Exchanges that were seen and neither skipped nor judged yet.
    pub fn in_flight(&self) -> u64 {
        self.exchanges
            .saturating_sub(self.total.skipped)
            .saturating_sub(self.total.replayed())
    }

    /// Checks that every exchange is accounted for when `in_flight` are still on their way.
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

    fn group(&mut self, exchange: &Exchange, route: RouteId, verdict: &Verdict, now: Timestamp) -> Wanted {
        let context = Context {
            route: self.routes.name(route),
            target: &exchange.request.target,
            exchange: self.total.replayed(),
            now,
            redactor: &self.redactor,
        };
        match verdict {
            Verdict::Match => {}
            Verdict::Mismatch(found) => {
                for found in found.iter().filter(|found| found.category != Category::More) {
                    self.groups.add(context, found.category.as_str(), found);
                }
            }
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
                };
                self.groups.add(context, failure.as_str(), &found);
            }
        }
        Wanted::default()
    }

    fn route(&mut self, route: RouteId) -> &mut Tally {
        let Self { by_route, total, .. } = self;
        // It was just made; the total is as good as any where there is nothing.
        grown(by_route, route).unwrap_or(total)
    }
}

impl Tally {
    fn judged(&mut self, judged: Judged<'_>) {
        match judged.verdict {
            Verdict::Match => count(&mut self.matched),
            Verdict::Mismatch(_) => count(&mut self.mismatched),
            Verdict::ShadowError(failure) => count(self.failures.entry(*failure).or_default()),
        }
        self.production_5xx = self
            .production_5xx
            .saturating_add(u64::from(judged.production_5xx));
        self.shadow_5xx = self.shadow_5xx.saturating_add(u64::from(judged.shadow_5xx));
        if let Some((production, shadow)) = judged.spans {
            self.production.record(production);
            self.shadow.record(shadow);
        }
    }

    /// Matches and mismatches.
    pub(super) fn compared(&self) -> u64 {
        self.matched.saturating_add(self.mismatched)
    }

    /// Failures of the shadow system: those that the agent caused itself say nothing about it.
    pub(super) fn failed(&self) -> u64 {
        self.failures
            .iter()
            .filter(|(failure, _)| !failure.is_ours())
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Every shadow error.
    pub(super) fn shadow_errors(&self) -> u64 {
        self.failures
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Every verdict.
    pub(super) fn replayed(&self) -> u64 {
        self.compared().saturating_add(self.shadow_errors())
    }
}

/// The entry of a route, with those before it.
fn grown<T: Default>(by_route: &mut Vec<T>, route: RouteId) -> Option<&mut T> {
    let at = route.index();
    if by_route.len() <= at {
        by_route.resize_with(at.saturating_add(1), T::default);
    }
    by_route.get_mut(at)
}

impl groups::Background {
    fn of(&mut self, source: Background) -> &mut Pairs {
        match source {
            Background::Twice => &mut self.twice,
            Background::Twins => &mut self.twins,
            Background::Control => &mut self.control,
        }
    }
}

impl Counted {
    fn of(tally: &Tally) -> Self {
        Self {
            skipped: tally.skipped,
            matched: tally.matched,
            mismatched: tally.mismatched,
            shadow_errors: tally.shadow_errors(),
            production_5xx: tally.production_5xx,
            shadow_5xx: tally.shadow_5xx,
        }
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
