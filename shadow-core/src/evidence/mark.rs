//! Counts since a given moment: the evidence of one rollout phase, or of one window of a trip rule.
//!
//! A [`Mark`] is a copy of the totals, at most about 600 KiB for any number of routes. A [`VerdictMark`] copies only
//! the verdicts, at most 64 KiB. Noise is decided at the time of the query from everything that is known, including
//! evidence from before the mark.

use super::{
    burst::{self, Bursts, Excess},
    gates::GateConfig,
    group::Standings,
    ledger::Ledger,
    sets::Split,
    since::{IntervalCounts, IntervalEvidence},
    summary,
    tally::Tally,
};

/// State of the ledger at one moment.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    total: Tally,
    /// How often each set of differences was found, by id.
    sets: Vec<u64>,
    /// The bursts in which each set was found, by id.
    bursts: Vec<Bursts>,
    /// The second in which the mark was made.
    second: Option<u64>,
}

/// Number of verdicts at one moment.
#[derive(Clone, Debug, Default)]
pub struct VerdictMark {
    compared: u64,
    judged_at_once: Split,
    sets: Vec<u64>,
}

impl Ledger {
    /// Records the current state of the counters.
    pub fn mark(&self) -> Mark {
        Mark {
            total: self.total.clone(),
            sets: self.sets.counts(),
            bursts: self.sets.bursts().collect(),
            second: self.clock.map(|(_, last)| last),
        }
    }

    /// Evidence since `mark`, judged by the given gates.
    pub fn since(&self, mark: &Mark, gates: &GateConfig) -> IntervalEvidence {
        let total = self.total.since(&mark.total);
        let standings = self.standings();
        let (split, excess) = self.split_since(&standings, mark);
        let split = split.plus(total.judged_at_once);
        let seconds = self.seconds_since(mark.second);
        let burst = burst::factor(excess(seconds), split.regressions.saturating_add(split.undecided));
        IntervalEvidence::of(
            &self.sums(&total, split, (burst, total.errors.factor(seconds))),
            gates,
        )
    }

    /// The counts that the evidence for a period consists of, with the mean burst sizes of mismatches and of errors.
    pub(super) fn sums(
        &self,
        total: &Tally,
        split: Split,
        (burst, error_burst): (f64, f64),
    ) -> IntervalCounts {
        let Split {
            regressions: _,
            undecided,
            noise,
            after_skipped_write,
        } = split;
        let latency = summary::latency(total);
        IntervalCounts {
            matched: total.matched,
            mismatched: total.mismatched,
            undecided,
            noise,
            after_skipped_write,
            shadow_errors: total.shadow_errors(),
            failed: total.failed(),
            missed: total.missed,
            production_5xx: total.production_5xx,
            shadow_5xx: total.shadow_5xx,
            burst,
            error_burst,
            production: latency.production,
            shadow: latency.shadow,
            reversed: self.reversed,
        }
    }

    /// Seconds from the given second to the latest verdict.
    pub(super) fn seconds_since(&self, second: Option<u64>) -> u64 {
        self.clock
            .map_or(0, |(first, last)| last.saturating_sub(second.unwrap_or(first)))
    }

    /// Records the current number of verdicts.
    pub fn verdict_mark(&self) -> VerdictMark {
        VerdictMark {
            compared: self.total.compared(),
            judged_at_once: self.total.judged_at_once,
            sets: self.sets.counts(),
        }
    }

    /// Regressions since `mark`, and the comparisons they are a part of: those that no skipped write explains.
    pub fn regressions_since(&self, mark: &VerdictMark) -> (u64, u64) {
        let at_once = self.total.judged_at_once.minus(mark.judged_at_once);
        let mut split = Split::default();
        let standings = self.standings();
        for found in self.sets.judged(|atom, after| standings.of(atom, after)) {
            let before = mark.sets.get(found.id).copied().unwrap_or(0);
            split.add(found.standing, found.count.saturating_sub(before));
        }
        let split = split.plus(at_once);
        let compared = self.total.compared().saturating_sub(mark.compared);
        let told = compared.saturating_sub(split.after_skipped_write);
        (split.regressions.min(told), told)
    }

    /// Mismatches since `mark` by their current standing, and the bursts of those that nothing excuses.
    fn split_since(&self, standings: &Standings, mark: &Mark) -> (Split, impl Fn(u64) -> Excess) {
        let mut split = Split::default();
        let mut open: Vec<Bursts> = Vec::new();
        for found in self.sets.judged(|atom, after| standings.of(atom, after)) {
            let before = mark.sets.get(found.id).copied().unwrap_or(0);
            split.add(found.standing, found.count.saturating_sub(before));
            if !found.standing.is_excused() {
                let before = mark.bursts.get(found.id).copied().unwrap_or_default();
                open.push(found.bursts.since(&before));
            }
        }
        let excess = move |seconds| {
            open.iter().fold(Excess::default(), |sum, bursts| {
                burst::plus(sum, bursts.excess(seconds))
            })
        };
        (split, excess)
    }
}

impl Tally {
    /// Counts since `before`, an earlier state of the same tally.
    fn since(&self, before: &Self) -> Self {
        Self {
            skipped: self.skipped.saturating_sub(before.skipped),
            missed: self.missed.saturating_sub(before.missed),
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
            errors: self.errors.since(&before.errors),
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
    use core::time::Duration;

    use super::*;
    use crate::{
        compare::{Category, Discrepancy, Failure, Outcome, ShadowResponse, Verdict},
        evidence::{LedgerLimits, Ruling},
        gate::{Skip, SkipPolicy},
        redact::{RedactConfig, Redactor},
    };
    use shadow_proto::testing::exchange;
    use shadow_proto::{
        exchange::{Body, Headers},
        time::Timestamp,
    };

    fn judge(ledger: &mut Ledger, count: u32, verdict: &Verdict, after: Duration) {
        judge_at("/", ledger, count, verdict, after);
    }

    fn judge_at(target: &str, ledger: &mut Ledger, count: u32, verdict: &Verdict, after: Duration) {
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
            let exchange = exchange("GET", target);
            ledger.seen(&exchange);
            // Ten per second.
            let now = Timestamp::from_nanos(ledger.exchanges * 100_000_000);
            ledger.judged(&exchange, &outcome, verdict, now);
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

        for _ in 0..100 {
            judge(&mut ledger, 2, &mismatch, Duration::from_millis(1));
            judge(&mut ledger, 100, &Verdict::Match, Duration::from_millis(1));
        }
        let since = ledger.since(&mark, &gates);
        assert_eq!(since.judgement.ruling, Ruling::NoGo, "{:#?}", since.judgement);
        // From the beginning, the result equals the report's figure.
        assert_eq!(ledger.since(&Mark::default(), &gates).compared, 15_700);
    }

    #[test]
    fn what_is_noise_or_behind_a_skipped_write_is_no_regression() {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
        let found = |place: &str| {
            vec![Discrepancy {
                category: Category::Value,
                place: place.to_owned(),
                production: "1".to_owned(),
                shadow: "2".to_owned(),
            }]
        };
        let (token, price) = (found("$.token"), found("$.price"));
        judge(&mut ledger, 50, &Verdict::Mismatch(token.clone()), Duration::ZERO);
        let mark = ledger.verdict_mark();
        assert_eq!(ledger.regressions_since(&mark), (0, 0), "the past does not count");
        judge(
            &mut ledger,
            200,
            &Verdict::Mismatch(token.clone()),
            Duration::ZERO,
        );
        assert_eq!(
            ledger.regressions_since(&mark),
            (200, 200),
            "nothing is known of it yet"
        );
        // The shadow system always differs from itself there.
        let asked = exchange("GET", "/");
        for _ in 0..100 {
            ledger.background(
                &asked,
                super::super::Background::Twice,
                &token,
                Timestamp::from_nanos(6),
            );
        }
        assert_eq!(
            ledger.regressions_since(&mark),
            (0, 200),
            "it was noise all along"
        );
        judge(&mut ledger, 300, &Verdict::Mismatch(price), Duration::ZERO);
        judge(&mut ledger, 10, &Verdict::Match, Duration::ZERO);
        assert_eq!(ledger.regressions_since(&mark), (300, 510));
        assert_eq!(ledger.regressions_since(&ledger.verdict_mark()), (0, 0));

        // A read after a skipped write.
        let before = ledger.verdict_mark();
        let write = exchange("PUT", "/stock/7");
        ledger.seen(&write);
        ledger.skipped(&write, Skip::Policy(SkipPolicy::Write));
        let stock = Verdict::Mismatch(found("$.stock"));
        judge_at("/stock/7", &mut ledger, 20, &stock, Duration::ZERO);
        assert_eq!(ledger.regressions_since(&before), (0, 0));
    }
}
