//! Latency histograms of the journal: small, and always with the same buckets, so that any two can be added.

use serde::{Deserialize, Serialize};

/// Buckets of one decade.
const PER_DECADE: f64 = 10.0;

/// The last bucket: all values from 1,000 seconds on.
pub const LAST: u8 = 90;

/// Counts by duration: ten buckets for each decade of microseconds, only the non-empty ones, ascending.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Buckets(Vec<(u8, u64)>);

impl Buckets {
    /// A histogram of values in microseconds with their counts.
    pub fn of(values: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut buckets = Self::default();
        for (micros, count) in values {
            buckets.add(index(micros), count);
        }
        buckets
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add(*bucket, *count);
        }
    }

    /// The lower and upper end in microseconds, and the count, of each non-empty bucket.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        self.0
            .iter()
            .map(|(bucket, count)| (start(*bucket), start(bucket.saturating_add(1)), *count))
    }

    /// The number of each non-empty bucket, 0 to [`LAST`], and its count.
    pub fn by_bucket(&self) -> impl Iterator<Item = (u8, u64)> {
        self.0.iter().copied()
    }

    /// The total count.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn add(&mut self, bucket: u8, count: u64) {
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }
}

/// The start of a bucket, in microseconds.
pub fn start(bucket: u8) -> f64 {
    10f64.powf(f64::from(bucket) / PER_DECADE)
}

fn index(micros: u64) -> u8 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a logarithm of 1 to 2^64 is between 0 and 20"
    )]
    let bucket = ((micros.max(1) as f64).log10() * PER_DECADE) as u8;
    bucket.min(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_its_bucket_and_sums_stay() {
        let values = [0, 1, 9, 10, 11, 999, 1_000, 123_456, 10_000_000];
        for value in values {
            let buckets = Buckets::of([(value, 3)]);
            let (from, to, count) = buckets.iter().next().expect("one bucket");
            let value = f64::from(u32::try_from(value).expect("small")).max(1.0);
            assert!(
                from <= value * 1.000_001 && value < to * 1.000_001,
                "{value}: {from}..{to}"
            );
            assert_eq!(count, 3);
        }
        let mut sum = Buckets::of(values.map(|value| (value, 1)));
        sum.merge(&Buckets::of([(10, 5), (u64::MAX, 1)]));
        assert_eq!(sum.count(), 9 + 6);
        let text = serde_json::to_string(&sum).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Buckets>(&text).expect("reads"),
            sum,
            "{text}"
        );
    }
}
