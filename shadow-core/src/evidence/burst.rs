//! Detection of bursts.
//!
//! Mismatches are not independent: one client, one deployment or one minute causes many of them. The number of
//! independent events in a count is the count divided by the index of dispersion of its windows, that is, the variance
//! of the counts per window over their mean. Three window lengths are evaluated, and the most dispersed one decides.
//! Bounds: about ten numbers per count.
//! Bias: uneven traffic looks like bursts, which requires more evidence than necessary.

use serde::{Deserialize, Serialize};

use super::numbers::{float, whole};
use shadow_proto::time::Timestamp;

/// Window lengths, as powers of two of a second.
const SCALES: [u32; 3] = [0, 4, 8];

/// The lengths of the windows in seconds, the longest first.
pub(crate) fn lengths() -> impl Iterator<Item = u64> {
    SCALES.into_iter().rev().map(|shift| 1 << shift)
}

/// Excess dispersion, by window length.
pub(crate) type Excess = [f64; SCALES.len()];

/// The number of the second that contains a moment.
pub(crate) fn second(now: Timestamp) -> u64 {
    now.as_nanos() / 1_000_000_000
}

/// Sums of the squares of a count, by window.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Bursts {
    count: u64,
    scales: [Scale; SCALES.len()],
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Scale {
    window: u32,
    in_window: u32,
    squares: u64,
}

impl Bursts {
    /// Counts one event in the given second.
    pub(crate) fn count(&mut self, second: u64) {
        self.count_many(second, 1);
    }

    /// Counts so many events in the given second.
    pub(crate) fn count_many(&mut self, second: u64, events: u32) {
        for (scale, shift) in self.scales.iter_mut().zip(SCALES) {
            let window = u32::try_from(second >> shift).unwrap_or(u32::MAX);
            if window != scale.window {
                scale.window = window;
                scale.in_window = 0;
            }
            // (k + n)^2 - k^2
            let n = u64::from(events);
            let step = u64::from(scale.in_window)
                .saturating_mul(2)
                .saturating_add(n)
                .saturating_mul(n);
            scale.squares = scale.squares.saturating_add(step);
            scale.in_window = scale.in_window.saturating_add(events);
        }
        self.count = self.count.saturating_add(events.into());
    }

    /// The counts of both, when nothing is known of how their windows overlap: at most as if the larger windows of both
    /// were the same (Minkowski's inequality). Exact if one of them is empty.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let mut joined = if self.count == 0 { *other } else { *self };
        if self.count == 0 || other.count == 0 {
            return joined;
        }
        joined.count = self.count.saturating_add(other.count);
        for (scale, other) in joined.scales.iter_mut().zip(other.scales) {
            let root = float(scale.squares).sqrt() + float(other.squares).sqrt();
            scale.squares = whole((root * root).ceil());
        }
        joined
    }

    /// The counts since an earlier state.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        since.count = self.count.saturating_sub(before.count);
        for (scale, before) in since.scales.iter_mut().zip(before.scales) {
            scale.squares = scale.squares.saturating_sub(before.squares);
        }
        since
    }

    /// The sum of the squared distances from an even count over this many seconds. With a single window nothing is
    /// known about evenness, so everything in it is one burst.
    pub(crate) fn excess(&self, seconds: u64) -> Excess {
        let mut excess = Excess::default();
        let parts = excess.iter_mut().zip(self.scales.iter().zip(SCALES));
        for (index, (excess, (scale, shift))) in parts.enumerate() {
            let windows = (seconds >> shift).saturating_add(1);
            let (squares, all) = (float(scale.squares), float(windows));
            let even = float(self.count) * float(self.count) / all;
            *excess = match windows {
                1 if index == 0 => squares,
                1 => 0.0,
                _ => ((squares - even) * all / (all - 1.0)).max(0.0),
            };
        }
        excess
    }

    /// Mean burst size, at least 1.
    pub(crate) fn factor(&self, seconds: u64) -> f64 {
        self.factor_within(seconds, u64::MAX)
    }

    /// Mean burst size in windows up to this length.
    pub(crate) fn factor_within(&self, seconds: u64, longest: u64) -> f64 {
        let mut excess = self.excess(seconds);
        for (excess, shift) in excess.iter_mut().zip(SCALES) {
            if 1 << shift > longest {
                *excess = 0.0;
            }
        }
        factor(excess, self.count)
    }
}

/// The sum of two excesses.
pub(crate) fn plus(mut a: Excess, b: Excess) -> Excess {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
    a
}

/// Mean burst size of `count` events with this excess.
pub(crate) fn factor(excess: Excess, count: u64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    excess
        .into_iter()
        .fold(1.0, |most, excess| most.max(excess / float(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_even_is_no_burst_and_what_comes_at_once_is() {
        let of = |seconds: u64, each: u64, every: u64| {
            let mut bursts = Bursts::default();
            for second in (0..seconds).filter(|second| second.is_multiple_of(every)) {
                for _ in 0..each {
                    bursts.count(second);
                }
            }
            bursts.factor(seconds - 1)
        };
        assert!((of(96, 10, 1) - 1.0).abs() < 1e-9, "{}", of(96, 10, 1));
        let factor = of(96, 10, 24);
        assert!((9.0..11.0).contains(&factor), "{factor}");
        assert!((of(1, 7, 1) - 7.0).abs() < 1e-9, "one window is one burst");
        assert!((Bursts::default().factor(5) - 1.0).abs() < 1e-9);
    }
}
