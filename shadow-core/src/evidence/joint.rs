//! Bursts of several sets of differences together.
//!
//! One client or one minute may cause mismatches with many different sets of differences, each of which is even by
//! itself. Which sets count is known only when a report is made, so the latest mismatches are kept with their set.
//! Bounds: [`RUNS`] runs of mismatches with the same set in the same second; older ones are forgotten.

use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::burst::{self, Bursts};

/// Maximum number of runs.
const RUNS: usize = 1 << 15;

/// The latest mismatches.
#[derive(Debug, Default)]
pub(crate) struct Log {
    runs: VecDeque<Run>,
    /// Older ones were forgotten.
    forgot: bool,
}

/// Mismatches with one set in one second.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "(u32, u32, u32)", into = "(u32, u32, u32)")]
pub(crate) struct Run {
    pub(crate) second: u32,
    pub(crate) set: u32,
    pub(crate) count: u32,
}

impl From<(u32, u32, u32)> for Run {
    fn from((second, set, count): (u32, u32, u32)) -> Self {
        Self { second, set, count }
    }
}

impl From<Run> for (u32, u32, u32) {
    fn from(Run { second, set, count }: Run) -> Self {
        (second, set, count)
    }
}

/// A log in a form that can be stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct StoredLog {
    pub(crate) runs: Vec<Run>,
    /// Older ones were forgotten.
    forgot: bool,
}

impl StoredLog {
    /// Whether nothing was forgotten.
    pub(crate) fn is_complete(&self) -> bool {
        !self.forgot
    }
}

impl Log {
    /// Counts one mismatch.
    pub(crate) fn count(&mut self, set: usize, second: u64) {
        self.add(Run {
            second: u32::try_from(second).unwrap_or(u32::MAX),
            set: u32::try_from(set).unwrap_or(u32::MAX),
            count: 1,
        });
    }

    /// Adds mismatches that came last.
    pub(crate) fn add(&mut self, more: Run) {
        if let Some(run) = self
            .runs
            .back_mut()
            .filter(|run| (run.second, run.set) == (more.second, more.set))
        {
            run.count = run.count.saturating_add(more.count);
            return;
        }
        if self.runs.len() >= RUNS {
            self.runs.pop_front();
            self.forgot = true;
        }
        self.runs.push_back(more);
    }

    /// All of it; `later` seconds are added to all times.
    pub(crate) fn stored(&self, later: u64) -> StoredLog {
        let later = u32::try_from(later).unwrap_or(u32::MAX);
        let runs = self.runs.iter().map(|run| Run {
            second: run.second.saturating_add(later),
            ..*run
        });
        StoredLog {
            runs: runs.collect(),
            forgot: self.forgot,
        }
    }

    /// Mean burst size of the mismatches from a second on whose set counts; at least 1. `last` is the second of the
    /// latest verdict.
    pub(crate) fn factor(&self, is_open: impl Fn(usize) -> bool, from: u64, last: u64) -> f64 {
        let mut bursts = Bursts::default();
        let (from, longest) = match self.runs.front() {
            // Nothing is known of the time before it: it begins with the first whole window. Longer windows, of which
            // there are not at least two, say nothing.
            Some(oldest) if self.forgot => {
                let oldest = u64::from(oldest.second);
                let (whole, length) = burst::lengths()
                    .map(|length| (oldest.next_multiple_of(length), length))
                    .find(|(from, length)| from.saturating_add(length.saturating_mul(2)) <= last)
                    .unwrap_or((oldest.saturating_add(1), 1));
                (from.max(whole), length)
            }
            _ => (from, u64::MAX),
        };
        let counted = self.runs.iter().filter(|run| u64::from(run.second) >= from);
        for run in counted.filter(|run| is_open(run.set as usize)) {
            bursts.count_many(u64::from(run.second), run.count);
        }
        bursts.factor_within(last.saturating_sub(from), longest)
    }
}

/// The times in several logs.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// Each run, and whether its log is complete.
    runs: Vec<(Run, bool)>,
    /// The first second from which on all logs are complete, if that is not the beginning.
    from: Option<u32>,
}

impl Times {
    /// Adds a log; `set` gives the ids by which the sets are known here.
    pub(crate) fn add(&mut self, log: &StoredLog, set: impl Fn(u32) -> u32) {
        let run = |run: &Run| Run {
            set: set(run.set),
            ..*run
        };
        let complete = log.is_complete();
        self.runs
            .extend(log.runs.iter().map(|known| (run(known), complete)));
        if !complete {
            let oldest = log.runs.first().map_or(0, |run| run.second);
            self.from = Some(self.from.unwrap_or(0).max(oldest));
        }
    }

    /// Puts them in order; call it once, after the last log.
    pub(crate) fn sort(&mut self) {
        self.runs.sort_unstable();
    }

    /// The bursts of each set, by the logs that are complete.
    pub(crate) fn bursts(&self) -> HashMap<usize, Bursts> {
        let mut exact: HashMap<usize, Bursts> = HashMap::new();
        for (run, _) in self.runs.iter().filter(|(_, complete)| *complete) {
            let bursts = exact.entry(run.set as usize).or_default();
            bursts.count_many(run.second.into(), run.count);
        }
        exact
    }

    /// One log of all.
    pub(crate) fn log(&self) -> Log {
        let mut log = Log {
            runs: VecDeque::new(),
            forgot: self.from.is_some(),
        };
        let from = self.from.unwrap_or(0);
        for (run, _) in self.runs.iter().filter(|(run, _)| run.second >= from) {
            log.add(*run);
        }
        log
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
        // Fifty a second, and at every fourth second two hundred more.
        for second in 0..2_000_u64 {
            (0..50).for_each(|set| log.count(set % 7, second));
            if second.is_multiple_of(4) {
                (0..200).for_each(|number| log.count(9 + number % 2, second));
            }
        }
        assert_eq!(log.runs.len(), RUNS);
        let even = log.factor(|set| set < 7, 0, 1_999);
        assert!((even - 1.0).abs() < 0.01, "{even}");
        let last = log.factor(|set| set >= 9, 0, 1_999);
        assert!((100.0..250.0).contains(&last), "{last}");
    }
}
