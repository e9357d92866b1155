//! When something is bad enough to stop by itself.
//!
//! Owns: sliding windows over counters, and what is concluded from them. Pure: counters and time are arguments.
//! Bounds: [`STEPS`] points of a window. Bias: without enough in the window nothing is concluded; a rate of mismatches
//! counts with its lower bound, so that a few of them are never taken for many.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use shadow_core::evidence::{Counts, wilson};

/// Points that are kept of one window.
const STEPS: u32 = 60;

/// A share that is too much, of at least so many, within a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Trips above this, 0 to 1.
    pub above: f64,
    /// Fewer say nothing.
    pub minimum: u64,
    /// How far back is looked.
    pub within: Duration,
}

/// Two counters over a sliding window.
#[derive(Debug)]
pub struct Window {
    within: Duration,
    /// Bad and all, as they stood then; oldest first.
    points: VecDeque<(Instant, u64, u64)>,
}

impl Window {
    /// An empty one.
    pub fn new(within: Duration) -> Self {
        Self {
            within,
            points: VecDeque::new(),
        }
    }

    /// Forgets everything: what comes next is judged by itself.
    pub fn clear(&mut self) {
        self.points.clear();
    }

    /// What the counters gained within the window. Counters that fall begin anew.
    pub fn gained(&mut self, bad: u64, all: u64, now: Instant) -> (u64, u64) {
        if self
            .points
            .back()
            .is_some_and(|last| bad < last.1 || all < last.2)
        {
            self.clear();
        }
        let apart = self.within / STEPS;
        if self
            .points
            .back()
            .is_none_or(|last| now.saturating_duration_since(last.0) >= apart)
        {
            self.points.push_back((now, bad, all));
        }
        let old = |point: &(Instant, u64, u64)| now.saturating_duration_since(point.0) > self.within;
        while self.points.len() > 1 && self.points.front().is_some_and(old) {
            self.points.pop_front();
        }
        let first = self.points.front().map_or((bad, all), |first| (first.1, first.2));
        (bad - first.0, all - first.1)
    }
}

/// Replays without an answer, of all: why, when they are too many.
pub fn shadow_errors(window: &mut Window, limit: &Limit, counts: &Counts, now: Instant) -> Option<String> {
    let all = counts.matched + counts.mismatched + counts.failed;
    let (bad, all) = window.gained(counts.failed, all, now);
    let share = over(bad, all, limit)?;
    Some(format!(
        "{bad} of {all} replays failed ({share}), limit {}",
        percent(limit.above)
    ))
}

/// Mismatches, of all comparisons, by the lower bound of their interval.
pub fn mismatches(window: &mut Window, limit: &Limit, counts: &Counts, now: Instant) -> Option<String> {
    let (bad, all) = window.gained(counts.mismatched, counts.matched + counts.mismatched, now);
    let (low, _) = wilson(bad, all)?;
    (all >= limit.minimum && low > limit.above).then(|| {
        format!(
            "{bad} of {all} comparisons differ (at least {}), limit {}",
            percent(low),
            percent(limit.above)
        )
    })
}

/// Packets that were lost in front of the agent, of all that were to be copied.
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
    use super::*;

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

    #[test]
    fn mismatches_trip_only_when_they_are_surely_too_many() {
        let now = Instant::now();
        for (last, trips) in [
            (counts(890, 110, 0), false),
            (counts(870, 130, 500), true),
            (counts(60, 39, 0), false),
        ] {
            let mut window = Window::new(LIMIT.within);
            mismatches(&mut window, &LIMIT, &counts(0, 0, 0), now);
            let why = mismatches(&mut window, &LIMIT, &last, now + SECOND);
            assert_eq!(why.is_some(), trips, "{last:?}: {why:?}");
        }
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
