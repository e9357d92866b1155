//! The funnel from the first packet to the last verdict, with every loss by reason.

use maud::{Markup, html};
use shadow_core::evidence::report::Funnel;

use crate::{
    figures::count,
    report::{
        funnel::{self, Line},
        losses::losses,
    },
};

pub(super) fn table(funnel: &Funnel) -> Markup {
    let lines = funnel::lines(funnel);
    // Packets are not exchanges: each is measured against the first count of its own kind.
    let mut whole = 0;
    let measured = lines.iter().map(|line| {
        if line.is_step && (whole == 0 || line.what == "requests seen" || line.number > whole) {
            whole = line.number;
        }
        (line, share(line.number, whole))
    });
    let measured: Vec<(&Line, f64)> = measured.collect();
    html! {
        table {
            @for (line, share) in measured {
                tr class=[class(line)] {
                    td.what { (line.what.trim_start()) }
                    td.n { (count(line.number)) }
                    td.bar { i style={ "width:" (format!("{share:.2}")) "%" } {} }
                    td.soft { code { (line.name) } }
                }
            }
        }
    }
}

fn class(line: &Line) -> Option<&'static str> {
    if line.is_step {
        Some("step")
    } else {
        line.what.starts_with("LOST").then_some("lost")
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bar has a few hundred pixels")]
fn share(number: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (number as f64 / whole as f64 * 100.0).min(100.0)
}

pub(super) fn unseen(funnel: &Funnel) -> Markup {
    let losses = losses(funnel);
    html! {
        h3 { "Not seen" }
        @if losses.is_empty() {
            p.soft { "Nothing is known to be missing." }
        }
        @for (number, what) in losses {
            p.small { (count(number)) " " (what) }
        }
    }
}
