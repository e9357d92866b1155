//! `shadow doctor`: says whether the agent will work on this host, and if not, why.

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;

use super::{AgentLocation, Exit, ask, output};
use crate::doctor::{Level, examine, links};

/// Arguments of `shadow doctor`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing keeps the agent from starting, 69 something does.\n\n\
                  Examples:\n  sudo shadow doctor\n  sudo shadow doctor --json"
)]
pub struct DoctorArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: AgentLocation,
}

/// Examines the host and shows the findings.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut examination = examine();
    // Another finding says whether an agent runs.
    if let Ok(status) = ask::status(&args.place) {
        examination = examination.and(links::protocols(&status.funnel.engine));
    }
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&examination)?)
    } else {
        let mut text = String::new();
        for finding in &examination.findings {
            writeln!(
                text,
                "{:<5} {:<15} {}",
                finding.level.as_str(),
                finding.check,
                finding.text
            )?;
        }
        text
    };
    output::print(&text)?;
    Ok(match examination.worst {
        Level::Ok | Level::Warn => Exit::Done,
        Level::Fail => Exit::Unavailable,
    }
    .into())
}
