//! `shadow calibrate`: production against itself, the first step of a migration.
//!
//! Runs or replays as usual, with production or a second deployment of it as the shadow system, and ends with what
//! that says about the comparison with a new system.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use shadow_core::evidence::{Ruling, report::Report};

use super::{
    Exit, output,
    replay::{self, ReplayArgs},
    run::{self, RunArgs},
    source::{self, Origin},
};
use crate::report::calibrate::Calibration;

const EXAMPLES: &str = "\
The shadow system is production itself, or better a second deployment of it. Read requests are sent to it as to any shadow
system; writes are not, without --writes replay.

Examples:
  shadow calibrate replay traffic.pcapng --shadow http://127.0.0.1:8081
  sudo shadow calibrate run --interface eth0 --port 8080 --shadow http://10.0.0.8:8080 --duration 10m
  sudo shadow calibrate report

Exit codes: 0 ready, 1 production differs from itself, 2 GO cannot be reached as it is, 3 could not tell.";

const RUN: &str = "Example:
  sudo shadow calibrate run --interface eth0 --port 8080 --shadow http://10.0.0.8:8080 --duration 10m";

const REPLAY: &str = "Example:
  shadow calibrate replay traffic.pcapng --shadow http://127.0.0.1:8081";

const REPORT: &str = "Example:
  sudo shadow calibrate report";

/// Arguments of `shadow calibrate`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CalibrateArgs {
    #[command(subcommand)]
    how: How,
}

#[derive(Debug, Subcommand)]
enum How {
    /// With live traffic, as shadow run does
    #[command(after_help = RUN)]
    Run(Box<RunArgs>),
    /// With recorded traffic, as shadow replay does
    #[command(after_help = REPLAY)]
    Replay(Box<ReplayArgs>),
    /// From the report of the running agent, or else of the last one
    #[command(after_help = REPORT)]
    Report(Box<ReportArgs>),
}

/// Arguments of `shadow calibrate report`.
#[derive(Args, Debug)]
struct ReportArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: Origin,
}

/// Calibrates.
pub fn run(args: CalibrateArgs) -> anyhow::Result<ExitCode> {
    let (json, report) = match args.how {
        How::Run(args) => {
            let (report, failed) = run::ran(*args)?;
            if let Some(failure) = failed {
                output::print(&shown(false, &report)?)?;
                return Err(failure.into());
            }
            (false, report)
        }
        How::Replay(args) => {
            let replayed = replay::replayed(&args)?;
            if let Some(failure) = replayed.failed {
                output::print(&shown(args.json, &replayed.report)?)?;
                return Err(failure.into());
            }
            (args.json, replayed.report)
        }
        How::Report(args) => (args.json, source::report(&args.origin)?),
    };
    output::print(&shown(json, &report)?)?;
    Ok(match Calibration::of(&report).ruling() {
        Ruling::Go => Exit::Done,
        Ruling::NoGo => Exit::NoGo,
        Ruling::InsufficientEvidence => Exit::Insufficient,
    }
    .into())
}

fn shown(json: bool, report: &Report) -> anyhow::Result<String> {
    let calibration = Calibration::of(report);
    Ok(if json {
        format!("{}\n", serde_json::to_string_pretty(&calibration)?)
    } else {
        calibration.text(report)
    })
}
