//! Computes when an exchange is due.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use shadow_proto::time::Timestamp;

/// The relation of recorded time to replay time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many times as fast as recorded; gaps and concurrency are preserved.
    Times(f64),
    /// As fast as the shadow system answers.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        text.strip_suffix('x')
            .and_then(|factor| factor.parse().ok())
            .filter(|factor: &f64| factor.is_finite() && (0.001..=100_000.0).contains(factor))
            .map(Self::Times)
            .ok_or_else(|| format!("{text:?} is no speed; write for example 1x, 0.5x, 10x or max"))
    }
}

/// The clock of a run.
#[derive(Clone, Debug)]
pub struct Pace {
    speed: Speed,
    /// Replays a second, in place of the recorded gaps.
    rate: Option<f64>,
    begun: Option<(Instant, Timestamp)>,
    replays: u64,
}

impl Pace {
    /// If a rate is given, the speed is ignored.
    pub fn new(speed: Speed, rate: Option<f64>) -> Self {
        Self {
            speed,
            rate,
            begun: None,
            replays: 0,
        }
    }

    /// When an exchange whose request began `at` is due; `None` for at once. The first call starts the clock.
    pub fn due(&mut self, at: Timestamp, now: Instant) -> Option<Instant> {
        if at == Timestamp::default() {
            // The time is not known.
            return None;
        }
        let (begun, first) = *self.begun.get_or_insert((now, at));
        if let Some(rate) = self.rate {
            #[expect(
                clippy::cast_precision_loss,
                reason = "exact up to 2^53 replays, and a pace behind that"
            )]
            let after = self.replays as f64 / rate;
            return begun.checked_add(Duration::try_from_secs_f64(after).ok()?);
        }
        match self.speed {
            Speed::Max => None,
            Speed::Times(factor) => {
                let after = at.since(first).as_secs_f64() / factor;
                begun.checked_add(Duration::try_from_secs_f64(after).ok()?)
            }
        }
    }

    /// Adds this number of replays.
    pub fn replayed(&mut self, replays: u64) {
        self.replays += replays;
    }

    /// The recording starts again: its first exchange is due at once.
    pub fn restart(&mut self) {
        if self.rate.is_none() {
            self.begun = None;
        }
    }
}
