//! Counters of all exchanges, and of each route.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Failure, Verdict},
    gate::Skip,
};
use shadow_proto::exchange::Incomplete;

use super::{
    burst::Bursts,
    group::Denominators,
    grow::count,
    latency::{Latencies, Spans, StoredLatencies},
    sets::MismatchCounts,
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
    /// Of these, requests that production did not answer.
    pub(super) not_answered: u64,
    /// The traffic that was not read; of no route.
    pub(super) unread: UnreadTraffic,
    pub(super) matched: u64,
    pub(super) mismatched: u64,
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Mismatches after a skipped write.
    pub(super) after_write: u64,
    /// Mismatches that were judged when they arrived, because the table was full.
    pub(super) judged_at_once: MismatchCounts,
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
        let not_answered = skip == Skip::Incomplete(Incomplete::NoResponse);
        self.not_answered = self.not_answered.saturating_add(u64::from(not_answered));
    }

    /// Counts a replay; returns whether it was an error of either system alone.
    pub(super) fn judged(&mut self, judged: Judged<'_>) -> bool {
        match judged.verdict {
            Verdict::Match => count(&mut self.matched),
            Verdict::Mismatch(_) => count(&mut self.mismatched),
            Verdict::ShadowError(failure) => count(self.failures.entry(*failure).or_default()),
        }
        add(&mut self.after_write, judged.after_write.into());
        add(&mut self.production_5xx, judged.production_5xx.into());
        add(&mut self.shadow_5xx, judged.shadow_5xx.into());
        let failed = matches!(judged.verdict, Verdict::ShadowError(failure) if !failure.is_ours());
        let is_error = failed || judged.shadow_5xx != judged.production_5xx;
        if is_error {
            self.errors.count(judged.second);
        }
        self.slices.count(judged.slice);
        if let Some((production, shadow)) = judged.spans {
            self.production.record(production);
            self.shadow.record(shadow);
        }
        is_error
    }

    /// Adds the counts of another route or ledger.
    pub(super) fn take_over(&mut self, part: Self) {
        let Self {
            skipped,
            missed,
            not_answered,
            // Of no route.
            unread: _,
            matched,
            mismatched,
            failures,
            after_write,
            judged_at_once,
            production_5xx,
            shadow_5xx,
            // Asked for only of all routes together.
            errors: _,
            pairs,
            slices,
            production,
            shadow,
        } = part;
        for (sum, count) in [
            (&mut self.skipped, skipped),
            (&mut self.missed, missed),
            (&mut self.not_answered, not_answered),
            (&mut self.matched, matched),
            (&mut self.mismatched, mismatched),
            (&mut self.after_write, after_write),
            (&mut self.production_5xx, production_5xx),
            (&mut self.shadow_5xx, shadow_5xx),
        ] {
            add(sum, count);
        }
        for (sum, count) in self.pairs.iter_mut().zip(pairs) {
            add(sum, count);
        }
        for (failure, count) in failures {
            add(self.failures.entry(failure).or_default(), count);
        }
        self.judged_at_once = self.judged_at_once.plus(judged_at_once);
        self.slices.add(&slices);
        self.production.take_over(&production);
        self.shadow.take_over(&shadow);
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
    pub(super) fn whole(&self, expected: bool) -> Denominators {
        Denominators {
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

/// A tally in a form that can be stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct StoredTally {
    skipped: u64,
    missed: u64,
    not_answered: u64,
    matched: u64,
    mismatched: u64,
    failures: BTreeMap<String, u64>,
    after_write: u64,
    judged_at_once: MismatchCounts,
    production_5xx: u64,
    shadow_5xx: u64,
    errors: Bursts,
    pairs: [u64; 3],
    production: StoredLatencies,
    shadow: StoredLatencies,
}

impl Tally {
    pub(super) fn stored(&self) -> StoredTally {
        let failures = self.failures.iter();
        StoredTally {
            skipped: self.skipped,
            missed: self.missed,
            not_answered: self.not_answered,
            matched: self.matched,
            mismatched: self.mismatched,
            failures: failures
                .map(|(failure, count)| (failure.as_str().to_owned(), *count))
                .collect(),
            after_write: self.after_write,
            judged_at_once: self.judged_at_once,
            production_5xx: self.production_5xx,
            shadow_5xx: self.shadow_5xx,
            errors: self.errors,
            pairs: self.pairs,
            production: self.production.stored(),
            shadow: self.shadow.stored(),
        }
    }

    /// Adds the counts of another tally, except errors over time. `None` if the stored form is damaged.
    pub(super) fn add_stored(&mut self, stored: &StoredTally) -> Option<()> {
        self.take_over(stored.counts()?);
        self.production.add_stored(&stored.production);
        self.shadow.add_stored(&stored.shadow);
        Some(())
    }
}

impl StoredTally {
    /// Matches and mismatches.
    pub(super) fn compared(&self) -> u64 {
        self.matched.saturating_add(self.mismatched)
    }

    /// Errors over time.
    pub(super) fn errors(&self) -> Bursts {
        self.errors
    }

    /// Everything but latencies. `None` if a name is not known.
    fn counts(&self) -> Option<Tally> {
        let failures = self.failures.iter().map(|(name, count)| {
            let failure = Failure::ALL.iter().find(|failure| failure.as_str() == name);
            Some((*failure?, *count))
        });
        Some(Tally {
            skipped: self.skipped,
            missed: self.missed,
            not_answered: self.not_answered,
            unread: UnreadTraffic::default(),
            matched: self.matched,
            mismatched: self.mismatched,
            failures: failures.collect::<Option<_>>()?,
            after_write: self.after_write,
            judged_at_once: self.judged_at_once,
            production_5xx: self.production_5xx,
            shadow_5xx: self.shadow_5xx,
            errors: self.errors,
            pairs: self.pairs,
            slices: Slices::default(),
            production: Latencies::none(),
            shadow: Latencies::none(),
        })
    }
}

fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}
