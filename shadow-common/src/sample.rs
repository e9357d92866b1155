//! Which connections are copied: those whose hash is below a threshold.
//!
//! A raised ratio keeps every connection that the lower one chose, so a rollout adds traffic and never swaps it.

/// The threshold that chooses every connection.
pub const ALL: u64 = 1 << 32;

/// The threshold for a ratio: 0 chooses nothing, 1 everything. Outside of `0.0..=1.0` it is clamped, NaN is 0.
#[cfg(not(target_arch = "bpf"))]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to 0..=2^32 first, which f64 holds exactly"
)]
pub fn threshold(ratio: f64) -> u64 {
    if ratio >= 1.0 {
        ALL
    } else if ratio > 0.0 {
        // A ratio above zero is never rounded to nothing.
        ((ratio * ALL as f64) as u64).max(1)
    } else {
        0
    }
}

/// The ratio that a threshold means, for people.
#[cfg(not(target_arch = "bpf"))]
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "clamped to 2^32 first, which f64 holds exactly"
)]
pub fn ratio(threshold: u64) -> f64 {
    threshold.min(ALL) as f64 / ALL as f64
}

/// Whether a connection with this hash is copied.
#[inline(always)]
#[must_use]
pub const fn selects(threshold: u64, hash: u32) -> bool {
    (hash as u64) < threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_everything_are_exact() {
        for hash in [0, 1, u32::MAX / 2, u32::MAX] {
            assert!(!selects(threshold(0.0), hash), "{hash}");
            assert!(selects(threshold(1.0), hash), "{hash}");
        }
    }

    #[test]
    fn odd_ratios_are_clamped() {
        assert_eq!(threshold(f64::NAN), 0);
        assert_eq!(threshold(-1.0), 0);
        assert_eq!(threshold(f64::INFINITY), ALL);
        assert_eq!(threshold(1e-300), 1);
        assert_eq!(threshold(0.25), 1 << 30);
    }

    #[test]
    fn a_ratio_survives_the_round_trip() {
        for given in [0.0, 0.01, 0.05, 0.1, 0.5, 0.999, 1.0] {
            let back = ratio(threshold(given));
            assert!((back - given).abs() < 1e-9, "{given} came back as {back}");
        }
    }
}
