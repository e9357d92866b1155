//! How many exchanges passed unread: an estimate with its interval.
//!
//! Where the messages of a connection cannot be separated any more, the engine counts two things: requests that appear
//! to begin at the start of a segment, and the bytes of the client. Neither is the number of exchanges. A request may
//! begin inside a segment (pipelining, HTTP/2), and a body may look like one. So the interval has both: it reaches from
//! the smaller to the larger of what the request lines and the bytes say.
//!
//! The bytes are divided by those that clients sent for an exchange that *was* read, on the same capture and counted in
//! the same way. The number of exchanges in a number of bytes is then a renewal count: with the mean size `m`, the
//! coefficient of variation `c` and `n` exchanges read, `bytes / m` exchanges are expected, with the variance
//! `c^2 * bytes / m`; and `m` itself is known up to `c / sqrt(n)`. Both errors are bounded by a normal mixture that
//! holds at any time ([`anytime`]), and are added in squares. The interval has every number of
//! exchanges whose expected bytes differ from those seen by no more than that. Assumption: a request that is not read
//! is as large as one that is. Clients only, because requests vary far less in size than answers do.
//!
//! Bias: towards more unread exchanges, because these lower the coverage. Before [`FEW`] exchanges were read nothing is
//! assumed about sizes: every request may be the shortest one that exists.

use serde::{Deserialize, Serialize};
use shadow_proto::engine::{Counters, Sizes};

use super::{
    anytime,
    numbers::{float, whole},
    stats::{Proportion, rounded, share},
};

/// Exchanges from which the mean and the spread of sizes are taken.
const FEW: u64 = 30;

/// Bisection steps: enough for any number of bytes.
const STEPS: usize = 64;

/// Bytes of the shortest request: a HEADERS frame of HTTP/2 with four indexed fields (RFC 9113, RFC 7541). Those of
/// HTTP/1 have at least 18.
const SHORTEST: u64 = 13;

/// Counts of the traffic on connections whose messages could not be separated.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct UnreadTraffic {
    /// Requests that appear to begin in it.
    pub begun: u64,
    /// Bytes that clients sent.
    pub bytes: u64,
    /// The sizes of the exchanges that were read meanwhile.
    pub sizes: Sizes,
}

/// A number of exchanges that were not read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unread {
    /// Lower end of the 95 % interval.
    pub low: u64,
    /// The estimate.
    pub exchanges: u64,
    /// Upper end of the interval.
    pub high: u64,
}

impl From<&Counters> for UnreadTraffic {
    fn from(counters: &Counters) -> Self {
        Self {
            begun: counters.exchanges_unread,
            bytes: counters.unread_request_bytes,
            sizes: counters.sizes,
        }
    }
}

impl UnreadTraffic {
    /// The traffic since `before`; sizes stay those of the whole run.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            begun: self.begun.saturating_sub(before.begun),
            bytes: self.bytes.saturating_sub(before.bytes),
            sizes: self.sizes,
        }
    }

    /// The traffic of both.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut sizes = self.sizes;
        sizes.add(&other.sizes);
        Self {
            begun: self.begun.saturating_add(other.begun),
            bytes: self.bytes.saturating_add(other.bytes),
            sizes,
        }
    }

    /// The number of exchanges in it.
    pub fn estimate(&self) -> Unread {
        let by_bytes = self.by_bytes();
        Unread {
            low: by_bytes.low.min(self.begun),
            // Where no request line was seen, as in HTTP/2, bytes are all there is.
            exchanges: if self.begun > 0 {
                self.begun
            } else {
                by_bytes.exchanges
            },
            high: by_bytes.high.max(self.begun),
        }
    }

    fn by_bytes(&self) -> Unread {
        let most = self.bytes / SHORTEST;
        let Sizes {
            exchanges,
            bytes,
            squares,
        } = self.sizes;
        if exchanges < FEW || bytes == 0 {
            return Unread {
                low: 0,
                exchanges: most,
                high: most,
            };
        }
        let n = float(exchanges);
        let mean = float(bytes) / n;
        let variance = (wide(squares) / n - mean * mean).max(0.0);
        let relative = variance / (mean * mean);
        let of_mean = anytime::spread(n * relative) / n;
        // How far the bytes of so many exchanges may be from what is expected of them, in exchanges.
        let deviation = |count: f64| anytime::spread(count * relative).hypot(count * of_mean);
        let count = float(self.bytes) / mean;
        let low = first(0.0, count, |low| low + deviation(low) >= count);
        let high = first(count, float(most), |high| high - deviation(high) > count);
        Unread {
            low: whole(low),
            exchanges: whole(count.round()).min(most),
            high: whole(high.ceil()).min(most),
        }
    }
}

/// The first number between `from` and `to` that `is_there`; `to` if none is.
fn first(from: f64, to: f64, is_there: impl Fn(f64) -> bool) -> f64 {
    let (mut before, mut there) = (from, to.max(from));
    for _ in 0..STEPS {
        let middle = f64::midpoint(before, there);
        if is_there(middle) {
            there = middle;
        } else {
            before = middle;
        }
    }
    there
}

impl Unread {
    /// The part of these exchanges that should have been compared: as large a share as `meant` of `all` that were read.
    pub(super) fn scaled(&self, meant: u64, all: u64) -> Self {
        let product = |count: u64| u128::from(count).saturating_mul(meant.into());
        let narrow = |count: u128| u64::try_from(count).unwrap_or(u64::MAX);
        if all == 0 {
            // Nothing was read: all of them may count.
            return *self;
        }
        let of = |count: u64| narrow(product(count).checked_div(all.into()).unwrap_or_default());
        Self {
            low: of(self.low),
            exchanges: of(self.exchanges),
            high: narrow(product(self.high).div_ceil(all.into())),
        }
    }

    /// The share of exchanges with a verdict, when `read` exchanges besides these should have been compared and
    /// `judged` were. Its interval is that of this estimate; a share without unread exchanges is exact.
    pub fn coverage(&self, judged: u64, read: u64) -> Proportion {
        let of = |unread: u64| share(judged, read.saturating_add(unread)).map(rounded);
        Proportion {
            successes: judged,
            trials: read.saturating_add(self.exchanges),
            rate: of(self.exchanges),
            low: of(self.high),
            high: of(self.low),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sum of squares is needed to a few digits"
)]
fn wide(sum: u128) -> f64 {
    sum as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exchanges of which each took one of these sizes, as often as the others.
    fn sizes(exchanges: u64, of: &[u64]) -> Sizes {
        let mut sizes = Sizes::default();
        for at in 0..exchanges {
            let place = usize::try_from(at).unwrap_or_default() % of.len();
            sizes.count(1, of[place]);
        }
        sizes
    }

    fn estimate(begun: u64, bytes: u64, sizes: Sizes) -> Unread {
        UnreadTraffic { begun, bytes, sizes }.estimate()
    }

    #[test]
    fn equal_requests_leave_little_doubt() {
        let found = estimate(1_000, 200_000, sizes(5_000, &[200]));
        assert_eq!(found.exchanges, 1_000);
        assert!(found.low >= 990 && found.high <= 1_010, "{found:?}");
    }

    #[test]
    fn the_interval_is_as_wide_as_sizes_vary_and_narrows_with_more_of_them() {
        let even = estimate(1_000, 200_000, sizes(5_000, &[150, 250]));
        let uneven = estimate(1_000, 200_000, sizes(5_000, &[20, 20, 20, 20, 920]));
        let known = estimate(1_000, 200_000, sizes(50_000, &[20, 20, 20, 20, 920]));
        let width = |found: &Unread| found.high - found.low;
        assert!(width(&even) < width(&known) && width(&known) < width(&uneven));
        for found in [even, uneven, known] {
            assert!(found.low < 1_000 && found.high > 1_000, "{found:?}");
        }
    }

    #[test]
    fn the_interval_covers_the_number_of_exchanges() {
        // Sizes of a mixture of reads and uploads, by a fixed sequence.
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let share = state >> 54;
            if share < 51 {
                4_000 + share * 100
            } else {
                120 + share / 8
            }
        };
        for _ in 0..200 {
            let mut read = Sizes::default();
            (0..400).for_each(|_| read.count(1, draw()));
            let unread: u64 = (0..150).map(|_| draw()).sum();
            let found = estimate(0, unread, read);
            assert!(found.low <= 150 && found.high >= 150, "{found:?}");
        }
    }

    #[test]
    fn requests_that_do_not_begin_a_segment_are_in_the_interval() {
        // HTTP/2: no request line. Pipelining: one line for ten requests.
        for begun in [0, 100] {
            let found = estimate(begun, 200_000, sizes(5_000, &[200]));
            assert!(found.low <= begun.max(995) && found.high >= 1_000, "{found:?}");
        }
        assert_eq!(estimate(0, 200_000, sizes(5_000, &[200])).exchanges, 1_000);
        // A body that looks like requests.
        assert_eq!(estimate(5_000, 200_000, sizes(5_000, &[200])).high, 5_000);
    }

    #[test]
    fn nothing_is_assumed_before_sizes_are_known() {
        for known in [Sizes::default(), sizes(FEW - 1, &[200])] {
            let found = estimate(3, 1_300, known);
            assert_eq!((found.low, found.exchanges, found.high), (0, 3, 100));
        }
        assert_eq!(estimate(0, 0, Sizes::default()), Unread::default());
        assert_eq!(estimate(0, 0, sizes(100, &[200])), Unread::default());
    }

    #[test]
    fn hostile_sizes_overflow_nothing() {
        let mut sizes = Sizes::default();
        (0..100).for_each(|_| sizes.count(1, u64::MAX));
        sizes.count(0, 5);
        let found = estimate(u64::MAX, u64::MAX, sizes);
        assert!(found.high == u64::MAX && found.coverage(1, u64::MAX).rate.is_some());
        assert_eq!(found.scaled(u64::MAX, 1).high, u64::MAX);
    }
}
