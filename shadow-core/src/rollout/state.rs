//! State and history of a rollout, and the part of it that outlives the agent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::evidence::IntervalEvidence;
use shadow_proto::time::Timestamp;

/// Maximum number of transitions kept; older ones are dropped and only counted.
pub const HISTORY: usize = 64;

/// Stage of a rollout.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not started: people set the sample.
    #[default]
    Idle,
    /// A phase is collecting evidence.
    Running,
    /// Stopped by a person, a restart or the kill switch. The sample stays.
    Paused,
    /// A gate failed, and a person has to decide.
    Held,
    /// The last phase passed. The sample stays.
    Complete,
    /// Aborted: the sample is 0.
    Aborted,
}

impl Stage {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Held => "held",
            Self::Complete => "complete",
            Self::Aborted => "aborted",
        }
    }
}

/// Cause of a transition.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The phase met its requirements.
    Passed,
    /// A gate failed.
    Failed,
    /// A person ordered it.
    #[default]
    Order,
    /// The sample was set manually.
    Sample,
    /// Mirroring was killed.
    Killed,
    /// The agent was restarted.
    Restart,
    /// The plan was changed.
    Plan,
}

/// A moment on two clocks. Durations use only the monotonic one, so setting the wall clock has no effect on them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Monotonic time.
    pub at: Timestamp,
    /// Milliseconds since 1970-01-01T00:00:00Z, for display.
    pub wall_ms: u64,
}

/// Position of a rollout.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PhasePosition {
    /// The stage.
    pub stage: Stage,
    /// The name of its phase; empty before the first.
    pub phase: String,
    /// The requested sample; `None` if it requests none.
    pub sample: Option<f64>,
}

/// One transition between places.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Transition {
    /// Time in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// The previous place.
    pub from: PhasePosition,
    /// The new place.
    pub to: PhasePosition,
    /// The cause.
    pub cause: Cause,
    /// The person who ordered it; empty for transitions made by the agent.
    pub who: String,
    /// Explanation.
    pub why: String,
    /// The evidence it was based on: everything counted in the phase that was left.
    pub evidence: Option<IntervalEvidence>,
}

/// State that outlives the agent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Saved {
    /// The place when it was saved.
    pub place: PhasePosition,
    /// The sample that was set manually since.
    pub by_hand: Option<f64>,
    /// Failed gates since the last decision of a person.
    pub failures: u32,
    /// Total number of transitions.
    pub transitions: u64,
    /// The last [`HISTORY`] of them, the oldest first.
    pub history: VecDeque<Transition>,
}
