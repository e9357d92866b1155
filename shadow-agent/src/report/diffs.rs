//! Groups of differences and single cases, as text.

use std::{fmt::Write as _, time::Duration};

use shadow_core::{
    case::Case,
    evidence::report::{Group, Standing, TrendDirection},
};

use super::side::{self, Row};
use crate::figures::{captured, count, micros, percent, span};

/// Characters of a captured value in a list.
const WIDE: usize = 100;

/// The least width of one column of a side-by-side view.
const NARROW: usize = 24;

/// Groups in the given order, one line each with an example.
pub fn list(groups: &[&Group], overflow: u64) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write_list(&mut out, groups, overflow).unwrap_or_default();
    out
}

fn write_list(out: &mut String, groups: &[&Group], overflow: u64) -> std::fmt::Result {
    if groups.is_empty() {
        writeln!(out, "No differences.")?;
    }
    for group in groups {
        writeln!(
            out,
            "{}  {:<11} {:>9} exchanges, {:>9}{}  {}: {}{}",
            group.id,
            standing(group.standing),
            count(group.exchanges),
            group.rate.rate.map_or_else(|| "-".to_owned(), percent),
            trend(group),
            captured(&group.route, WIDE),
            group.category,
            place(group),
        )?;
        if let Some(sample) = group.samples.first() {
            writeln!(
                out,
                "{:14}{} -> {}",
                "",
                captured(&sample.production, WIDE / 2),
                captured(&sample.shadow, WIDE / 2)
            )?;
        }
    }
    if overflow > 0 {
        writeln!(
            out,
            "{} more differences found no place: raise evidence.groups",
            count(overflow)
        )?;
    }
    Ok(())
}

/// The standing of a group in one word.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Regression => "differs",
        Standing::Undecided => "undecided",
        Standing::Noise => "noise",
        Standing::AfterSkippedWrite => "explained",
    }
}

/// An arrow, if the rate is known to change.
pub fn trend(group: &Group) -> &'static str {
    match group.trend.direction {
        TrendDirection::Rising => " rising",
        TrendDirection::Steady => "",
        TrendDirection::Falling => " falling",
    }
}

fn place(group: &Group) -> String {
    if group.place.is_empty() {
        String::new()
    } else {
        format!(" at {}", captured(&group.place, WIDE))
    }
}

/// All details of one group.
pub fn group(group: &Group) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write_group(&mut out, group).unwrap_or_default();
    out
}

fn write_group(out: &mut String, group: &Group) -> std::fmt::Result {
    writeln!(
        out,
        "{}  {}: {}{}",
        group.id,
        captured(&group.route, WIDE),
        group.category,
        place(group)
    )?;
    let rate = group.rate.rate.map_or_else(|| "unknown".to_owned(), percent);
    writeln!(
        out,
        "  {} exchanges ({rate} of the route's), {} differences{}; {}",
        count(group.exchanges),
        count(group.discrepancies),
        trend(group),
        standing(group.standing),
    )?;
    let lasted = Duration::from_nanos(group.last_ns.saturating_sub(group.first_ns));
    writeln!(out, "  first to last seen: {}", span(lasted))?;
    if group.after_skipped_write > 0 {
        writeln!(
            out,
            "  {} of them after a write that the shadow system did not see",
            count(group.after_skipped_write)
        )?;
    }
    for shift in &group.shifts {
        let background = shift.background.as_ref().map_or_else(
            || "no background".to_owned(),
            |background| {
                format!(
                    "background {} of {} pairs ({})",
                    count(background.pairs.successes),
                    count(background.pairs.trials),
                    background.source
                )
            },
        );
        writeln!(
            out,
            "  {} -> {}{}: {} exchanges, {background}: {}",
            captured(&shift.production, WIDE),
            captured(&shift.shadow, WIDE),
            if shift.apart.is_empty() {
                String::new()
            } else {
                format!(" ({})", shift.apart)
            },
            count(shift.observed.successes),
            standing(shift.standing)
        )?;
    }
    for sample in &group.samples {
        writeln!(out, "\n  {}", captured(&sample.target, WIDE))?;
        writeln!(out, "    at          {}", captured(&sample.place, WIDE))?;
        writeln!(out, "    production  {}", captured(&sample.production, WIDE))?;
        writeln!(out, "    shadow      {}", captured(&sample.shadow, WIDE))?;
    }
    Ok(())
}

/// One case: the request, and both answers side by side within `width` columns.
pub fn case(case: &Case, width: usize) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write_case(&mut out, case, width).unwrap_or_default();
    out
}

fn write_case(out: &mut String, case: &Case, width: usize) -> std::fmt::Result {
    let at = std::time::UNIX_EPOCH + Duration::from_millis(case.at_ms);
    writeln!(
        out,
        "Case {}  {}  {} -> {}  target {}",
        case.id,
        humantime::format_rfc3339_seconds(at),
        case.client,
        case.server,
        captured(&case.target, WIDE)
    )?;
    for line in side::request(case) {
        writeln!(out, "  {}", captured(&line, width.saturating_sub(2)))?;
    }
    writeln!(out, "\nDifferences")?;
    for found in &case.discrepancies {
        writeln!(
            out,
            "  {} at {}: {} -> {}",
            found.category.as_str(),
            captured(&found.place, WIDE),
            captured(&found.production, WIDE),
            captured(&found.shadow, WIDE)
        )?;
    }
    if let Some(failure) = &case.failure {
        writeln!(out, "  the shadow system did not answer: {failure}")?;
    }
    let column = (width.saturating_sub(3) / 2).max(NARROW);
    let time =
        |us: Option<u64>| us.map_or_else(String::new, |us| format!(", first byte after {}", micros(us)));
    let shadow = case.shadow.as_ref().and_then(|shadow| shadow.first_byte_us);
    writeln!(out)?;
    beside(
        out,
        column,
        ' ',
        &format!("production{}", time(case.production.first_byte_us)),
        &format!("shadow{}", time(shadow)),
    )?;
    for row in side::rows(case) {
        match row {
            Row::Same(line) => beside(out, column, ' ', &line, &line)?,
            Row::Differs(left, right) => {
                let mark = match (&left, &right) {
                    (Some(_), Some(_)) => '|',
                    (Some(_), None) => '<',
                    _ => '>',
                };
                beside(
                    out,
                    column,
                    mark,
                    &left.unwrap_or_default(),
                    &right.unwrap_or_default(),
                )?;
            }
            Row::Left(lines) => writeln!(out, "{:>column$}", format!("... {lines} equal lines ..."))?,
        }
    }
    Ok(())
}

/// Long lines continue in the next row.
fn beside(out: &mut String, column: usize, mark: char, left: &str, right: &str) -> std::fmt::Result {
    let (left, right) = (wrapped(left, column), wrapped(right, column));
    let none = String::new();
    for at in 0..left.len().max(right.len()) {
        let (left, right) = (left.get(at).unwrap_or(&none), right.get(at).unwrap_or(&none));
        let line = format!("{left:<column$} {mark} {right}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn wrapped(line: &str, column: usize) -> Vec<String> {
    let shown: Vec<char> = captured(line, usize::MAX).chars().collect();
    if shown.is_empty() {
        return vec![String::new()];
    }
    shown.chunks(column).map(|chunk| chunk.iter().collect()).collect()
}
