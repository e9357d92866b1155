//! Phases of a rollout, and the requirements of each.

use core::time::Duration;

use crate::evidence::{GateConfig, GateConfigError};

/// The most phases a plan may have.
pub const MAX_PHASES: usize = 32;

/// A rollout from its first phase to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order, each with a larger sample than the one before it.
    pub phases: Vec<Phase>,
    /// The reaction to a failed gate.
    pub on_failure: OnFailure,
    /// Verdicts needed in a phase before a failed gate counts: a first difference is no proof.
    pub fail_after: u64,
    /// Number of failures after which a rollout that steps back waits for a person.
    pub attempts: u32,
}

/// One phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name, which is unique in the plan.
    pub name: String,
    /// The share of connections that is mirrored, above 0 and at most 1.
    pub sample: f64,
    /// Minimum duration.
    pub min_duration: Duration,
    /// Minimum number of compared exchanges.
    pub min_compared: u64,
    /// The gates that its own evidence must pass.
    pub gates: GateConfig,
}

/// Reaction to a failed gate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnFailure {
    /// The phase continues at its sample, and a person decides.
    Hold,
    /// The previous phase starts over; in the first phase, mirroring stops.
    #[default]
    StepBack,
    /// The kill switch.
    Kill,
}

/// A plan that is not valid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// There are no phases, or too many.
    #[error("there are {0} phases; give 1 to {MAX_PHASES}")]
    Phases(usize),
    /// A name is empty or a duplicate.
    #[error("phase {at} is called {name:?}, which is {what}; give each phase a name of its own")]
    Name {
        /// Index of the phase, from 0.
        at: usize,
        /// Its name.
        name: String,
        /// The problem with the name.
        what: &'static str,
    },
    /// A sample is not a share, or not above the previous one.
    #[error("phase {name:?} samples {given} of connections, which is not above {above} and at most 1")]
    Sample {
        /// The phase.
        name: String,
        /// The given sample.
        given: f64,
        /// The sample of the previous phase.
        above: f64,
    },
    /// A phase requires no evidence.
    #[error("phase {0:?} needs no compared exchange; give at least 1, or it proves nothing")]
    Nothing(String),
    /// A gate could never pass, or never fail.
    #[error("phase {name:?}: {source}")]
    Gate {
        /// The phase.
        name: String,
        /// The invalid gate.
        source: GateConfigError,
    },
}

impl Plan {
    /// Rejects plans that cannot be followed, or that would raise the sample without proof.
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
            // The condition is negated so that NaN is refused.
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

    /// The index of a phase in the plan.
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
