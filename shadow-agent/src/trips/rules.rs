//! Rules that decide when to stop by itself.
//!
//! Owns: sliding windows over counters, and the conclusions from them. Pure: counters and time are arguments. Bounds:
//! [`STEPS`] points of a window. Bias: without enough in the window nothing is concluded; a rate of mismatches counts
//! with its lower bound, so that a few of them are never taken for many.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use shadow_core::evidence::{Counts, Ledger, VerdictMark, wilson};

/// Points that are kept of one window.
const STEPS: u32 = 60;

/// A limit on a share, of at least a minimum count, within a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Trips above this, 0 to 1.
    pub above: f64,
    /// A smaller count is not evidence.
    pub minimum: u64,
    /// The length of the window.
    pub within: Duration,
}

/// A sliding window over counters: their values at [`STEPS`] points of it. By default two counters, of bad events and
/// of all.
#[derive(Debug)]
pub struct Window<T = (u64, u64)> {
    within: Duration,
    /// Oldest first.
    points: VecDeque<(Instant, T)>,
}

impl<T> Window<T> {
    /// An empty one.
    pub fn new(within: Duration) -> Self {
        Self {
            within,
            points: VecDeque::new(),
        }
    }

    /// Forgets everything: later counts are judged separately.
    pub fn clear(&mut self) {
        self.points.clear();
    }

    /// The values at the beginning of the window; the current ones if it begins only now.
    fn first(&mut self, now: Instant, stands: impl FnOnce() -> T) -> Option<&T> {
        let apart = self.within / STEPS;
        if self
            .points
            .back()
            .is_none_or(|last| now.saturating_duration_since(last.0) >= apart)
        {
            self.points.push_back((now, stands()));
        }
        let old = |point: &(Instant, T)| now.saturating_duration_since(point.0) > self.within;
        while self.points.len() > 1 && self.points.front().is_some_and(old) {
            self.points.pop_front();
        }
        self.points.front().map(|(_, first)| first)
    }
}

impl Window {
    /// The increase of the counters within the window. Counters that fall restart from zero.
    pub fn gained(&mut self, bad: u64, all: u64, now: Instant) -> (u64, u64) {
        let fell = |(_, (was_bad, was_all)): &(Instant, (u64, u64))| bad < *was_bad || all < *was_all;
        if self.points.back().is_some_and(fell) {
            self.clear();
        }
        let first = self.first(now, || (bad, all)).copied();
        first.map_or((0, 0), |(first_bad, first_all)| {
            (bad - first_bad, all - first_all)
        })
    }
}

/// Replays without an answer, as a share of all: returns the reason when they are too many.
pub fn shadow_errors(window: &mut Window, limit: &Limit, counts: &Counts, now: Instant) -> Option<String> {
    let all = counts.matched + counts.mismatched + counts.failed;
    let (bad, all) = window.gained(counts.failed, all, now);
    let share = over(bad, all, limit)?;
    Some(format!(
        "{bad} of {all} replays failed ({share}), limit {}",
        percent(limit.above)
    ))
}

/// Regressions among all comparisons that no skipped write explains, by the lower bound of their interval. Noise is not
/// a regression, even if that was learnt only later.
pub fn mismatches(
    window: &mut Window<VerdictMark>,
    limit: &Limit,
    ledger: &Ledger,
    now: Instant,
) -> Option<String> {
    let first = window.first(now, || ledger.verdict_mark())?;
    let (bad, all) = ledger.regressions_since(first);
    let (low, _) = wilson(bad, all)?;
    (all >= limit.minimum && low > limit.above).then(|| {
        format!(
            "{bad} of {all} comparisons are regressions (at least {}), limit {}",
            percent(low),
            percent(limit.above)
        )
    })
}

/// Packets that were lost before the agent read them, of all that were to be copied.
pub fn ring_loss(window: &mut Window, limit: &Limit, lost: u64, copied: u64, now: Instant) -> Option<String> {
    let (bad, all) = window.gained(lost, lost + copied, now);
    let share = over(bad, all, limit)?;
    Some(format!(
        "{bad} of {all} packets were lost because the ring was full ({share}), limit {}",
        percent(limit.above)
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts of one window")]
fn over(bad: u64, all: u64, limit: &Limit) -> Option<String> {
    let share = bad as f64 / all.max(1) as f64;
    (all >= limit.minimum && share > limit.above).then(|| percent(share))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use shadow_core::{
        compare::{Category, Discrepancy, Outcome, ShadowResponse, Verdict},
        evidence::Background,
    };
    use shadow_proto::{
        exchange::{Body, Headers},
        time::Timestamp,
    };

    use super::*;
    use crate::pipeline::tests::{exchange, ledger};

    const SECOND: Duration = Duration::from_secs(1);
    const LIMIT: Limit = Limit {
        above: 0.1,
        minimum: 100,
        within: Duration::from_secs(10),
    };

    fn counts(matched: u64, mismatched: u64, failed: u64) -> Counts {
        Counts {
            matched,
            mismatched,
            failed,
            ..Counts::default()
        }
    }

    #[test]
    fn only_what_is_in_the_window_counts() {
        let mut window = Window::new(10 * SECOND);
        let start = Instant::now();
        assert_eq!(
            window.gained(1000, 5000, start),
            (0, 0),
            "what was before is no concern"
        );
        for second in 1..=30 {
            let gained = window.gained(1000 + u64::from(second), 5000, start + second * SECOND);
            assert_eq!(gained.0, u64::from(second.min(10)));
        }
        assert!(window.points.len() <= STEPS as usize + 2);
        assert_eq!(
            window.gained(5, 5, start + 31 * SECOND),
            (0, 0),
            "counters began anew"
        );
    }

    #[test]
    fn errors_trip_above_their_share_and_with_enough_of_them() {
        let now = Instant::now();
        for (last, trips) in [
            (counts(50, 40, 9), false),
            (counts(45, 44, 11), true),
            (counts(50, 40, 10), false),
            (counts(0, 0, 99), false),
        ] {
            let mut window = Window::new(LIMIT.within);
            assert_eq!(shadow_errors(&mut window, &LIMIT, &counts(0, 0, 0), now), None);
            let why = shadow_errors(&mut window, &LIMIT, &last, now + SECOND);
            assert_eq!(why.is_some(), trips, "{last:?}: {why:?}");
        }
    }

    fn found(place: &str) -> Vec<Discrepancy> {
        vec![Discrepancy {
            category: Category::Value,
            place: place.to_owned(),
            production: "1".to_owned(),
            shadow: "2".to_owned(),
            leaves: 1,
        }]
    }

    /// Adds this many of that verdict.
    fn judge(ledger: &mut Ledger, count: u32, verdict: &Verdict) {
        let exchange = exchange("GET", "/stock", "{}");
        let answer = Outcome::Response(ShadowResponse {
            status: 200,
            headers: Headers::default(),
            trailers: Headers::default(),
            body: Body::default(),
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
        });
        for _ in 0..count {
            ledger.seen(&exchange);
            ledger.judged(&exchange, &answer, verdict, Timestamp::from_nanos(5));
        }
    }

    #[test]
    fn mismatches_trip_only_when_they_are_surely_too_many() {
        let now = Instant::now();
        for (matched, mismatched, trips) in [(890, 110, false), (870, 130, true), (60, 39, false)] {
            let mut ledger = ledger();
            judge(&mut ledger, 1_000, &Verdict::Mismatch(found("$.before")));
            let mut window = Window::new(LIMIT.within);
            assert_eq!(mismatches(&mut window, &LIMIT, &ledger, now), None);
            judge(&mut ledger, matched, &Verdict::Match);
            judge(&mut ledger, mismatched, &Verdict::Mismatch(found("$.price")));
            let why = mismatches(&mut window, &LIMIT, &ledger, now + SECOND);
            assert_eq!(why.is_some(), trips, "{matched} and {mismatched}: {why:?}");
        }
    }

    #[test]
    fn noise_never_trips_however_much_of_it_there_is() {
        let now = Instant::now();
        let mut ledger = ledger();
        let mut window = Window::new(LIMIT.within);
        let token = found("$.token");
        let asked = &exchange("GET", "/stock", "{}");
        for _ in 0..100 {
            ledger.background(asked, Background::Twice, &token, Timestamp::from_nanos(4));
        }
        assert_eq!(mismatches(&mut window, &LIMIT, &ledger, now), None);
        judge(&mut ledger, 1_000, &Verdict::Mismatch(token));
        assert_eq!(mismatches(&mut window, &LIMIT, &ledger, now + SECOND), None);
        // A real difference beside it does, and noise is not part of it.
        judge(&mut ledger, 500, &Verdict::Mismatch(found("$.price")));
        let why = mismatches(&mut window, &LIMIT, &ledger, now + 2 * SECOND).expect("a trip");
        assert!(
            why.starts_with("500 of 1500 comparisons are regressions"),
            "{why}"
        );
        // Anything older than the window no longer matters.
        for second in 3..15 {
            mismatches(&mut window, &LIMIT, &ledger, now + second * SECOND);
        }
        judge(&mut ledger, 200, &Verdict::Match);
        assert_eq!(mismatches(&mut window, &LIMIT, &ledger, now + 15 * SECOND), None);
        assert!(window.points.len() <= STEPS as usize + 2);
    }

    #[test]
    fn lost_packets_trip_with_their_figures() {
        let now = Instant::now();
        let mut window = Window::new(LIMIT.within);
        assert_eq!(ring_loss(&mut window, &LIMIT, 0, 0, now), None);
        let why = ring_loss(&mut window, &LIMIT, 150, 850, now + SECOND).expect("a trip");
        assert_eq!(
            why,
            "150 of 1000 packets were lost because the ring was full (15.0 %), limit 10.0 %"
        );
        window.clear();
        assert_eq!(ring_loss(&mut window, &LIMIT, 300, 1700, now + 2 * SECOND), None);
    }
}
