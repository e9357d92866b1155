//! Leaves a shadow system alone that fails.
//!
//! Owns: whether replays may begin, from how the last ones ended. Closed: all may; how they end is counted over a
//! sliding window. Open, once the share of failures in it is too high: none may. Half open, when that time has
//! passed: a few probes may; when all are answered it closes, when one fails it opens for twice as long. Bounds: ten
//! pairs of numbers, whatever the traffic. Bias: what the agent itself cancelled says nothing; an answer of any status is
//! an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::ReplaySettingsError;

/// The parts of the window. What is older than a whole window is forgotten part by part.
const PARTS: u32 = 10;

/// An opening lasts at most this many times the first.
const LONGEST: u32 = 16;

/// When a breaker opens, and how it closes again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Opens when at least this share of replays failed, 0 to 1; 0 never opens.
    pub errors: f64,
    /// Replays in the window without which nothing is concluded.
    pub minimum: u32,
    /// How far back is looked.
    pub window: Duration,
    /// How long it stays open; twice as long after each probe that fails, up to 16 times.
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
    /// Refuses what could never open, or never close.
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

/// A replay that was let through, to be told how it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pass {
    /// The opening that it belongs to: what was begun before the last change says nothing any more.
    opened: u64,
    probe: bool,
}

/// What a replay's end changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// It opened: so many of so many replays failed.
    Opened { failed: u64, of: u64 },
    /// A probe failed: it is open again.
    Reopened,
    /// All probes were answered.
    Closed,
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

    /// Whether it is worth queueing a replay now.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until, .. } => now >= until,
            State::HalfOpen { begun, .. } => begun < self.settings.probes,
        }
    }

    /// Lets a replay through, or does not.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<Pass> {
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
        Some(Pass {
            opened: self.opened,
            probe,
        })
    }

    /// One that was let through was answered, or failed, or ended in a way that says nothing.
    pub(crate) fn end(&mut self, pass: Pass, answered: Option<bool>, now: Instant) -> Option<Change> {
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

/// Ends of replays in the last while.
#[derive(Debug)]
struct Window {
    part: Duration,
    /// Failed, and all; the present part first.
    parts: [(u64, u64); PARTS as usize],
    /// When the present part began.
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
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Bench {
        breaker: Breaker,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                breaker: Breaker::new(BreakerSettings::default(), now),
                now,
            }
        }

        /// So many replays end so; how many were let through, and the last change.
        fn replay(&mut self, times: u32, good: bool) -> (u32, Option<Change>) {
            let (mut let_through, mut last) = (0, None);
            for _ in 0..times {
                if let Some(pass) = self.breaker.begin(self.now) {
                    let_through += 1;
                    last = self.breaker.end(pass, Some(good), self.now).or(last);
                }
            }
            (let_through, last)
        }
    }

    #[test]
    fn it_opens_on_enough_failures_and_not_before() {
        let mut bench = Bench::new();
        assert_eq!(bench.replay(49, false), (49, None));
        let opened = Change::Opened { failed: 50, of: 50 };
        assert_eq!(bench.replay(1, false), (1, Some(opened)));
        assert!(!bench.breaker.admits(bench.now));
        assert_eq!(bench.replay(1000, false), (0, None), "left alone");
        assert_eq!(
            (bench.breaker.state(), bench.breaker.opened()),
            (BreakerState::Open, 1)
        );
    }

    #[test]
    fn less_than_the_share_does_not_open_it() {
        let mut bench = Bench::new();
        for _ in 0..1000 {
            bench.replay(6, true);
            assert_eq!(bench.replay(4, false), (4, None));
        }
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut bench = Bench::new();
        for _ in 0..100 {
            bench.replay(4, false);
            bench.now += SECOND;
        }
        assert_eq!(
            bench.breaker.state(),
            BreakerState::Closed,
            "40 in a window are not enough"
        );
        bench.now += 60 * SECOND;
        assert_eq!(bench.replay(49, false), (49, None));
    }

    #[test]
    fn probes_close_it_when_all_are_answered() {
        let mut bench = Bench::new();
        bench.replay(50, false);
        bench.now += 5 * SECOND;
        assert!(bench.breaker.admits(bench.now));
        let passes: Vec<_> = (0..10).filter_map(|_| bench.breaker.begin(bench.now)).collect();
        assert_eq!((passes.len(), bench.breaker.state()), (3, BreakerState::HalfOpen));
        assert_eq!(bench.breaker.end(passes[0], Some(true), bench.now), None);
        assert_eq!(
            bench.breaker.end(passes[1], None, bench.now),
            None,
            "a cancelled one gives its place back"
        );
        let another = bench.breaker.begin(bench.now).expect("a place");
        assert_eq!(bench.breaker.begin(bench.now), None);
        assert_eq!(bench.breaker.end(another, Some(true), bench.now), None);
        assert_eq!(
            bench.breaker.end(passes[2], Some(true), bench.now),
            Some(Change::Closed)
        );
        assert_eq!(bench.replay(49, false), (49, None), "it starts anew");
    }

    #[test]
    fn a_failed_probe_opens_it_for_twice_as_long_up_to_a_limit() {
        let mut bench = Bench::new();
        bench.replay(50, false);
        for span in [5, 10, 20, 40, 80, 80, 80] {
            bench.now += span * SECOND - SECOND;
            assert_eq!(bench.replay(1, true), (0, None), "{span} s have not passed");
            bench.now += SECOND;
            assert_eq!(bench.replay(1, false), (1, Some(Change::Reopened)));
        }
    }

    #[test]
    fn what_was_begun_before_it_opened_changes_nothing() {
        let mut bench = Bench::new();
        let late = bench.breaker.begin(bench.now).expect("closed");
        bench.replay(50, false);
        bench.now += 5 * SECOND;
        let probe = bench.breaker.begin(bench.now).expect("a probe");
        assert_eq!(bench.breaker.end(late, Some(false), bench.now), None);
        assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
        bench.breaker.end(probe, Some(false), bench.now);
        bench.now += 10 * SECOND;
        bench.breaker.begin(bench.now).expect("another probe");
        assert_eq!(
            bench.breaker.end(probe, Some(true), bench.now),
            None,
            "a probe of another time"
        );
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut bench = Bench::new();
        bench.breaker.settings.errors = 0.0;
        assert_eq!(bench.replay(10_000, false), (10_000, None));
    }
}
