//! The verdict and its reasons.

use std::time::Duration;

use maud::{Markup, html};
use shadow_core::evidence::{Reason, Ruling, report::Report};

use super::shown;
use crate::figures::{count, span};

pub(super) fn section(report: &Report) -> Markup {
    let lasted = Duration::from_millis(report.ended_ms.saturating_sub(report.started_ms));
    let judgement = &report.judgement;
    // With causes below, what passed is folded, so that one screen has them all.
    let is_folded = |reason: &&Reason| reason.ruling == Ruling::Go && !report.causes.is_empty();
    let (folded, rows): (Vec<&Reason>, Vec<&Reason>) = judgement.reasons.iter().partition(is_folded);
    let passed: Vec<&str> = folded.iter().map(|reason| reason.gate.as_str()).collect();
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
                @for reason in rows {
                    tr {
                        td { span class={ "mark " (tone(reason.ruling)) } { (word(reason.ruling)) } }
                        td { (reason.gate) }
                        td { (shown(&reason.text)) }
                    }
                }
                @if !folded.is_empty() {
                    tr {
                        td { span class={ "mark " (tone(Ruling::Go)) } { (word(Ruling::Go)) } }
                        td colspan="2" { details {
                            summary { (shown(&passed.join(", "))) }
                            @for reason in folded { p.small { (reason.gate) ": " (shown(&reason.text)) } }
                        } }
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
