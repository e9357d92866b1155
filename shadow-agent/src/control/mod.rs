//! The control socket: how a person reaches a running agent.
//!
//! Owns: the protocol ([`proto`]), both of its ends ([`server`], [`client`]), what it reports ([`status`]), and what
//! outlives the agent ([`state`](crate::state)). Bounds: [`proto::MAX_REQUEST`] bytes a request,
//! [`server::MAX_CLIENTS`] clients, a deadline for each line. Drops: clients and requests over these bounds, with an
//! answer that says so.
//!
//! It runs on its own thread, so that it answers when the pipeline is saturated.

pub mod client;
pub mod kill_file;
pub mod peer;
pub mod proto;
pub mod reload;
pub mod sampling;
pub mod server;
pub mod status;

use shadow_core::evidence::{Evidence, report::Report};

use shadow_proto::units::Rate;

use crate::{
    command::CommandError,
    rollout::{self, RolloutStatus},
};
use reload::Reloaded;
use status::Status;

/// Default path of the control socket.
pub const DEFAULT_SOCKET: &str = "/run/shadow/shadow.sock";

/// Default path of the kill file.
pub const DEFAULT_KILL_FILE: &str = "/run/shadow/kill";

/// The operations that the socket needs from the agent. Every order is idempotent.
pub trait Agent: Send + Sync + 'static {
    /// Its current status.
    fn status(&self) -> Status;
    /// Its current report.
    fn report(&self) -> Report;
    /// The counts that its report is made of.
    fn evidence(&self) -> Evidence;
    /// Changes the sampled share of connections.
    fn sample(&self, rate: Rate, who: &str) -> Result<(), CommandError>;
    /// Stops all mirroring; `who` and `why` are kept.
    fn kill(&self, who: &str, why: &str) -> Result<(), CommandError>;
    /// Revokes a kill.
    fn resume(&self, who: &str) -> Result<(), CommandError>;
    /// Moves the rollout, or only returns its place.
    fn rollout(&self, order: rollout::Order, who: &str) -> Result<RolloutStatus, CommandError>;
    /// Reads the configuration again: all of it takes effect, or nothing.
    fn reload(&self, who: &str) -> Result<Reloaded, CommandError>;
    /// Forgets which values of the two systems correspond.
    fn forget_values(&self, who: &str) -> Result<(), CommandError>;
}

#[cfg(test)]
mod tests;
