//! The verdict and its reasons.

use std::time::Duration;

use maud::{Markup, html};
use shadow_core::evidence::{Ruling, report::Report};

use super::shown;
use crate::figures::{count, span};

pub(super) fn section(report: &Report) -> Markup {
    let lasted = Duration::from_millis(report.ended_ms.saturating_sub(report.started_ms));
    let judgement = &report.judgement;
    html! {
        div class={ "verdict " (tone(judgement.ruling)) } {
            div {
                h1 { (judgement.ruling.as_str()) }
                p.soft {
                    @if !report.target.is_empty() { "target " (shown(&report.target)) ", " }
                    (span(lasted)) " of traffic"
                }
                @if let Some(more) = judgement.more_exchanges_needed {
                    p { "About " (count(more)) " more compared exchanges would settle the match rate." }
                }
            }
            table {
                @for reason in &judgement.reasons {
                    tr {
                        td { span class={ "mark " (tone(reason.ruling)) } { (word(reason.ruling)) } }
                        td { (reason.gate) }
                        td { (shown(&reason.text)) }
                    }
                }
            }
        }
    }
}

fn tone(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Go => "go",
        Ruling::NoGo => "no",
        Ruling::InsufficientEvidence => "wait",
    }
}

fn word(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Go => "\u{2713} passed",
        Ruling::NoGo => "\u{2717} failed",
        Ruling::InsufficientEvidence => "? unclear",
    }
}
