//! The end of a replay: the printed report and the exit code.

use std::path::Path;

use shadow_core::{
    compare::Failure as Unreached,
    evidence::{Ruling, report::Report},
};

use super::ReplayArgs;
use crate::{
    cli::{Exit, Failure, output, page},
    report::{junit, text},
};

/// Refuses two reports on standard output.
pub(super) fn one_output(args: &ReplayArgs) -> Result<(), Failure> {
    let named = [&args.html, &args.junit].into_iter().flatten();
    let count = named.filter(|path| is_stdout(path)).count() + usize::from(args.json);
    if count > 1 {
        let what = "--json, --html - and --junit - exclude each other: there is one standard output";
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == output::STDOUT
}

/// Writes the report to the files that were named, and prints it.
pub(super) fn tell(args: &ReplayArgs, report: &Report, bundles_only: bool) -> anyhow::Result<()> {
    if let Some(path) = &args.html {
        page::alone(report, "A replay keeps no journal, so there is no history.", path)?;
    }
    if let Some(path) = &args.junit {
        output::write(path, &junit::report(report)?)?;
    }
    if [&args.html, &args.junit]
        .into_iter()
        .flatten()
        .any(|path| is_stdout(path))
    {
        return Ok(());
    }
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(report)?)
    } else if bundles_only {
        reproduced(report)
    } else {
        text::report(report)
    };
    output::print(&text)?;
    Ok(())
}

/// The report of bundles. Gates say nothing about a single exchange, so its result is shown instead.
fn reproduced(report: &Report) -> String {
    let text = text::report(report);
    let rest = text.split_once("\n\n").map_or(&*text, |(_, rest)| rest);
    let (replayed, matched) = (report.funnel.replayed, report.funnel.matched);
    let head = match ruling(report, true) {
        Exit::Done => format!("NOT REPRODUCED  {matched} of {replayed} answers are as production's were"),
        Exit::NoGo => format!(
            "REPRODUCED  {} of {replayed} answers are not as production's were",
            replayed - matched
        ),
        _ if replayed == 0 => "NOT REPLAYED  nothing could be sent; what was skipped says why".to_owned(),
        _ => "NO ANSWER  the shadow system could not be reached".to_owned(),
    };
    format!("{head}\n\n{rest}")
}

/// The exit code for the same result.
pub(super) fn ruling(report: &Report, bundles_only: bool) -> Exit {
    if bundles_only {
        let funnel = &report.funnel;
        return match funnel.replayed {
            0 => Exit::Insufficient,
            replayed if funnel.matched == replayed => Exit::Done,
            replayed if unreached(report) == replayed => Exit::Insufficient,
            _ => Exit::NoGo,
        };
    }
    match report.judgement.ruling {
        Ruling::Go => Exit::Done,
        Ruling::NoGo => Exit::NoGo,
        Ruling::InsufficientEvidence => Exit::Insufficient,
    }
}

/// Replays that did not reach the shadow system, so its answer is not known.
fn unreached(report: &Report) -> u64 {
    [Unreached::Connect, Unreached::ConnectTimeout, Unreached::Tls]
        .iter()
        .filter_map(|failure| report.funnel.failures.get(failure.as_str()))
        .sum()
}
