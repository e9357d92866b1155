//! Causes as text: what changed, where, what the requests have in common, and what to do next.

use std::fmt::Write as _;

use shadow_core::evidence::{
    Proportion,
    report::{Cause, Separates, Standing},
};

use super::bounds::WIDE;
use crate::figures::{captured, count, percent};

/// Causes that a report begins with.
pub const CAUSES: usize = 5;

/// Causes that are listed, the further ones on one line each.
pub const LISTED: usize = 30;

/// Routes of one cause that are listed.
const ALL_ROUTES: usize = 20;

/// Routes that are named.
const ROUTES: usize = 3;

/// Writes the first causes, each on at most three lines, further ones on one, and the next steps.
pub(super) fn write(out: &mut String, causes: &[Cause], more: u64) -> std::fmt::Result {
    let Some(first) = causes.first() else {
        return Ok(());
    };
    writeln!(out, "\nCauses, the most harmful first")?;
    for (at, cause) in causes.iter().take(CAUSES).enumerate() {
        writeln!(out, "  {}. {}", at + 1, title(cause))?;
        if let Some(feature) = cause.features.first() {
            writeln!(out, "       {}", separates(feature))?;
        }
        writeln!(out, "       {}  {}", cause.id, example(cause))?;
    }
    for (at, cause) in causes.iter().enumerate().take(LISTED).skip(CAUSES) {
        writeln!(out, "{:>3}. {}  {}", at + 1, title(cause), cause.id)?;
    }
    let hidden = more.saturating_add(causes.len().saturating_sub(LISTED) as u64);
    if hidden > 0 {
        writeln!(
            out,
            "  and {} more; `shadow report --json` has them",
            count(hidden)
        )?;
    }
    writeln!(out, "\nNext")?;
    let id = &first.id;
    writeln!(out, "  shadow diffs show {id}          both answers side by side")?;
    writeln!(
        out,
        "  shadow accept {id} --why TEXT   if the change is wanted: the rule, tried on recorded cases"
    )
}

/// Everything about one cause.
pub fn cause(cause: &Cause) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write_cause(&mut out, cause).unwrap_or_default();
    out
}

fn write_cause(out: &mut String, cause: &Cause) -> std::fmt::Result {
    writeln!(out, "{}  {}", cause.id, title(cause))?;
    for feature in &cause.features {
        writeln!(
            out,
            "  {} (the shares differ by {} to {})",
            separates(feature),
            percent(feature.low.abs().min(feature.high.abs())),
            percent(feature.low.abs().max(feature.high.abs()))
        )?;
    }
    for route in cause.routes.iter().take(ALL_ROUTES) {
        let name = captured(&route.route, WIDE);
        writeln!(out, "  {} of {}: {name}", count(route.exchanges), count(route.of))?;
    }
    let hidden = cause.routes.len().saturating_sub(ALL_ROUTES);
    if hidden > 0 {
        writeln!(out, "  and {} more routes", count(hidden as u64))?;
    }
    writeln!(out, "  groups: {}", cause.groups.join(" "))?;
    if !cause.with_it.is_empty() {
        writeln!(out, "  groups that come with it: {}", cause.with_it.join(" "))?;
    }
    Ok(())
}

/// `739 exchanges on 41 routes (8.3 %): status 200 -> 401`.
pub fn title(cause: &Cause) -> String {
    format!(
        "{} {}: {}",
        exchanges(cause.exchanges),
        place(cause),
        captured(&cause.change, WIDE)
    )
}

/// The routes of a cause with its share of them.
pub fn place(cause: &Cause) -> String {
    let share = cause
        .rate
        .rate
        .map_or_else(String::new, |rate| format!(" ({})", percent(rate)));
    let standing = if cause.standing == Standing::Undecided {
        ", undecided"
    } else {
        ""
    };
    match cause.routes.as_slice() {
        [only] => format!("of {}{share}{standing}", captured(&only.route, WIDE)),
        routes => format!("on {} routes{share}{standing}", count(routes.len() as u64)),
    }
}

/// `1 exchange`, `2 exchanges`.
pub fn exchanges(number: u64) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} exchange{s}", count(number))
}

/// `all 739 carry Authorization; none of 8,114 others do`.
pub fn separates(feature: &Separates) -> String {
    let Separates {
        says, with, others, ..
    } = feature;
    let (verb, rest) = says.split_once(' ').unwrap_or((says, ""));
    let [of, of_others] = [part(with), part(others)];
    // One request is the subject of a verb in the singular; there are always more.
    let again = match verb {
        "are" | "were" => verb,
        "came" => "did",
        _ => "do",
    };
    format!("{of} {verb} {}; {of_others} others {again}", captured(rest, WIDE))
}

/// `all 739`, `none of 8,114`, `12 of 8,114`.
fn part(share: &Proportion) -> String {
    let all = count(share.trials);
    match share.successes {
        0 => format!("none of {all}"),
        some if some == share.trials => format!("all {all}"),
        some => format!("{} of {all}", count(some)),
    }
}

/// The routes of a cause, if it has several, or else an example.
fn example(cause: &Cause) -> String {
    let target = cause.sample.as_ref().map_or_else(String::new, |sample| {
        format!("for example {}", captured(&sample.target, WIDE))
    });
    if cause.routes.len() < 2 {
        return target;
    }
    let named: Vec<String> = cause
        .routes
        .iter()
        .take(ROUTES)
        .map(|route| captured(&route.route, WIDE))
        .collect();
    let more = cause.routes.len().saturating_sub(ROUTES);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join(", "))
}
