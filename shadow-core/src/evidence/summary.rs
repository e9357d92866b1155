//! The ledger's report.

use core::time::Duration;

use hashbrown::HashMap;

use super::{
    coverage::CoverageWindows,
    findings,
    gate_config::GateConfig,
    gates,
    group::{AtomId, Standings},
    latency::{Buckets, Latencies},
    ledger::Ledger,
    numbers::float,
    protocols,
    report::{self, FORMAT, Funnel, Report, ReportInputs},
    ruling::{Judgement, Settle},
    sets::MismatchCounts,
    since::{IntervalCounts, IntervalEvidence},
    snapshot::LedgerSnapshot,
    stats::{Proportion, rounded},
    tally::Tally,
};
use crate::gate::Skip;

impl Ledger {
    /// Uses other names for the two systems in all texts: production is the new one, and the shadow the old one.
    #[must_use]
    pub fn reversed(mut self, reversed: bool) -> Self {
        self.reversed = reversed;
        self
    }

    /// The latency of all answers by upper bound, as (system, span, counts): `production` and `shadow`, `first_byte`
    /// and `whole`. `bounds` must ascend.
    pub fn latency_buckets(&self, bounds: &[Duration]) -> [(&'static str, &'static str, Buckets); 4] {
        let Tally {
            production, shadow, ..
        } = &self.total;
        [
            ("production", "first_byte", &production.first),
            ("production", "whole", &production.whole),
            ("shadow", "first_byte", &shadow.first),
            ("shadow", "whole", &shadow.whole),
        ]
        .map(|(system, span, latency)| (system, span, latency.buckets(bounds)))
    }

    /// The report on everything known now.
    pub fn report(&self, inputs: ReportInputs) -> Report {
        let standings = self.standings();
        let splits = self.splits(&standings);
        let (causes, causes_more) = self.causes_of(&standings);
        let from = &self.beginning;
        Report {
            routes: self.route_rows(&splits, &self.verified(&standings, from)),
            causes,
            causes_more,
            groups: self
                .groups
                .ranked(&self.slicer, &standings, |route| self.whole(route)),
            power: self.power(&standings, from),
            fields: self.field_names.all(),
            ..self.summary(inputs, &standings, &splits)
        }
    }

    /// A report without groups, which are its largest part. Of routes it has only their exchanges and how much of
    /// them is verified.
    pub fn overview(&self, inputs: ReportInputs) -> Report {
        let standings = self.standings();
        let (causes, causes_more) = self.causes_of(&standings);
        let from = &self.beginning;
        let verified = self.verified(&standings, from);
        let row = |(id, name, tally): (usize, &str, &Tally)| report::Route {
            route: name.to_owned(),
            exchanges: tally.skipped.saturating_add(tally.replayed()),
            verified: verified.get(id).cloned().flatten(),
            ..report::Route::default()
        };
        Report {
            routes: busiest(self.routes_seen().map(row)),
            power: self.power(&standings, from),
            causes,
            causes_more,
            ..self.summary(inputs, &standings, &self.splits(&standings))
        }
    }

    fn summary(&self, inputs: ReportInputs, standings: &Standings, splits: &[MismatchCounts]) -> Report {
        let total = &self.total;
        let none = MismatchCounts::default();
        let split = splits.iter().copied().fold(none, MismatchCounts::plus);
        let start = LedgerSnapshot::default();
        let findings = self.findings();
        let coverage_windows = self.coverage_since(None, &self.gates);
        let IntervalEvidence {
            compared: _,
            match_rate,
            coverage,
            unread,
            production_errors,
            shadow_errors,
            latency,
            judgement,
        } = IntervalEvidence::of_run(
            &IntervalCounts {
                windows: coverage_windows,
                ..self.sums(total, split, self.bursts(standings, &start, split, total))
            },
            &self.gates,
            findings::slow(&findings),
            Duration::from_millis(inputs.now_ms.saturating_sub(inputs.started_ms)),
        );
        let judgement = Judgement {
            settle: self.settle(standings, splits),
            ..judgement
        };
        let by_route = self.splits_since(standings, &start);
        Report {
            format: FORMAT,
            started_ms: inputs.started_ms,
            ended_ms: inputs.now_ms,
            input: inputs.input.clone(),
            protocols: self.protocols.coverage(),
            joined: protocols::joined(&inputs.engine),
            funnel: self.funnel(inputs, split),
            coverage,
            coverage_windows,
            unread,
            match_rate,
            latency,
            production_errors,
            shadow_errors,
            groups_overflow: self.groups.overflow(),
            findings,
            judgement: self.judged_by_route(judgement, &self.gates, (standings, &by_route), &start),
            availability: report::Availability {
                production: without(production_errors),
                shadow: without(shadow_errors),
            },
            background: report::Background {
                overflow: self.groups.background_overflow(),
                sets_overflow: self.sets.overflow(),
                ..self.background
            },
            writes: self.writes.figures(),
            ..Report::default()
        }
    }

    /// Mismatches of each route by their current standing.
    fn splits(&self, standings: &Standings) -> Vec<MismatchCounts> {
        let mut splits: Vec<MismatchCounts> =
            self.by_route.iter().map(|tally| tally.judged_at_once).collect();
        for found in self.sets_found(standings) {
            if let Some(split) = splits.get_mut(found.route.index()) {
                split.add(found.standing, found.count);
            }
        }
        splits
    }

    /// Routes with undecided mismatches, and the number of further repeats that would settle them.
    fn settle(&self, standings: &Standings, splits: &[MismatchCounts]) -> Vec<Settle> {
        let mut needed: Vec<u64> = vec![0; splits.len()];
        // An atom is in many sets.
        let mut known: HashMap<AtomId, u64> = HashMap::new();
        for set in self.sets.open(|atom, after| standings.of(atom, after)) {
            let of = |atom: &AtomId| *known.entry(*atom).or_insert_with(|| standings.needed(*atom));
            let most = set.atoms.iter().map(of).max();
            if let Some((slot, most)) = needed.get_mut(self.routes.resolved(set.route).index()).zip(most) {
                *slot = most.max(*slot);
            }
        }
        let mut settle: Vec<Settle> = self
            .routes_seen()
            .filter_map(|(id, name, _)| {
                let undecided = splits.get(id)?.undecided;
                (undecided > 0).then(|| Settle {
                    route: name.to_owned(),
                    undecided,
                    pairs: needed.get(id).copied().unwrap_or(0),
                })
            })
            .collect();
        settle.sort_by(|a, b| b.undecided.cmp(&a.undecided).then_with(|| a.route.cmp(&b.route)));
        settle
    }

    fn funnel(&self, inputs: ReportInputs, split: MismatchCounts) -> Funnel {
        let total = &self.total;
        Funnel {
            kernel: inputs.kernel,
            engine: inputs.engine,
            exchanges: self.exchanges,
            skipped: named(
                self.skips
                    .iter()
                    .map(|(skip, count)| (Skip::as_str(*skip), *count)),
            ),
            skipped_total: total.skipped,
            unverified: named(self.skips.iter().filter_map(|(skip, count)| match skip {
                Skip::Policy(reason) if reason.is_blind() => Some((reason.as_str(), *count)),
                Skip::Policy(_) | Skip::Incomplete(_) => None,
            })),
            in_flight: self.in_flight(),
            replayed: total.replayed(),
            matched: total.matched,
            mismatched: total.mismatched,
            regressions: split.regressions,
            undecided: split.undecided,
            noise: split.noise,
            after_skipped_write: split.after_skipped_write,
            shadow_errors: total.shadow_errors(),
            failures: named(
                total
                    .failures
                    .iter()
                    .map(|(failure, count)| (failure.as_str(), *count)),
            ),
            notes: std::collections::BTreeMap::new(),
        }
    }

    /// Routes with traffic, with their names.
    pub(super) fn routes_seen(&self) -> impl Iterator<Item = (usize, &str, &Tally)> + Clone {
        self.routes
            .names()
            .iter()
            .map(String::as_str)
            .zip(&self.by_route)
            .enumerate()
            .map(|(id, (name, tally))| (id, name, tally))
            .filter(|(.., tally)| tally.skipped.saturating_add(tally.replayed()) > 0)
    }

    fn route_rows(
        &self,
        splits: &[MismatchCounts],
        verified: &[Option<report::Verified>],
    ) -> Vec<report::Route> {
        let rows = self
            .routes_seen()
            .map(|(id, name, tally)| {
                let verified = verified.get(id).cloned().flatten();
                (splits.get(id).copied().unwrap_or_default(), verified, name, tally)
            })
            .map(|(split, verified, name, tally)| report::Route {
                verified,
                route: name.to_owned(),
                exchanges: tally.skipped.saturating_add(tally.replayed()),
                skipped: tally.skipped,
                matched: tally.matched,
                mismatched: tally.mismatched,
                regressions: split.regressions,
                undecided: split.undecided,
                noise: split.noise,
                after_skipped_write: split.after_skipped_write,
                background_pairs: tally
                    .pairs
                    .iter()
                    .fold(0, |sum, pairs| sum.saturating_add(*pairs)),
                shadow_errors: tally.shadow_errors(),
                latency: latency(tally),
            });
        busiest(rows)
    }

    /// Coverage by window after a second, or of the whole run.
    pub(super) fn coverage_since(&self, second: Option<u64>, config: &GateConfig) -> CoverageWindows {
        let all = self.total.missed;
        let unseen_route = self.routes_seen().any(|(_, _, tally)| {
            tally.missed > 0 && tally.compared() == 0 && tally.missed.saturating_mul(100) >= all
        });
        CoverageWindows {
            unseen_route,
            ..self.coverage.since(second, config.coverage)
        }
    }
}

/// The rows with the most exchanges first.
fn busiest(rows: impl Iterator<Item = report::Route>) -> Vec<report::Route> {
    let mut rows: Vec<report::Route> = rows.collect();
    rows.sort_by(|a, b| b.exchanges.cmp(&a.exchanges).then_with(|| a.route.cmp(&b.route)));
    rows
}

/// The share of the others.
fn without(errors: Proportion) -> Proportion {
    Proportion::new(errors.trials.saturating_sub(errors.successes), errors.trials)
}

/// Reasons of different modules with the same name are added up.
fn named(counts: impl Iterator<Item = (&'static str, u64)>) -> std::collections::BTreeMap<String, u64> {
    let mut map = std::collections::BTreeMap::new();
    for (name, count) in counts {
        let slot: &mut u64 = map.entry(name.to_owned()).or_default();
        *slot = slot.saturating_add(count);
    }
    map
}

pub(super) fn latency(tally: &Tally) -> report::Latency {
    let spans = |latencies: &Latencies| report::Spans {
        first_byte: latencies.first.quantiles(),
        whole: latencies.whole.quantiles(),
    };
    between(spans(&tally.production), spans(&tally.shadow))
}

/// The latency of both systems, with their ratio.
pub(super) fn between(production: report::Spans, shadow: report::Spans) -> report::Latency {
    let (p, s) = (production.first_byte.p50_us, shadow.first_byte.p50_us);
    let interval = gates::median_ratio(&production.first_byte, &shadow.first_byte);
    report::Latency {
        production,
        shadow,
        p50_ratio: (p > 0).then(|| rounded(float(s) / float(p))),
        p50_ratio_low: interval.map(|(low, _)| rounded(low)),
        p50_ratio_high: interval.map(|(_, high)| rounded(high)),
    }
}
