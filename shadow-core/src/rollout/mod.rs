//! Staged rollout: raises the sample step by step, each step based on its own evidence.
//!
//! Owns: the plan ([`Plan`]) and the agent's position in it ([`Rollout`]). It is pure: time, evidence and orders are
//! arguments, and actions are return values. Bounds: [`MAX_PHASES`] phases, [`HISTORY`] transitions kept. Bias: towards
//! less mirroring. Only evidence of the present phase, or a person, raises the sample. A restart, a changed plan or an
//! unreadable state starts the phase over or pauses the rollout.

mod machine;
mod orders;
mod plan;
mod state;

pub use machine::{Rollout, Step};
pub use orders::Refused;
pub use plan::{MAX_PHASES, OnFailure, Phase, Plan, PlanError};
pub use state::{Cause, HISTORY, Moment, PhasePosition, Saved, Stage, Transition};

#[cfg(test)]
mod tests;
