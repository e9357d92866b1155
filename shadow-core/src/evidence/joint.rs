//! Bursts of several sets of differences together.
//!
//! One client or one minute may cause mismatches with many different sets of differences, each of which is even by
//! itself. Which sets count is known only when a report is made, so the latest mismatches are kept with their set.
//! Bounds: [`RUNS`] runs of mismatches with the same set in the same second; older ones are forgotten.

use std::collections::VecDeque;

use super::burst::{self, Bursts};

/// Maximum number of runs.
const RUNS: usize = 1 << 15;

/// The latest mismatches.
#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<Run>);

/// Mismatches with one set in one second.
#[derive(Clone, Copy, Debug)]
struct Run {
    second: u32,
    set: u32,
    count: u32,
}

impl Log {
    /// Counts one mismatch.
    pub(crate) fn count(&mut self, set: usize, second: u64) {
        let second = u32::try_from(second).unwrap_or(u32::MAX);
        let set = u32::try_from(set).unwrap_or(u32::MAX);
        if let Some(run) = self
            .0
            .back_mut()
            .filter(|run| (run.second, run.set) == (second, set))
        {
            run.count = run.count.saturating_add(1);
            return;
        }
        if self.0.len() >= RUNS {
            self.0.pop_front();
        }
        self.0.push_back(Run {
            second,
            set,
            count: 1,
        });
    }

    /// Mean burst size of the mismatches from a second on whose set counts; at least 1. `last` is the second of the
    /// latest verdict.
    pub(crate) fn factor(&self, is_open: impl Fn(usize) -> bool, from: u64, last: u64) -> f64 {
        let mut bursts = Bursts::default();
        let from = match self.0.front() {
            // Nothing is known of the time before it: it begins with the first whole window, the longest of which there
            // are at least two.
            Some(oldest) if self.0.len() >= RUNS => {
                let oldest = u64::from(oldest.second);
                let whole = burst::lengths()
                    .map(|length| oldest.next_multiple_of(length))
                    .zip(burst::lengths())
                    .find(|(from, length)| from.saturating_add(length.saturating_mul(2)) <= last)
                    .map_or(oldest.saturating_add(1), |(from, _)| from);
                from.max(whole)
            }
            _ => from,
        };
        let counted = self.0.iter().filter(|run| u64::from(run.second) >= from);
        for run in counted.filter(|run| is_open(run.set as usize)) {
            bursts.count_many(u64::from(run.second), run.count);
        }
        bursts.factor(last.saturating_sub(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_sets_at_the_same_time_are_one_burst() {
        let mut log = Log::default();
        // Twenty different mismatches at once, every ten seconds; and noise all the time.
        for second in 0..200 {
            log.count(99, second);
            if second % 10 == 0 {
                (0..20).for_each(|set| log.count(set, second));
            }
        }
        let factor = log.factor(|set| set != 99, 0, 199);
        assert!((15.0..25.0).contains(&factor), "{factor}");
        let noise = log.factor(|set| set == 99, 0, 199);
        assert!((noise - 1.0).abs() < 0.01, "{noise}");
        let since = log.factor(|set| set == 3, 195, 199);
        assert!((since - 1.0).abs() < 1e-9, "nothing since then: {since}");
    }

    #[test]
    fn the_log_is_bounded() {
        let mut log = Log::default();
        (0..100_000).for_each(|number| log.count(number % 7, number as u64 / 50));
        assert_eq!(log.0.len(), RUNS);
        let last = log.factor(|set| set == 9, 0, 1_999);
        assert!((last - 1.0).abs() < 1e-9, "{last}");
    }
}
