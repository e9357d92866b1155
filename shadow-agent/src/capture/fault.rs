//! Deliberate loss: a [`Source`] that drops a share of its segments. For tests; never enabled by accident.
//!
//! The loss is in the capture and not on the wire, where TCP would repair it. It is seeded, so that a failure can be
//! reproduced. Owns: nothing. Drops: the configured share of segments, each counted.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shadow_proto::wire::Segment;

use super::{Polled, Source, SourceError};

/// The environment variable that asks for it: a share, and optionally a seed, as in `10%` or `0.1:7`.
pub const VARIABLE: &str = "SHADOW_FAULT_DROP";

/// An invalid value of [`VARIABLE`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{VARIABLE}={0:?} is no share of segments to forget: write 10% or 10%:SEED, or unset it")]
pub struct FaultError(String);

/// Which segments are dropped, and in which order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loss {
    /// Out of 2^32.
    threshold: u64,
    seed: u64,
}

impl Loss {
    /// Reads the environment; `None` when the variable is not set.
    pub fn from_env() -> Result<Option<Self>, FaultError> {
        match env::var(VARIABLE) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(text)) => Err(FaultError(text.to_string_lossy().into_owned())),
        }
    }

    /// From text such as `10%` or `10%:7`.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let wrong = || FaultError(text.to_owned());
        let (share, seed) = text.split_once(':').unwrap_or((text, "1"));
        let seed = seed.parse().map_err(|_parse: std::num::ParseIntError| wrong())?;
        let (number, scale) = share
            .strip_suffix('%')
            .map_or((share, 1.0), |percent| (percent, 0.01));
        let number: f64 = number
            .parse()
            .map_err(|_parse: std::num::ParseFloatError| wrong())?;
        let share = number * scale;
        if !(0.0..=1.0).contains(&share) {
            return Err(wrong());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 0 to 1, checked above, times 2^32"
        )]
        let threshold = (share * f64::from(1_u32 << 16) * f64::from(1_u32 << 16)) as u64;
        Ok(Self { threshold, seed })
    }
}

/// A source that drops segments.
pub struct Forgetful<S> {
    source: S,
    loss: Loss,
    state: u64,
    forgotten: Arc<AtomicU64>,
}

impl<S> std::fmt::Debug for Forgetful<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forgetful")
            .field("loss", &self.loss)
            .finish_non_exhaustive()
    }
}

impl<S: Source> Forgetful<S> {
    /// Drops segments of `source`.
    pub fn new(source: S, loss: Loss) -> Self {
        // Any odd multiplier spreads small seeds; zero would be a fixed point of the generator.
        let state = loss.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            source,
            loss,
            state,
            forgotten: Arc::default(),
        }
    }

    /// How many segments were dropped; the handle stays valid after the source has moved to its thread.
    pub fn forgotten(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.forgotten)
    }
}

impl<S: Source> Source for Forgetful<S> {
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        let Self {
            source,
            loss,
            state,
            forgotten,
        } = self;
        source.poll(wait, &mut |segment| {
            // xorshift64* (Vigna, 2016): good enough for a random choice.
            *state ^= *state >> 12;
            *state ^= *state << 25;
            *state ^= *state >> 27;
            if state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32 < loss.threshold {
                forgotten.fetch_add(1, Ordering::Relaxed);
            } else {
                sink(segment);
            }
        })
    }
}

/// Wraps `source` if loss was asked for, and logs a warning: lost segments must not come as a surprise.
pub fn forgetful(source: impl Source + 'static, loss: Option<Loss>) -> Box<dyn Source> {
    match loss {
        None => Box::new(source),
        Some(loss) => {
            tracing::warn!("segments are lost on purpose: {VARIABLE} is set");
            Box::new(Forgetful::new(source, loss))
        }
    }
}

impl Source for Box<dyn Source> {
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        self.as_mut().poll(wait, sink)
    }
}

#[cfg(test)]
mod tests {
    use shadow_common::flow::Endpoint;
    use shadow_proto::{seq::SeqNum, time::Timestamp, wire::Flags};

    use super::*;
    use crate::capture::{OwnedSegment, VecSource};

    fn survivors(share: &str) -> (Vec<u64>, u64) {
        let segments = (0..10_000)
            .map(|number| OwnedSegment {
                facts: Segment {
                    at: Timestamp::from_nanos(number),
                    src: Endpoint::v4([10, 0, 0, 1], 1),
                    dst: Endpoint::v4([10, 0, 0, 2], 80),
                    direction: None,
                    ifindex: 0,
                    seq: SeqNum(0),
                    ack: SeqNum(0),
                    flags: Flags::ACK,
                    payload: &[],
                    missing: 0,
                    multipath: None,
                },
                payload: vec![b'x'],
            })
            .collect();
        let mut source = Forgetful::new(VecSource::new([segments]), Loss::parse(share).unwrap());
        let forgotten = source.forgotten();
        let mut seen = Vec::new();
        let polled = source.poll(Duration::ZERO, &mut |segment| seen.push(segment.at.as_nanos()));
        assert_eq!(polled, Ok(Polled::Segments(10_000)));
        (seen, forgotten.load(Ordering::Relaxed))
    }

    #[test]
    fn it_forgets_the_share_it_was_told_and_counts_it() {
        for (share, least, most) in [
            ("0%", 0, 0),
            ("10%", 900, 1_100),
            ("0.5:3", 4_800, 5_200),
            ("100%", 10_000, 10_000),
        ] {
            let (seen, forgotten) = survivors(share);
            assert_eq!(seen.len() as u64 + forgotten, 10_000, "{share}");
            assert!((least..=most).contains(&forgotten), "{share} forgot {forgotten}");
        }
    }

    #[test]
    fn the_same_seed_forgets_the_same() {
        assert_eq!(survivors("10%:5"), survivors("10%:5"));
        assert_ne!(survivors("10%:5"), survivors("10%:6"));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", "x", "-1%", "101%", "10%:x", "nan"] {
            assert_eq!(Loss::parse(text), Err(FaultError(text.to_owned())), "{text}");
        }
    }
}
