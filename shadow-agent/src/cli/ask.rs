//! `shadow status` and `shadow report`: what the agent is doing and what it has found.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Args;
use shadow_core::evidence::{Ruling, report::Report};

use super::{
    AgentLocation, Exit, Failure,
    against::{self, FailOn},
    diffs::{self, Origin, Sort},
    merge, page, watch,
};
use crate::{
    control::{
        client::{self, ClientError},
        proto::{Answer, Order},
        status::Status,
    },
    report::{status, text},
    shown::{complain, screened},
    state::{StateDir, StateError},
};

/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Arguments of `shadow report`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 GO, 1 NO-GO, 2 insufficient evidence, 3 could not tell.\n\
                  Without a running agent it shows the report that the last one kept.\n\n\
                  Examples:\n  sudo shadow report\n  sudo shadow report --html report.html\n  sudo shadow report --json | jq .judgement.ruling\n  shadow report --against main.json --fail-on new\n  sudo shadow report --evidence node-a.evidence\n  shadow report --merge node-a.evidence node-b.evidence"
)]
pub struct ReportArgs {
    /// As JSON, with every route and group
    #[arg(long)]
    json: bool,
    /// As one self-contained page, with the history and the cases that the journal keeps; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Compare with another run, a report as JSON or a journal: new, gone, worse, unchanged
    #[arg(long, value_name = "OTHER", conflicts_with = "html")]
    against: Option<PathBuf>,
    /// With --against: exit with 1 if a difference is new (or worse), and with 0 otherwise
    #[arg(long, value_name = "CHANGE", requires = "against")]
    fail_on: Option<FailOn>,
    /// One verdict from the evidence of several nodes or runs: files of --evidence, or evidence.json of state folders
    #[arg(long, value_name = "FILE", num_args = 1..)]
    merge: Vec<PathBuf>,
    /// Write the counts that the report is made of, for --merge; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "html", "against", "merge"])]
    evidence: Option<PathBuf>,
    /// The order of causes and groups: by harm, or by the number of exchanges
    #[arg(long, value_name = "ORDER", default_value = "harm")]
    sort: Sort,
    #[command(flatten)]
    origin: Origin,
}

/// Shows the status once, or repeatedly with `--watch`.
pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let StatusArgs { json, watch, place } = args;
    if *watch && !json && io::stdout().is_terminal() && io::stdin().is_terminal() {
        watch::run(place)?;
        return Ok(Exit::Done.into());
    }
    loop {
        let status = ask_status(place).map_err(|error| failure(&error))?;
        let text = if *json && *watch {
            format!("{}\n", serde_json::to_string(&status)?)
        } else if *json {
            format!("{}\n", serde_json::to_string_pretty(&status)?)
        } else {
            status::page(&status)
        };
        if !print(&text)? || !watch {
            return Ok(Exit::Done.into());
        }
        thread::sleep(WATCH);
    }
}

/// Shows the report of the running agent, or else of the last one. The ruling decides the exit code.
pub fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let ReportArgs {
        json,
        html,
        against,
        fail_on,
        merge,
        evidence,
        sort,
        origin,
    } = args;
    if let Some(file) = evidence {
        merge::write(origin.place(), file)?;
        return Ok(Exit::Done.into());
    }
    let mut report = if merge.is_empty() {
        diffs::report(origin)?
    } else {
        merge::report(merge)?
    };
    sort.apply(&mut report);
    if let Some(other) = against {
        return against::run(&report, other, *json, *fail_on);
    }
    let text = if *json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else if let Some(file) = html {
        if merge.is_empty() {
            page::write(&report, diffs::journal(origin), file)?;
        } else {
            page::alone(
                &report,
                "Merged evidence has no journal, so there is no history.",
                file,
            )?;
        }
        if file.as_os_str() == diffs::STDOUT {
            String::new()
        } else {
            let ruling = report.judgement.ruling.as_str();
            format!("{ruling}: written to {}\n", file.display())
        }
    } else {
        text::report(&report)
    };
    print(&text)?;
    Ok(match report.judgement.ruling {
        Ruling::Go => Exit::Done,
        Ruling::NoGo => Exit::NoGo,
        Ruling::InsufficientEvidence => Exit::Insufficient,
    }
    .into())
}

pub(super) fn ask_status(place: &AgentLocation) -> Result<Status, ClientError> {
    match client::ask(&place.socket, Order::Status, PATIENCE)? {
        Answer::Status(status) => Ok(*status),
        _ => Err(ClientError::Foreign {
            path: place.socket.clone(),
            why: "it is no status".to_owned(),
        }),
    }
}

/// Why an agent did not give its report.
enum Unanswered {
    /// None is running.
    Ended(String),
    /// One is running, or may be.
    Unexpected(String),
}

impl Unanswered {
    fn why(&self) -> &str {
        match self {
            Self::Ended(why) | Self::Unexpected(why) => why,
        }
    }
}

/// The report of the running agent, or else the one that the last agent kept.
pub(super) fn find_report(place: &AgentLocation) -> Result<Report, Failure> {
    let unanswered = match client::ask(&place.socket, Order::Report, PATIENCE) {
        Ok(Answer::Report(report)) => return Ok(*report),
        Ok(_) => Unanswered::Unexpected("the agent answered with no report".to_owned()),
        Err(error @ ClientError::Absent(_)) => Unanswered::Ended(error.to_string()),
        Err(error) => Unanswered::Unexpected(error.to_string()),
    };
    let state = StateDir::new(&place.state_dir);
    let kept: Result<Option<Report>, StateError> = state.report();
    match kept {
        Ok(Some(report)) => {
            let kept = format!("this is the report kept in {}", state.report_path().display());
            match unanswered {
                Unanswered::Unexpected(why) => complain(&format!("{why}; {kept}")),
                // After the end of an agent there is nothing to warn of: a script gets what it asks for.
                Unanswered::Ended(_) if io::stderr().is_terminal() => complain(&kept),
                Unanswered::Ended(_) => {}
            }
            Ok(report)
        }
        Ok(None) => Err(unknown(format!(
            "there is no report: {}; and none is kept in {}",
            unanswered.why(),
            state.report_path().display()
        ))),
        Err(error) => Err(unknown(format!(
            "there is no report: {}; and {error}",
            unanswered.why()
        ))),
    }
}

fn unknown(what: String) -> Failure {
    Failure::new(Exit::Unknown, what)
}

/// The failure of a command that needs a running agent.
pub(super) fn failure(error: &ClientError) -> Failure {
    let exit = match error {
        ClientError::Denied(_) => Exit::NoPermission,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, error.to_string())
}

/// Prints a page of text or JSON, screened. Returns false when the reader has closed the pipe.
pub(super) fn print(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out
        .write_all(screened(text).as_bytes())
        .and_then(|()| out.flush())
    {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(unwritable(&error)),
    }
}

/// The failure when standard output cannot be written.
pub(super) fn unwritable(error: &io::Error) -> Failure {
    Failure::new(Exit::CannotCreate, format!("writing to standard output: {error}"))
}
