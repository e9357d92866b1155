//! Statistical evidence that stays valid however often it is looked at.
//!
//! A fixed-size interval holds for one look only. Gates are evaluated continuously and would sooner or later pass by
//! chance. Each hypothesis therefore has a test martingale (a likelihood ratio whose alternative is a mixture), which
//! exceeds `1 / alpha` at *any* time with probability at most alpha (Ville's inequality; Howard, Ramdas, McAuliffe and
//! Sekhon 2021). The values that no martingale has refuted form a confidence sequence. Counts are real numbers: a
//! bursty count is divided by the mean burst size first.

use super::numbers::float;

/// Evidence at which a limit is decided: 1 / 2.5 %.
pub(crate) const DECIDED: f64 = 40.0;

/// Evidence at which a difference is decided. It is higher because one run tests hundreds of differences.
pub(crate) const CERTAIN: f64 = 1e5;

/// Evidence at which a coin is unfair, for the same reason: at 1e4, one of a thousand runs of two identical systems had
/// a coin that looked unfair.
pub(crate) const UNFAIR: f64 = 1e5;

/// Bisection steps; the error after the last one is below 1e-9.
const STEPS: usize = 32;

/// The logarithm of the gamma function by Stirling's series, for positive arguments; the error is below 1e-10.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 8.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * core::f64::consts::TAU.ln() + series - shift
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// Logarithm of one factor of the likelihood; `0 * ln 0` is 0.
fn power(count: f64, share: f64) -> f64 {
    if count > 0.0 { count * share.ln() } else { 0.0 }
}

/// Logarithm of the likelihood of `hits` of `trials` under a Beta(a, b) mixture, relative to that under `share`.
fn mixture(hits: f64, trials: f64, share: f64, (a, b): (f64, f64)) -> f64 {
    let misses = trials - hits;
    ln_beta(a + hits, b + misses) - ln_beta(a, b) - power(hits, share) - power(misses, 1.0 - share)
}

/// Logarithm of the evidence against `limit` being the failure rate. The alternatives are: no failures at all, rates
/// around the limit (Beta(1/2, 1/(2 limit))), and any rate (Beta(1/2, 1/2)).
pub(crate) fn against_limit(failures: f64, trials: f64, limit: f64) -> f64 {
    let limit = limit.clamp(1e-12, 1.0 - 1e-12);
    let none = if failures > 0.0 {
        f64::NEG_INFINITY
    } else {
        -power(trials, 1.0 - limit)
    };
    let parts = [
        0.5_f64.ln() + none,
        0.3_f64.ln() + mixture(failures, trials, limit, (0.5, 0.5 / limit)),
        0.2_f64.ln() + mixture(failures, trials, limit, (0.5, 0.5)),
    ];
    let most = parts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + parts.iter().map(|part| (part - most).exp()).sum::<f64>().ln()
}

/// Logarithm of the evidence that a coin with these results is not fair.
pub(crate) fn unfair(a: u64, b: u64) -> f64 {
    unfair_in_bursts(a, b, 1.0)
}

/// As [`unfair`], for throws that come in bursts.
pub(crate) fn unfair_in_bursts(a: u64, b: u64, burst: f64) -> f64 {
    let (a, b) = (float(a) / burst, float(b) / burst);
    mixture(a, a + b, 0.5, (0.5, 0.5))
}

/// The point at which `against` reaches `wanted`, between `inside`, where it is lower, and `outside`.
fn bound(inside: f64, outside: f64, wanted: f64, against: impl Fn(f64) -> f64) -> f64 {
    let (mut inside, mut outside) = (inside, outside);
    for _ in 0..STEPS {
        let middle = f64::midpoint(inside, outside);
        if against(middle) < wanted {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}

/// Confidence sequence of a share; `wanted` is the evidence that refutes a value. `None` without trials.
pub(crate) fn sequence(hits: u64, trials: u64, wanted: f64) -> Option<(f64, f64)> {
    if trials == 0 {
        return None;
    }
    let (hits, trials) = (float(hits.min(trials)), float(trials));
    let marginal = ln_beta(0.5 + hits, 0.5 + trials - hits) - ln_beta(0.5, 0.5);
    let against = |share: f64| marginal - power(hits, share) - power(trials - hits, 1.0 - share);
    Some(ends(hits, trials, wanted.ln(), against))
}

/// Confidence sequence used by gates: of the share of successes, when failures come in bursts of size `burst`.
pub(crate) fn of_limit(failures: f64, trials: f64, burst: f64) -> Option<(f64, f64)> {
    if trials <= 0.0 {
        return None;
    }
    let (failures, trials) = (failures / burst, trials / burst);
    let against = |rate: f64| against_limit(failures, trials, rate);
    let (low, high) = ends(failures, trials, DECIDED.ln(), against);
    Some((1.0 - high, 1.0 - low))
}

fn ends(hits: f64, trials: f64, wanted: f64, against: impl Fn(f64) -> f64) -> (f64, f64) {
    let rate = hits / trials;
    let low = if hits > 0.0 {
        bound(rate, 0.0, wanted, &against)
    } else {
        0.0
    };
    let high = if hits < trials {
        bound(rate, 1.0, wanted, &against)
    } else {
        1.0
    };
    (low, high)
}

/// Interval of the difference `a - b` of two shares, each given as hits and trials, from their confidence sequences.
/// `None` if one has no trials.
pub(crate) fn difference(a: (u64, u64), b: (u64, u64)) -> Option<(f64, f64)> {
    let (low_a, high_a) = sequence(a.0, a.1, CERTAIN)?;
    let (low_b, high_b) = sequence(b.0, b.1, CERTAIN)?;
    Some((low_a - high_b, high_a - low_b))
}

/// Maximum distance of a quantile's rank from its expectation among `n`, at 95 % at any time: the boundary of the
/// normal mixture for a coin with this probability of heads, whose variance is `n * quantile * (1 - quantile)`. Exact
/// for the median. An approximation for other quantiles, good from some hundred answers in the rarer tail.
pub(crate) fn quantile_spread(quantile: f64, n: f64) -> f64 {
    spread(n * quantile * (1.0 - quantile))
}

/// Maximum distance of a sum with this variance from its expectation, at 95 % at any time: the boundary of the normal
/// mixture.
pub(crate) fn spread(variance: f64) -> f64 {
    // Where the boundary is tightest: at about twenty coins.
    const TUNED: f64 = 5.0;
    let variance = variance + TUNED;
    (variance * (variance / (TUNED * 0.05 * 0.05)).ln()).sqrt()
}

#[cfg(test)]
#[path = "anytime_tests.rs"]
mod tests;
