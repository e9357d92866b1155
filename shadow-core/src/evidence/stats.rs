//! Intervals for proportions.

use serde::{Deserialize, Serialize};

use super::{anytime, numbers::float};

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A share with its 95 % interval. The rates are `None` while the total is zero.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Proportion {
    /// Number of successes.
    pub successes: u64,
    /// Number of trials.
    pub trials: u64,
    /// `successes / trials`.
    pub rate: Option<f64>,
    /// Lower end of the interval: Wilson's, or one that is valid at any time.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

impl Proportion {
    /// Share of right answers: `wrong` ones are known to be wrong, and `open` ones may be. The interval is that of
    /// [`anytime`] for wrong answers in bursts of size `burst`, and holds for every possible outcome of the open ones.
    pub(crate) fn of_limit(trials: u64, wrong: u64, open: u64, burst: f64) -> Self {
        let of = |failures: u64| anytime::of_limit(float(failures.min(trials)), float(trials), burst);
        let successes = trials.saturating_sub(wrong.saturating_add(open));
        Self {
            successes,
            trials,
            rate: share(successes, trials).map(rounded),
            low: of(wrong.saturating_add(open)).map(|(low, _)| rounded(low)),
            high: of(wrong).map(|(_, high)| rounded(high)),
        }
    }

    /// The share with its Wilson interval.
    pub fn new(successes: u64, trials: u64) -> Self {
        let interval = wilson(successes, trials);
        Self {
            successes,
            trials,
            rate: share(successes, trials).map(rounded),
            low: interval.map(|(low, _)| rounded(low)),
            high: interval.map(|(_, high)| rounded(high)),
        }
    }
}

/// Rounded to nine decimals: more say nothing about counts, and these are read back from JSON unchanged.
pub(crate) fn rounded(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

/// `part / whole`, `None` if `whole` is 0.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

/// Wilson's score interval at 95 % (Wilson 1927), `None` without trials. Unlike the normal approximation it is accurate
/// near 0 and 1, where match rates are: 100 of 100 is [0.963, 1], not [1, 1].
pub fn wilson(successes: u64, trials: u64) -> Option<(f64, f64)> {
    let p = share(successes.min(trials), trials)?;
    let (low, high) = score_interval(Z, p, float(trials));
    // The ends are exact at 0 and 1; rounding would leave 0.9999999999999999.
    Some((
        if successes == 0 { 0.0 } else { low.max(0.0) },
        if successes >= trials { 1.0 } else { high.min(1.0) },
    ))
}

/// The interval in which the score test at `z` does not reject, for a share `p` of `n`.
fn score_interval(z: f64, p: f64, n: f64) -> (f64, f64) {
    let z2 = z * z;
    let centre = p + z2 / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    ((centre - spread) / scale, (centre + spread) / scale)
}

/// Newcombe's interval at 95 % for the difference `a - b` of two independent proportions, each given as successes and
/// trials (Newcombe 1998, method 10: it combines their Wilson intervals). `None` if one has no trials.
pub fn newcombe(a: (u64, u64), b: (u64, u64)) -> Option<(f64, f64)> {
    let (pa, pb) = (share(a.0, a.1)?, share(b.0, b.1)?);
    let (low_a, high_a) = wilson(a.0, a.1)?;
    let (low_b, high_b) = wilson(b.0, b.1)?;
    let difference = pa - pb;
    let below = ((pa - low_a).powi(2) + (high_b - pb).powi(2)).sqrt();
    let above = ((high_a - pa).powi(2) + (pb - low_b).powi(2)).sqrt();
    Some(((difference - below).max(-1.0), (difference + above).min(1.0)))
}

/// The quantiles of a sample of `n` that enclose the median of its population, at 95 % for any number of looks: the
/// order statistics around `n / 2` (Conover 1999, section 3.2), as far apart as a fair coin may be from its middle at
/// any time. Nothing is assumed about the distribution.
pub fn median_ranks(n: u64) -> (f64, f64) {
    let (low, high) = quantile_ranks(0.5, n);
    (low.max(0.0), high.min(1.0))
}

/// The same for another quantile. Below 0 or above 1 if the sample has no such order statistic.
pub fn quantile_ranks(quantile: f64, n: u64) -> (f64, f64) {
    let n = float(n.max(1));
    let spread = anytime::quantile_spread(quantile, n) + 1.0;
    (quantile - spread / n, quantile + spread / n)
}

/// The interval of a ratio `a / b` of two positive estimates from their own intervals, each as low, estimate, high: by
/// the square-and-add rule on logarithms (Zou and Donner 2008). It assumes independence. The durations of answers to
/// the same requests are correlated, so it is somewhat too wide. `None` if one value is not positive.
pub(crate) fn ratio_interval(a: [f64; 3], b: [f64; 3]) -> Option<(f64, f64)> {
    if !a.iter().chain(&b).all(|value| value.is_finite() && *value > 0.0) {
        return None;
    }
    let [low_a, a, high_a] = a.map(f64::ln);
    let [low_b, b, high_b] = b.map(f64::ln);
    let below = ((a - low_a).powi(2) + (high_b - b).powi(2)).sqrt();
    let above = ((high_a - a).powi(2) + (b - low_b).powi(2)).sqrt();
    Some(((a - b - below).exp(), (a - b + above).exp()))
}

/// Trials, at the present rate, until a limit is certainly passed. `None` if the rate is not below the limit: more of
/// the same would not help.
pub(crate) fn trials_needed(failures: u64, trials: u64, limit: f64, burst: f64) -> Option<u64> {
    let rate = share(failures, trials).unwrap_or(0.0);
    if rate >= limit || limit <= 0.0 {
        return None;
    }
    let passes = |trials: u64| {
        let trials = float(trials) / burst;
        anytime::against_limit(rate * trials, trials, limit) >= anytime::DECIDED.ln()
    };
    let enough = (0..63)
        .map(|power| 1u64 << power)
        .find(|trials| passes(*trials))?;
    let (mut low, mut high) = (enough / 2, enough);
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        if passes(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(given: Option<(f64, f64)>, low: f64, high: f64) {
        let (a, b) = given.expect("an interval");
        assert!(
            (a - low).abs() < 5e-5 && (b - high).abs() < 5e-5,
            "[{a}, {b}] is not [{low}, {high}]"
        );
    }

    #[test]
    fn wilson_is_as_published() {
        // Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3.
        close(wilson(81, 263), 0.2553, 0.3662);
        close(wilson(15, 148), 0.0624, 0.1605);
        close(wilson(0, 20), 0.0, 0.1611);
        close(wilson(1, 29), 0.0061, 0.1718);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(7, 7).map(|(_, high)| high), Some(1.0));
    }

    #[test]
    fn newcombe_is_as_published() {
        // Newcombe 1998 (Statistics in Medicine 17:873), table II, method 10.
        close(newcombe((56, 70), (48, 80)), 0.0524, 0.3339);
        close(newcombe((9, 10), (3, 10)), 0.1705, 0.8090);
        close(newcombe((10, 10), (0, 20)), 0.6791, 1.0);
        close(newcombe((10, 10), (0, 10)), 0.6075, 1.0);
        assert_eq!(newcombe((1, 1), (0, 0)), None);
    }

    #[test]
    fn the_median_lies_between_order_statistics() {
        let ranks = |n: u64| {
            let (low, high) = median_ranks(n);
            ((low * float(n)).round(), (high * float(n)).round())
        };
        // For one look the ranks are 40 and 61 of 100 (Conover 1999); any number of looks needs wider ones.
        assert_eq!(ranks(100), (34.0, 66.0));
        assert_eq!(median_ranks(1), (0.0, 1.0));
    }

    #[test]
    fn a_ratio_is_as_wide_as_its_parts() {
        let close = |found: Option<(f64, f64)>, low: f64, high: f64| {
            let (a, b) = found.expect("an interval");
            assert!((a - low).abs() < 1e-3 && (b - high).abs() < 1e-3, "{a} {b}");
        };
        close(ratio_interval([2.0; 3], [1.0; 3]), 2.0, 2.0);
        // If one part is exact, the result is the interval of the other.
        close(ratio_interval([1.0, 2.0, 4.0], [1.0; 3]), 1.0, 4.0);
        close(ratio_interval([2.0; 3], [0.5, 1.0, 4.0]), 0.5, 4.0);
        // Two equal intervals: sqrt(2) times as wide on a logarithmic scale.
        let factor = (2.0_f64.ln() * 2.0_f64.sqrt()).exp();
        close(
            ratio_interval([1.0, 2.0, 4.0], [1.0, 2.0, 4.0]),
            1.0 / factor,
            factor,
        );
        assert_eq!(ratio_interval([0.0, 1.0, 2.0], [1.0; 3]), None);
    }

    #[test]
    fn the_trials_needed_are_just_enough() {
        for (failures, trials, limit, burst) in [
            (0, 0, 0.001, 1.0),
            (0, 100, 0.001, 1.0),
            (5, 10_000, 0.001, 1.0),
            (5, 10_000, 0.001, 3.0),
            (1, 100, 0.1, 1.0),
        ] {
            let needed = trials_needed(failures, trials, limit, burst).expect("reachable");
            let rate = share(failures, trials).unwrap_or(0.0);
            let low = |n: u64| {
                let n = float(n);
                let (low, _) = anytime::of_limit(rate * n, n, burst).expect("trials");
                low
            };
            assert!(low(needed + 1) > 1.0 - limit, "{needed}: {}", low(needed + 1));
            assert!(low(needed - 2) < 1.0 - limit, "{needed}: {}", low(needed - 2));
        }
        assert_eq!(trials_needed(1, 1000, 0.001, 1.0), None);
        assert_eq!(trials_needed(10, 10, 0.5, 1.0), None);
    }
}
