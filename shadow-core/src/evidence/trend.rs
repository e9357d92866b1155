//! Counts over time in a fixed number of slices, and the trend of a rate.
//!
//! Bounds: [`SLICES`] numbers each. When the last slice ends, neighbours are added up and slices become twice as long.

use core::time::Duration;

use shadow_proto::time::Timestamp;

use super::{
    report::{Trend, TrendDirection},
    stats::{Proportion, newcombe, rounded},
};

/// Number of slices.
const SLICES: usize = 16;

/// Initial length of a slice, in nanoseconds.
const WIDTH: u64 = 1_000_000_000;

/// Maps a moment to its slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slicer {
    start: Option<Timestamp>,
    width: u64,
    /// The latest slice that was used.
    latest: usize,
}

/// Counts by slice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slices([u32; SLICES]);

impl Default for Slicer {
    fn default() -> Self {
        Self {
            start: None,
            width: WIDTH,
            latest: 0,
        }
    }
}

impl Slicer {
    /// The slice of a moment, and how often all slices must be [`Slices::halve`]d before it is used.
    pub(crate) fn at(&mut self, now: Timestamp) -> (usize, u32) {
        let start = *self.start.get_or_insert(now);
        let since = now.as_nanos().saturating_sub(start.as_nanos());
        let mut halvings = 0;
        let mut slice = since / self.width;
        while slice >= SLICES as u64 {
            self.width = self.width.saturating_mul(2);
            self.latest /= 2;
            halvings += 1;
            slice = since / self.width;
        }
        let slice = usize::try_from(slice).unwrap_or(0);
        self.latest = self.latest.max(slice);
        (slice, halvings)
    }

    /// Compares the last quarter of the slices so far with those before it.
    pub(crate) fn trend(&self, found: &Slices, of: &Slices) -> Trend {
        let slices = self.latest.saturating_add(1);
        let recent = slices.div_ceil(4);
        let from = slices.saturating_sub(recent);
        let part = |range: core::ops::Range<usize>| {
            let trials = of.sum(range.clone());
            (found.sum(range).min(trials), trials)
        };
        let (recent_part, before) = (part(from..slices), part(0..from));
        let interval = newcombe(recent_part, before);
        let direction = match interval {
            Some((low, _)) if low > 0.0 => TrendDirection::Rising,
            Some((_, high)) if high < 0.0 => TrendDirection::Falling,
            _ => TrendDirection::Steady,
        };
        let width = self.width / 1_000_000_000;
        Trend {
            direction,
            recent: Proportion::new(recent_part.0, recent_part.1),
            before: Proportion::new(before.0, before.1),
            recent_s: width.saturating_mul(recent as u64),
            low: interval.map(|(low, _)| rounded(low)),
            high: interval.map(|(_, high)| rounded(high)),
        }
    }
}

impl Slicer {
    /// Slices used so far.
    pub(crate) fn used(&self) -> usize {
        self.latest.saturating_add(1)
    }

    /// The time from the start to the beginning of a slice.
    pub(crate) fn since_start(&self, slice: usize) -> Duration {
        Duration::from_nanos(self.width.saturating_mul(slice as u64))
    }
}

impl Slices {
    pub(crate) fn count(&mut self, slice: usize) {
        if let Some(count) = self.0.get_mut(slice) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds the counts of other slices of the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// Adds up neighbouring slices.
    pub(crate) fn halve(&mut self) {
        let mut halved = [0; SLICES];
        for (pair, sum) in self.0.chunks(2).zip(&mut halved) {
            *sum = pair.iter().fold(0, |sum: u32, count| sum.saturating_add(*count));
        }
        self.0 = halved;
    }

    /// The count of some slices.
    pub(crate) fn sum(&self, range: core::ops::Range<usize>) -> u64 {
        self.0
            .get(range)
            .unwrap_or_default()
            .iter()
            .map(|count| u64::from(*count))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand seconds with ten exchanges each; `wrong(second)` of them have the difference.
    fn trend(wrong: impl Fn(u64) -> u64) -> Trend {
        let (mut slicer, mut found, mut of) = (Slicer::default(), Slices::default(), Slices::default());
        for second in 0..1000u64 {
            let (slice, halvings) = slicer.at(Timestamp::from_nanos(7 + second * 1_000_000_000));
            for _ in 0..halvings {
                found.halve();
                of.halve();
            }
            for number in 0..10 {
                of.count(slice);
                if number < wrong(second) {
                    found.count(slice);
                }
            }
        }
        assert_eq!(of.sum(0..SLICES), 10_000, "nothing is lost: {of:?}");
        slicer.trend(&found, &of)
    }

    #[test]
    fn a_rate_rises_falls_or_stays() {
        let steady = trend(|second| second % 2);
        assert_eq!(steady.direction, TrendDirection::Steady, "{steady:?}");
        let rising = trend(|second| u64::from(second > 800));
        assert_eq!(rising.direction, TrendDirection::Rising, "{rising:?}");
        assert_eq!(rising.recent_s, 256, "a quarter of 16 slices of 64 s");
        assert!(
            rising.recent.successes > 150 && rising.before.successes < 50,
            "{rising:?}"
        );
        let falling = trend(|second| u64::from(second < 300));
        assert_eq!(falling.direction, TrendDirection::Falling, "{falling:?}");
    }

    #[test]
    fn one_moment_has_no_trend() {
        let trend = Slicer::default().trend(&Slices([1; SLICES]), &Slices([1; SLICES]));
        assert_eq!((trend.direction, trend.low), (TrendDirection::Steady, None));
    }
}
