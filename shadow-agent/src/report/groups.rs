//! The groups of the report as text: first those that count, then briefly those that are excused, with the reason.

use std::fmt::Write as _;

use shadow_core::evidence::report::{Compared, Group, Report, Scope, Shift, Standing, Third, TrendDirection};

use super::bounds::{WIDE, more};
use crate::figures::{captured, count, percent};

/// Groups that are shown.
pub const GROUPS: usize = 20;
/// Excused groups that are shown, of each kind.
const EXCUSED: usize = 10;
/// Characters of a value.
const VALUE: usize = 60;

/// Writes all groups.
pub(super) fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    let of = |which: &dyn Fn(Standing) -> bool| -> Vec<&Group> {
        report
            .groups
            .iter()
            .filter(|group| which(group.standing))
            .collect()
    };
    let counted = of(&|standing| !standing.is_excused());
    if !counted.is_empty() {
        writeln!(out, "\nDifferences, the most harmful first")?;
        for (at, group) in counted.iter().take(GROUPS).enumerate() {
            self::group(out, at + 1, group, &report.scope)?;
        }
        more(out, counted.len(), GROUPS, "groups")?;
    }
    if report.groups_overflow > 0 {
        let overflow = count(report.groups_overflow);
        writeln!(
            out,
            "  {overflow} more differences found no place: raise evidence.groups"
        )?;
    }
    let noise = of(&|standing| standing == Standing::Noise);
    excused(
        out,
        &noise,
        "Noise: a system differs from itself as much; `shadow noise` proposes rules",
    )?;
    let written = of(&|standing| standing == Standing::AfterSkippedWrite);
    excused(
        out,
        &written,
        "Explained: the shadow system did not see the write before",
    )
}

/// One group on at most three lines: the place, an example, and what is known of its most frequent shift.
fn group(out: &mut String, number: usize, group: &Group, scope: &Scope) -> std::fmt::Result {
    let Group {
        exchanges,
        samples,
        after_skipped_write,
        ..
    } = group;
    write!(
        out,
        "  {number}. {} exchanges{}: {}",
        count(*exchanges),
        rate(group),
        name(group)
    )?;
    match *after_skipped_write {
        0 => writeln!(out)?,
        explained => writeln!(out, "; skipped writes explain {}", count(explained))?,
    }
    if let Some(sample) = samples.first() {
        let [production, shadow] = [&sample.production, &sample.shadow].map(|value| captured(value, VALUE));
        writeln!(
            out,
            "       {} {production}, {} {shadow}: for example {}",
            scope.production(),
            scope.shadow(),
            captured(&sample.target, WIDE)
        )?;
    }
    let mut listed = group.shifts.iter().filter(|shift| shift.background.is_some());
    let Some(first) = listed.next() else {
        return Ok(());
    };
    shift(out, first, listed.count())
}

/// `GET /users/{id}: value at $.price`.
pub(super) fn name(group: &Group) -> String {
    let Group {
        route,
        category,
        place,
        ..
    } = group;
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(" at {}", captured(place, WIDE))
    };
    format!("{}: {category}{place}", captured(route, WIDE))
}

fn rate(group: &Group) -> String {
    let Some(rate) = group.rate.rate else {
        return String::new();
    };
    let trend = match group.trend.direction {
        TrendDirection::Rising => ", rising",
        TrendDirection::Falling => ", falling",
        TrendDirection::Steady => "",
    };
    format!(" ({} of the route{trend})", percent(rate))
}

fn shift(out: &mut String, shift: &Shift, further: usize) -> std::fmt::Result {
    let standing = match shift.standing {
        Standing::Noise => "noise",
        Standing::Undecided => "undecided: too few answers to tell",
        Standing::Regression | Standing::AfterSkippedWrite => "a difference",
    };
    let further = match further {
        0 => String::new(),
        1 => "; 1 other shift".to_owned(),
        more => format!("; {} other shifts", count(more as u64)),
    };
    writeln!(out, "       {}: {standing}{further}", against(shift))
}

/// `uuid -> null in 7 of 2,000; in 0 of 98 pairs (twice)`.
pub(super) fn against(shift: &Shift) -> String {
    let Shift {
        production,
        shadow,
        apart,
        observed,
        background,
        why: _,
        production_again,
        shadow_again,
        standing: _,
    } = shift;
    let apart = if apart.is_empty() {
        String::new()
    } else {
        format!(", {apart},")
    };
    let background = match background {
        None => "no pairs to hold it against".to_owned(),
        Some(Compared { source, pairs, .. }) => format!(
            "in {} of {} pairs ({source})",
            count(pairs.successes),
            count(pairs.trials)
        ),
    };
    let again = [("production", production_again), ("shadow system", shadow_again)]
        .map(|(who, third)| again(who, third));
    format!(
        "{production} -> {shadow}{apart} in {} of {} exchanges; {background}{}",
        count(observed.successes),
        count(observed.trials),
        again.concat()
    )
}

/// The result when a system answered the same request again.
fn again(who: &str, third: &Third) -> String {
    let Third {
        stays,
        reverts,
        varies,
    } = *third;
    let all = stays + reverts + varies;
    if all == 0 {
        return String::new();
    }
    format!(
        "; {who} asked again {}: stays {}, goes {}, varies {}",
        count(all),
        count(stays),
        count(reverts),
        count(varies)
    )
}

fn excused(out: &mut String, groups: &[&Group], title: &str) -> std::fmt::Result {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for group in groups.iter().take(EXCUSED) {
        writeln!(out, "  {} exchanges: {}", count(group.exchanges), name(group))?;
    }
    more(out, groups.len(), EXCUSED, "groups")
}
