//! Raising the sample step by step, each step earned by evidence of its own.
//!
//! Owns: the plan ([`Plan`]) and where on it the agent is ([`Rollout`]): pure, so time, evidence and orders are
//! arguments and what is to be done comes back as a value. Bounds: [`MAX_PHASES`] phases, [`HISTORY`] transitions kept.
//! Bias: less mirroring, never more. Nothing but evidence of the present phase, or a person, raises the sample; a
//! restart, a changed plan or a state that cannot be understood starts the phase over or pauses it.

mod machine;
mod orders;
mod plan;
mod state;

pub use machine::{Rollout, Step};
pub use orders::Refused;
pub use plan::{MAX_PHASES, OnFailure, Phase, Plan, PlanError};
pub use state::{Cause, HISTORY, Moment, Place, Saved, Stage, Transition};

#[cfg(test)]
mod tests;
