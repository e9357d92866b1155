//! Latency histograms that stay small.

use core::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use shadow_proto::exchange::Timing;

use super::stats;

/// What is longer counts as this long.
const LONGEST: Duration = Duration::from_mins(10);

/// The two spans that are measured of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spans {
    /// Last request byte to first response byte: the server's time.
    pub first: Duration,
    /// Last request byte to last response byte.
    pub whole: Duration,
}

impl Spans {
    /// Production's, from the wire. Zero where a server answered before the request ended, `None` when a timestamp is
    /// missing.
    pub(crate) fn of(timing: &Timing) -> Option<Self> {
        let asked = timing.request_last?;
        Some(Self {
            first: timing.response_first?.since(asked),
            whole: timing.response_last?.since(asked),
        })
    }
}

/// Counts by duration, to two significant digits of microseconds. It grows with the range of values it has seen, at
/// most to about 12 KiB.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Option<Histogram<u32>>);

impl Default for Latency {
    fn default() -> Self {
        // Two digits are within the range of every histogram; without one nothing is recorded, and nothing is shown.
        Self(Histogram::new(2).ok())
    }
}

/// A span in microseconds, to the two significant digits that are kept.
pub(crate) fn two_digits(span: Duration) -> u64 {
    let micros = u64::try_from(span.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
    // Eight significant bits tell 1 % apart.
    let spare = micros.checked_ilog2().unwrap_or(0).saturating_sub(7);
    (micros >> spare) << spare
}

/// Quantiles of a latency, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// Half were at most this.
    pub p50_us: u64,
    /// Lower end of the median's 95 % interval.
    #[serde(default)]
    pub p50_low_us: u64,
    /// Upper end of it.
    #[serde(default)]
    pub p50_high_us: u64,
    /// 90 % were at most this.
    pub p90_us: u64,
    /// 99 % were at most this.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Latency {
    pub(crate) fn record(&mut self, span: Duration) {
        if let Some(histogram) = &mut self.0 {
            let micros = u64::try_from(span.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
            // It resizes itself up to the longest; there is no other error.
            histogram.record(micros).unwrap_or_default();
        }
    }

    /// What was recorded since `before`, a former state of the same histogram.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let Self(Some(now)) = self else {
            return self.clone();
        };
        let mut since = now.clone();
        match &before.0 {
            // Refused only for what is no former state; then nothing was measured since.
            Some(before) if since.subtract(before).is_err() => Self::default(),
            _ => Self(Some(since)),
        }
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let Some(histogram) = self.0.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return Quantiles::default();
        };
        let (low, high) = stats::median_ranks(histogram.len());
        Quantiles {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p50_low_us: histogram.value_at_quantile(low),
            p50_high_us: histogram.value_at_quantile(high),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}

/// Counts by upper bound, for a monitoring system that has buckets of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Buckets {
    /// How many were at most each bound and above the one before it; the last one is what was above all bounds.
    pub counts: Vec<u64>,
    /// The sum of all, as exact as the histogram.
    pub sum: Duration,
}

impl Latency {
    /// The counts between ascending `bounds`.
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

    /// What was recorded since `before`, a former state of the same.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            first: self.first.since(&before.first),
            whole: self.whole.since(&before.whole),
        }
    }
}
