//! The rollout of a running agent: the state machine of the core with a clock, a file and control of the agent.
//!
//! Owns: `rollout.json` in the state folder and the mark in the ledger where the present phase began. Bias: a step that
//! raises the sample is written to disk before it is done, and is not done if that fails; a step that lowers it is done
//! first. A state file that cannot be understood becomes a paused first phase.

pub mod simulate;
pub mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shadow_core::{
    evidence::{GateConfig, IntervalEvidence, LedgerSnapshot},
    rollout::{Moment, PhasePosition, Plan, Rollout, Saved, Stage, Step, Transition},
};

use crate::{
    command::CommandError,
    journal::{Entry, Event, Nowhere, Sink},
    state::{StateDir, StateError},
};
pub use status::RolloutStatus;

/// The functions of the agent that a rollout needs.
pub trait Mirror {
    /// Whether the kernel program copies; `None` if that cannot be read.
    fn is_armed(&self) -> Option<bool>;
    /// The share of connections that is set at present.
    fn sample(&self) -> Option<f64>;
    /// Sets another share.
    fn set_sample(&self, share: f64) -> Result<(), CommandError>;
    /// Stops all mirroring.
    fn kill(&self, why: &str);
    /// The present positions in the ledgers of the shadow systems.
    fn marks(&self) -> Vec<LedgerSnapshot>;
    /// Counts since the marks; of several systems, those of the one with the least evidence.
    fn since(&self, marks: &[LedgerSnapshot], gates: &GateConfig) -> IntervalEvidence;
}

/// Orders to a rollout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Report the state only.
    Status,
    /// Begin.
    Start,
    /// Stop the clock, with a reason for the record.
    Pause(String),
    /// Continue.
    Resume,
    /// Advance to this phase, which must be the next one.
    Advance(String),
    /// Give up, with a reason for the record.
    Abort(String),
}

/// Drives one rollout.
#[derive(Debug)]
pub struct Driver {
    inner: Mutex<Inner>,
    state: StateDir,
    sink: Arc<dyn Sink>,
}

#[derive(Debug)]
struct Inner {
    rollout: Rollout,
    marks: Vec<LedgerSnapshot>,
    /// The state file is not up to date.
    unsaved: bool,
    /// A fault to report.
    warning: Option<String>,
}

/// The map stores a share of 2^32, so a sample read back differs slightly.
const SAME: f64 = 1e-6;

impl Driver {
    /// Continues the rollout in the state folder, if there is one.
    pub fn load(plan: Plan, state: StateDir, now: Moment) -> Self {
        let mut warning = None;
        let rollout = match state.rollout() {
            Ok(None) => Rollout::new(plan),
            Ok(Some(saved)) => Rollout::restore(plan, saved, now),
            Err(error) => {
                warning = Some(format!("the rollout is paused in its first phase: {error}"));
                let saved = first(&plan);
                Rollout::restore(plan, saved, now)
            }
        };
        let unsaved = rollout.stage() != Stage::Idle;
        Self {
            inner: Mutex::new(Inner {
                rollout,
                marks: Vec::new(),
                unsaved,
                warning,
            }),
            state,
            sink: Arc::new(Nowhere),
        }
    }

    /// Reports every step there as well.
    #[must_use]
    pub fn telling(self, sink: Arc<dyn Sink>) -> Self {
        Self { sink, ..self }
    }

    /// The upper limit of the sample; `None` while no rollout limits it.
    pub fn sample(&self) -> Option<f64> {
        self.lock().rollout.sample()
    }

    /// The present position.
    pub fn place(&self) -> PhasePosition {
        self.lock().rollout.place()
    }

    /// A fault to report.
    pub fn warning(&self) -> Option<String> {
        self.lock().warning.clone()
    }

    /// Checks the evidence, and whether the sample has its intended value. Call it about once a second.
    pub fn tick(&self, mirror: &dyn Mirror, now: Moment) {
        let mut inner = self.lock();
        if inner.unsaved {
            self.save(&mut inner);
        }
        let mut next = inner.rollout.clone();
        let step = match mirror.is_armed() {
            None => None,
            Some(false) => next.killed(now),
            Some(true) => {
                let since = inner.since(mirror);
                next.tick(now, &since)
            }
        };
        let known = inner.warning.clone();
        if let Some(step) = step
            && let Err(why) = self.take(&mut inner, mirror, next, &step)
            && known.as_deref() != Some(why.to_string().as_str())
        {
            tracing::warn!("{why}");
        }
        let most = inner.rollout.sample();
        if let (Some(most), Some(now)) = (most, mirror.sample())
            && now > most + SAME
        {
            tracing::warn!(
                sample = now,
                most,
                "the sample was set above what the rollout allows; it is set back"
            );
            if let Err(error) = mirror.set_sample(most) {
                tracing::warn!(%error, "the sample cannot be set");
            }
        }
    }

    /// Carries out an order, and returns the resulting position.
    pub fn order(
        &self,
        mirror: &dyn Mirror,
        order: Order,
        who: &str,
        now: Moment,
    ) -> Result<RolloutStatus, CommandError> {
        let mut inner = self.lock();
        let mut next = inner.rollout.clone();
        let step = match order {
            Order::Status => Ok(None),
            Order::Start => next.start(who, now),
            Order::Pause(why) => next.pause(who, &why, now),
            Order::Resume => next.resume(who, now),
            Order::Advance(to) => {
                let since = inner.since(mirror);
                next.advance(&to, who, since, now)
            }
            Order::Abort(why) => Ok(next.abort(who, &why, now)),
        };
        if let Some(step) = step.map_err(CommandError::refused)? {
            self.take(&mut inner, mirror, next, &step)?;
        }
        Ok(inner.status(mirror, now))
    }

    /// The sample is set manually: a running rollout pauses, and allows no more than its phase.
    pub fn by_hand(
        &self,
        mirror: &dyn Mirror,
        share: f64,
        who: &str,
        now: Moment,
    ) -> Result<(), CommandError> {
        let mut inner = self.lock();
        let mut next = inner.rollout.clone();
        let step = next.by_hand(share, who, now).map_err(CommandError::refused)?;
        match step {
            Some(step) => {
                self.take(&mut inner, mirror, next, &step)?;
                mirror.set_sample(share)
            }
            None => mirror.set_sample(share),
        }
    }

    /// Changes to another plan; returns the new position if it changed.
    pub fn replan(
        &self,
        mirror: &dyn Mirror,
        plan: Plan,
        now: Moment,
    ) -> Result<Option<PhasePosition>, CommandError> {
        let mut inner = self.lock();
        let mut next = inner.rollout.clone();
        if let Some(step) = next.replan(plan, now) {
            self.take(&mut inner, mirror, next, &step)?;
            Ok(Some(step.transition.to))
        } else {
            inner.rollout = next;
            Ok(None)
        }
    }

    /// Takes a step: on disk first if it raises the sample, in the kernel first if it lowers it.
    fn take(
        &self,
        inner: &mut Inner,
        mirror: &dyn Mirror,
        next: Rollout,
        step: &Step,
    ) -> Result<(), CommandError> {
        if step.raises()
            && let Err(error) = self.state.save_rollout(next.saved())
        {
            let why = format!("the rollout stays where it is, because its next step cannot be kept: {error}");
            inner.warning = Some(why.clone());
            return Err(CommandError::Failed(why));
        }
        // Only an order to run undoes a sample that was lowered bypassing the rollout.
        let lowered = mirror.sample().filter(|_share| next.stage() != Stage::Running);
        if let Some(share) = next.sample()
            && let Err(error) = mirror.set_sample(lowered.map_or(share, |now| share.min(now)))
        {
            // The file may be newer now.
            inner.unsaved = true;
            return Err(error.context("the rollout stays where it is"));
        }
        if step.kill {
            mirror.kill(&step.transition.why);
        }
        if next.stage() == Stage::Running || step.transition.from.phase != step.transition.to.phase {
            inner.marks = mirror.marks();
        }
        inner.rollout = next;
        if step.raises() {
            inner.warning = None;
            inner.unsaved = false;
        } else {
            self.save(inner);
        }
        self.tell(&step.transition);
        Ok(())
    }

    fn save(&self, inner: &mut Inner) {
        match self.state.save_rollout(inner.rollout.saved()) {
            Ok(()) => {
                if inner.unsaved {
                    inner.warning = None;
                }
                inner.unsaved = false;
            }
            Err(error) => {
                inner.unsaved = true;
                inner.warning = Some(behind(&error));
            }
        }
    }

    fn tell(&self, transition: &Transition) {
        let Transition {
            at_ms,
            from,
            to,
            who,
            why,
            ..
        } = transition;
        let words = |place: &PhasePosition| {
            format!("{} {}", place.stage.as_str(), place.phase)
                .trim_end()
                .to_owned()
        };
        tracing::info!(
            from = words(from),
            to = words(to),
            sample = to.sample,
            who,
            "rollout: {why}"
        );
        self.sink.offer(Entry::Event(Event {
            at_ms: *at_ms,
            kind: "rollout".to_owned(),
            who: if who.is_empty() {
                "rollout".to_owned()
            } else {
                who.clone()
            },
            why: format!("{} -> {}: {why}", words(from), words(to)),
            evidence: serde_json::to_value(transition).unwrap_or_default(),
        }));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every step is made on a copy, which then replaces the state as a whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The evidence of the present phase. The ledgers of a new agent start at zero, as empty marks do.
    fn since(&self, mirror: &dyn Mirror) -> IntervalEvidence {
        let gates = self
            .rollout
            .phase()
            .map(|phase| phase.gates.clone())
            .unwrap_or_default();
        mirror.since(&self.marks, &gates)
    }

    fn status(&self, mirror: &dyn Mirror, now: Moment) -> RolloutStatus {
        RolloutStatus::new(&self.rollout, self.since(mirror), self.warning.clone(), now)
    }
}

fn behind(error: &StateError) -> String {
    format!("a restart would go on with the rollout where it was before: {error}")
}

/// The state that replaces an unreadable state file.
fn first(plan: &Plan) -> Saved {
    let place = plan.phases.first().map(|phase| PhasePosition {
        stage: Stage::Paused,
        phase: phase.name.clone(),
        sample: Some(phase.sample),
    });
    Saved {
        place: place.unwrap_or_default(),
        ..Saved::default()
    }
}

#[cfg(test)]
mod tests;
