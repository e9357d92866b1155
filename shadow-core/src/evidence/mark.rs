//! What was counted since a moment: the evidence of one rollout phase.
//!
//! A [`Mark`] is a copy of the totals, at most some 50 KiB, whatever the number of routes. Bias: what was found out
//! about earlier exchanges later on never makes a later stretch look better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gate::Skip;

use super::{
    gates::{self, Figures, GateConfig, Judgement},
    ledger::{Ledger, Tally},
    report,
    stats::Proportion,
    summary,
};

/// Where the ledger stood at one moment.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    total: Tally,
    skips: BTreeMap<Skip, u64>,
}

/// What was counted since a [`Mark`], with what it proves by itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Since {
    /// Exchanges with a match or a mismatch.
    pub compared: u64,
    /// Matches of compared exchanges.
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
        let match_rate = Proportion::new(total.matched, total.compared());
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
            pairs: self.pairs.saturating_sub(before.pairs),
            production: self.production.since(&before.production),
            shadow: self.shadow.since(&before.shadow),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

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
