//! Evidence added up from windows, some of it counted in part.

use std::collections::BTreeMap;

use shadow_core::evidence::{
    CoverageWindows, GateConfig, IntervalCounts, Unread, median_ranks, quantile_ranks,
    report::{Quantiles, Spans},
    too_excused,
};

use crate::journal::{
    Gated, Window,
    buckets::{Buckets, LAST, start},
};

/// Expected counts: those of a window times the share that would have been mirrored. Each part is scaled separately, so
/// that the parts still add up after rounding.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    matched: f64,
    regressions: f64,
    undecided: f64,
    noise: f64,
    explained: f64,
    failed: f64,
    /// Shadow errors caused by the agent itself.
    ours: f64,
    missed: f64,
    production_5xx: f64,
    shadow_5xx: f64,
    production: Histogram,
    shadow: Histogram,
    /// By route: mismatches that a skipped write explains, and comparisons.
    routes: BTreeMap<String, (f64, f64)>,
}

/// Weights by the journal's buckets of latency.
#[derive(Clone, Debug)]
struct Histogram([f64; LAST as usize + 1]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0.0; LAST as usize + 1])
    }
}

impl Weights {
    /// Adds a window of one route, or of all of them together.
    pub(super) fn add(&mut self, window: &Window, gated: &Gated, share: f64) {
        let Gated {
            sample: _,
            undecided,
            missed,
            failed,
            production_5xx,
            shadow_5xx,
        } = *gated;
        if !window.route.is_empty() {
            let (explained, compared) = self.routes.entry(window.route.clone()).or_default();
            *explained += float(window.explained) * share;
            *compared += float(window.matched.saturating_add(window.mismatched)) * share;
            return;
        }
        let excused = window.noise.saturating_add(window.explained);
        let open = window.mismatched.saturating_sub(excused);
        let undecided = undecided.min(open);
        for (sum, count) in [
            (&mut self.matched, window.matched),
            (&mut self.regressions, open.saturating_sub(undecided)),
            (&mut self.undecided, undecided),
            (&mut self.noise, window.noise),
            (&mut self.explained, window.explained),
            (&mut self.failed, failed),
            (&mut self.ours, window.errors.saturating_sub(failed)),
            (&mut self.missed, missed),
            (&mut self.production_5xx, production_5xx),
            (&mut self.shadow_5xx, shadow_5xx),
        ] {
            *sum += float(count) * share;
        }
        self.production.add(&window.production, share);
        self.shadow.add(&window.shadow, share);
    }

    pub(super) fn sums(&self) -> IntervalCounts {
        let [regressions, undecided, noise, after_skipped_write] =
            [self.regressions, self.undecided, self.noise, self.explained].map(whole);
        let failed = whole(self.failed);
        let spans = |histogram: &Histogram| Spans {
            first_byte: histogram.quantiles(),
            // The journal keeps no times to the last byte.
            whole: Quantiles::default(),
        };
        IntervalCounts {
            matched: whole(self.matched),
            mismatched: regressions + undecided + noise + after_skipped_write,
            undecided,
            noise,
            after_skipped_write,
            shadow_errors: failed + whole(self.ours),
            failed,
            missed: whole(self.missed),
            // Bursts are not known from sums.
            windows: CoverageWindows::default(),
            // A window is of one route, and what was not read is of none.
            unread: Unread::default(),
            burst: 1.0,
            error_burst: 1.0,
            production_5xx: whole(self.production_5xx),
            shadow_5xx: whole(self.shadow_5xx),
            production: spans(&self.production),
            shadow: spans(&self.shadow),
            reversed: false,
            untimed: false,
        }
    }
}

impl Weights {
    /// Routes of which skipped writes explain more than allowed, with the numbers of mismatches and of comparisons.
    pub(super) fn too_excused(&self, gates: &GateConfig) -> Vec<(&str, u64, u64)> {
        let routes = self.routes.iter();
        too_excused(
            gates,
            routes
                .map(|(route, (explained, compared))| (route.as_str(), whole(*explained), whole(*compared))),
        )
    }
}

impl Histogram {
    fn add(&mut self, buckets: &Buckets, share: f64) {
        for (bucket, count) in buckets.by_bucket() {
            self.0[usize::from(bucket.min(LAST))] += float(count) * share;
        }
    }

    /// Quantiles from the buckets. Values are assumed to be spread evenly within a bucket. The ends of the median's
    /// interval are the ends of their buckets, so that the width of a bucket is not taken for a difference.
    fn quantiles(&self) -> Quantiles {
        let weight: f64 = self.0.iter().sum();
        let count = whole(weight);
        if count == 0 {
            return Quantiles::default();
        }
        let (low, high) = median_ranks(count);
        let (p99_low, p99_high) = quantile_ranks(0.99, count);
        let micros = |quantile: f64, end: fn(f64, f64, f64) -> f64| whole(self.at(quantile * weight, end));
        let between = |from: f64, to: f64, part: f64| from + (to - from) * part;
        Quantiles {
            count,
            p50_us: micros(0.5, between),
            p50_low_us: micros(low, |from, _, _| from),
            p50_high_us: micros(high, |_, to, _| to),
            p90_us: micros(0.9, between),
            p99_us: micros(0.99, between),
            p99_low_us: micros(p99_low.max(0.0), |from, _, _| from),
            p99_high_us: (p99_high <= 1.0).then(|| micros(p99_high, |_, to, _| to)),
            max_us: micros(1.0, |_, to, _| to),
        }
    }

    /// The result of `end` for the bucket that holds this rank: its start, its end, and the rank's position within it.
    fn at(&self, rank: f64, end: fn(f64, f64, f64) -> f64) -> f64 {
        let mut before = 0.0;
        let mut found = 0.0;
        for (bucket, weight) in (0..=LAST).zip(self.0).filter(|(_, weight)| *weight > 0.0) {
            let part = ((rank - before) / weight).clamp(0.0, 1.0);
            found = end(start(bucket), start(bucket + 1), part);
            before += weight;
            if before >= rank {
                break;
            }
        }
        found
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of windows stay far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sums of counts, which `as` holds within what there is"
)]
fn whole(weight: f64) -> u64 {
    weight.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(values: impl IntoIterator<Item = (u64, u64)>, share: f64) -> Quantiles {
        let mut histogram = Histogram::default();
        histogram.add(&Buckets::of(values), share);
        histogram.quantiles()
    }

    #[test]
    fn a_median_is_as_exact_as_its_bucket() {
        let all = quantiles((1_000..3_000).map(|micros| (micros, 1)), 1.0);
        assert_eq!(all.count, 2_000);
        assert!((1_900..2_100).contains(&all.p50_us), "{all:?}");
        assert!(all.p50_low_us <= 1_950 && all.p50_high_us >= 2_050, "{all:?}");
        assert!(all.p50_low_us >= 1_500 && all.p50_high_us <= 2_600, "{all:?}");
        assert!(
            (2_700..=3_200).contains(&all.p99_us) && all.max_us >= 2_999,
            "{all:?}"
        );
        // A tenth of them gives the same result with less certainty.
        let tenth = quantiles((1_000..3_000).map(|micros| (micros, 1)), 0.1);
        assert_eq!((tenth.count, tenth.p50_us), (200, all.p50_us));
        assert!(tenth.p50_low_us <= all.p50_low_us && tenth.p50_high_us >= all.p50_high_us);
        assert_eq!(quantiles([], 1.0), Quantiles::default());
        assert_eq!(
            quantiles([(5, 3)], 0.1),
            Quantiles::default(),
            "less than one half is none"
        );
        // Above the last bucket, and all in one bucket.
        let long = quantiles([(u64::MAX, 10)], 1.0);
        assert!(long.p50_us >= 1_000_000_000, "{long:?}");
    }

    #[test]
    fn parts_add_up_when_they_are_thinned() {
        let window = Window {
            matched: 97,
            mismatched: 9,
            noise: 3,
            explained: 3,
            errors: 5,
            ..Window::default()
        };
        let gated = Gated {
            undecided: 2,
            failed: 3,
            missed: 7,
            ..Gated::default()
        };
        for share in [1.0, 0.5, 1.0 / 3.0, 0.01] {
            let mut weights = Weights::default();
            for _ in 0..3 {
                weights.add(&window, &gated, share);
            }
            let sums = weights.sums();
            assert!(
                sums.noise + sums.after_skipped_write <= sums.mismatched,
                "{sums:?}"
            );
            assert!(sums.undecided + sums.noise <= sums.mismatched, "{sums:?}");
            assert!(sums.failed <= sums.shadow_errors, "{sums:?}");
            if share >= 1.0 {
                assert_eq!((sums.matched, sums.mismatched, sums.missed), (291, 27, 21));
                assert_eq!((sums.shadow_errors, sums.failed), (15, 9));
            }
        }
    }
}
