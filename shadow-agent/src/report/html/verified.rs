//! How much of each route was compared, and how many planted faults would have been found.

use maud::{Markup, html};
use shadow_core::evidence::{
    Proportion,
    report::{Report, Route, Verified},
};

use super::{ROUTES, shown};
use crate::figures::{count, percent};

/// Places of missed faults that are shown.
const MISSED: usize = 12;

pub(super) fn section(report: &Report) -> Markup {
    let power = &report.power;
    let caught = |route: &str| {
        let row = power.by_route.iter().find(|row| row.route == route);
        row.map(|row| row.caught).filter(|caught| caught.trials > 0)
    };
    let mut rows: Vec<(&Route, Option<&Verified>, Option<Proportion>)> = report
        .routes
        .iter()
        .map(|route| (route, route.verified.as_ref(), caught(&route.route)))
        .filter(|(_, verified, caught)| verified.is_some() || caught.is_some())
        .collect();
    // A route without content comes last.
    let share = |verified: Option<&Verified>| verified.map_or(2.0, Verified::share);
    rows.sort_by(|(_, a, _), (_, b, _)| share(*a).total_cmp(&share(*b)));
    html! {
        @if !rows.is_empty() {
            h2 { "Verified content and detection power" }
            (sentence(&power.caught))
            div.scroll { table {
                tr { th { "route, the least verified first" } th.n { "values" } th.n { "exactly" } th.n { "by rule" } th.n { "by format" }
                    th.n { "noise" } th.n { "by digest" } th.n { "not at all" } th.n { "planted faults found" } }
                @for (route, verified, caught) in rows.iter().take(ROUTES) {
                    tr {
                        td { code { (shown(&route.route)) } }
                        @match verified {
                            Some(verified) => {
                                td.n { (format!("{:.1}", verified.leaves)) }
                                @for share in [verified.exact, verified.by_rule, verified.by_format,
                                    verified.noise, verified.by_digest, verified.not] {
                                    td.n { (percent(share.leaves)) }
                                }
                            }
                            None => { td.soft colspan="7" { "no content" } }
                        }
                        td.n { (caught.as_ref().map_or_else(|| "-".to_owned(), found)) }
                    }
                }
            } }
            @if rows.len() > ROUTES {
                p.soft { "and " (count((rows.len() - ROUTES) as u64)) " more routes" }
            }
            @if !power.missed.is_empty() {
                h3 { "Where planted faults would have been missed" }
                div.scroll { table {
                    tr { th { "route" } th { "place" } th.n { "missed" } th { "why" } }
                    @for missed in power.missed.iter().take(MISSED) {
                        tr {
                            td { code { (shown(&missed.route)) } }
                            td { code { (shown(&missed.place)) } }
                            td.n { (count(missed.count)) }
                            td { (shown(&missed.why.replace('_', " "))) }
                        }
                    }
                } }
            }
        }
    }
}

fn sentence(caught: &Proportion) -> Markup {
    html! {
        @match (caught.rate, caught.low, caught.high) {
            (Some(rate), Some(low), Some(high)) => {
                p {
                    "The comparison would have caught " b { (percent(rate)) } " of " (count(caught.trials))
                    " planted faults (95 % interval " (percent(low)) " to " (percent(high)) ")."
                }
            }
            _ => { p.soft { "No fault was planted yet." } }
        }
    }
}

fn found(caught: &Proportion) -> String {
    let rate = caught.rate.map_or_else(|| "-".to_owned(), percent);
    format!("{rate} of {}", count(caught.trials))
}
