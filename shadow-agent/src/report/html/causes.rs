//! The first causes and the next steps, right below the verdict.

use maud::{Markup, html};
use shadow_core::evidence::report::{Cause, Report, Sample, Scope, Separates};

use super::shown;
use crate::{
    figures::{captured, count, percent},
    report::causes::{CAUSES, LISTED, exchanges, place, separates},
};

/// Routes of one cause.
const ROUTES: usize = 12;

pub(super) fn section(report: &Report) -> Markup {
    let Some(first) = report.causes.first() else {
        return html! {};
    };
    let shown = report.causes.len().min(LISTED);
    let more = report
        .causes_more
        .saturating_add((report.causes.len() - shown) as u64);
    html! {
        h2.near { "Causes, the most harmful first" }
        @for cause in report.causes.iter().take(CAUSES) { (one(cause, &report.scope)) }
        p.next { b { "Next: " } code { "shadow diffs show " (first.id) } " shows both answers side by side; "
            code { "shadow accept " (first.id) " --why TEXT" } " gives the rule, if the change is wanted." }
        @if shown > CAUSES {
            details.more {
                summary { (count((shown - CAUSES) as u64)) " more causes" }
                div { @for cause in &report.causes[CAUSES..shown] { (one(cause, &report.scope)) } }
            }
        }
        @if more > 0 { p.soft.small { "and " (count(more)) " more; `shadow report --json` has them." } }
    }
}

fn one(cause: &Cause, scope: &Scope) -> Markup {
    html! {
        details.cause {
            summary {
                span.count { (count(cause.exchanges)) }
                span.what {
                    b { (shown(&cause.change)) } " " span.soft { (place(cause)) }
                    @if let Some(feature) = cause.features.first() { span.why { (separates(feature)) } }
                }
            }
            div {
                p.soft.small { code { (cause.id) } ", " (exchanges(cause.exchanges)) ", "
                    (count(cause.groups.len() as u64)) " groups"
                    @if !cause.with_it.is_empty() { ", and " (count(cause.with_it.len() as u64)) " that come with it" } }
                @for feature in cause.features.iter().skip(1) { p.small { (separates(feature)) } }
                @for feature in cause.features.iter().take(1) { (interval(feature)) }
                div.scroll { table {
                    tr { th { "route" } th.n { "exchanges" } th.n { "of" } }
                    @for route in cause.routes.iter().take(ROUTES) {
                        tr { td { code { (shown(&route.route)) } } td.n { (count(route.exchanges)) } td.n { (count(route.of)) } }
                    }
                } }
                @if cause.routes.len() > ROUTES {
                    p.soft.small { "and " (count((cause.routes.len() - ROUTES) as u64)) " more routes" }
                }
                @if let Some(Sample { target, place, production, shadow, .. }) = &cause.sample {
                    div.scroll { table {
                        tr { th { "for example" } th { "place" } th { (scope.production()) } th { (scope.shadow()) } }
                        tr { td { code { (shown(target)) } } td { code { (shown(place)) } }
                            td { code { (captured(production, 120)) } } td { code { (captured(shadow, 120)) } } }
                    } }
                }
            }
        }
    }
}

fn interval(feature: &Separates) -> Markup {
    let (low, high) = (
        feature.low.abs().min(feature.high.abs()),
        feature.low.abs().max(feature.high.abs()),
    );
    html! {
        p.soft.small { "The shares differ by " (percent(low)) " to " (percent(high)) " (95 % interval); the others are requests of "
            @if feature.everywhere { "all routes." } @else { "the same routes." } }
    }
}
