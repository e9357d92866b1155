//! Commands of people, the kill file and the rollout, as the running agent carries them out.

use std::sync::{MutexGuard, PoisonError};

use shadow_core::evidence::{GateConfig, IntervalEvidence, LedgerSnapshot};

use super::{
    agent::Running,
    reload::{Reloader, covers, differences, reached},
};
use crate::{
    clock::moment,
    command::CommandError,
    control::{Agent, kill_file::KillFile, reload::Reloaded},
    pipeline::{Lane, Pipeline, Role},
    rollout::Mirror,
    state::{Killed, StateDir, StateError},
};

/// Whether mirroring was killed before this start, or is by the kill file, which is then recorded.
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
        // While it exists, it kills again, even after a resume that bypassed the agent.
        if !matches!(self.control.is_armed(), Ok(false)) {
            if let Err(error) = Agent::kill(self, &found.who, &found.why) {
                tracing::warn!(%error, "the kill file is there");
            }
            return;
        }
        let _switching = self.switching();
        // The guard may have been faster. It keeps no record, so a restart would mirror again.
        if matches!(self.control.is_armed(), Ok(false))
            && matches!(self.state.killed(), Ok(None))
            && let Err(error) = self.state.kill(&Killed::now(&found.who, &found.why))
        {
            tracing::debug!(%error, "the kill is not recorded yet");
        }
    }

    /// Whether a person may resume mirroring: not while the kill file exists.
    pub(super) fn may_resume(&self) -> Result<(), CommandError> {
        let file = self.reloader.kill_file();
        match file.as_ref().filter(|file| file.look().is_some()) {
            None => Ok(()),
            Some(file) => Err(CommandError::Refused(format!(
                "still stopped: {} exists; remove it first",
                file.path().display()
            ))),
        }
    }

    /// Lets the rollout check its evidence. Called about once a second.
    pub(super) fn step(&self) {
        self.rollout.tick(self, moment());
    }

    /// Judges every target by other gates.
    pub(super) fn set_gates(&self, gates: &GateConfig) {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        pipeline.lanes().for_each(|lane| lane.set_gates(gates.clone()));
    }

    fn marks_of_shadows(&self) -> Vec<LedgerSnapshot> {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        let shadows = pipeline.lanes().filter(|lane| lane.role() == Role::Shadow);
        shadows.map(Lane::mark).collect()
    }
}

impl Running {
    /// For the time in which mirroring is stopped or resumed.
    pub(super) fn switching(&self) -> MutexGuard<'_, ()> {
        self.switching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Revokes every kind of kill.
    pub(super) fn go_on(&self) -> Result<(), CommandError> {
        let _switching = self.switching();
        self.arm()
    }

    fn arm(&self) -> Result<(), CommandError> {
        self.may_resume()?;
        self.state
            .resume()
            .map_err(|error| CommandError::failed(error).context("still stopped"))?;
        self.control.arm().map_err(CommandError::failed)?;
        self.with_pipeline(Pipeline::resume);
        Ok(())
    }

    /// Stops mirroring by a rule, unless it is stopped already.
    pub(super) fn kill_by_trip(&self, pipeline: &Pipeline, killed: &Killed) {
        let _switching = self.switching();
        // The kernel first: whatever fails afterwards, nothing more is copied.
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

    /// Revokes the kill of a rule, and no other: `false` when a person has killed since.
    pub(super) fn resume_after_trip(&self) -> Result<bool, CommandError> {
        let _switching = self.switching();
        let killed = || self.state.killed().map_err(CommandError::failed);
        let by_rule = killed()?.is_some_and(|killed| killed.resume_at_ms.is_some());
        if !by_rule {
            return Ok(false);
        }
        self.arm()?;
        // A kill that bypasses the agent may have come between the two.
        if matches!(killed(), Ok(None)) {
            return Ok(true);
        }
        self.control.disarm().map_err(CommandError::failed)?;
        self.with_pipeline(Pipeline::kill);
        Ok(false)
    }
}

impl Mirror for Running {
    fn is_armed(&self) -> Option<bool> {
        self.control.is_armed().ok()
    }

    fn sample(&self) -> Option<f64> {
        self.sampling.wanted().ok()
    }

    fn set_sample(&self, share: f64) -> Result<(), CommandError> {
        self.sampling.want(share).map_err(CommandError::failed)
    }

    fn kill(&self, why: &str) {
        if let Err(error) = Agent::kill(self, "rollout", why) {
            tracing::error!(%error, "the rollout could not kill");
        }
    }

    fn marks(&self) -> Vec<LedgerSnapshot> {
        self.marks_of_shadows()
    }

    fn since(&self, marks: &[LedgerSnapshot], gates: &GateConfig) -> IntervalEvidence {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        weakest(&pipeline, marks, gates)
    }
}

/// The evidence of the shadow system with the least evidence.
fn weakest(pipeline: &Pipeline, marks: &[LedgerSnapshot], gates: &GateConfig) -> IntervalEvidence {
    let start = LedgerSnapshot::default();
    let shadows = pipeline.lanes().filter(|lane| lane.role() == Role::Shadow);
    let found = shadows.enumerate().map(|(at, lane)| {
        let mark = marks.get(at).unwrap_or(&start);
        lane.with_ledger(|ledger| ledger.since(mark, gates))
    });
    IntervalEvidence::weakest(found).unwrap_or_default()
}

impl Running {
    /// Reads the configuration again. On an error nothing changes.
    pub(super) fn read_again(&self, who: &str) -> Result<Reloaded, CommandError> {
        const NOTHING: &str = "nothing was changed";
        let refused = |why: String| CommandError::Refused(why).context(NOTHING);
        let wanted = self.reloader.read().map_err(refused)?;
        let before = self.reloader.in_force();
        let after = reached(&self.reloader.started, self.reloader.file(), &before, &wanted);
        let changed = differences(&before, &after);
        let restart = differences(&after, &wanted);
        let is_changed = |section: &str| changed.iter().any(|key| covers(section, key));
        // Everything that can fail comes before anything is changed.
        let others = self.others(&before, &after).map_err(refused)?;

        if is_changed("capture.sample") {
            let share = after.capture.sample.fraction();
            self.rollout
                .by_hand(self, share, who, moment())
                .map_err(|error| error.context(NOTHING))?;
        }
        if is_changed("gates") {
            self.set_gates(&after.gates);
        }
        if is_changed("gates") || is_changed("rollout") {
            let plan = after.rollout.plan(&after.gates);
            let replanned = self.rollout.replan(self, plan, moment());
            replanned.map_err(|error| error.context(NOTHING))?;
        }
        if is_changed("budget") || is_changed("trips") {
            self.watchdog.set(&after);
            let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
            pipeline.set_idle_cpu(after.budget.idle_cpu.whole_percent());
        }
        self.follow(others);
        self.reloader.set_in_force(after);
        tracing::info!(
            who,
            changed = changed.join(", "),
            restart = restart.join(", "),
            "the configuration was read again"
        );
        self.keeper.tell("reload", who, &changed.join(", "));
        Ok(Reloaded { changed, restart })
    }
}
