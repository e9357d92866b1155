//! From segments to verdicts: capture thread -> engine -> lanes of gate -> queue -> replay -> compare -> ledger.
//!
//! Owns: the capture thread with the one [`Engine`], and the replay thread with a [`Lane`] for each target. Bounds:
//! `Limits` for the engine, [`ReplaySettings`](crate::replay::ReplaySettings) for every lane after it. Drops: a full
//! queue drops the newest exchange; every drop is a counted [`Skip`](shadow_core::gate::Skip) or
//! [`Failure`](shadow_core::compare::Failure). Nothing here makes the capture wait. Reasons for one capture thread:
//! docs/adr/0010.

mod background;
mod capture;
mod causal;
mod dispatch;
mod feed;
mod fields;
mod handover;
mod idle_cpu;
mod lane;
mod lane_limits;
mod learned;
mod notes;
mod pairs;
mod pending;
mod planter;
mod priority;
mod queue;
mod recent;
mod samples;
mod settings;
mod shared_ledger;
mod snapshot;
mod switch;
#[cfg(test)]
pub(crate) mod tests;
mod threads;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use shadow_common::flow::FlowKey;
use shadow_core::evidence::{
    Evidence,
    report::{Reach, Report, ReportInputs},
};
use shadow_proto::{
    engine::{self, Abandon, Engine},
    limits::Limits,
    time::Timestamp,
};

pub use causal::ValueSettings;
pub use feed::{Fed, Feed};
pub use handover::{Cut, CutFlow, Ownership};
pub use lane::Lane;
pub use samples::Samples;
pub use settings::{LaneRules, LaneSettings, Mode, PairSettings, Replay, Role};
pub use snapshot::{CaptureCounters, Ended, LaneSnapshot, Snapshot};
pub use switch::Armed;

use self::{
    dispatch::Policy,
    threads::{Made, Threads, Work},
};
use crate::{
    capture::Source,
    replay::{HttpShadow, MarkError, ReplaySettingsError},
    unfinished::Unfinished,
};

/// The clock of a live source.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Callbacks of the pipeline on the capture thread. Each must be quick: nothing is captured meanwhile.
pub struct Hooks {
    /// Every round of the capture thread, at least ten times a second; live capture renews the kernel's heartbeat.
    pub heartbeat: Box<dyn FnMut() + Send>,
    /// This connection will not be read any more: the kernel need not copy it any longer.
    pub mute: Box<dyn FnMut(FlowKey, Abandon) + Send>,
    /// The switch of the kernel program. `None` for a file.
    pub armed: Option<Armed>,
    /// The clock of the source (`CLOCK_MONOTONIC` for live capture). `None` for a file, whose time is that of its
    /// segments.
    pub now: Option<Clock>,
}

impl Hooks {
    /// For a capture file: no callbacks, and no clock.
    pub fn none() -> Self {
        Self {
            heartbeat: Box::new(|| ()),
            mute: Box::new(|_, _| ()),
            armed: None,
            now: None,
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Settings of a [`Pipeline`].
#[derive(Debug)]
pub struct PipelineSettings {
    /// Caps of the engine.
    pub engine: engine::Settings,
    /// Per cent of the node's CPU time that replays leave idle; while there is less, they give way to production.
    /// 0 never gives way.
    pub idle_cpu: u8,
    /// The nice value of the threads that replay and compare: they give way, the capture thread must keep up. `None` if
    /// there is no production to give way to.
    pub nice: Option<u8>,
    /// Records the exchanges being compared, for the next agent.
    pub unfinished: Arc<Unfinished>,
    /// Which exchanges another agent reports, while one takes over from another.
    pub ownership: Arc<Ownership>,
    /// One for each target, in the order of the configuration. At least one.
    pub lanes: Vec<LaneSettings>,
}

/// The reason why a pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing to do.
    #[error("a pipeline needs at least one target, or to observe")]
    NoLane,
    /// Invalid settings.
    #[error(transparent)]
    Settings(#[from] ReplaySettingsError),
    /// Replays could not be marked.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// A thread, or its runtime, could not be started.
    #[error("cannot start the {thread} thread; check the limits on threads and open files")]
    Thread {
        /// Its name.
        thread: &'static str,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// A running pipeline. Dropping it stops it like [`Pipeline::stop`] with zero patience.
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
        let engine_settings = settings.engine.clone();
        let (now, armed) = (hooks.now.clone(), hooks.armed.clone());
        let work = Work::Capture(source, hooks, Box::new(Engine::new(engine_settings).join_views()));
        Self::with(work, now.as_ref(), armed.as_ref(), settings)
    }

    /// Starts a thread that feeds in place of the capture thread, and waits where that one would drop. The clock is
    /// that of the exchanges.
    pub fn play(feed: Box<dyn Feed>, settings: PipelineSettings) -> Result<Self, StartError> {
        Self::with(Work::Feed(feed), None, None, settings)
    }

    fn with(
        work: Work,
        now: Option<&Clock>,
        armed: Option<&Armed>,
        settings: PipelineSettings,
    ) -> Result<Self, StartError> {
        let PipelineSettings {
            engine,
            idle_cpu,
            nice,
            unfinished,
            ownership,
            lanes,
        } = settings;
        if lanes.is_empty() {
            return Err(StartError::NoLane);
        }
        let limits = engine.limits;
        let made: Result<Vec<_>, StartError> = lanes
            .into_iter()
            .map(|lane| made(lane, &unfinished, &limits, now, armed))
            .collect();
        let threads = Threads::start(work, (idle_cpu, nice), ownership, made?)?;
        Ok(Self { threads })
    }

    /// Which exchanges another agent reports.
    pub fn ownership(&self) -> &Arc<Ownership> {
        &self.threads.ownership
    }

    /// Counters, a fraction of a second old at most. Returns at once, even when the pipeline is busy.
    pub fn snapshot(&self) -> Snapshot {
        self.threads.snapshot()
    }

    /// The first lane's report, with those of the others in `also`. What was counted before the lanes is in the first
    /// alone.
    pub fn report(&self, inputs: ReportInputs) -> Report {
        let mut reports = self.each(inputs, Lane::report);
        let first = reports.next().unwrap_or_default();
        Report {
            also: reports.collect(),
            ..first
        }
    }

    /// The reports of all lanes without routes and groups, which are the expensive part of them.
    pub fn overviews(&self, inputs: ReportInputs) -> Vec<Report> {
        self.each(inputs, Lane::overview).collect()
    }

    /// The counts that the report is made of, of every lane; `run` is the node and the run, `later` as for
    /// [`Lane::source`].
    pub fn evidence(&self, run: (&str, &str), inputs: ReportInputs, later: u64) -> Evidence {
        let sources = self.each(inputs, |lane, inputs| (lane, inputs)).enumerate();
        Evidence::of(
            sources
                .map(|(place, (lane, inputs))| lane.source(run, place, inputs, later))
                .collect(),
        )
    }

    /// The first lane gets all inputs, the others those that belong to all.
    fn each<'l, T>(
        &'l self,
        inputs: ReportInputs,
        look: fn(&'l Lane, ReportInputs) -> T,
    ) -> impl Iterator<Item = T> {
        let times = ReportInputs {
            started_ms: inputs.started_ms,
            now_ms: inputs.now_ms,
            sample: inputs.sample,
            ..ReportInputs::default()
        };
        let inputs = std::iter::once(inputs).chain(std::iter::repeat(times));
        self.lanes()
            .zip(inputs)
            .map(move |(lane, inputs)| look(lane, inputs))
    }

    /// Every lane, in the order of the configuration. There is at least one.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.threads.lanes.iter().map(AsRef::as_ref)
    }

    /// Leaves this percentage of the node's CPU time idle from now on; 0 never gives way.
    pub fn set_idle_cpu(&self, percent: u8) {
        self.threads.idle_cpu.store(percent, Relaxed);
    }

    /// Stops all replays at once: those in flight are cancelled, the rest is skipped. Capturing continues.
    pub fn kill(&self) {
        self.lanes().for_each(|lane| lane.switch.kill());
    }

    /// Revokes [`Pipeline::kill`].
    pub fn resume(&self) {
        self.lanes().for_each(|lane| lane.switch.resume());
    }

    /// Called before the agent itself switches the kernel program off: captured exchanges may still be replayed.
    pub fn leave_kernel(&self) {
        self.lanes().for_each(|lane| lane.switch.leave_kernel());
    }

    /// Whether the source has ended and all its exchanges are done.
    pub fn is_finished(&self) -> bool {
        self.threads.is_finished()
    }

    /// Ends the capture, gives queued exchanges `patience` to finish, cancels the rest. Afterwards every exchange is
    /// counted as skipped or judged; snapshot and report are final. Other calls work meanwhile.
    pub fn stop(&self, patience: Duration) -> Snapshot {
        self.threads.stop(patience);
        self.snapshot()
    }
}

/// Makes a lane, with nothing running yet.
fn made(
    settings: LaneSettings,
    unfinished: &Arc<Unfinished>,
    limits: &Limits,
    now: Option<&Clock>,
    armed: Option<&Armed>,
) -> Result<Made<HttpShadow>, StartError> {
    let LaneSettings {
        name,
        role,
        ledger,
        samples,
        reversed,
        paused,
        mode,
    } = settings;
    let Mode::Replay(replay) = mode else {
        return Ok(Made {
            lane: Arc::new(Lane::new(name, role, ledger, None).sampled(samples)),
            replays: None,
        });
    };
    let Replay {
        target,
        settings,
        mark,
        gate,
        rewrite,
        comparator,
        pairs,
        values,
    } = *replay;
    settings.validate()?;
    // A control target is compared for the evidence it gives to others.
    let paired = role == Role::Shadow && (pairs.twice > 0.0 || !pairs.recurring.is_zero());
    let ledger = ledger.expecting_pairs(paired);
    let (selective, share) = gate.reach();
    let reach = Reach {
        selective,
        share,
        reversed,
    };
    let lane = Lane::new(name, role, ledger, Some(settings))
        .under(armed.cloned())
        .sampled(samples)
        .noting(Arc::clone(unfinished))
        .learning(values)
        .reaching(reach);
    let shadow = HttpShadow::new(target, mark, limits.clone(), lane.live().clone())?;
    let comparator = Arc::new(comparator);
    let lane = Arc::new(lane.comparing(Arc::clone(&comparator)));
    if paused {
        lane.pause();
    }
    let policy = Policy {
        rewrite,
        comparator,
        pairs,
        now: now.cloned(),
    };
    Ok(Made {
        lane,
        replays: Some((gate, shadow, policy)),
    })
}
