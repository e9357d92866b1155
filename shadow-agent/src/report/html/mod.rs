//! The report as one page: no scripts, no external resources, readable in a minute.
//!
//! Every captured value goes through a template that escapes it; in addition, the page's own policy forbids scripts and
//! requests. Bounds: [`GROUPS`] groups, [`CASES`] cases of at most [`ROWS`] rows each, and [`BUDGET`] bytes of cases in
//! total, so many mismatches do not make it longer; it says what it leaves out.

mod causes;
mod funnel;
mod groups;
mod plot;
#[cfg(test)]
mod tests;
mod verdict;
mod verified;

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use shadow_core::{case::Case, compare::RuleUsage, evidence::report::Report};

use crate::figures::{captured, count, micros, percent, proportion, unread};
use crate::journal::{Event, Window};

/// Groups that are shown, of each kind.
pub const GROUPS: usize = 25;
/// Cases that are shown side by side.
pub const CASES: usize = 12;
/// Rows of one case.
pub const ROWS: usize = 120;
/// Bytes of all cases.
pub const BUDGET: usize = 1 << 20;
/// Routes that are shown.
const ROUTES: usize = 30;
/// Events that are shown.
const EVENTS: usize = 40;
/// Characters of a captured value.
const WIDE: usize = 300;

const STYLE: &str = include_str!("style.css");

/// The content of the page besides the report.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Windows of all routes together, oldest first.
    pub windows: Vec<Window>,
    /// Events, oldest first.
    pub events: Vec<Event>,
    /// A case for some groups, by the group's id.
    pub cases: BTreeMap<String, Case>,
    /// The reason why there is no history.
    pub missing: Option<String>,
}

/// The whole page.
pub fn page(report: &Report, history: &History) -> String {
    let body = html! {
        (verdict::section(report))
        (causes::section(report))
        (figures(report))
        h2 { "Match rate over time" }
        (over_time(report, history))
        (groups::section(report, history))
        h2 { "Latency" }
        (latency(report, history))
        h2 { "Coverage: from packets to verdicts" }
        (funnel::table(&report.funnel))
        (funnel::unseen(&report.funnel))
        (routes(report))
        (verified::section(report))
        (events(history))
        @for other in &report.also {
            h2 { "Also: " (shown(&other.target)) }
            (verdict::section(other))
            (causes::section(other))
            (figures(other))
            (groups::section(other, history))
            (verified::section(other))
        }
        (footer(report))
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "Shadow: " (report.judgement.ruling.as_str()) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// Captured text, cut and without characters that change the display.
fn shown(text: &str) -> String {
    captured(text, WIDE)
}

fn time(ms: u64) -> String {
    // Whole seconds; `T` and `Z` are left out for readability.
    let at = UNIX_EPOCH + Duration::from_millis(ms);
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}

fn figures(report: &Report) -> Markup {
    let ratio = report
        .latency
        .p50_ratio
        .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"));
    let share =
        |share: &shadow_core::evidence::Proportion| share.rate.map_or_else(|| "-".to_owned(), percent);
    let interval = |share: &shadow_core::evidence::Proportion| match (share.low, share.high) {
        (Some(low), Some(high)) => format!("95 %: {} to {}", percent(low), percent(high)),
        _ => "nothing compared yet".to_owned(),
    };
    html! {
        div.figures {
            div { span.soft { "match rate" } b { (share(&report.match_rate)) } span.soft.small { (interval(&report.match_rate)) } }
            div { span.soft { "coverage" } b { (share(&report.coverage)) } span.soft.small {
                (count(report.coverage.successes)) " of " (count(report.coverage.trials)) " meant to be compared"
                @if let Some(number) = unread(&report.unread) {
                    "; not read: " (number) ", at worst " (report.coverage.low.map_or_else(|| "-".to_owned(), percent))
                }
            } }
            div { span.soft { "compared" } b { (count(report.match_rate.trials)) } span.soft.small {
                (count(report.funnel.mismatched)) " differ: " (count(report.funnel.regressions)) " regressions, "
                (count(report.funnel.undecided)) " undecided, "
                (count(report.funnel.noise)) " noise, " (count(report.funnel.after_skipped_write)) " explained"
            } }
            div { span.soft { "shadow errors" } b { (share(&report.shadow_errors)) } span.soft.small {
                (report.scope.production()) " " (share(&report.production_errors))
            } }
            div { span.soft { "median latency" } b { (ratio) } span.soft.small {
                (micros(report.latency.production.first_byte.p50_us)) " " (report.scope.production()) ", "
                (micros(report.latency.shadow.first_byte.p50_us)) " " (report.scope.shadow())
            } }
        }
    }
}

fn over_time(report: &Report, history: &History) -> Markup {
    let compared = history
        .windows
        .iter()
        .any(|window| window.matched + window.mismatched > 0);
    html! {
        @if compared {
            (plot::rate(&history.windows, &history.events, report.match_rate.rate))
            p.soft.small {
                "Each point: matches and noise of what was compared within " (seconds(&history.windows))
                ". Bars: replays. Lines: what was done, below."
            }
        } @else {
            p.soft { (history.missing.as_deref().unwrap_or("Nothing was compared in the time that the journal has kept.")) }
        }
    }
}

fn seconds(windows: &[Window]) -> String {
    let longest = windows.iter().map(|window| window.span_ms).max().unwrap_or(0);
    format!("{} s", longest.div_ceil(1000))
}

fn latency(report: &Report, history: &History) -> Markup {
    let timed = report
        .routes
        .iter()
        .filter(|route| route.latency.production.first_byte.count > 0);
    let row = |name: &str, latency: &shadow_core::evidence::report::Latency| {
        let (production, shadow) = (latency.production.first_byte, latency.shadow.first_byte);
        let ratio = match (latency.p50_ratio, latency.p50_ratio_low, latency.p50_ratio_high) {
            (Some(ratio), Some(low), Some(high)) => format!("{ratio:.2}x ({low:.2} to {high:.2})"),
            (Some(ratio), ..) => format!("{ratio:.2}x"),
            _ => "-".to_owned(),
        };
        html! {
            tr {
                td { code { (shown(name)) } }
                td.n { (count(production.count)) }
                td.n { (micros(production.p50_us)) " / " (micros(shadow.p50_us)) }
                td.n { (micros(production.p90_us)) " / " (micros(shadow.p90_us)) }
                td.n { (micros(production.p99_us)) " / " (micros(shadow.p99_us)) }
                td.n { (ratio) }
            }
        }
    };
    html! {
        @if history.windows.iter().any(|window| window.production.count() > 0) {
            (plot::latency(&history.windows))
            p.legend.small { span { i style="background:var(--prod)" {} (report.scope.production()) ", on the wire" }
                span { i style="background:var(--shad)" {} (report.scope.shadow()) ", at the client socket" } }
        }
        div.scroll { table {
            tr { th { "last request byte to first response byte" } th.n { "answers" } th.n { "p50 " (report.scope.production()) " / " (report.scope.shadow()) }
                th.n { "p90" } th.n { "p99" } th.n { "ratio of medians (95 %)" } }
            (row("all routes", &report.latency))
            @for route in timed.take(12) { (row(&route.route, &route.latency)) }
        } }
        @for finding in report.findings.iter().take(12) {
            p { code { (shown(&finding.route)) } ": " (shown(&finding.text)) }
        }
        @for warning in report.rules.iter().filter_map(RuleUsage::warning).take(12) { p { "rule " (shown(&warning)) } }
    }
}

fn routes(report: &Report) -> Markup {
    html! {
        h2 { "Routes" }
        div.scroll { table {
            tr { th { "route" } th.n { "exchanges" } th.n { "match" } th.n { "regression" } th.n { "noise" }
                th.n { "explained" } th.n { "shadow error" } th.n { "skipped" } }
            @for route in report.routes.iter().take(ROUTES) {
                tr {
                    td { code { (shown(&route.route)) } }
                    td.n { (count(route.exchanges)) }
                    td.n { (count(route.matched)) }
                    td.n { (count(route.regressions)) }
                    td.n { (count(route.noise)) }
                    td.n { (count(route.after_skipped_write)) }
                    td.n { (count(route.shadow_errors)) }
                    td.n { (count(route.skipped)) }
                }
            }
        } }
        @if report.routes.len() > ROUTES {
            p.soft { "and " (count((report.routes.len() - ROUTES) as u64)) " more routes" }
        }
    }
}

fn events(history: &History) -> Markup {
    let latest = history.events.len().saturating_sub(EVENTS);
    html! {
        @if !history.events.is_empty() {
            h2 { "What was done" }
            div.scroll { table {
                tr { th { "when" } th { "what" } th { "who" } th { "why" } }
                @for event in &history.events[latest..] {
                    tr { td { (time(event.at_ms)) } td { (shown(&event.kind)) } td { (shown(&event.who)) } td { (shown(&event.why)) } }
                }
            } }
        }
    }
}

fn footer(report: &Report) -> Markup {
    html! {
        footer.soft.small {
            p { "Match rate: " (proportion(&report.match_rate)) }
            p { "Made by shadow " (env!("CARGO_PKG_VERSION")) " at " (time(report.ended_ms)) ", counting since "
                (time(report.started_ms)) ". Secrets were replaced by keyed hashes before anything was stored." }
        }
    }
}
