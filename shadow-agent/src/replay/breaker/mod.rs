//! Circuit breaker for a failing shadow system.
//!
//! Owns: whether replays may begin, from how the last ones ended. Closed: all may; how they end is counted over a
//! sliding window. Open, once the share of failures in it is too high: none may. Half open, when that time has passed:
//! a few probes may; when all are answered it closes, when one fails it opens for twice as long. Bounds: ten pairs of
//! numbers, whatever the traffic. Bias: cancellation by the agent itself counts neither way; an answer of any status is
//! an answer.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::units::{As, Rate, Span};
use tokio::time::Instant;

use super::ReplaySettingsError;

/// The parts of the window. Anything older than a whole window is dropped part by part.
const PARTS: u32 = 10;

/// An opening lasts at most this many times the first.
const LONGEST: u32 = 16;

/// When a breaker opens, and how it closes again.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// Opens when at least this share of replays failed; 0% never opens.
    #[serde(with = "As::<Rate>")]
    pub errors: f64,
    /// Replays in the window below which nothing is concluded.
    pub minimum: u32,
    /// The length of the window.
    #[serde(with = "As::<Span>")]
    pub window: Duration,
    /// How long it stays open; twice as long after each probe that fails, up to 16 times.
    #[serde(with = "As::<Span>")]
    pub open: Duration,
    /// Probes that must be answered before it closes.
    pub probes: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            errors: 0.5,
            minimum: 50,
            window: Duration::from_secs(10),
            open: Duration::from_secs(5),
            probes: 3,
        }
    }
}

impl BreakerSettings {
    /// Refuses settings that could never open, or never close.
    pub(super) fn validate(&self) -> Result<(), ReplaySettingsError> {
        let Self {
            errors,
            minimum,
            window,
            open,
            probes,
        } = self;
        let wrong = |name, rule, given: String| Err(ReplaySettingsError { name, rule, given });
        if !(0.0..=1.0).contains(errors) {
            return wrong("breaker.errors", "0% to 100%", errors.to_string());
        }
        for (name, given) in [("breaker.minimum", minimum), ("breaker.probes", probes)] {
            if *given == 0 {
                return wrong(name, "at least 1", "0".to_owned());
            }
        }
        for (name, given) in [("breaker.window", window), ("breaker.open", open)] {
            if *given < Duration::from_millis(100) || *given > Duration::from_hours(1) {
                return wrong(name, "100ms to 1h", format!("{given:?}"));
            }
        }
        Ok(())
    }
}

/// Whether replays may begin.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// They may.
    #[default]
    Closed,
    /// They may not.
    Open,
    /// A few may, to see whether they are answered.
    HalfOpen,
}

impl BreakerState {
    /// The stable name in JSON, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A permitted replay, used to report how it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BreakerPermit {
    /// The opening that it belongs to: a replay begun before the last change no longer counts.
    opened: u64,
    probe: bool,
}

/// A state change caused by the end of a replay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// It opened: this many of so many replays failed.
    Opened {
        /// Of the replays in the window.
        failed: u64,
        /// All of them.
        of: u64,
    },
    /// A probe failed: it is open again.
    Reopened,
    /// All probes were answered.
    Closed,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened { failed, of } => {
                write!(f, "left alone: {failed} of {of} replays failed")
            }
            Self::Reopened => f.write_str("left alone for longer: a probe failed"),
            Self::Closed => f.write_str("replayed to again: every probe was answered"),
        }
    }
}

/// One breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    state: State,
    window: Window,
    /// How often it has opened.
    opened: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant, times: u32 },
    HalfOpen { begun: u32, answered: u32, times: u32 },
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Closed,
            window: Window::new(settings.window, now),
            opened: 0,
        }
    }

    /// Applies other settings from now on. An open breaker stays open until its time is over; probes start again.
    pub(crate) fn set(&mut self, settings: BreakerSettings, now: Instant) {
        if settings == self.settings {
            return;
        }
        if settings.window != self.settings.window {
            self.window = Window::new(settings.window, now);
        }
        self.settings = settings;
        if let State::HalfOpen { begun, answered, .. } = &mut self.state {
            (*begun, *answered) = (0, 0);
        }
    }

    /// Whether it is worth queueing a replay now.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until, .. } => now >= until,
            State::HalfOpen { begun, .. } => begun < self.settings.probes,
        }
    }

    /// Permits a replay, or does not.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<BreakerPermit> {
        if let State::Open { until, times } = self.state
            && now >= until
        {
            self.state = State::HalfOpen {
                begun: 0,
                answered: 0,
                times,
            };
        }
        let probe = match &mut self.state {
            State::Closed => false,
            State::HalfOpen { begun, .. } if *begun < self.settings.probes => {
                *begun += 1;
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => return None,
        };
        Some(BreakerPermit {
            opened: self.opened,
            probe,
        })
    }

    /// A permitted replay was answered, or failed, or ended without a conclusion.
    pub(crate) fn end(
        &mut self,
        pass: BreakerPermit,
        answered: Option<bool>,
        now: Instant,
    ) -> Option<Change> {
        if pass.opened != self.opened {
            return None;
        }
        match (&mut self.state, answered) {
            (State::Closed, Some(good)) if !pass.probe => self.count(good, now),
            (State::HalfOpen { begun, .. }, None) if pass.probe => {
                *begun = begun.saturating_sub(1);
                None
            }
            (State::HalfOpen { answered, .. }, Some(true)) if pass.probe => {
                *answered += 1;
                (*answered >= self.settings.probes).then(|| {
                    self.state = State::Closed;
                    self.window = Window::new(self.settings.window, now);
                    Change::Closed
                })
            }
            (State::HalfOpen { times, .. }, Some(false)) if pass.probe => {
                let times = times.saturating_mul(2).min(LONGEST);
                self.open(times, now);
                Some(Change::Reopened)
            }
            _ => None,
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    #[expect(clippy::cast_precision_loss, reason = "replays of seconds")]
    fn count(&mut self, good: bool, now: Instant) -> Option<Change> {
        self.window.count(good, now);
        let BreakerSettings { errors, minimum, .. } = self.settings;
        let (failed, of) = self.window.sums();
        let enough = of >= u64::from(minimum.max(1)) && errors > 0.0;
        if good || !enough || (failed as f64) < errors * of as f64 {
            return None;
        }
        self.open(1, now);
        Some(Change::Opened { failed, of })
    }

    fn open(&mut self, times: u32, now: Instant) {
        self.opened += 1;
        self.state = State::Open {
            until: now + self.settings.open * times,
            times,
        };
    }
}

/// Ends of replays in a sliding window.
#[derive(Debug)]
struct Window {
    part: Duration,
    /// Failed, and all; the current part first.
    parts: [(u64, u64); PARTS as usize],
    /// When the current part began.
    since: Instant,
}

impl Window {
    fn new(window: Duration, now: Instant) -> Self {
        Self {
            part: (window / PARTS).max(Duration::from_millis(1)),
            parts: [(0, 0); PARTS as usize],
            since: now,
        }
    }

    fn count(&mut self, good: bool, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_nanos() / self.part.as_nanos();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        if passed >= PARTS {
            self.parts = [(0, 0); PARTS as usize];
            self.since = now;
        } else if passed > 0 {
            self.parts.rotate_right(passed as usize);
            self.parts[..passed as usize].fill((0, 0));
            self.since += self.part * passed;
        }
        let (failed, of) = &mut self.parts[0];
        *failed += u64::from(!good);
        *of += 1;
    }

    fn sums(&self) -> (u64, u64) {
        let add = |sum: (u64, u64), part: &(u64, u64)| (sum.0 + part.0, sum.1 + part.1);
        self.parts.iter().fold((0, 0), add)
    }
}

#[cfg(test)]
mod tests;
