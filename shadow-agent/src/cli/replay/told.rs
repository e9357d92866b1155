//! The end of a replay: the printed report and the exit code.

use shadow_core::{
    compare::Failure as Unreached,
    evidence::{Ruling, report::Report},
};

use crate::{
    cli::{Exit, ask},
    report::text,
};

/// Prints the report.
pub(super) fn tell(json: bool, report: &Report, bundles_only: bool) -> anyhow::Result<()> {
    let text = if json {
        format!("{}\n", serde_json::to_string_pretty(report)?)
    } else if bundles_only {
        reproduced(report)
    } else {
        text::report(report)
    };
    ask::print(&text)?;
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
