//! The command line: arguments in, one exit code out.
//!
//! Owns: the grammar of the command line and how each command ends ([`exit`]). Bias: a command that cannot do what was
//! asked says in one line what is wrong, where, and how to fix it; it never starts halfway.

mod against;
mod ask;
pub mod calibrate;
mod cluster;
pub mod config;
pub mod diffs;
mod discover;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod inspect;
mod merge;
pub mod noise;
mod output;
mod page;
pub mod record;
pub mod replay;
pub mod report;
pub mod rollout;
pub mod run;
pub mod shell;
pub mod source;
pub mod status;
pub mod switch;
pub mod values;
pub mod watch;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::{attach, control::DEFAULT_SOCKET, guard, privs};
pub use exit::{Exit, Failure};

/// Mirrors production HTTP traffic to a shadow system and compares the answers.
#[derive(Debug, Parser)]
#[command(name = "shadow", version, after_long_help = exit::HELP, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the agent: capture, replay, compare, until Ctrl-C or --duration
    Run(Box<run::RunArgs>),
    /// Show what the agent is doing
    Status(status::StatusArgs),
    /// Change the share of connections that are mirrored
    Sample(switch::SampleArgs),
    /// Stop all mirroring at once
    Kill(switch::KillArgs),
    /// Mirror again after a kill
    Resume(switch::ResumeArgs),
    /// Raise the sample step by step, each step earned by evidence
    Rollout(rollout::RolloutArgs),
    /// Show what the agent has found: GO, NO-GO or insufficient evidence
    Report(report::ReportArgs),
    /// Show which differences a system also has with itself, and propose rules for them
    Noise(noise::NoiseArgs),
    /// Show which values of the two systems correspond, or forget them
    Values(values::ValuesArgs),
    /// Replay recorded traffic against a shadow system and compare the answers
    Replay(Box<replay::ReplayArgs>),
    /// Compare production with itself first: noise, repeats, latency, rules, and whether GO can be reached
    Calibrate(calibrate::CalibrateArgs),
    /// Record captured traffic to pcapng files
    Record(Box<record::RecordArgs>),
    /// Show what differs, side by side; export a case, or accept a difference
    Diffs(Box<diffs::DiffsArgs>),
    /// Accept a difference: the rules for it, tried on the recorded cases
    Accept(Box<diffs::AcceptArgs>),
    /// Show the exchanges in a capture file
    #[command(
        after_help = "Examples:\n  shadow inspect capture.pcapng\n  shadow inspect --json --path '/api/**' capture.pcap.gz\n  shadow inspect --follow traffic.pcapng\n  shadow inspect --why 10.0.0.1:40000 capture.pcapng"
    )]
    Inspect(inspect::InspectArgs),
    /// Explain live why the traffic of an address is not seen, not whole or not replayed
    Explain(Box<explain::ExplainArgs>),
    /// Tell the agent beside it which pods of this node are to be mirrored
    Discover(discover::DiscoverArgs),
    /// Status, kill, resume, sample and one verdict of all nodes of a cluster; also `kubectl shadow`
    Cluster(cluster::ClusterArgs),
    /// Say whether the agent will work on this host, and if not, why
    Doctor(doctor::DoctorArgs),
    /// Check, document or show a configuration
    Config(config::ConfigArgs),
    /// Print the completions of a shell
    Completions(shell::CompletionsArgs),
    /// Write the manual pages
    Man(shell::ManArgs),
    /// The process beside an agent; started by it
    #[command(hide = true)]
    Guard,
    /// The process that enters network namespaces for an agent; started by it
    #[command(hide = true)]
    Attach {
        #[arg(long)]
        pods_only: bool,
    },
}

/// Where a running agent is found.
#[derive(Args, Clone, Debug)]
pub struct AgentLocation {
    /// The agent's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET, env = "SHADOW_SOCKET")]
    pub socket: PathBuf,
    /// Where the agent keeps its report and kill state
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/shadow",
        env = "SHADOW_STATE_DIR"
    )]
    pub state_dir: PathBuf,
}

/// Parses the arguments, runs the command, and reports the result.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(words(std::env::args_os())) {
        Ok(cli) => cli,
        // Help and version are not failures, but clap reports them as errors. A closed pipe is no failure either.
        Err(error) => {
            let printed = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return if printed.is_ok() {
                exit.into()
            } else {
                Exit::Internal.into()
            };
        }
    };
    let kept_out = privs::keep_out_of_dumps().map_err(|error| {
        let what = format!("cannot keep captured bytes out of core dumps: {error}");
        Failure::new(Exit::Unavailable, what).into()
    });
    match kept_out.and_then(|()| cli.command.start()) {
        Ok(code) => code,
        Err(error) => exit::tell(&error).into(),
    }
}

/// The arguments. `kubectl` finds this program under a name of its own, and means one command by it.
fn words(mut given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let name = given.next().unwrap_or_default();
    let is_plugin = Path::new(&name)
        .file_name()
        .is_some_and(|name| name == cluster::PLUGIN);
    let command = is_plugin.then(|| "cluster".into());
    std::iter::once(name).chain(command).chain(given).collect()
}

impl Command {
    fn start(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(args) => run::run(*args),
            Self::Status(args) => status::status(&args),
            Self::Sample(args) => switch::sample(&args),
            Self::Kill(args) => switch::kill(&args),
            Self::Resume(args) => switch::resume(&args),
            Self::Rollout(args) => rollout::run(args),
            Self::Report(args) => report::report(&args),
            Self::Noise(args) => noise::noise(&args),
            Self::Values(args) => values::run(&args),
            Self::Replay(args) => replay::run(&args),
            Self::Calibrate(args) => calibrate::run(args),
            Self::Record(args) => record::run(*args),
            Self::Diffs(args) => diffs::run(*args),
            Self::Accept(args) => diffs::accept(&args),
            Self::Inspect(args) => inspect::run(args),
            Self::Explain(args) => explain::run(*args),
            Self::Cluster(args) => cluster::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Config(args) => config::run(&args),
            Self::Completions(args) => shell::completions(&args),
            Self::Man(args) => shell::man(&args),
            Self::Discover(args) => discover::run(&args),
            Self::Guard => guard::serve(),
            Self::Attach { pods_only } => attach::serve(pods_only),
        }
    }
}

/// Yields once for the first SIGINT or SIGTERM. A second one ends the process at once.
fn signals() -> Result<std::sync::mpsc::Receiver<()>, Failure> {
    /// The exit code that a shell reports for SIGINT.
    const INTERRUPTED: i32 = 130;
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Unavailable,
            format!("cannot listen for signals: {error}; check the limit on threads"),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::interrupt()).map_err(failed)?,
            signal(SignalKind::terminate()).map_err(failed)?,
        )
    };
    let (stop, stopped) = std::sync::mpsc::channel();
    let wait = move || {
        runtime.block_on(async move {
            for first in [true, false] {
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                }
                if !first || stop.send(()).is_err() {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
    };
    std::thread::Builder::new()
        .name("shadow-signals".to_owned())
        .spawn(wait)
        .map_err(failed)?;
    Ok(stopped)
}

#[cfg(test)]
mod tests;
