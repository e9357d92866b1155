//! Settings of one lane: the target, how to replay and how to judge.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::{compare::Comparator, evidence::Ledger, gate::Gate, rewrite::RewritePolicy};

use super::{causal::ValueSettings, samples::Samples};
use crate::replay::{ReplaySettings, Target};

/// Role of a target in the comparison.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The system that is to replace production.
    #[default]
    Shadow,
    /// A second deployment of production: any system may differ from production where it does.
    Control,
}

impl Role {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Control => "control",
        }
    }
}

/// Settings of one lane.
#[derive(Debug)]
pub struct LaneSettings {
    /// The target's name in reports and metrics.
    pub name: String,
    /// Its role in the comparison.
    pub role: Role,
    /// Counts everything of this lane.
    pub ledger: Ledger,
    /// The destination of cases; without it none are made.
    pub samples: Option<Samples>,
    /// Whether the shadow is the old system.
    pub reversed: bool,
    /// Starts paused.
    pub paused: bool,
    /// Observe or replay.
    pub mode: Mode,
}

/// Treatment of complete exchanges.
#[derive(Debug)]
pub enum Mode {
    /// Counted and described only.
    Observe,
    /// Replayed and compared.
    Replay(Box<Replay>),
}

/// The target, how to replay, and how to judge.
#[derive(Debug)]
pub struct Replay {
    /// The shadow system.
    pub target: Target,
    /// Bounds and waits.
    pub settings: ReplaySettings,
    /// `SO_MARK` for every socket, so that the capture never sees a replay as production traffic.
    pub mark: Option<u32>,
    /// Decides which requests may be sent.
    pub gate: Gate,
    /// Builds the request that is sent.
    pub rewrite: RewritePolicy,
    /// Decides which differences count.
    pub comparator: Comparator,
    /// How pairs of answers of one system are made.
    pub pairs: PairSettings,
    /// How learned values are used; `None` where nothing is learned.
    pub values: Option<ValueSettings>,
}

/// The rules of a lane that can change while it runs.
#[derive(Debug)]
pub struct LaneRules {
    /// Decides which requests may be sent.
    pub gate: Gate,
    /// Builds the request that is sent.
    pub rewrite: RewritePolicy,
    /// Decides which differences count.
    pub comparator: Arc<Comparator>,
}

/// How pairs are made. The default makes none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairSettings {
    /// Share of the answered safe replays that are sent once more, 0 to 1.
    pub twice: f64,
    /// Production's answers to identical safe requests are a pair when they are at most this far apart.
    pub recurring: Duration,
    /// Remembers copies, so that an exchange is released once it is judged: the position in a file follows that.
    pub copies: bool,
}
