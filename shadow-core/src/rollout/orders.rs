//! Orders given by people. Each order may be given twice: the second time it changes nothing.

use crate::evidence::IntervalEvidence;

use super::{
    machine::{Rollout, Step},
    state::{Cause, Moment, Stage},
};

/// An order that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// There is no rollout.
    #[error("no rollout is under way; begin one with `shadow rollout start`")]
    Idle,
    /// The rollout has ended.
    #[error("the rollout is {}; `shadow rollout abort` and `start` begin a new one", .0.as_str())]
    Over(Stage),
    /// No such phase.
    #[error("the plan has no phase {given:?}; it has {known}")]
    Unknown {
        /// The requested phase.
        given: String,
        /// The phases of the plan.
        known: String,
    },
    /// The phase is not the next one.
    #[error("{given:?} is not the phase after {present:?}; advance one phase at a time")]
    Skips {
        /// The requested phase.
        given: String,
        /// The present phase.
        present: String,
    },
    /// The sample is larger than the phase allows.
    #[error(
        "the rollout allows at most {most} of connections in phase {phase:?}; `shadow rollout advance`, or abort it first"
    )]
    Above {
        /// The phase.
        phase: String,
        /// The phase's sample.
        most: f64,
    },
}

impl Rollout {
    /// Starts the rollout, or starts it again after an abort. No effect while it is under way.
    pub fn start(&mut self, who: &str, now: Moment) -> Result<Option<Step>, Refused> {
        match self.stage {
            Stage::Idle | Stage::Aborted => {}
            Stage::Complete => return Err(Refused::Over(self.stage)),
            Stage::Running | Stage::Paused | Stage::Held => return Ok(None),
        }
        let from = self.place();
        self.phase = 0;
        Ok(Some(self.run(from, who, "started", None, now)))
    }

    /// Pauses the rollout; the sample stays.
    pub fn pause(&mut self, who: &str, why: &str, now: Moment) -> Result<Option<Step>, Refused> {
        match self.stage {
            Stage::Running => {}
            Stage::Paused | Stage::Held => return Ok(None),
            Stage::Idle => return Err(Refused::Idle),
            Stage::Complete | Stage::Aborted => return Err(Refused::Over(self.stage)),
        }
        let from = self.place();
        self.stage = Stage::Paused;
        Ok(Some(self.note(
            from,
            Cause::Order,
            who,
            why.to_owned(),
            None,
            now,
        )))
    }

    /// Resumes the rollout: the phase starts over.
    pub fn resume(&mut self, who: &str, now: Moment) -> Result<Option<Step>, Refused> {
        match self.stage {
            Stage::Paused | Stage::Held => {}
            Stage::Running => return Ok(None),
            Stage::Idle => return Err(Refused::Idle),
            Stage::Complete | Stage::Aborted => return Err(Refused::Over(self.stage)),
        }
        let from = self.place();
        Ok(Some(self.run(
            from,
            who,
            "resumed; the phase starts over",
            None,
            now,
        )))
    }

    /// Advances to the next phase on a person's order, regardless of the evidence. Naming the phase makes the order
    /// safe to repeat.
    pub fn advance(
        &mut self,
        to: &str,
        who: &str,
        evidence: IntervalEvidence,
        now: Moment,
    ) -> Result<Option<Step>, Refused> {
        match self.stage {
            Stage::Running | Stage::Paused | Stage::Held => {}
            Stage::Idle => return Err(Refused::Idle),
            Stage::Complete | Stage::Aborted => return Err(Refused::Over(self.stage)),
        }
        let Some(wanted) = self.plan.position(to) else {
            let names: Vec<&str> = self.plan.phases.iter().map(|phase| phase.name.as_str()).collect();
            return Err(Refused::Unknown {
                given: to.to_owned(),
                known: names.join(", "),
            });
        };
        if wanted <= self.phase {
            return Ok(None);
        }
        if wanted > self.phase.saturating_add(1) {
            return Err(Refused::Skips {
                given: to.to_owned(),
                present: self.place().phase,
            });
        }
        let from = self.place();
        self.phase = wanted;
        Ok(Some(self.run(
            from,
            who,
            "advanced manually",
            Some(evidence),
            now,
        )))
    }

    /// Aborts the rollout: the sample is 0 until a person changes it.
    pub fn abort(&mut self, who: &str, why: &str, now: Moment) -> Option<Step> {
        if self.stage == Stage::Aborted {
            return None;
        }
        let from = self.place();
        self.stage = Stage::Aborted;
        self.by_hand = None;
        Some(self.note(from, Cause::Order, who, why.to_owned(), None, now))
    }

    /// Mirroring was killed: there will be no more evidence, and nothing may be raised while the kill switch is on.
    pub fn killed(&mut self, now: Moment) -> Option<Step> {
        if self.stage != Stage::Running {
            return None;
        }
        let from = self.place();
        self.stage = Stage::Paused;
        let why = "mirroring was killed; `shadow resume`, then `shadow rollout resume`";
        Some(self.note(from, Cause::Killed, "", why.to_owned(), None, now))
    }

    /// The sample was set manually. A rollout under way pauses and uses at most the sample of its phase; one that has
    /// ended no longer limits the sample.
    pub fn by_hand(&mut self, sample: f64, who: &str, now: Moment) -> Result<Option<Step>, Refused> {
        let from = self.place();
        match self.stage {
            Stage::Idle => return Ok(None),
            Stage::Complete | Stage::Aborted => {
                self.stage = Stage::Idle;
                self.by_hand = None;
            }
            Stage::Running | Stage::Paused | Stage::Held => {
                let most = self.phase().map_or(0.0, |phase| phase.sample);
                if sample > most {
                    return Err(Refused::Above {
                        phase: from.phase,
                        most,
                    });
                }
                self.by_hand = Some(sample);
                self.stage = Stage::Paused;
            }
        }
        if from == self.place() {
            return Ok(None);
        }
        let why = format!("the sample was set to {sample} manually");
        Ok(Some(self.note(from, Cause::Sample, who, why, None, now)))
    }
}
