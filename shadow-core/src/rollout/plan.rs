//! Which phases there are, and what each has to show.

use core::time::Duration;

use crate::evidence::{GateConfig, GateConfigError};

/// The most phases a plan may have.
pub const MAX_PHASES: usize = 32;

/// A rollout from its first phase to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order, each with a larger sample than the one before it.
    pub phases: Vec<Phase>,
    /// What a failed gate leads to.
    pub on_failure: OnFailure,
    /// Verdicts of a phase that are needed before a failed gate counts: the first difference of all is no proof.
    pub fail_after: u64,
    /// Failures after which a rollout that steps back waits for a person.
    pub attempts: u32,
}

/// One phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name, which is unique in the plan.
    pub name: String,
    /// The share of connections that is mirrored, above 0 and at most 1.
    pub sample: f64,
    /// It lasts at least this long.
    pub min_duration: Duration,
    /// It compares at least so many exchanges.
    pub min_compared: u64,
    /// What its own evidence has to pass.
    pub gates: GateConfig,
}

/// What a failed gate leads to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnFailure {
    /// The phase goes on at its sample and a person decides.
    Hold,
    /// The phase before it starts over; from the first one, nothing is mirrored any more.
    #[default]
    StepBack,
    /// The kill switch.
    Kill,
}

/// A plan that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Nothing to do, or too much.
    #[error("there are {0} phases; give 1 to {MAX_PHASES}")]
    Phases(usize),
    /// A name that is empty or used before.
    #[error("phase {at} is called {name:?}, which is {what}; give each phase a name of its own")]
    Name {
        /// Which phase, from 0.
        at: usize,
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A sample that is no share, or not above the one before.
    #[error("phase {name:?} samples {given} of connections, which is not above {above} and at most 1")]
    Sample {
        /// The phase.
        name: String,
        /// What was given.
        given: f64,
        /// The sample of the phase before it.
        above: f64,
    },
    /// A phase that nothing needs to be shown for.
    #[error("phase {0:?} needs no compared exchange; give at least 1, or it proves nothing")]
    Nothing(String),
    /// A gate that could never pass, or never fail.
    #[error("phase {name:?}: {source}")]
    Gate {
        /// The phase.
        name: String,
        /// Which gate.
        source: GateConfigError,
    },
}

impl Plan {
    /// Refuses what could not be followed, or would raise the sample without proof.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.phases.is_empty() || self.phases.len() > MAX_PHASES {
            return Err(PlanError::Phases(self.phases.len()));
        }
        let mut above = 0.0;
        for (at, phase) in self.phases.iter().enumerate() {
            let name = || phase.name.clone();
            let taken = self.phases.iter().take(at).any(|other| other.name == phase.name);
            let what = match (phase.name.is_empty(), taken) {
                (true, _) => Some("no name"),
                (_, true) => Some("the name of an earlier one"),
                _ => None,
            };
            if let Some(what) = what {
                return Err(PlanError::Name {
                    at,
                    name: name(),
                    what,
                });
            }
            let given = phase.sample;
            // Written so that NaN is refused.
            if !(given > above && given <= 1.0) {
                return Err(PlanError::Sample {
                    name: name(),
                    given,
                    above,
                });
            }
            above = given;
            if phase.min_compared == 0 {
                return Err(PlanError::Nothing(name()));
            }
            phase
                .gates
                .validate()
                .map_err(|source| PlanError::Gate { name: name(), source })?;
        }
        Ok(())
    }

    /// Where a phase stands in the plan.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.phases.iter().position(|phase| phase.name == name)
    }

    /// The earliest time after the start at which each phase can begin: the sum of the durations before it.
    pub fn earliest(&self) -> impl Iterator<Item = (Duration, &Phase)> {
        self.phases.iter().scan(Duration::ZERO, |begun, phase| {
            let at = *begun;
            *begun = begun.saturating_add(phase.min_duration);
            Some((at, phase))
        })
    }

    /// The earliest time after the start at which the last phase can be over.
    pub fn shortest(&self) -> Duration {
        self.phases.iter().fold(Duration::ZERO, |sum, phase| {
            sum.saturating_add(phase.min_duration)
        })
    }
}
