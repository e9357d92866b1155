//! What was counted since a moment: the evidence of one rollout phase.
//!
//! A [`Mark`] is a copy of the totals, at most some 100 KiB, whatever the number of routes. What is noise is decided
//! from everything that is known when it is asked, also from before the mark.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gate::Skip;

use super::{
    gates::{self, Figures, GateConfig, Judgement},
    ledger::Ledger,
    report,
    sets::Split,
    stats::Proportion,
    summary,
    tally::Tally,
};

/// Where the ledger stood at one moment.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    total: Tally,
    /// How often each combination of differences was found, by its id.
    sets: Vec<u64>,
    skips: BTreeMap<Skip, u64>,
}

/// What was counted since a [`Mark`], with what it proves by itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Since {
    /// Exchanges with a match or a mismatch.
    pub compared: u64,
    /// `(matched + noise) / (matched + mismatched - after_skipped_write)`.
    pub match_rate: Proportion,
    /// Exchanges with a verdict, of those that were meant to be compared.
    pub coverage: Proportion,
    /// Answers of production with a 5xx status, of all exchanges with a verdict.
    pub production_errors: Proportion,
    /// Replays that failed or got a 5xx, of the same.
    pub shadow_errors: Proportion,
    /// Of all routes together.
    pub latency: report::Latency,
    /// What follows from these figures alone. Single slow routes are not looked at.
    pub judgement: Judgement,
}

impl Ledger {
    /// Remembers where the counters stand.
    pub fn mark(&self) -> Mark {
        Mark {
            total: self.total.clone(),
            sets: self.sets.counts(),
            skips: self.skips.clone(),
        }
    }

    /// What was counted since, judged by gates of its own.
    pub fn since(&self, mark: &Mark, gates: &GateConfig) -> Since {
        let total = self.total.since(&mark.total);
        let unmeant: u64 = self
            .skips
            .iter()
            .filter(|(skip, _)| !skip.is_intended())
            .map(|(skip, count)| count.saturating_sub(mark.skips.get(skip).copied().unwrap_or(0)))
            .fold(0, u64::saturating_add);
        let judged = total.compared().saturating_add(total.failed());
        let latency = summary::latency(&total);
        let split = self.split_since(mark).plus(total.judged_at_once);
        let match_rate = summary::match_rate(&total, split);
        let coverage = Proportion::new(judged, total.replayed().saturating_add(unmeant));
        let production_errors = Proportion::new(total.production_5xx.min(judged), judged);
        let shadow_errors = Proportion::new(total.failed().saturating_add(total.shadow_5xx), judged);
        let judgement = gates::judge(
            gates,
            &Figures {
                matches: match_rate,
                coverage,
                production: latency.production.first_byte,
                shadow: latency.shadow.first_byte,
                production_errors: (production_errors.successes, judged),
                shadow_errors: (shadow_errors.successes, judged),
                slow_routes: 0,
                elapsed: Duration::ZERO,
            },
        );
        Since {
            compared: total.compared(),
            match_rate,
            coverage,
            production_errors,
            shadow_errors,
            latency,
            judgement,
        }
    }
}

impl Ledger {
    /// What became of the mismatches since, by what is known now.
    fn split_since(&self, mark: &Mark) -> Split {
        let standings = self.groups.standings(|route| self.whole(route));
        let mut split = Split::default();
        for (id, _, standing, count) in self.sets.judged(|atom, after| standings.of(atom, after)) {
            let before = mark.sets.get(id).copied().unwrap_or(0);
            split.add(standing, count.saturating_sub(before));
        }
        split
    }
}

impl Tally {
    /// What was counted since `before`, a former state of the same tally.
    fn since(&self, before: &Self) -> Self {
        Self {
            skipped: self.skipped.saturating_sub(before.skipped),
            matched: self.matched.saturating_sub(before.matched),
            mismatched: self.mismatched.saturating_sub(before.mismatched),
            failures: self
                .failures
                .iter()
                .map(|(failure, count)| {
                    let former = before.failures.get(failure).copied().unwrap_or(0);
                    (*failure, count.saturating_sub(former))
                })
                .collect(),
            production_5xx: self.production_5xx.saturating_sub(before.production_5xx),
            shadow_5xx: self.shadow_5xx.saturating_sub(before.shadow_5xx),
            after_write: self.after_write.saturating_sub(before.after_write),
            judged_at_once: self.judged_at_once.minus(before.judged_at_once),
            pairs: self.pairs,
            slices: self.slices,
            production: self.production.since(&before.production),
            shadow: self.shadow.since(&before.shadow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::{Category, Discrepancy, Failure, Outcome, ShadowResponse, Verdict},
        evidence::{LedgerLimits, Ruling},
        exchange::{Body, Headers},
        gate::SkipPolicy,
        redact::{RedactConfig, Redactor},
        testing::exchange,
        time::Timestamp,
    };

    fn judge(ledger: &mut Ledger, count: u32, verdict: &Verdict, after: Duration) {
        let outcome = match verdict {
            Verdict::ShadowError(failure) => Outcome::Failed(*failure),
            _ => Outcome::Response(ShadowResponse {
                status: 200,
                headers: Headers::default(),
                body: Body::default(),
                first_byte: after,
                total: after,
            }),
        };
        for _ in 0..count {
            let exchange = exchange("GET", "/");
            ledger.seen(&exchange);
            ledger.judged(&exchange, &outcome, verdict, Timestamp::from_nanos(5));
        }
    }

    #[test]
    fn a_phase_is_judged_by_its_own_exchanges() {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
        let gates = GateConfig::default();
        let mismatch = Verdict::Mismatch(vec![Discrepancy {
            category: Category::Value,
            place: "$.a".to_owned(),
            production: "1".to_owned(),
            shadow: "2".to_owned(),
        }]);
        let skipped = exchange("GET", "/");
        let skip = |ledger: &mut Ledger| {
            ledger.seen(&skipped);
            ledger.skipped(&skipped, Skip::Policy(SkipPolicy::QueueFull));
        };
        // A bad and slow past.
        judge(&mut ledger, 500, &mismatch, Duration::from_secs(1));
        judge(
            &mut ledger,
            50,
            &Verdict::ShadowError(Failure::Timeout),
            Duration::ZERO,
        );
        skip(&mut ledger);
        let mark = ledger.mark();
        let nothing = ledger.since(&mark, &gates);
        assert_eq!(nothing.compared, 0, "{nothing:?}");
        assert_eq!(nothing.judgement.ruling, Ruling::InsufficientEvidence);
        assert_eq!(nothing.latency.shadow.first_byte.count, 0);

        judge(&mut ledger, 5_000, &Verdict::Match, Duration::from_millis(1));
        skip(&mut ledger);
        let since = ledger.since(&mark, &gates);
        assert_eq!(
            (since.compared, since.match_rate.successes, since.coverage.trials),
            (5_000, 5_000, 5_001)
        );
        assert_eq!(since.shadow_errors.successes, 0);
        assert_eq!(since.latency.shadow.first_byte.count, 5_000);
        assert!(since.latency.shadow.first_byte.max_us < 2_000, "{since:#?}");
        assert_eq!(since.judgement.ruling, Ruling::Go, "{:#?}", since.judgement);

        judge(&mut ledger, 100, &mismatch, Duration::from_millis(1));
        let since = ledger.since(&mark, &gates);
        assert_eq!(since.judgement.ruling, Ruling::NoGo, "{:#?}", since.judgement);
        // From the beginning it is the report's own figure.
        assert_eq!(ledger.since(&Mark::default(), &gates).compared, 5_600);
    }
}
