//! Counters of all exchanges, and of each route.

use std::collections::BTreeMap;

use crate::{
    compare::{Failure, Verdict},
    gate::Skip,
};

use super::{
    burst::Bursts,
    group::Whole,
    latency::{Latencies, Spans},
    ledger::count,
    sets::Split,
    trend::Slices,
    unread::{Unread, UnreadTraffic},
    window::Counted,
};

/// Counters of all exchanges, or of one route.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) skipped: u64,
    /// Of these, exchanges that were meant to be compared.
    pub(super) missed: u64,
    /// The traffic that was not read; of no route.
    pub(super) unread: UnreadTraffic,
    pub(super) matched: u64,
    pub(super) mismatched: u64,
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Mismatches after a skipped write.
    pub(super) after_write: u64,
    /// Mismatches that were judged when they arrived, because the table was full.
    pub(super) judged_at_once: Split,
    /// Replays for which production, and for which the shadow system, answered with a 5xx status.
    pub(super) production_5xx: u64,
    pub(super) shadow_5xx: u64,
    /// Errors of either system over time.
    pub(super) errors: Bursts,
    /// Pairs of answers of the same system, by source.
    pub(super) pairs: [u64; 3],
    /// Verdicts over time.
    pub(super) slices: Slices,
    /// Latencies of the same exchanges for both systems: those that both answered.
    pub(super) production: Latencies,
    pub(super) shadow: Latencies,
}

/// Measurements of one replay.
#[derive(Clone, Copy)]
pub(super) struct Judged<'j> {
    pub(super) verdict: &'j Verdict,
    pub(super) after_write: bool,
    pub(super) slice: usize,
    pub(super) second: u64,
    pub(super) production_5xx: bool,
    pub(super) shadow_5xx: bool,
    /// Spans of production and of the shadow system.
    pub(super) spans: Option<(Spans, Spans)>,
}

impl Tally {
    pub(super) fn skip(&mut self, skip: Skip) {
        count(&mut self.skipped);
        self.missed = self.missed.saturating_add(u64::from(!skip.is_intended()));
    }

    pub(super) fn judged(&mut self, judged: Judged<'_>) {
        match judged.verdict {
            Verdict::Match => count(&mut self.matched),
            Verdict::Mismatch(_) => count(&mut self.mismatched),
            Verdict::ShadowError(failure) => count(self.failures.entry(*failure).or_default()),
        }
        let add = |counter: &mut u64, when: bool| *counter = counter.saturating_add(u64::from(when));
        add(&mut self.after_write, judged.after_write);
        add(&mut self.production_5xx, judged.production_5xx);
        add(&mut self.shadow_5xx, judged.shadow_5xx);
        let failed = matches!(judged.verdict, Verdict::ShadowError(failure) if !failure.is_ours());
        if failed || judged.shadow_5xx != judged.production_5xx {
            self.errors.count(judged.second);
        }
        self.slices.count(judged.slice);
        if let Some((production, shadow)) = judged.spans {
            self.production.record(production);
            self.shadow.record(shadow);
        }
    }

    /// Matches and mismatches.
    pub(super) fn compared(&self) -> u64 {
        self.matched.saturating_add(self.mismatched)
    }

    /// Failures of the shadow system: failures caused by the agent itself say nothing about it.
    pub(super) fn failed(&self) -> u64 {
        self.failures
            .iter()
            .filter(|(failure, _)| !failure.is_ours())
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// All shadow errors.
    pub(super) fn shadow_errors(&self) -> u64 {
        self.failures
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Exchanges that were not read and should have been compared.
    pub(super) fn unread(&self) -> Unread {
        let replayed = self.replayed();
        let meant = replayed.saturating_add(self.missed);
        let all = replayed.saturating_add(self.skipped);
        self.unread.estimate().scaled(meant, all)
    }

    /// All verdicts.
    pub(super) fn replayed(&self) -> u64 {
        self.compared().saturating_add(self.shadow_errors())
    }

    /// Totals that the counts of this route's groups are parts of; `expected`: whether evidence is being collected.
    pub(super) fn whole(&self, expected: bool) -> Whole {
        Whole {
            compared: self.compared(),
            after_write: self.after_write,
            replayed: self.replayed(),
            pairs: self.pairs,
            slices: self.slices,
            expected,
        }
    }

    /// Current values of a window's counters.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            skipped: self.skipped,
            missed: self.missed,
            failed: self.failed(),
            matched: self.matched,
            mismatched: self.mismatched,
            shadow_errors: self.shadow_errors(),
            production_5xx: self.production_5xx,
            shadow_5xx: self.shadow_5xx,
            judged_at_once: self.judged_at_once,
        }
    }
}
