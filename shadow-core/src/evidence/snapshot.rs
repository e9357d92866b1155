//! Counts since a given moment: the evidence of one rollout phase, or of one window of a trip rule.
//!
//! A [`LedgerSnapshot`] is a copy of the totals, at most about 700 KiB for any number of routes. A [`VerdictMark`]
//! copies only the verdicts, at most 64 KiB. Noise is decided at the time of the query from everything that is known,
//! including evidence from before the snapshot.

use hashbrown::HashSet;

use super::{
    burst::{self, Bursts, Excess},
    coverage::CoverageWindows,
    gate_config::GateConfig,
    group::Standings,
    ledger::Ledger,
    ruling::Judgement,
    sets::MismatchCounts,
    settle::too_excused,
    since::{IntervalCounts, IntervalEvidence},
    summary,
    tally::Tally,
    verified::Beginning,
};

/// State of the ledger at one moment.
#[derive(Clone, Debug, Default)]
pub struct LedgerSnapshot {
    total: Tally,
    /// How often each set of differences was found, by id.
    sets: Vec<u64>,
    /// The bursts in which each set was found, by id.
    bursts: Vec<Bursts>,
    /// The second in which the mark was made.
    second: Option<u64>,
    /// Comparisons of each route, and of these mismatches after a skipped write that were judged when they arrived.
    pub(super) routes: Vec<(u64, u64)>,
    /// Verified content and planted faults until then.
    pub(super) beginning: Beginning,
}

/// Number of verdicts at one moment.
#[derive(Clone, Debug, Default)]
pub struct VerdictMark {
    compared: u64,
    judged_at_once: MismatchCounts,
    sets: Vec<u64>,
}

impl Ledger {
    /// Records the current state of the counters. The leaves of the next answers of each route are counted again, and
    /// planted faults are sampled again.
    pub fn mark(&mut self) -> LedgerSnapshot {
        self.count_leaves_again();
        self.power.sample_again();
        LedgerSnapshot {
            beginning: self.beginning_now(),
            total: self.total.clone(),
            sets: self.sets.counts(),
            bursts: self.sets.bursts().collect(),
            second: self.clock.map(|(_, last)| last),
            routes: self
                .by_route
                .iter()
                .map(|tally| (tally.compared(), tally.judged_at_once.after_skipped_write))
                .collect(),
        }
    }

    /// Evidence since `mark`, judged by the given gates.
    pub fn since(&self, mark: &LedgerSnapshot, gates: &GateConfig) -> IntervalEvidence {
        let total = self.total.since(&mark.total);
        let standings = self.standings();
        let splits = self.splits_since(&standings, mark);
        let split = splits
            .iter()
            .fold(total.judged_at_once, |sum, split| sum.plus(*split));
        let bursts = self.bursts(&standings, mark, split, &total);
        let windows = self.coverage_since(mark.second, gates);
        let sums = IntervalCounts {
            windows,
            ..self.sums(&total, split, bursts)
        };
        let evidence = IntervalEvidence::of(&sums, gates);
        IntervalEvidence {
            judgement: self.judged_by_route(evidence.judgement, gates, (&standings, &splits), mark),
            ..evidence
        }
    }

    /// Adds the gates that look at single routes. `splits` are the mismatches of each since `mark`.
    pub(super) fn judged_by_route(
        &self,
        judgement: Judgement,
        gates: &GateConfig,
        (standings, splits): (&Standings, &[MismatchCounts]),
        mark: &LedgerSnapshot,
    ) -> Judgement {
        let from = self.beginning_of(mark);
        judgement
            .excused(gates, &self.too_excused(gates, splits, mark))
            .verified(
                gates,
                &self.unverified(gates, &self.verified(standings, from), from),
            )
            .with_power(gates, &self.power_if_asked(gates, standings, from))
    }

    /// The beginning of what a mark may be judged by: the mark, or a later change of the rules.
    pub(super) fn beginning_of<'a>(&'a self, mark: &'a LedgerSnapshot) -> &'a Beginning {
        if mark.beginning.is_before(&self.beginning) {
            &self.beginning
        } else {
            &mark.beginning
        }
    }

    /// The counts that the evidence for a period consists of, with the mean burst sizes of mismatches and of errors.
    pub(super) fn sums(
        &self,
        total: &Tally,
        split: MismatchCounts,
        (burst, error_burst): (f64, f64),
    ) -> IntervalCounts {
        let MismatchCounts {
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
            windows: CoverageWindows::default(),
            unread: total.unread(),
            production_5xx: total.production_5xx,
            shadow_5xx: total.shadow_5xx,
            burst,
            error_burst,
            production: latency.production,
            shadow: latency.shadow,
            reversed: self.reversed,
            untimed: self.untimed,
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
        let mut split = MismatchCounts::default();
        let standings = self.standings();
        for found in self.sets_found(&standings) {
            let before = mark.sets.get(found.id).copied().unwrap_or(0);
            split.add(found.standing, found.count.saturating_sub(before));
        }
        let split = split.plus(at_once);
        let compared = self.total.compared().saturating_sub(mark.compared);
        let counted = compared.saturating_sub(split.after_skipped_write);
        (split.regressions.min(counted), counted)
    }

    /// Mismatches of each route since `mark` by their current standing, without those that were judged at once.
    pub(super) fn splits_since(&self, standings: &Standings, mark: &LedgerSnapshot) -> Vec<MismatchCounts> {
        let mut splits = vec![MismatchCounts::default(); self.by_route.len()];
        for found in self.sets_found(standings) {
            let before = mark.sets.get(found.id).copied().unwrap_or(0);
            if let Some(split) = splits.get_mut(found.route.index()) {
                split.add(found.standing, found.count.saturating_sub(before));
            }
        }
        splits
    }

    /// Mean burst sizes since `mark`: of the mismatches that nothing excuses, which are in `split`, and of the errors
    /// in `total`. Mismatches with one set of differences may come together, and those with different ones as well.
    pub(super) fn bursts(
        &self,
        standings: &Standings,
        mark: &LedgerSnapshot,
        split: MismatchCounts,
        total: &Tally,
    ) -> (f64, f64) {
        let seconds = self.seconds_since(mark.second);
        let mut open: HashSet<usize> = HashSet::new();
        let mut excess = Excess::default();
        for found in self.sets_found(standings) {
            if !found.standing.is_excused() {
                open.insert(found.id);
                let before = mark.bursts.get(found.id).copied().unwrap_or_default();
                excess = burst::plus(excess, found.bursts.since(&before).excess(seconds));
            }
        }
        let by_set = burst::factor(excess, split.regressions.saturating_add(split.undecided));
        let (first, last) = self.clock.unwrap_or_default();
        // The second of the mark is partly before it.
        let from = mark.second.map_or(first, |second| second.saturating_add(1));
        let together = self.sets.burst(|set| open.contains(&set), from, last);
        (by_set.max(together), total.errors.factor(seconds))
    }

    /// Routes of which skipped writes explain more than allowed since `mark`, when `splits` are their mismatches since
    /// then.
    fn too_excused(
        &self,
        gates: &GateConfig,
        splits: &[MismatchCounts],
        mark: &LedgerSnapshot,
    ) -> Vec<(&str, u64, u64)> {
        let marked = self.marked(mark);
        let routes = self.routes_seen().map(|(id, name, tally)| {
            let (compared, at_once) = marked.get(id).copied().unwrap_or_default();
            let split = splits.get(id).copied().unwrap_or_default();
            let at_once = tally.judged_at_once.after_skipped_write.saturating_sub(at_once);
            let explained = split.after_skipped_write.saturating_add(at_once);
            (name, explained, tally.compared().saturating_sub(compared))
        });
        too_excused(gates, routes)
    }
}

impl Tally {
    /// Counts since `before`, an earlier state of the same tally.
    fn since(&self, before: &Self) -> Self {
        Self {
            skipped: self.skipped.saturating_sub(before.skipped),
            missed: self.missed.saturating_sub(before.missed),
            not_answered: self.not_answered.saturating_sub(before.not_answered),
            unread: self.unread.since(&before.unread),
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
        compare::{Category, Discrepancy, Failure, Outcome, Verdict},
        evidence::{LedgerLimits, Ruling, Unread, UnreadTraffic, testing::answered},
        gate::{Skip, SkipPolicy},
        redact::{RedactConfig, Redactor},
    };
    use shadow_proto::engine::Sizes;
    use shadow_proto::testing::exchange;
    use shadow_proto::time::Timestamp;

    fn judge(ledger: &mut Ledger, count: u32, verdict: &Verdict, after: Duration) {
        judge_at("/", ledger, count, verdict, after);
    }

    fn judge_at(target: &str, ledger: &mut Ledger, count: u32, verdict: &Verdict, after: Duration) {
        let outcome = match verdict {
            Verdict::ShadowError(failure) => Outcome::Failed(*failure),
            _ => answered(200, after),
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
            leaves: 1,
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
        assert_eq!(ledger.since(&LedgerSnapshot::default(), &gates).compared, 15_700);
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
                leaves: 1,
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

    #[test]
    fn a_phase_whose_mismatches_skipped_writes_explain_is_not_verified() {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
        let gates = GateConfig::default();
        let write = exchange("PUT", "/stock/7");
        ledger.seen(&write);
        ledger.skipped(&write, Skip::Policy(SkipPolicy::Write));
        let mark = ledger.mark();
        let stock = Verdict::Mismatch(vec![Discrepancy {
            category: Category::Value,
            place: "$.stock".to_owned(),
            production: "1".to_owned(),
            shadow: "2".to_owned(),
            leaves: 1,
        }]);
        judge_at("/stock/7", &mut ledger, 3_000, &stock, Duration::from_millis(1));
        judge_at("/", &mut ledger, 6_000, &Verdict::Match, Duration::from_millis(1));
        let since = ledger.since(&mark, &gates).judgement;
        let excused = since.reasons.iter().find(|reason| reason.gate == "excused");
        assert!(
            excused.is_some_and(|reason| reason.ruling == Ruling::InsufficientEvidence),
            "{since:#?}"
        );
        assert_eq!(since.ruling, Ruling::InsufficientEvidence);
        // A later phase without such mismatches passes.
        let later = ledger.mark();
        judge_at("/", &mut ledger, 6_000, &Verdict::Match, Duration::from_millis(1));
        assert_eq!(ledger.since(&later, &gates).judgement.ruling, Ruling::Go);
    }

    #[test]
    fn unread_exchanges_count_by_the_share_that_is_compared() {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
        // A tenth of the traffic is selected.
        let other = exchange("GET", "/");
        for _ in 0..900 {
            ledger.seen(&other);
            ledger.skipped(&other, Skip::Policy(SkipPolicy::OutOfShare));
        }
        judge(&mut ledger, 100, &Verdict::Match, Duration::from_millis(1));
        ledger.unread(begun(500));
        ledger.unread(begun(500));
        let since = ledger.since(&LedgerSnapshot::default(), &GateConfig::default());
        assert_eq!((since.coverage.successes, since.coverage.trials), (100, 150));
        let mark = ledger.mark();
        ledger.unread(begun(1_000));
        let since = ledger.since(&LedgerSnapshot::default(), &GateConfig::default());
        assert_eq!(since.coverage.trials, 200);
        // Nothing else happened since the mark: all of the rest may count.
        assert_eq!(ledger.since(&mark, &GateConfig::default()).unread.exchanges, 500);
    }

    fn begun(exchanges: u64) -> UnreadTraffic {
        UnreadTraffic {
            begun: exchanges,
            ..UnreadTraffic::default()
        }
    }

    /// The ruling of the coverage gate after 10,000 exchanges with a verdict and requests of which each took one of
    /// these sizes, when 400 were seen to begin in `bytes` that were not read.
    fn coverage_gate(sizes: &[u64], bytes: u64) -> (Ruling, Unread) {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
        judge(&mut ledger, 10_000, &Verdict::Match, Duration::from_millis(1));
        let mut read = Sizes::default();
        for at in 0..10_000 {
            read.count(1, sizes[at % sizes.len()]);
        }
        ledger.unread(UnreadTraffic {
            bytes,
            sizes: read,
            ..begun(400)
        });
        let since = ledger.since(&LedgerSnapshot::default(), &GateConfig::default());
        let gate = since
            .judgement
            .reasons
            .into_iter()
            .find(|reason| reason.gate == "coverage");
        let gate = gate.expect("a gate on coverage");
        assert!(gate.text.contains("400 of them were not read"), "{}", gate.text);
        assert!(
            since.coverage.rate > Some(0.96),
            "the estimate passes: {:?}",
            since.coverage
        );
        (gate.ruling, since.unread)
    }

    #[test]
    fn the_end_of_the_interval_decides_about_coverage() {
        // 400 of 10,400 are 3.8 %, of 5 % that may be missing.
        let (ruling, unread) = coverage_gate(&[200], 400 * 200);
        assert_eq!(ruling, Ruling::Go, "{unread:?}");
        // A few large uploads among small requests: as many bytes may be many more requests.
        let (ruling, unread) = coverage_gate(
            &[100, 100, 100, 100, 100, 100, 100, 100, 100, 20_000],
            400 * 2_090,
        );
        assert_eq!(ruling, Ruling::InsufficientEvidence, "{unread:?}");
        // The bytes of more requests than were seen to begin, as in HTTP/2 or with pipelining.
        let (ruling, unread) = coverage_gate(&[200], 600 * 200);
        assert_eq!(ruling, Ruling::InsufficientEvidence, "{unread:?}");
    }
}
