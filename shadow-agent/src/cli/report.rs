//! `shadow report`: the verdict and its evidence, of an agent, a journal, or the merged evidence of several.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use shadow_core::evidence::Ruling;

use super::{
    Exit,
    against::{self, FailOn},
    diffs::Sort,
    merge,
    output::{self, STDOUT},
    page,
    source::{self, Origin},
};
use crate::report::text;

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
    /// One verdict from the evidence of several nodes or runs: files of --evidence, or state folders
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
        source::report(origin)?
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
            page::write(&report, source::journal(origin), file)?;
        } else {
            page::alone(
                &report,
                "Merged evidence has no journal, so there is no history.",
                file,
            )?;
        }
        if file.as_os_str() == STDOUT {
            String::new()
        } else {
            let ruling = report.judgement.ruling.as_str();
            format!("{ruling}: written to {}\n", file.display())
        }
    } else {
        text::report(&report)
    };
    output::print(&text)?;
    Ok(match report.judgement.ruling {
        Ruling::Go => Exit::Done,
        Ruling::NoGo => Exit::NoGo,
        Ruling::InsufficientEvidence => Exit::Insufficient,
    }
    .into())
}
