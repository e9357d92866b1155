//! The agent: every I/O edge around `shadow-core`, and the command line `shadow`.
//!
//! In the order of the data: [`capture`] reads segments (live ring or file), [`pipeline`] runs the engine and hands
//! exchanges on, [`replay`] sends them to the shadow system, [`report`] tells the outcome, [`journal`] keeps it,
//! [`export`] gives single cases to other tools,
//! [`rollout`] raises the sample by it, [`budget`] lowers it and [`trips`] stops by itself, [`inspect`] reads capture files. [`control`] is the socket, [`http`] the
//! metrics, [`doctor`] looks at the host, [`privs`] is what the agent gives up, [`cli`] and [`config`] are
//! what a person types.

// Tests may unwrap, so this stands here and not among the lints of the workspace.
#![warn(clippy::unwrap_used)]

pub mod budget;
pub mod capture;
pub mod cli;
pub(crate) mod clock;
pub mod config;
pub mod control;
pub mod doctor;
pub mod export;
pub(crate) mod har;
pub mod http;
pub mod inspect;
pub mod journal;
pub mod offline;
pub mod pipeline;
pub mod privs;
pub mod record;
pub mod replay;
pub mod report;
pub mod rollout;
pub mod trips;
