//! The report as text: the ruling and its reasons, the funnel, rates, latency, findings, groups, and what was not seen.

use std::{fmt::Write as _, time::Duration};

use shadow_core::{
    compare::RuleUsage,
    evidence::{
        Proportion, Ruling,
        report::{Availability, Background, Funnel, Input, Latency, Report, Route, Scope, Spans},
    },
};

use super::{
    bounds::{WIDE, more},
    causes, fields, funnel, groups,
    losses::losses,
    protocols, settle, sources, values, verified,
};
use crate::figures::{captured, count, micros, percent, proportion, span, unread};

pub use causes::CAUSES;
pub use groups::GROUPS;

/// Routes that are shown.
pub const ROUTES: usize = 20;
/// Columns of the name of a route in a table, if one is that long.
const NAME: usize = 72;
/// Files that are shown.
const FILES: usize = 20;

/// Findings of one kind that are shown.
const FINDINGS: usize = 5;
/// Rules that are shown.
const RULES: usize = 20;

/// The whole report.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write(&mut out, report).unwrap_or_default();
    out
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    judgement(out, report)?;
    sources::write(out, report)?;
    causes::write(out, &report.causes, report.causes_more)?;
    findings(out, report)?;
    writeln!(out, "\nFunnel")?;
    funnel::write(out, &report.funnel);
    writeln!(out, "\n  match rate  {}", proportion(&report.match_rate))?;
    writeln!(out, "  coverage    {}", proportion(&report.coverage))?;
    if let Some(number) = unread(&report.unread) {
        writeln!(
            out,
            "  unread      {number} of these exchanges passed, but could not be read"
        )?;
    }
    protocols::write(out, report)?;
    unverified(out, &report.funnel)?;
    let Availability { production, shadow } = &report.availability;
    if production.trials > 0 {
        writeln!(
            out,
            "  available   {} {}",
            report.scope.shadow(),
            proportion(shadow)
        )?;
        writeln!(
            out,
            "              {} {}",
            report.scope.production(),
            proportion(production)
        )?;
    }
    background(out, &report.background, &report.scope)?;

    latency(out, report)?;
    rules(out, report)?;
    fields::write(out, report)?;
    verified::write(out, report)?;
    values::write(out, report)?;
    groups::write(out, report)?;
    also(out, report)?;
    unseen(out, report)
}

/// Problems that are no differences, a few of each kind: slow routes, replays without an answer.
fn findings(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nFindings")?;
    for kind in report.findings.chunk_by(|a, b| a.kind == b.kind) {
        for finding in kind.iter().take(FINDINGS) {
            writeln!(
                out,
                "  {}: {}",
                captured(&finding.route, WIDE),
                captured(&finding.text, 2 * WIDE)
            )?;
        }
        match kind.len().saturating_sub(FINDINGS) {
            0 => {}
            1 => writeln!(out, "  and 1 more route like these; --json shows all")?,
            more => writeln!(out, "  and {more} more routes like these; --json shows all")?,
        }
    }
    Ok(())
}

/// The traffic that was compared, and the roles of the systems.
fn scope(out: &mut String, report: &Report) -> std::fmt::Result {
    let scope = &report.scope;
    if scope.modes.is_empty() {
        return Ok(());
    }
    write!(out, "  mode    {}", scope.modes.join(", "))?;
    if let Some(share) = scope.share.filter(|share| *share < 1.0) {
        write!(out, ", {} of the traffic", percent(share))?;
    }
    if scope.reversed {
        write!(
            out,
            ": production is the new system, and the shadow is the old one"
        )?;
    }
    writeln!(out)
}

/// The share of all exchanges that is not verified, with the reasons.
fn unverified(out: &mut String, funnel: &Funnel) -> std::fmt::Result {
    let mut reasons: Vec<(&String, u64)> = funnel
        .unverified
        .iter()
        .map(|(name, count)| (name, *count))
        .collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all = reasons.iter().map(|(_, count)| count).sum();
    if all == 0 {
        return Ok(());
    }
    let share = |count: u64| percent(Proportion::new(count, funnel.exchanges).rate.unwrap_or_default());
    let listed: Vec<String> = reasons
        .iter()
        .map(|(name, count)| format!("{name} {}", share(*count)))
        .collect();
    writeln!(
        out,
        "  unverified  {} of all exchanges: {}",
        share(all),
        listed.join(", ")
    )
}

/// Rules that never matched, or that hide a whole body.
fn rules(out: &mut String, report: &Report) -> std::fmt::Result {
    let warnings: Vec<String> = report.rules.iter().filter_map(RuleUsage::warning).collect();
    if warnings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nRules to look at")?;
    for warning in warnings.iter().take(RULES) {
        writeln!(out, "  {}", captured(warning, 2 * WIDE))?;
    }
    if let Some(more @ 1..) = warnings.len().checked_sub(RULES) {
        writeln!(out, "  and {more} more; `shadow report --json` has them all")?;
    }
    Ok(())
}

/// A summary of the further targets: `shadow report --json` has all of each.
fn also(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.also.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThe above is about {}. Further targets", report.target)?;
    for also in &report.also {
        let failed = also
            .judgement
            .reasons
            .iter()
            .filter(|reason| reason.ruling != Ruling::Go);
        let failed: Vec<&str> = failed.map(|reason| reason.gate.as_str()).collect();
        let failed = if failed.is_empty() {
            String::new()
        } else {
            format!(" ({})", failed.join(", "))
        };
        writeln!(
            out,
            "  {:<12} {}{failed}: match rate {}, {} replayed, {} shadow errors",
            also.target,
            also.judgement.ruling.as_str(),
            proportion(&also.match_rate),
            count(also.funnel.replayed),
            count(also.funnel.shadow_errors),
        )?;
    }
    Ok(())
}

/// The ruling and its reasons.
fn judgement(out: &mut String, report: &Report) -> std::fmt::Result {
    let lasted = Duration::from_millis(report.ended_ms.saturating_sub(report.started_ms));
    writeln!(
        out,
        "{}   after {}",
        report.judgement.ruling.as_str(),
        span(lasted)
    )?;
    for reason in &report.judgement.reasons {
        let mark = match reason.ruling {
            Ruling::Go => "ok     ",
            Ruling::NoGo => "FAILED ",
            Ruling::InsufficientEvidence => "unclear",
        };
        writeln!(out, "  {mark} {:<14} {}", reason.gate, reason.text)?;
    }
    if let Some(more) = report.judgement.more_exchanges_needed {
        let time = match report.judgement.more_seconds_needed {
            Some(seconds) => format!(", {} at the rate so far", span(Duration::from_secs(seconds))),
            None => String::new(),
        };
        writeln!(
            out,
            "  about {} more compared exchanges would settle the match rate{time}",
            count(more)
        )?;
    }

    settle::write(out, report)?;
    scope(out, report)
}

/// The evidence for noise.
pub(super) fn background(out: &mut String, background: &Background, scope: &Scope) -> std::fmt::Result {
    let (production, shadow) = (scope.the_production(), scope.the_shadow());
    let sources = [
        (format!("{shadow}'s two answers to a request"), background.twice),
        (
            format!("{production}'s answers to equal requests"),
            background.recurring,
        ),
        (
            format!("the control target's answers and {production}'s"),
            background.control,
        ),
    ];
    for (what, pairs) in sources.into_iter().filter(|(_, pairs)| pairs.compared > 0) {
        let (differed, compared) = (count(pairs.differed), count(pairs.compared));
        writeln!(out, "  background  {differed} of {compared} pairs differ: {what}")?;
    }
    let (again, shadow_again) = (background.production_again, background.shadow_again);
    if again > 0 || shadow_again > 0 {
        writeln!(
            out,
            "  asked again {} mismatches of which {production} answered the same request again, {} of which {shadow} did",
            count(again),
            count(shadow_again)
        )?;
    }
    if background.expected && again == 0 && background.recurring.compared == 0 {
        writeln!(
            out,
            "              nothing is known of {production}'s own variation: no two requests were alike, so what only \
             {shadow} does at random may pass for noise"
        )?;
    }
    if background.overflow > 0 || background.sets_overflow > 0 {
        let (pairs, sets) = (count(background.overflow), count(background.sets_overflow));
        writeln!(
            out,
            "              {pairs} of their differences found no place, and {sets} mismatches were judged at once: \
             raise evidence.groups and evidence.sets"
        )?;
    }
    Ok(())
}

fn latency(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.latency.production.first_byte.count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "\nLatency from the last request byte ({} on the wire, {} at the client socket)",
        report.scope.production(),
        report.scope.shadow()
    )?;
    // Routes that are never replayed have no response times.
    let timed: Vec<&Route> = report
        .routes
        .iter()
        .filter(|route| route.latency.production.first_byte.count > 0)
        .collect();
    let names = timed.iter().take(ROUTES).map(|route| route.route.chars().count());
    let wide = names.max().unwrap_or_default().clamp(32, NAME);
    writeln!(
        out,
        "  {:<wide$} {:>10} {:>20} {:>20} {:>20} {:>20} {:>20}",
        "", "answers", "first byte p50", "first byte p90", "first byte p99", "last byte p50", "last byte p99"
    )?;
    latency_line(out, (wide, "all routes"), &report.latency)?;
    if let (Some(ratio), Some(low), Some(high)) = (
        report.latency.p50_ratio,
        report.latency.p50_ratio_low,
        report.latency.p50_ratio_high,
    ) {
        writeln!(
            out,
            "  {:<wide$} {}'s median is {ratio:.2} times {}'s (95 % interval {low:.2} to {high:.2})",
            "",
            if report.scope.reversed {
                report.scope.the_shadow()
            } else {
                "shadow"
            },
            report.scope.the_production()
        )?;
    }
    for Route { route, latency, .. } in timed.iter().take(ROUTES) {
        latency_line(out, (wide, &captured(route, NAME - 4)), latency)?;
    }
    more(out, timed.len(), ROUTES, "routes")
}

fn latency_line(out: &mut String, (wide, route): (usize, &str), latency: &Latency) -> std::fmt::Result {
    let Latency {
        production, shadow, ..
    } = latency;
    let both = |read: fn(&Spans) -> u64| {
        let shadow = if shadow.first_byte.count == 0 {
            "-".to_owned()
        } else {
            micros(read(shadow))
        };
        format!("{} / {shadow}", micros(read(production)))
    };
    writeln!(
        out,
        "  {route:<wide$} {:>10} {:>20} {:>20} {:>20} {:>20} {:>20}",
        count(production.first_byte.count),
        both(|spans| spans.first_byte.p50_us),
        both(|spans| spans.first_byte.p90_us),
        both(|spans| spans.first_byte.p99_us),
        both(|spans| spans.whole.p50_us),
        both(|spans| spans.whole.p99_us),
    )
}

fn unseen(out: &mut String, report: &Report) -> std::fmt::Result {
    let losses = losses(&report.funnel);
    input(out, &report.input)?;
    writeln!(out, "\nNot seen")?;
    if losses.is_empty() && report.input.notes.is_empty() {
        return writeln!(out, "  nothing is known to be missing");
    }
    for (number, what) in losses {
        writeln!(out, "  {} {what}", count(number))?;
    }
    for (reason, note) in &report.input.notes {
        writeln!(
            out,
            "  {} {}  {reason}",
            count(note.count),
            captured(&note.what, 2 * WIDE)
        )?;
        if let Some(first) = note.first.first() {
            writeln!(out, "      the first: {}", captured(first, 2 * WIDE))?;
        }
    }
    Ok(())
}

/// The files of a replay, and warnings about them.
fn input(out: &mut String, input: &Input) -> std::fmt::Result {
    if input.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nRead")?;
    for file in input.files.iter().take(FILES) {
        let (name, format) = (captured(&file.name, WIDE), captured(&file.format, WIDE));
        writeln!(out, "  {name}: {format}, {} records", count(file.records))?;
    }
    more(out, input.files.len(), FILES, "files")?;
    for warning in &input.warnings {
        writeln!(out, "  WARNING {}", captured(warning, 4 * WIDE))?;
    }
    Ok(())
}
