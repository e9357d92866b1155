//! The groups of the report as text: first those that count, then briefly those that are excused, with the reason.

use std::fmt::Write as _;

use shadow_core::evidence::report::{Compared, Group, Report, Scope, Shift, Standing, Third, TrendDirection};

use super::bounds::{WIDE, more};
use crate::figures::{captured, count, percent};

/// Groups that are shown.
pub const GROUPS: usize = 20;
/// Excused groups that are shown, of each kind.
const EXCUSED: usize = 10;
/// Shifts of one group that are shown.
const SHIFTS: usize = 3;

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

fn group(out: &mut String, number: usize, group: &Group, scope: &Scope) -> std::fmt::Result {
    let Group {
        exchanges,
        samples,
        after_skipped_write,
        ..
    } = group;
    writeln!(
        out,
        "  {number}. {} exchanges{}: {}",
        count(*exchanges),
        rate(group),
        name(group)
    )?;
    if *after_skipped_write > 0 {
        let explained = count(*after_skipped_write);
        writeln!(out, "       {explained} of these are explained by skipped writes")?;
    }
    let told: Vec<&Shift> = group
        .shifts
        .iter()
        .filter(|shift| shift.background.is_some())
        .collect();
    for shift in told.iter().take(SHIFTS) {
        self::shift(out, shift)?;
    }
    if let Some(sample) = samples.first() {
        writeln!(out, "       for example {}", captured(&sample.target, WIDE))?;
        for (name, value) in [
            (scope.production(), &sample.production),
            (scope.shadow(), &sample.shadow),
        ] {
            writeln!(out, "       {name:<11} {}", captured(value, WIDE))?;
        }
    }
    Ok(())
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

fn shift(out: &mut String, shift: &Shift) -> std::fmt::Result {
    let standing = match shift.standing {
        Standing::Noise => "noise",
        Standing::Undecided => "undecided: too few answers to tell",
        Standing::Regression | Standing::AfterSkippedWrite => "a difference",
    };
    writeln!(out, "       {}: {standing}", against(shift))
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
