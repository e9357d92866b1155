//! The status of an agent as text: a page and a line.

use std::{fmt::Write as _, time::Duration};

use shadow_core::evidence::Proportion;

use super::{causes, funnel};
use crate::figures::{bytes, captured, count, micros, percent, proportion, rate, span};
use shadow_proto::units::Rate;

use crate::{
    control::status::{Attached, Inside, Lane, Status},
    journal::State,
    replay::BreakerState,
    state::Killed,
};

/// Trips that are shown.
const TRIPS: usize = 5;

/// One line for the terminal of `shadow run`.
pub fn line(status: &Status) -> String {
    let Status {
        armed,
        rates,
        funnel,
        queue,
        ring,
        match_rate,
        ..
    } = status;
    let mut parts = vec![
        format!(
            "{} exchanges ({})",
            count(funnel.exchanges),
            rate(rates.exchanges)
        ),
        format!("{} skipped", count(funnel.skipped_total)),
        format!("{} replayed", count(funnel.replayed)),
        matches(match_rate),
    ];
    if !armed {
        parts.insert(0, "KILLED".to_owned());
    }
    for (number, what) in [
        (funnel.shadow_errors, "shadow errors"),
        (queue.waiting, "waiting"),
        (ring.full, "packets LOST"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number)));
        }
    }
    parts.join(" | ")
}

fn matches(share: &Proportion) -> String {
    share.rate.map_or_else(
        || "nothing compared yet".to_owned(),
        |rate| format!("{} match", percent(rate)),
    )
}

/// The page of `shadow status`.
pub fn page(status: &Status) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write(&mut out, status).unwrap_or_default();
    out
}

fn write(out: &mut String, status: &Status) -> std::fmt::Result {
    place(out, status)?;
    load(out, status)?;
    lanes(out, status)?;
    trips(out, status)?;
    journal(out, status.journal.as_ref())?;
    for warning in &status.warnings {
        writeln!(out, "  WARNING     {}", captured(warning, 300))?;
    }
    causes::write(out, &status.causes, status.causes_more)?;
    writeln!(out, "\nFunnel")?;
    funnel::write(out, &status.funnel);
    evidence(out, status)
}

/// The agent and its settings.
fn place(out: &mut String, status: &Status) -> std::fmt::Result {
    let Status {
        version,
        pid,
        uptime_ms,
        armed,
        killed,
        sample,
        shadow,
        targets,
        interfaces,
        ..
    } = status;
    let up = span(Duration::from_millis(*uptime_ms));
    let mode = if *armed { "mirroring" } else { "KILLED" };
    writeln!(out, "{mode}   shadow {version}, pid {pid}, up {up}")?;
    if !armed {
        let why = killed.as_ref().map_or_else(String::new, why);
        writeln!(out, "  {why}; `shadow resume` mirrors again")?;
    }
    let to = shadow.as_deref().unwrap_or("nowhere: observing only");
    let names: Vec<String> = interfaces.iter().map(interface).collect();
    let names = if names.is_empty() {
        "none yet".to_owned()
    } else {
        names.join(", ")
    };
    let targets = if targets.is_empty() {
        "the ports of the pods".to_owned()
    } else {
        targets.join(", ")
    };
    writeln!(out, "  targets     {targets}")?;
    let reversed = status.modes.iter().any(|mode| mode == "reversed");
    let old = if reversed { ", the old system" } else { "" };
    writeln!(out, "  shadow      {to}{old}")?;
    if !status.modes.is_empty() {
        writeln!(out, "  mode        {}", status.modes.join(", "))?;
    }
    writeln!(out, "  interfaces  {names}")?;
    namespaces(out, &status.namespaces)?;
    writeln!(
        out,
        "  sample      {} of connections",
        Rate::from_fraction(*sample)
    )
}

/// The state of the journal.
fn journal(out: &mut String, journal: Option<&State>) -> std::fmt::Result {
    let Some(State {
        path,
        bytes: size,
        written,
        dropped_busy,
        dropped_full,
        dropped_failed,
        failing: _,
    }) = journal
    else {
        return Ok(());
    };
    let dropped = dropped_busy + dropped_full + dropped_failed;
    let dropped = match dropped {
        0 => String::new(),
        dropped => format!(", {} DROPPED", count(dropped)),
    };
    writeln!(
        out,
        "  journal     {}, {} entries{dropped}, {path}",
        bytes(*size),
        count(*written)
    )
}

/// Ring and queue usage, and the current rates.
fn load(out: &mut String, status: &Status) -> std::fmt::Result {
    let Status {
        ring, queue, rates, ..
    } = status;
    writeln!(
        out,
        "  ring        {}, at most {} waiting, {} packets lost",
        bytes(ring.bytes),
        bytes(ring.waiting),
        count(ring.full)
    )?;
    writeln!(
        out,
        "  queue       {} of {} waiting, {} in flight, {}",
        count(queue.waiting),
        count(queue.room),
        count(queue.in_flight),
        bytes(queue.bytes)
    )?;
    writeln!(
        out,
        "  now         {} packets, {} copied, {} exchanges, {} replays",
        rate(rates.packets),
        rate(rates.emitted),
        rate(rates.exchanges),
        rate(rates.replayed)
    )
}

/// The last automatic actions of the agent.
fn trips(out: &mut String, status: &Status) -> std::fmt::Result {
    for lane in &status.lanes {
        if let Some(trip) = &lane.paused {
            writeln!(
                out,
                "  PAUSED      {} by {}: {}",
                lane.name,
                trip.rule,
                captured(&trip.reason, 200)
            )?;
        }
        if lane.breaker != BreakerState::Closed {
            writeln!(
                out,
                "  BREAKER     {} is left alone: it fails ({})",
                lane.name,
                lane.breaker.as_str()
            )?;
        }
    }
    let skipped = status.trips.len().saturating_sub(TRIPS);
    for trip in status.trips.iter().skip(skipped) {
        let target = trip
            .target
            .as_ref()
            .map_or_else(String::new, |name| format!("{name}: "));
        let until = trip
            .until_ms
            .map_or_else(String::new, |at| format!("; until {}", clock(at)));
        writeln!(
            out,
            "  {}  {}, {target}{}{until}",
            clock(trip.at_ms),
            trip.rule,
            captured(&trip.reason, 200)
        )?;
    }
    Ok(())
}

/// One line for each target, if there are several; the sections below are about the first.
fn lanes(out: &mut String, status: &Status) -> std::fmt::Result {
    if status.lanes.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\nTargets; what follows is of the first")?;
    for Lane {
        name,
        role,
        url,
        queue,
        funnel,
        match_rate,
        ruling,
        ..
    } in &status.lanes
    {
        writeln!(
            out,
            "  {name:<12} {:<8} {}   {} waiting, {} in flight, {} skipped, {} replayed, {} shadow errors, {}, {}",
            role.as_str(),
            url.as_deref().unwrap_or("nowhere"),
            count(queue.waiting),
            count(queue.in_flight),
            count(funnel.skipped_total),
            count(funnel.replayed),
            count(funnel.shadow_errors),
            matches(match_rate),
            ruling.as_str(),
        )?;
    }
    writeln!(out)
}

fn evidence(out: &mut String, status: &Status) -> std::fmt::Result {
    let Status {
        latency,
        match_rate,
        ruling,
        ..
    } = status;
    writeln!(out, "\n  match rate  {}", proportion(match_rate))?;
    let (production, shadow) = (&latency.production.first_byte, &latency.shadow.first_byte);
    if production.count > 0 && shadow.count > 0 {
        writeln!(
            out,
            "  first byte  production p50 {}, p99 {}; shadow p50 {}, p99 {}",
            micros(production.p50_us),
            micros(production.p99_us),
            micros(shadow.p50_us),
            micros(shadow.p99_us)
        )?;
    }
    if let Some(first) = status.lanes.first() {
        checked(out, first)?;
    }
    writeln!(out, "  so far      {}", ruling.as_str())
}

/// The busy route of which the least is verified, and the detection power.
fn checked(out: &mut String, lane: &Lane) -> std::fmt::Result {
    let all = lane.routes.iter().map(|route| route.exchanges).sum::<u64>();
    let busy = lane
        .routes
        .iter()
        .filter(|route| route.exchanges.saturating_mul(100) >= all);
    let least = busy
        .filter_map(|route| Some((route.verified?, &route.route)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    if let Some((share, route)) = least {
        writeln!(
            out,
            "  verified    {} of the values, at the least, of each route with 1 % of the traffic ({})",
            percent(share),
            captured(route, 100)
        )?;
    }
    let power = &lane.power;
    if let (Some(rate), Some(low), Some(high)) = (power.rate, power.low, power.high) {
        writeln!(
            out,
            "  power       would have caught {} of {} planted faults (95 % interval {} to {})",
            percent(rate),
            count(power.trials),
            percent(low),
            percent(high)
        )?;
    }
    Ok(())
}

fn why(killed: &Killed) -> String {
    let Killed {
        who,
        why,
        at_ms,
        rule: _,
        resume_at_ms,
    } = killed;
    if who.is_empty() {
        return "by the kernel program's switch; who did it is not known".to_owned();
    }
    let at = clock(*at_ms);
    let until = resume_at_ms.map_or_else(String::new, |at| {
        format!("; resumes automatically at {}", clock(at))
    });
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", captured(why, 200))
    };
    format!("by {} at {at}{why}{until}", captured(who, 100))
}

fn clock(at_ms: u64) -> String {
    // The end of the year 9999; later times have no such text form.
    let at = Duration::from_millis(at_ms.min(253_402_300_799_000));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + at).to_string()
}

/// An interface, with its method and its place among other programs.
/// Namespaces that are shown.
const NAMESPACES: usize = 10;

/// Those that are not seen as they should be come first.
fn namespaces(out: &mut String, all: &[Inside]) -> std::fmt::Result {
    let mut all: Vec<&Inside> = all.iter().collect();
    all.sort_by_key(|one| one.blind.is_none());
    for (at, one) in all.iter().take(NAMESPACES).enumerate() {
        let head = if at == 0 { "namespaces" } else { "" };
        let interfaces = one.interfaces.join(", ");
        let what = match (&one.blind, &one.text) {
            (None, _) => format!("both directions seen ({interfaces})"),
            (Some(blind), None) => format!("{blind} ({interfaces})"),
            (Some(blind), Some(text)) => format!("{blind}: {}", captured(text, 200)),
        };
        writeln!(out, "  {head:<11} {}  {what}", captured(&one.name, 120))?;
    }
    match all.len().checked_sub(NAMESPACES) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  {:<11} and {more} more", ""),
    }
}

fn interface(at: &Attached) -> String {
    let Attached {
        name,
        method,
        before_ingress,
        before_egress,
    } = at;
    let place = match (before_ingress, before_egress) {
        (Some(ingress), Some(egress)) if ingress.is_empty() && egress.is_empty() => String::new(),
        (Some(ingress), Some(egress)) => format!(", behind {} others", ingress.len().max(egress.len())),
        _ => ", its place among other programs is unknown".to_owned(),
    };
    format!("{name} ({method}{place})")
}
