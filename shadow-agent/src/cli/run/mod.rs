//! `shadow run`: the agent, from its first check to its last report.

mod args;

use std::process::ExitCode;

pub use args::RunArgs;

use super::{Exit, config};
use crate::config::Config;

/// Runs the agent until it is told to stop.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut config = match &args.config {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    args.apply(&mut config);
    config::check(&config)?;
    Ok(Exit::Internal.into())
}
