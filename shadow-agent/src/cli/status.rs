//! `shadow status`: the state of the agent.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Args;

use super::{AgentLocation, Exit, ask, output, watch};
use crate::report::status;

/// How often `--watch` asks.
const WATCH: Duration = Duration::from_secs(1);

/// Arguments of `shadow status`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo shadow status\n  sudo shadow status --watch\n  sudo shadow status --json"
)]
pub struct StatusArgs {
    /// As JSON; with --watch one object a line
    #[arg(long)]
    json: bool,
    /// Live on a terminal, until q; in a pipe a page every second
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    place: AgentLocation,
}

/// Shows the status once, or repeatedly with `--watch`.
pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let StatusArgs { json, watch, place } = args;
    if *watch && !json && io::stdout().is_terminal() && io::stdin().is_terminal() {
        watch::run(place)?;
        return Ok(Exit::Done.into());
    }
    loop {
        let status = ask::status(place).map_err(|error| ask::failure(&error))?;
        let text = if *json && *watch {
            format!("{}\n", serde_json::to_string(&status)?)
        } else if *json {
            format!("{}\n", serde_json::to_string_pretty(&status)?)
        } else {
            status::page(&status)
        };
        if !output::print(&text)? || !watch {
            return Ok(Exit::Done.into());
        }
        thread::sleep(WATCH);
    }
}
