//! Two reports side by side: which differences are new, gone, worse, or as they were.
//!
//! Groups have the same id in every run, so they are what is compared; the rates are compared by the interval of their
//! difference. Bias: what was not looked at in one of the runs is neither new nor gone.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use shadow_core::evidence::{
    Proportion, newcombe,
    report::{Cause, Group, Report},
};

use super::groups;
use crate::figures::{captured, count, percent};

/// Groups of each kind that are shown.
const SHOWN: usize = 20;

/// The change of a difference since the other run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is in this run only.
    New,
    /// It is more frequent: the whole interval of the difference is above zero.
    Worse,
    /// It is less frequent.
    Better,
    /// No known change.
    Unchanged,
    /// It is in the other run only, and its route was compared in this one.
    Gone,
    /// Its route was not compared in one of the runs.
    NotCompared,
}

/// One difference in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row<'r> {
    /// The id of the group.
    pub id: &'r str,
    /// Method and path template.
    pub route: &'r str,
    /// The kind of difference.
    pub category: &'r str,
    /// Its place.
    pub place: &'r str,
    /// Its change.
    pub change: Change,
    /// The id of its cause in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'r str>,
    /// Share of the route's exchanges in this run.
    pub now: Proportion,
    /// Share in the other run.
    pub before: Proportion,
    /// Interval of the difference of both shares.
    pub interval: Option<(f64, f64)>,
    #[serde(skip)]
    group: &'r Group,
}

/// All differences of two runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Against<'r> {
    /// New ones first.
    pub rows: Vec<Row<'r>>,
}

impl<'r> Against<'r> {
    /// Compares a report with another one.
    pub fn of(now: &'r Report, before: &'r Report) -> Self {
        let counted = |report: &'r Report| -> BTreeMap<&'r str, &'r Group> {
            let groups = report.groups.iter().filter(|group| !group.standing.is_excused());
            groups.map(|group| (group.id.as_str(), group)).collect()
        };
        let (ours, theirs) = (counted(now), counted(before));
        let mut rows: Vec<Row<'r>> = ours
            .values()
            .map(|group| row(group, theirs.get(group.id.as_str()).copied(), now, before))
            .collect();
        let gone = theirs
            .values()
            .filter(|group| !ours.contains_key(group.id.as_str()));
        rows.extend(gone.map(|group| missing(group, now)));
        rows.sort_by(|a, b| {
            a.change
                .cmp(&b.change)
                .then_with(|| b.group.exchanges.cmp(&a.group.exchanges))
                .then_with(|| a.id.cmp(b.id))
        });
        Self { rows }
    }

    /// Whether a difference is new, or worse.
    pub fn has(&self, change: Change) -> bool {
        self.rows.iter().any(|row| row.change == change)
    }

    /// As text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        self.write(&mut out).unwrap_or_default();
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let of = |change: Change| -> Vec<&Row<'_>> {
            self.rows.iter().filter(|row| row.change == change).collect()
        };
        for (change, title) in [
            (Change::New, "New"),
            (Change::Worse, "Worse"),
            (Change::Better, "Better"),
            (Change::Gone, "Gone"),
        ] {
            let rows = of(change);
            if rows.is_empty() {
                continue;
            }
            writeln!(out, "{title}")?;
            for row in rows.iter().take(SHOWN) {
                write_row(out, row)?;
            }
            let hidden = rows.len().saturating_sub(SHOWN);
            if hidden > 0 {
                writeln!(out, "  and {} more; --json shows all", count(hidden as u64))?;
            }
        }
        writeln!(
            out,
            "{} differences are unchanged; {} are on routes that only one of the runs compared",
            count(of(Change::Unchanged).len() as u64),
            count(of(Change::NotCompared).len() as u64)
        )
    }
}

fn row<'r>(group: &'r Group, other: Option<&'r Group>, now: &'r Report, before: &Report) -> Row<'r> {
    let was = other.map_or_else(
        || Proportion::new(0, replayed(before, &group.route)),
        |other| other.rate,
    );
    let interval = newcombe(
        (group.rate.successes, group.rate.trials),
        (was.successes, was.trials),
    );
    let change = match (other, interval) {
        (None, _) if was.trials == 0 => Change::NotCompared,
        (None, _) => Change::New,
        (Some(_), Some((low, _))) if low > 0.0 => Change::Worse,
        (Some(_), Some((_, high))) if high < 0.0 => Change::Better,
        (Some(_), _) => Change::Unchanged,
    };
    let is_of = |known: &&'r Cause| known.groups.contains(&group.id);
    Row {
        change,
        cause: now.causes.iter().find(is_of).map(|known| known.id.as_str()),
        now: group.rate,
        before: was,
        interval,
        ..bare(group)
    }
}

/// A difference that is only in the other run.
fn missing<'r>(group: &'r Group, now: &Report) -> Row<'r> {
    let is = Proportion::new(0, replayed(now, &group.route));
    Row {
        change: if is.trials == 0 {
            Change::NotCompared
        } else {
            Change::Gone
        },
        now: is,
        before: group.rate,
        interval: newcombe((0, is.trials), (group.rate.successes, group.rate.trials)),
        ..bare(group)
    }
}

fn bare(group: &Group) -> Row<'_> {
    Row {
        id: &group.id,
        route: &group.route,
        category: &group.category,
        place: &group.place,
        change: Change::Unchanged,
        cause: None,
        now: Proportion::default(),
        before: Proportion::default(),
        interval: None,
        group,
    }
}

/// Exchanges of a route with a verdict.
fn replayed(report: &Report, route: &str) -> u64 {
    let found = report.routes.iter().find(|known| known.route == route);
    found.map_or(0, |route| route.matched + route.mismatched + route.shadow_errors)
}

fn write_row(out: &mut String, row: &Row<'_>) -> std::fmt::Result {
    let share = |share: &Proportion| {
        let rate = share.rate.map_or_else(|| "unknown".to_owned(), percent);
        format!("{rate} of {}", count(share.trials))
    };
    writeln!(out, "  {}  {}", row.id, groups::name(row.group))?;
    let interval = row.interval.map_or_else(String::new, |(low, high)| {
        format!(
            "; by {:+.3} to {:+.3} percentage points",
            low * 100.0,
            high * 100.0
        )
    });
    let cause = row
        .cause
        .map_or_else(String::new, |cause| format!(", {}", captured(cause, 40)));
    writeln!(
        out,
        "       {} now, {} before{interval}{cause}",
        share(&row.now),
        share(&row.before)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadow_core::evidence::report::{Route, Standing};

    fn report(groups: &[(&str, u64, Standing)], routes: &[&str]) -> Report {
        Report {
            groups: groups
                .iter()
                .map(|(id, exchanges, standing)| Group {
                    id: (*id).to_owned(),
                    route: format!("GET /{}", &id[..1]),
                    category: "value".to_owned(),
                    place: "$.price".to_owned(),
                    exchanges: *exchanges,
                    rate: Proportion::new(*exchanges, 1_000),
                    standing: *standing,
                    ..Group::default()
                })
                .collect(),
            routes: routes
                .iter()
                .map(|route| Route {
                    route: format!("GET /{route}"),
                    matched: 1_000,
                    ..Route::default()
                })
                .collect(),
            ..Report::default()
        }
    }

    #[test]
    fn differences_are_new_worse_better_gone_or_as_they_were() {
        let (bad, noise) = (Standing::Regression, Standing::Noise);
        let before = report(
            &[
                ("a1", 100, bad),
                ("a2", 100, bad),
                ("a3", 100, bad),
                ("a4", 10, bad),
                ("a5", 50, noise),
                ("c1", 9, bad),
            ],
            &["a", "c"],
        );
        let now = report(
            &[
                ("a1", 300, bad),
                ("a2", 20, bad),
                ("a3", 104, bad),
                ("a5", 50, bad),
                ("b1", 7, bad),
            ],
            &["a", "b"],
        );
        let against = Against::of(&now, &before);
        let changes: BTreeMap<&str, Change> = against.rows.iter().map(|row| (row.id, row.change)).collect();
        let expected = [
            ("a1", Change::Worse),
            ("a2", Change::Better),
            ("a3", Change::Unchanged),
            ("a4", Change::Gone),
            ("a5", Change::New),
            ("b1", Change::NotCompared),
            ("c1", Change::NotCompared),
        ];
        assert_eq!(changes, expected.into());
        let text = against.text();
        assert!(
            text.starts_with("New\n  a5  GET /a: value at $.price\n"),
            "{text}"
        );
        assert!(
            text.contains("30 % of 1,000 now, 10 % of 1,000 before; by +1"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "1 differences are unchanged; 2 are on routes that only one of the runs compared\n"
            )
        );
        let same = Against::of(&now, &now);
        assert!(!same.has(Change::New) && !same.has(Change::Worse) && !same.has(Change::Gone));
    }
}
