//! Differences, ranked, with an exchange of each side by side. Noise and explained differences are listed separately.

use maud::{Markup, html};
use shadow_core::{
    case::Case,
    evidence::report::{Group, Report, Sample, Scope, Standing},
};

use super::{BUDGET, CASES, GROUPS, History, ROWS, shown, time};
use crate::{
    figures::{captured, count, percent},
    report::{
        diffs::{standing, trend},
        side::{self, Row},
    },
};

/// Characters of one line of a body.
const LINE: usize = 400;

/// Groups that are open initially.
const OPEN: usize = 2;

pub(super) fn section(report: &Report, history: &History) -> Markup {
    let of = |wanted: &[Standing]| -> Vec<&Group> {
        report
            .groups
            .iter()
            .filter(|group| wanted.contains(&group.standing))
            .collect()
    };
    let differing = of(&[Standing::Regression, Standing::Undecided]);
    let noise = of(&[Standing::Noise]);
    let explained = of(&[Standing::AfterSkippedWrite]);
    let mut room = Room {
        cases: CASES,
        bytes: BUDGET,
    };
    html! {
        h2 { "Differences" @if !differing.is_empty() { ", the most harmful first" } }
        @if differing.is_empty() { p.soft { "None that nothing excuses." } }
        (list(report, &differing, history, &mut room, OPEN))
        @if report.groups_overflow > 0 {
            p.soft { (count(report.groups_overflow)) " more differences found no place in the report: raise evidence.groups." }
        }
        @if !noise.is_empty() {
            h2 { "Noise: a system differs from itself as much" }
            (list(report, &noise, history, &mut Room::none(), 0))
        }
        @if !explained.is_empty() {
            h2 { "Explained: after a write that " (report.scope.the_shadow()) " did not see" }
            (list(report, &explained, history, &mut Room::none(), 0))
        }
    }
}

/// The space that is left on the page.
struct Room {
    cases: usize,
    bytes: usize,
}

impl Room {
    fn none() -> Self {
        Self { cases: 0, bytes: 0 }
    }
}

fn list(report: &Report, groups: &[&Group], history: &History, room: &mut Room, open: usize) -> Markup {
    let mut shown_groups = Vec::new();
    for (at, group) in groups.iter().take(GROUPS).enumerate() {
        let case = history
            .cases
            .get(&group.id)
            .filter(|_| room.cases > 0 && room.bytes > 0);
        let case = case.map(|case| side_by_side(case, &report.scope).into_string());
        if let Some(case) = &case {
            room.cases -= 1;
            room.bytes = room.bytes.saturating_sub(case.len());
        }
        shown_groups.push(one(&report.scope, group, case, at < open));
    }
    let hidden = groups.len().saturating_sub(GROUPS);
    html! {
        @for group in shown_groups { (group) }
        @if hidden > 0 { p.soft { "and " (count(hidden as u64)) " more groups; `shadow diffs` lists them." } }
    }
}

fn one(scope: &Scope, group: &Group, case: Option<String>, open: bool) -> Markup {
    let first = group.samples.first();
    html! {
        details open[open] {
            summary {
                span.count { (count(group.exchanges)) }
                span { code { (shown(&group.route)) } }
                span { b { (group.category) } @if !group.place.is_empty() { " at " code { (shown(&group.place)) } } }
                span.tag { (group.rate.rate.map_or_else(|| "-".to_owned(), percent)) " of the route" }
                span.tag { (standing(group.standing)) (trend(group)) }
                @if let Some(Sample { production, shadow, .. }) = first {
                    span.soft.small { code { (captured(production, 60)) " \u{2192} " (captured(shadow, 60)) } }
                }
            }
            div {
                p.soft.small { "group " code { (group.id) } ": `shadow diffs show " (group.id) "`, `shadow diffs ignore " (group.id) "`" }
                @for shift in group.shifts.iter().take(6) {
                    p.small {
                        code { (shown(&shift.production)) " \u{2192} " (shown(&shift.shadow)) } " "
                        (count(shift.observed.successes)) " exchanges, " (standing(shift.standing))
                        @if let Some(background) = &shift.background {
                            "; background " (count(background.pairs.successes)) " of " (count(background.pairs.trials))
                            " pairs (" (background.source) ")"
                        }
                    }
                }
                div.scroll { table {
                    tr { th { "request" } th { "place" } th { (scope.production()) } th { (scope.shadow()) } }
                    @for sample in group.samples.iter().take(5) {
                        tr { td { code { (shown(&sample.target)) } } td { code { (shown(&sample.place)) } }
                            td { code { (shown(&sample.production)) } } td { code { (shown(&sample.shadow)) } } }
                    }
                } }
                @if let Some(case) = case { (maud::PreEscaped(case)) }
            }
        }
    }
}

fn side_by_side(case: &Case, scope: &Scope) -> Markup {
    let rows = side::rows(case);
    let hidden = rows.len().saturating_sub(ROWS);
    let cell = |line: &Option<String>| line.as_ref().map(|line| captured(line, LINE)).unwrap_or_default();
    html! {
        h3 { "Case " (case.id) ", " (time(case.at_ms)) }
        p.soft.small { "Coloured: what differs as text, also what no rule compares (most header fields) or what is noise." }
        pre.scroll { @for line in side::request(case).iter().take(30) { (captured(line, LINE)) "\n" } }
        table.side.code {
            tr { th { (scope.production()) } th { (scope.shadow()) } }
            @for row in rows.iter().take(ROWS) {
                @match row {
                    Row::Same(line) => tr { td { (captured(line, LINE)) } td { (captured(line, LINE)) } },
                    Row::Differs(left, right) => tr {
                        td class=[left.as_ref().map(|_| "del")] { (cell(left)) }
                        td class=[right.as_ref().map(|_| "add")] { (cell(right)) }
                    },
                    Row::Left(lines) => tr { td.skip colspan="2" { (lines) " equal lines" } },
                }
            }
        }
        @if hidden > 0 { p.soft.small { (count(hidden as u64)) " more rows; `shadow diffs show " (case.id) "` shows them." } }
    }
}
