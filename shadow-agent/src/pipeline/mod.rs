//! From segments to verdicts: capture thread -> engine -> gate -> queue -> replay -> compare -> ledger.
//!
//! Owns: the capture thread with the one [`Engine`], and the replay thread. Bounds: `Limits` for the engine,
//! [`ReplaySettings`] for everything behind it. Drops: a full queue drops the newest exchange; every drop is a
//! counted [`Skip`](shadow_core::gate::Skip) or [`Failure`](shadow_core::compare::Failure). Nothing here ever waits
//! towards the kernel. Why one capture thread: docs/adr/0010.

mod books;
mod capture;
mod courtesy;
mod dispatch;
mod pending;
mod queue;
mod snapshot;
mod switch;
#[cfg(test)]
mod tests;
mod threads;

use std::{fmt, sync::Arc, time::Duration};

use shadow_common::flow::FlowKey;
use shadow_core::{
    compare::Comparator,
    engine::{self, Abandon, Engine},
    evidence::{
        Ledger,
        report::{Report, ReportInputs},
    },
    gate::Gate,
    rewrite::RewritePolicy,
    time::Timestamp,
};

pub use snapshot::{CaptureCounters, Ended, Snapshot};

use self::threads::Threads;
use crate::{
    capture::Source,
    replay::{HttpShadow, MarkError, ReplaySettings, ReplaySettingsError, Target},
};

/// The clock of a live source.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the pipeline calls on the capture thread. Each must be quick: nothing is captured meanwhile.
pub struct Hooks {
    /// Every round of the capture thread, at least ten times a second; live capture stamps the kernel's heartbeat.
    pub heartbeat: Box<dyn FnMut() + Send>,
    /// Nothing more will be read from this connection: the kernel need not copy it any longer.
    pub mute: Box<dyn FnMut(FlowKey, Abandon) + Send>,
    /// The clock of the source (`CLOCK_MONOTONIC` for live capture). `None` for a file, whose time is that of its
    /// segments.
    pub now: Option<Clock>,
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
#[derive(Debug)]
pub enum Mode {
    /// Counted and described only.
    Observe,
    /// Replayed and compared.
    Replay(Box<Replay>),
}

/// Where and how to replay, and how to judge.
#[derive(Debug)]
pub struct Replay {
    /// The shadow system.
    pub target: Target,
    /// Bounds and waits.
    pub settings: ReplaySettings,
    /// `SO_MARK` for every socket, so that the capture never sees a replay as production traffic.
    pub mark: Option<u32>,
    /// What may be sent.
    pub gate: Gate,
    /// What is sent.
    pub rewrite: RewritePolicy,
    /// What counts as a difference.
    pub comparator: Comparator,
}

/// What a [`Pipeline`] is made of.
#[derive(Debug)]
pub struct PipelineSettings {
    /// Caps of the engine.
    pub engine: engine::Settings,
    /// Where everything is counted.
    pub ledger: Ledger,
    /// Observe or replay.
    pub mode: Mode,
}

/// Why a pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that cannot work.
    #[error(transparent)]
    Settings(#[from] ReplaySettingsError),
    /// Replays could not be marked.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// No thread, or no runtime on it.
    #[error("cannot start the {thread} thread; check the limits on threads and open files")]
    Thread {
        /// Its name.
        thread: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A running pipeline. Dropping it stops it as [`Pipeline::stop`] without any patience does.
#[derive(Debug)]
pub struct Pipeline {
    threads: Threads,
}

impl Pipeline {
    /// Starts the capture thread and, unless it only observes, the replay thread.
    pub fn start(
        source: Box<dyn Source>,
        hooks: Hooks,
        settings: PipelineSettings,
    ) -> Result<Self, StartError> {
        let PipelineSettings { engine, ledger, mode } = settings;
        let body = engine.limits.body;
        let engine = Engine::new(engine);
        let threads = match mode {
            Mode::Observe => Threads::observe(source, hooks, engine, ledger)?,
            Mode::Replay(replay) => {
                replay.settings.validate()?;
                let shadow =
                    HttpShadow::new(replay.target.clone(), replay.mark, body, replay.settings.clone())?;
                Threads::replay(source, hooks, engine, ledger, *replay, shadow)?
            }
        };
        Ok(Self { threads })
    }

    /// Counters, a fraction of a second old at most. Answers at once, also when the pipeline is busy.
    pub fn snapshot(&self) -> Snapshot {
        self.threads.snapshot()
    }

    /// The ledger's report.
    pub fn report(&self, inputs: ReportInputs) -> Report {
        self.threads.shared.books.report(inputs)
    }

    /// Looks into the ledger. Keep it short: the pipeline waits meanwhile.
    pub fn with_ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        self.threads.shared.books.with(look)
    }

    /// Stops all replays at once: those in flight are cancelled, the rest is skipped. Capturing goes on.
    pub fn kill(&self) {
        self.threads.shared.switch.kill();
    }

    /// Takes [`Pipeline::kill`] back.
    pub fn resume(&self) {
        self.threads.shared.switch.resume();
    }

    /// Whether the source has ended and everything behind it is done.
    pub fn is_finished(&self) -> bool {
        self.threads.is_finished()
    }

    /// Ends the capture, gives what is queued `patience` to finish, cancels the rest. Afterwards every exchange is
    /// counted as skipped or judged; snapshot and report are final. Everything else works meanwhile.
    pub fn stop(&self, patience: Duration) -> Snapshot {
        self.threads.stop(patience);
        self.snapshot()
    }
}
