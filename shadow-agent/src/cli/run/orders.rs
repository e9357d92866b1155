//! What people, the kill file and the rollout order, as the running agent carries it out.

use std::sync::PoisonError;

use shadow_core::{
    evidence::{GateConfig, Ledger, Mark, Since},
    rollout::Moment,
};

use super::{agent::Running, reload::Reloader};
use crate::{
    capture::heartbeat,
    clock::now_ms,
    control::{
        Agent,
        kill_file::KillFile,
        state::{Killed, StateDir, StateError},
    },
    pipeline::{Pipeline, Role},
    rollout::Mirror,
};

/// Now, on both clocks.
pub(super) fn moment() -> Moment {
    Moment {
        at: heartbeat::now(),
        wall_ms: now_ms(),
    }
}

/// Whether mirroring was killed before this start, or is by the kill file, which is remembered then.
pub(super) fn is_killed(state: &StateDir, reloader: &Reloader) -> Result<bool, StateError> {
    if state.killed()?.is_some() {
        return Ok(true);
    }
    let Some(found) = reloader.kill_file().as_ref().and_then(KillFile::look) else {
        return Ok(false);
    };
    state.kill(&Killed::now(&found.who, &found.why))?;
    Ok(true)
}

impl Running {
    /// Looks for the kill file. Called many times a second.
    pub(super) fn look_for_kill_file(&self) {
        let Some(found) = self.reloader.kill_file().as_ref().and_then(KillFile::look) else {
            return;
        };
        // While it exists, it kills again whatever else is ordered past the agent.
        if !matches!(self.control.is_armed(), Ok(false))
            && let Err(error) = Agent::kill(self, &found.who, &found.why)
        {
            tracing::warn!(error, "the kill file is there");
        }
    }

    /// A person asks for mirroring again: not while the kill file says otherwise.
    pub(super) fn may_resume(&self) -> Result<(), String> {
        let file = self.reloader.kill_file();
        match file.as_ref().filter(|file| file.look().is_some()) {
            None => Ok(()),
            Some(file) => Err(format!(
                "still stopped: {} exists; remove it first",
                file.path().display()
            )),
        }
    }

    /// Lets the rollout look at its evidence. Called about once a second.
    pub(super) fn step(&self) {
        self.rollout.tick(self, moment());
    }

    /// Judges every target by other gates.
    pub(super) fn set_gates(&self, gates: &GateConfig) {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        pipeline.lanes().for_each(|lane| lane.set_gates(gates.clone()));
    }

    fn of_shadows<T>(&self, look: impl Fn(&Ledger) -> T) -> Vec<T> {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        let shadows = pipeline.lanes().filter(|lane| lane.role() == Role::Shadow);
        shadows.map(|lane| lane.with_ledger(&look)).collect()
    }
}

impl Running {
    /// Takes every kind of kill back.
    pub(super) fn go_on(&self) -> Result<(), String> {
        self.may_resume()?;
        self.state
            .resume()
            .map_err(|error| format!("still stopped: {error}"))?;
        self.control.arm().map_err(|error| error.to_string())?;
        self.with_pipeline(Pipeline::resume);
        Ok(())
    }

    /// Stops mirroring by a rule, unless somebody has stopped it already.
    pub(super) fn kill_by_trip(&self, pipeline: &Pipeline, killed: &Killed) {
        // The kernel first: whatever fails behind it, nothing more is copied.
        let stopped = self.control.disarm();
        pipeline.kill();
        if let Err(error) = stopped {
            tracing::error!(%error, "the kernel program cannot be switched off");
        }
        if matches!(self.state.killed(), Ok(None))
            && let Err(error) = self.state.kill(killed)
        {
            tracing::error!(%error, "a restart would mirror again");
        }
    }

    /// Takes the kill of a rule back, and no other: somebody may have killed since.
    pub(super) fn resume_after_trip(&self) -> Result<(), String> {
        match self.state.killed() {
            Ok(Some(Killed {
                resume_at_ms: Some(_),
                ..
            })) => self.go_on(),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Mirror for Running {
    fn is_armed(&self) -> Option<bool> {
        self.control.is_armed().ok()
    }

    fn sample(&self) -> Option<f64> {
        self.sampling.wanted().ok()
    }

    fn set_sample(&self, share: f64) -> Result<(), String> {
        self.sampling.want(share).map_err(|error| error.to_string())
    }

    fn kill(&self, why: &str) {
        if let Err(error) = Agent::kill(self, "rollout", why) {
            tracing::error!(error, "the rollout could not kill");
        }
    }

    fn marks(&self) -> Vec<Mark> {
        self.of_shadows(Ledger::mark)
    }

    fn since(&self, marks: &[Mark], gates: &GateConfig) -> Since {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        weakest(&pipeline, marks, gates)
    }
}

/// The evidence of the shadow system that has shown least.
fn weakest(pipeline: &Pipeline, marks: &[Mark], gates: &GateConfig) -> Since {
    let start = Mark::default();
    let shadows = pipeline.lanes().filter(|lane| lane.role() == Role::Shadow);
    let found = shadows.enumerate().map(|(at, lane)| {
        let mark = marks.get(at).unwrap_or(&start);
        lane.with_ledger(|ledger| ledger.since(mark, gates))
    });
    Since::weakest(found).unwrap_or_default()
}
