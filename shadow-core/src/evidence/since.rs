//! The evidence of a period, from its counts: those of a running ledger, or recorded ones.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    coverage::CoverageWindows,
    figures::Figures,
    gate_config::GateConfig,
    gates, report,
    ruling::{Judgement, Ruling},
    stats::Proportion,
    summary,
    unread::Unread,
};

/// All inputs of the gates of a phase, as counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct IntervalCounts {
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Of these, mismatches about which too little is known yet.
    pub undecided: u64,
    /// Of these, noise.
    pub noise: u64,
    /// Of these, mismatches that a skipped write explains.
    pub after_skipped_write: u64,
    /// Verdict shadow error.
    pub shadow_errors: u64,
    /// Of these, failures of the shadow system, except those caused by the agent itself.
    pub failed: u64,
    /// Skipped, but meant to be compared.
    pub missed: u64,
    /// The same over time; nothing where it is not known.
    pub windows: CoverageWindows,
    /// Not read, but meant to be compared.
    pub unread: Unread,
    /// Answers of production with a 5xx status.
    pub production_5xx: u64,
    /// Answers of the shadow system with a 5xx status.
    pub shadow_5xx: u64,
    /// Mean burst size of mismatches, at least 1.
    pub burst: f64,
    /// Mean burst size of errors, at least 1.
    pub error_burst: f64,
    /// Production's latency.
    pub production: report::Spans,
    /// The shadow system's latency.
    pub shadow: report::Spans,
    /// Production is the new system and the shadow is the old one; the reasons mention it.
    pub reversed: bool,
    /// Latencies are shown and not judged.
    pub untimed: bool,
}

/// Counts since a given moment, and what they prove by themselves.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct IntervalEvidence {
    /// Exchanges with a match or a mismatch.
    pub compared: u64,
    /// `(matched + noise) / (matched + mismatched - after_skipped_write)`. Its interval holds at any time, and for
    /// every possible outcome of the undecided mismatches.
    pub match_rate: Proportion,
    /// Exchanges with a verdict, among those meant to be compared. Its interval is that of the exchanges that were not
    /// read; without any the share is exact.
    pub coverage: Proportion,
    /// Exchanges that were not read, of those meant to be compared.
    #[serde(default)]
    pub unread: Unread,
    /// Answers of production with a 5xx status, among all exchanges with a verdict.
    pub production_errors: Proportion,
    /// Replays that failed or got a 5xx, among the same exchanges.
    pub shadow_errors: Proportion,
    /// Latency of all routes together.
    pub latency: report::Latency,
    /// The judgement on these figures alone. Individual slow routes are not considered.
    pub judgement: Judgement,
}

impl IntervalEvidence {
    /// Evidence from these counts.
    pub fn of(sums: &IntervalCounts, gates: &GateConfig) -> Self {
        Self::of_run(sums, gates, 0, Duration::ZERO)
    }

    /// As [`IntervalEvidence::of`], with facts about a whole run: how many routes are slow, and how long it took.
    pub(super) fn of_run(
        sums: &IntervalCounts,
        gates: &GateConfig,
        slow_routes: usize,
        elapsed: Duration,
    ) -> Self {
        let compared = sums.matched.saturating_add(sums.mismatched);
        let judged = compared.saturating_add(sums.failed);
        let meant = compared
            .saturating_add(sums.shadow_errors)
            .saturating_add(sums.missed);
        let counted = compared.saturating_sub(sums.after_skipped_write);
        let good = sums.matched.saturating_add(sums.noise);
        let undecided = sums.undecided.min(counted.saturating_sub(good));
        let wrong = counted.saturating_sub(good).saturating_sub(undecided);
        let burst = sums.burst.max(1.0);
        let match_rate = Proportion::of_limit(counted, wrong, undecided, burst);
        let coverage = sums.unread.coverage(judged, meant);
        let production_errors = Proportion::new(sums.production_5xx.min(judged), judged);
        let shadow_errors = Proportion::new(sums.failed.saturating_add(sums.shadow_5xx), judged);
        let latency = summary::between(sums.production, sums.shadow);
        let judgement = gates::judge(
            gates,
            &Figures {
                matches: match_rate,
                undecided,
                burst,
                error_burst: sums.error_burst.max(1.0),
                coverage,
                windows: sums.windows,
                unread: sums.unread,
                production: latency.production.first_byte,
                shadow: latency.shadow.first_byte,
                production_errors: (production_errors.successes, judged),
                shadow_errors: (shadow_errors.successes, judged),
                slow_routes,
                elapsed,
                reversed: sums.reversed,
                untimed: sums.untimed,
            },
        );
        Self {
            compared,
            match_rate,
            coverage,
            unread: sums.unread,
            production_errors,
            shadow_errors,
            latency,
            judgement,
        }
    }

    /// The weakest evidence among several shadow systems.
    pub fn weakest(all: impl Iterator<Item = Self>) -> Option<Self> {
        all.min_by_key(|since| {
            let rank = match since.judgement.ruling {
                Ruling::NoGo => 0,
                Ruling::InsufficientEvidence => 1,
                Ruling::Go => 2,
            };
            (rank, since.compared)
        })
    }
}
