//! `shadow report --against`: the report of one run beside that of another.

use std::{fs, path::Path, process::ExitCode};

use clap::ValueEnum;
use shadow_core::evidence::report::Report;

use super::{Exit, Failure, output::print, source};
use crate::{
    journal::Reader,
    report::against::{Against, Change},
};

/// The change that makes the command fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum FailOn {
    /// A difference that the other run does not have
    New,
    /// The same, or one that is more frequent now
    Worse,
}

/// Shows what changed since the other run.
pub(super) fn run(
    report: &Report,
    other: &Path,
    json: bool,
    fail_on: Option<FailOn>,
) -> anyhow::Result<ExitCode> {
    let before = read(other)?;
    let against = Against::of(report, &before);
    let text = if json {
        format!("{}\n", serde_json::to_string_pretty(&against)?)
    } else {
        against.text()
    };
    print(&text)?;
    let failed = match fail_on {
        None => false,
        Some(FailOn::New) => against.has(Change::New),
        Some(FailOn::Worse) => against.has(Change::New) || against.has(Change::Worse),
    };
    let exit = if failed {
        Exit::NoGo
    } else if fail_on.is_some() && report.match_rate.trials == 0 {
        // Without a comparison nothing can be new.
        Exit::Insufficient
    } else {
        Exit::Done
    };
    Ok(exit.into())
}

/// A report as JSON, or the last one of a journal.
fn read(path: &Path) -> Result<Report, Failure> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::new(Exit::NoInput, format!("cannot read {}: {error}", path.display())))?;
    if !bytes.starts_with(b"SQLite format 3") {
        return serde_json::from_slice(&bytes).map_err(|error| {
            let what = format!(
                "{} is neither a report as JSON nor a journal: {error}",
                path.display()
            );
            Failure::new(Exit::Data, what)
        });
    }
    let journal = Reader::open(path).map_err(|error| source::unopened(&error))?;
    let report = journal
        .report()
        .map_err(|error| source::unreadable(&journal, &error))?;
    report.ok_or_else(|| {
        Failure::new(
            Exit::Unknown,
            format!("the journal {} holds no report", path.display()),
        )
    })
}
