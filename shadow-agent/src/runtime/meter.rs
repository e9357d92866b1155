//! Rates for the status, computed from counters.

use std::time::{Duration, Instant};

use crate::control::status::Rates;

/// Turns counters into rates over the last few seconds.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<(Instant, [u64; 4])>,
    pub(super) rates: Rates,
}

/// The shortest span a rate is taken over.
const RATE_SPAN: Duration = Duration::from_secs(2);

impl Meter {
    /// Checked first, because reading the counters takes time.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|(then, _)| now.duration_since(then) >= RATE_SPAN)
    }

    pub(super) fn update(&mut self, now: Instant, counts: [u64; 4]) {
        let Some((then, before)) = self.last.replace((now, counts)) else {
            return;
        };
        let span = now.duration_since(then);
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of two seconds stay far below 2^52"
        )]
        let [packets, emitted, exchanges, replayed] =
            std::array::from_fn(|at| counts[at].saturating_sub(before[at]) as f64 / span.as_secs_f64());
        self.rates = Rates {
            packets,
            emitted,
            exchanges,
            replayed,
        };
    }
}
