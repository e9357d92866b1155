//! Where a rollout is, how it came there, and what of it outlives the agent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::evidence::Since;
use shadow_proto::time::Timestamp;

/// Transitions that are kept; older ones are dropped and only counted.
pub const HISTORY: usize = 64;

/// What a rollout is doing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// None was started: the sample is what people say.
    #[default]
    Idle,
    /// A phase gathers evidence.
    Running,
    /// A person, a restart or the kill switch stopped the clock. The sample stays.
    Paused,
    /// A gate failed, and a person has to decide.
    Held,
    /// The last phase was passed. The sample stays.
    Complete,
    /// Given up: the sample is 0.
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

/// Why a rollout went from one place to another.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The phase has shown what it had to.
    Passed,
    /// A gate failed.
    Failed,
    /// A person said so.
    #[default]
    Order,
    /// The sample was set by hand.
    Sample,
    /// Mirroring was killed.
    Killed,
    /// The agent was started again.
    Restart,
    /// The plan was changed.
    Plan,
}

/// A moment on two clocks. Durations are taken from the monotonic one only, so a clock that is set changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Monotonic.
    pub at: Timestamp,
    /// Milliseconds since 1970-01-01T00:00:00Z, to be shown.
    pub wall_ms: u64,
}

/// Where a rollout is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Place {
    /// What it does.
    pub stage: Stage,
    /// The name of its phase; empty before the first.
    pub phase: String,
    /// The sample it asks for; none when it asks for nothing.
    pub sample: Option<f64>,
}

/// One step from place to place.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Transition {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// From where.
    pub from: Place,
    /// To where.
    pub to: Place,
    /// Why.
    pub cause: Cause,
    /// Who said so; empty for what the agent did by itself.
    pub who: String,
    /// In words.
    pub why: String,
    /// What it rested on: everything counted in the phase that was left.
    pub evidence: Option<Since>,
}

/// What outlives the agent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Saved {
    /// Where it was.
    pub place: Place,
    /// The sample that was set by hand since.
    pub by_hand: Option<f64>,
    /// Failed gates since a person last decided.
    pub failures: u32,
    /// All transitions there were.
    pub transitions: u64,
    /// The last [`HISTORY`] of them, the oldest first.
    pub history: VecDeque<Transition>,
}
