//! A simulation as text.

use std::{
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use shadow_core::{
    evidence::Ruling,
    rollout::{Cause, Stage, Transition},
};

use super::Simulated;
use shadow_proto::units::Rate;

use crate::figures::{captured, count, span};

/// The page of `shadow rollout start --dry-run`.
pub fn page(simulated: &Simulated) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write(&mut out, simulated).unwrap_or_default();
    out
}

fn write(out: &mut String, simulated: &Simulated) -> std::fmt::Result {
    let Simulated {
        journal,
        from_ms,
        to_ms,
        targets,
        windows,
        timeline,
        notes,
        ..
    } = simulated;
    writeln!(
        out,
        "Nothing is started. On what was recorded, the plan would have gone like this."
    )?;
    writeln!(out, "journal     {}", captured(journal, 300))?;
    writeln!(
        out,
        "recorded    {} to {} ({}), {} windows of {}",
        at(*from_ms),
        at(*to_ms),
        span(Duration::from_millis(to_ms.saturating_sub(*from_ms))),
        count(*windows),
        captured(&targets.join(", "), 200)
    )?;
    writeln!(out)?;
    let mut before = *from_ms;
    for step in timeline {
        transition(out, step, step.at_ms.saturating_sub(before))?;
        before = step.at_ms;
    }
    end(out, simulated)?;
    writeln!(out, "\nWhat a recording does not tell")?;
    for note in notes {
        writeln!(out, "  - {note}")?;
    }
    Ok(())
}

fn transition(out: &mut String, step: &Transition, after_ms: u64) -> std::fmt::Result {
    let Transition {
        at_ms,
        from,
        to,
        cause,
        who: _,
        why,
        evidence,
    } = step;
    let share = to
        .sample
        .map_or_else(String::new, |share| format!(" at {}", Rate::from_fraction(share)));
    let to_where = format!("{} {}", to.stage.as_str(), captured(&to.phase, 40));
    let what = match cause {
        Cause::Passed if to.stage == Stage::Complete => format!("{} has passed, the last phase", from.phase),
        Cause::Passed => format!("{} has passed", from.phase),
        // Followed by the gate's reasons, which are listed below.
        Cause::Failed => {
            let what = why.split(": ").next().unwrap_or_default();
            format!("{} has failed: {what}", from.phase)
        }
        Cause::Order | Cause::Sample | Cause::Killed | Cause::Restart | Cause::Plan => captured(why, 300),
    };
    writeln!(
        out,
        "{}  {}{share}: {}",
        at(*at_ms),
        to_where.trim_end(),
        captured(&what, 300)
    )?;
    let Some(since) = evidence else { return Ok(()) };
    writeln!(
        out,
        "    after {}, {} compared, {}",
        span(Duration::from_millis(after_ms)),
        count(since.compared),
        since.judgement.ruling.as_str()
    )?;
    let failed = |ruling: Ruling| *cause != Cause::Failed || ruling == Ruling::NoGo;
    for reason in since
        .judgement
        .reasons
        .iter()
        .filter(|reason| failed(reason.ruling))
    {
        writeln!(out, "    {}: {}", reason.gate, reason.text)?;
    }
    Ok(())
}

fn end(out: &mut String, simulated: &Simulated) -> std::fmt::Result {
    let end = &simulated.end;
    let place = &end.place;
    write!(out, "\nAt the end it would be {}", place.stage.as_str())?;
    if !place.phase.is_empty() {
        write!(out, " in {}", captured(&place.phase, 40))?;
    }
    if place.stage == Stage::Running {
        write!(
            out,
            " for {}, {} compared, {}",
            span(Duration::from_millis(end.elapsed_ms)),
            count(end.evidence.compared),
            end.evidence.judgement.ruling.as_str()
        )?;
    }
    writeln!(out)?;
    for missing in &end.waits_for {
        writeln!(out, "  waits for {missing}")?;
    }
    Ok(())
}

fn at(ms: u64) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms))
}
