//! Latency histograms of bounded size.

use core::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use shadow_proto::exchange::Timing;

use super::{numbers, stats};

/// Longer durations are counted as this long.
const LONGEST: Duration = Duration::from_mins(10);

/// The two spans measured for each answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spans {
    /// Last request byte to first response byte: the server's time.
    pub first: Duration,
    /// Last request byte to last response byte.
    pub whole: Duration,
}

impl Spans {
    /// Production's spans, measured on the wire. Zero if the server answered before the request ended, `None` if a
    /// timestamp is missing.
    pub(crate) fn of(timing: &Timing) -> Option<Self> {
        let asked = timing.request_last?;
        Some(Self {
            first: timing.response_first?.since(asked),
            whole: timing.response_last?.since(asked),
        })
    }
}

/// Histogram of durations, to two significant digits of microseconds. It grows with the range of recorded values, up to
/// about 12 KiB.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Option<Histogram<u32>>);

impl Default for Latency {
    fn default() -> Self {
        // Two digits are always accepted. Without a histogram nothing is recorded and nothing is shown.
        Self(Histogram::new(2).ok())
    }
}

/// A span in microseconds, rounded to the two significant digits that are kept.
pub(crate) fn two_digits(span: Duration) -> u64 {
    let micros = u64::try_from(span.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
    // Eight significant bits resolve 1 %.
    let spare = micros.checked_ilog2().unwrap_or(0).saturating_sub(7);
    (micros >> spare) << spare
}

/// A time in microseconds for people: `850 us`, `15.9 ms` or `4.56 s`.
pub fn micros(micros: u64) -> String {
    let exact = numbers::float(micros);
    // Rounded first, so that no text says 1000.0.
    if micros < 1_000 {
        format!("{micros} us")
    } else if micros < 999_950 {
        format!("{:.1} ms", exact / 1e3)
    } else {
        format!("{:.2} s", exact / 1e6)
    }
}

/// Quantiles of a latency, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Quantiles {
    /// Number of measurements.
    pub count: u64,
    /// Median.
    pub p50_us: u64,
    /// Lower end of the median's 95 % interval.
    #[serde(default)]
    pub p50_low_us: u64,
    /// Upper end of the median's 95 % interval.
    #[serde(default)]
    pub p50_high_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Lower end of the 99th percentile's 95 % interval.
    #[serde(default)]
    pub p99_low_us: u64,
    /// Upper end of the 99th percentile's 95 % interval. `None` if there are too few measurements.
    #[serde(default)]
    pub p99_high_us: Option<u64>,
    /// Maximum.
    pub max_us: u64,
}

impl Quantiles {
    /// Interval of the ratio of this 99th percentile to that of `production`. `None` if one of them is not known.
    pub(crate) fn p99_ratio(&self, production: &Self) -> Option<(f64, f64)> {
        let p99 = |of: &Self| Some([of.p99_low_us, of.p99_us, of.p99_high_us?].map(numbers::float));
        stats::ratio_interval(p99(self)?, p99(production)?)
    }
}

impl Latency {
    pub(crate) fn record(&mut self, span: Duration) {
        if let Some(histogram) = &mut self.0 {
            let micros = u64::try_from(span.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
            // The histogram resizes itself up to the longest value; there is no other error.
            histogram.record(micros).unwrap_or_default();
        }
    }

    fn add(&mut self, other: &Self) {
        if let (Some(histogram), Some(other)) = (&mut self.0, &other.0) {
            // It resizes itself, and both have the same precision; there is no other error.
            histogram.add(other).unwrap_or_default();
        }
    }

    /// Values recorded since `before`, an earlier state of the same histogram.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let Self(Some(now)) = self else {
            return self.clone();
        };
        let mut since = now.clone();
        match &before.0 {
            // Fails only if `before` is not an earlier state; the result is then empty.
            Some(before) if since.subtract(before).is_err() => Self::default(),
            _ => Self(Some(since)),
        }
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let Some(histogram) = self.0.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return Quantiles::default();
        };
        let (low, high) = stats::median_ranks(histogram.len());
        let (p99_low, p99_high) = stats::quantile_ranks(0.99, histogram.len());
        Quantiles {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p50_low_us: histogram.value_at_quantile(low),
            p50_high_us: histogram.value_at_quantile(high),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p99_low_us: histogram.value_at_quantile(p99_low.max(0.0)),
            p99_high_us: (p99_high <= 1.0).then(|| histogram.value_at_quantile(p99_high)),
            max_us: histogram.max(),
        }
    }
}

/// Counts by upper bound, for monitoring systems with their own buckets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Buckets {
    /// Counts at most each bound and above the previous one; the last one counts everything above all bounds.
    pub counts: Vec<u64>,
    /// Sum of all values, with the precision of the histogram.
    pub sum: Duration,
}

impl Latency {
    /// Counts between ascending `bounds`.
    pub(crate) fn buckets(&self, bounds: &[Duration]) -> Buckets {
        let mut buckets = Buckets {
            counts: vec![0; bounds.len().saturating_add(1)],
            sum: Duration::ZERO,
        };
        let Some(histogram) = &self.0 else {
            return buckets;
        };
        for recorded in histogram.iter_recorded() {
            let span = Duration::from_micros(recorded.value_iterated_to());
            let count = recorded.count_at_value();
            let at = bounds.partition_point(|bound| *bound < span);
            if let Some(bucket) = buckets.counts.get_mut(at) {
                *bucket = bucket.saturating_add(u64::from(count));
            }
            buckets.sum = buckets.sum.saturating_add(span.saturating_mul(count));
        }
        buckets
    }
}

/// Both spans of one system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    pub(crate) first: Latency,
    pub(crate) whole: Latency,
}

impl Latencies {
    pub(crate) fn record(&mut self, spans: Spans) {
        self.first.record(spans.first);
        self.whole.record(spans.whole);
    }

    /// Without values, and without room for any.
    pub(crate) fn none() -> Self {
        Self {
            first: Latency(None),
            whole: Latency(None),
        }
    }

    /// Adds the values of another route.
    pub(crate) fn take_over(&mut self, part: &Self) {
        self.first.add(&part.first);
        self.whole.add(&part.whole);
    }

    /// Values recorded since `before`, an earlier state of the same histograms.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            first: self.first.since(&before.first),
            whole: self.whole.since(&before.whole),
        }
    }
}

/// Both spans of one system as (microseconds, count), in a form that can be stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct StoredLatencies {
    first: Vec<(u64, u32)>,
    whole: Vec<(u64, u32)>,
}

impl Latency {
    fn stored(&self) -> Vec<(u64, u32)> {
        let recorded = self.0.iter().flat_map(Histogram::iter_recorded);
        recorded
            .map(|recorded| (recorded.value_iterated_to(), recorded.count_at_value()))
            .collect()
    }

    fn add_stored(&mut self, stored: &[(u64, u32)]) {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        for (micros, count) in stored {
            if let Some(histogram) = &mut self.0 {
                // As in `record`. The end of a bucket may be after the longest value.
                let micros = (*micros).min(longest);
                histogram.record_n(micros, *count).unwrap_or_default();
            }
        }
    }
}

impl Latencies {
    pub(crate) fn stored(&self) -> StoredLatencies {
        StoredLatencies {
            first: self.first.stored(),
            whole: self.whole.stored(),
        }
    }

    pub(crate) fn add_stored(&mut self, stored: &StoredLatencies) {
        self.first.add_stored(&stored.first);
        self.whole.add_stored(&stored.whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `slow` of ten thousand answers take 400 ms, the others 10 ms.
    fn of(slow: u64) -> Quantiles {
        let mut latency = Latency::default();
        for n in 0..10_000 {
            latency.record(Duration::from_millis(if n < slow { 400 } else { 10 }));
        }
        latency.quantiles()
    }

    #[test]
    fn times_have_one_notation() {
        for (given, shown) in [
            (0, "0 us"),
            (999, "999 us"),
            (1_000, "1.0 ms"),
            (15_871, "15.9 ms"),
            (999_949, "999.9 ms"),
            (999_950, "1.00 s"),
            (4_560_000, "4.56 s"),
        ] {
            assert_eq!(micros(given), shown);
        }
    }

    #[test]
    fn the_99th_percentile_has_an_interval_once_there_are_enough() {
        let few = (0..100).fold(Latency::default(), |mut latency, n| {
            latency.record(Duration::from_millis(n));
            latency
        });
        assert_eq!(few.quantiles().p99_high_us, None);
        let near = |micros: u64, millis: u64| micros.abs_diff(millis * 1000) <= millis * 20;
        let [none, some, many] = [0, 100, 300].map(of);
        assert!(
            near(none.p99_low_us, 10) && near(none.p99_high_us.unwrap(), 10),
            "{none:?}"
        );
        assert!(
            near(some.p99_low_us, 10) && near(some.p99_high_us.unwrap(), 400),
            "{some:?}"
        );
        assert!(
            near(many.p99_low_us, 400) && near(many.p99_high_us.unwrap(), 400),
            "{many:?}"
        );
    }

    #[test]
    fn two_tails_are_apart_or_not() {
        let [none, some, many] = [0, 100, 300].map(of);
        let low = |shadow: &Quantiles, production: &Quantiles| shadow.p99_ratio(production).unwrap().0;
        assert!(low(&many, &none) > 30.0);
        assert!(low(&some, &none) < 2.0, "it may be as fast");
        assert!(low(&none, &none) <= 1.0);
        assert_eq!(Quantiles::default().p99_ratio(&none), None);
    }
}
