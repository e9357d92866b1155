//! The rollout of a running agent: the state machine of the core with a clock, a file and the switches.
//!
//! Owns: `rollout.json` in the state folder and the mark in the ledger where the present phase began. Bias: what
//! raises the sample is written down before it is done, and is not done when it cannot be; what lowers it is done
//! first. A state file that cannot be understood is a paused first phase.

pub mod simulate;
pub mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shadow_core::{
    evidence::{GateConfig, Mark, Since},
    rollout::{Moment, Place, Plan, Rollout, Saved, Stage, Step, Transition},
};

use crate::{
    control::state::{StateDir, StateError},
    journal::{Entry, Event, Nowhere, Sink},
};
pub use status::RolloutStatus;

/// What a rollout needs of the agent around it.
pub trait Mirror {
    /// Whether the kernel program copies; `None` when that cannot be read.
    fn is_armed(&self) -> Option<bool>;
    /// The share of connections that is wanted at present.
    fn sample(&self) -> Option<f64>;
    /// Wants another one.
    fn set_sample(&self, share: f64) -> Result<(), String>;
    /// Stops all mirroring.
    fn kill(&self, why: &str);
    /// Where the ledgers of the shadow systems stand.
    fn marks(&self) -> Vec<Mark>;
    /// What they have counted since; of several, the one that has shown least.
    fn since(&self, marks: &[Mark], gates: &GateConfig) -> Since;
}

/// What is asked of a rollout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Only to be told.
    Status,
    /// Begin.
    Start,
    /// Stop the clock; why, for the record.
    Pause(String),
    /// Go on.
    Resume,
    /// Go to this phase, the one after the present.
    Advance(String),
    /// Give up; why, for the record.
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
    marks: Vec<Mark>,
    /// The state file is behind.
    unsaved: bool,
    /// What does not work as it should.
    warning: Option<String>,
}

/// The map keeps a share of 2^32, so a sample comes back a little off.
const SAME: f64 = 1e-6;

impl Driver {
    /// Goes on with the rollout in the state folder, if there is one.
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

    /// Tells every step there, too.
    #[must_use]
    pub fn telling(self, sink: Arc<dyn Sink>) -> Self {
        Self { sink, ..self }
    }

    /// The most that may be mirrored; `None` while no rollout has a say.
    pub fn sample(&self) -> Option<f64> {
        self.lock().rollout.sample()
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        self.lock().rollout.place()
    }

    /// What does not work as it should.
    pub fn warning(&self) -> Option<String> {
        self.lock().warning.clone()
    }

    /// Looks at the evidence, and at whether the sample is what it should be. To be called about once a second.
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
        let told = inner.warning.clone();
        if let Some(step) = step
            && let Err(why) = self.take(&mut inner, mirror, next, &step)
            && told.as_ref() != Some(&why)
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
                tracing::warn!(error, "the sample cannot be set");
            }
        }
    }

    /// Does what a person orders, and says where the rollout is then.
    pub fn order(
        &self,
        mirror: &dyn Mirror,
        order: Order,
        who: &str,
        now: Moment,
    ) -> Result<RolloutStatus, String> {
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
        if let Some(step) = step.map_err(|refused| refused.to_string())? {
            self.take(&mut inner, mirror, next, &step)?;
        }
        Ok(inner.status(mirror, now))
    }

    /// The sample is set by hand: under way a rollout pauses, and takes no more than its phase allows.
    pub fn by_hand(&self, mirror: &dyn Mirror, share: f64, who: &str, now: Moment) -> Result<(), String> {
        let mut inner = self.lock();
        let mut next = inner.rollout.clone();
        let step = next
            .by_hand(share, who, now)
            .map_err(|refused| refused.to_string())?;
        match step {
            Some(step) => {
                self.take(&mut inner, mirror, next, &step)?;
                mirror.set_sample(share)
            }
            None => mirror.set_sample(share),
        }
    }

    /// Follows another plan; what that changes, if anything.
    pub fn replan(&self, mirror: &dyn Mirror, plan: Plan, now: Moment) -> Result<Option<Place>, String> {
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

    /// Takes a step: on disk first when it raises the sample, in the kernel first when it lowers it.
    fn take(&self, inner: &mut Inner, mirror: &dyn Mirror, next: Rollout, step: &Step) -> Result<(), String> {
        if step.raises()
            && let Err(error) = self.state.save_rollout(next.saved())
        {
            let why = format!("the rollout stays where it is, because its next step cannot be kept: {error}");
            inner.warning = Some(why.clone());
            return Err(why);
        }
        // Only an order to run undoes what was lowered past the rollout.
        let lowered = mirror.sample().filter(|_share| next.stage() != Stage::Running);
        if let Some(share) = next.sample()
            && let Err(error) = mirror.set_sample(lowered.map_or(share, |now| share.min(now)))
        {
            // The file may be ahead now.
            inner.unsaved = true;
            return Err(format!("the rollout stays where it is: {error}"));
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
        let words = |place: &Place| {
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
        // Every step is made on a copy and put in its place whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The evidence of the present phase. The ledgers of a fresh agent stand at zero, as empty marks do.
    fn since(&self, mirror: &dyn Mirror) -> Since {
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

/// What is taken for the state when its file cannot be understood.
fn first(plan: &Plan) -> Saved {
    let place = plan.phases.first().map(|phase| Place {
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
