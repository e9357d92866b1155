//! The agent: all I/O around `shadow-core`, and the command line `shadow`.
//!
//! In the order of the data: [`capture`] reads segments (live ring or file), [`pipeline`] runs the engine and hands
//! exchanges on, [`replay`] sends them to the shadow system, [`report`] presents the outcome, [`journal`] keeps it,
//! [`export`] gives single cases to other tools, [`rollout`] raises the sample by it, [`budget`] lowers it and
//! [`trips`] stops by itself, [`inspect`] reads capture files, [`explain`] follows one flow. [`control`] is the
//! socket, [`http`] the metrics, [`doctor`] checks the host, [`privs`] gives up privileges, [`attach`] is the
//! process that keeps some of them, [`discover`] the one that talks to Kubernetes,
//! [`supervise`] the one that runs an agent for a test, [`whole`] writes files and
//! [`shown`] formats output for people, [`cli`] and [`config`] read what a person types.

// Tests may unwrap, so this is here and not among the lints of the workspace.
#![warn(clippy::unwrap_used)]

pub mod attach;
pub mod budget;
pub mod capture;
pub mod cli;
pub(crate) mod clock;
pub mod command;
pub mod config;
pub mod control;
pub mod discover;
pub mod doctor;
pub mod explain;
pub mod export;
pub(crate) mod figures;
pub mod guard;
pub(crate) mod handover;
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
pub(crate) mod runtime;
pub mod shown;
pub mod state;
mod state_evidence;
pub mod supervise;
pub mod trips;
pub mod unfinished;
pub mod whole;
