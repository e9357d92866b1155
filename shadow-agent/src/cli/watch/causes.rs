//! The verdict with its reason, and the causes, as lines of the page.

use ratatui::{
    style::Stylize as _,
    text::{Line, Span},
};
use shadow_core::evidence::{Ruling, report::Cause};

use crate::{
    control::status::Status,
    figures::{captured, count},
    report::causes,
};

/// The ruling, and the first gate that decided it.
pub(super) fn ruling(status: &Status) -> Vec<Span<'static>> {
    let word = match status.ruling {
        Ruling::Go => status.ruling.as_str().green(),
        Ruling::NoGo => status.ruling.as_str().red().bold(),
        Ruling::InsufficientEvidence => status.ruling.as_str().yellow(),
    };
    let reason = status
        .reasons
        .iter()
        .find(|reason| reason.ruling == status.ruling && reason.ruling != Ruling::Go);
    let reason = reason.map_or_else(String::new, |reason| {
        format!("  {}: {}", reason.gate, captured(&reason.text, 300))
    });
    vec![word, Span::raw(reason)]
}

/// The causes with what separates them.
pub(super) fn lines(status: &Status, room: usize) -> Vec<Line<'static>> {
    let told = |cause: &Cause| {
        let separates = cause.features.first();
        let separates = separates.map(|feature| Line::raw(format!("    {}", causes::separates(feature))));
        [Some(title(cause, room)), separates].into_iter().flatten()
    };
    or_none(status.causes.iter().flat_map(told).collect())
}

/// Only their titles.
pub(super) fn titles(status: &Status, room: usize) -> Vec<Line<'static>> {
    let titles = status.causes.iter().map(|cause| title(cause, room));
    or_none(titles.collect())
}

fn or_none(lines: Vec<Line<'static>>) -> Vec<Line<'static>> {
    if lines.is_empty() {
        return vec![Line::from("none so far".dim())];
    }
    lines
}

/// The last line of the page: keys, and what to do next.
pub(super) fn next(status: &Status) -> String {
    let Some(first) = status.causes.first() else {
        return "q quits   shadow kill stops all mirroring".to_owned();
    };
    let more = match status.causes_more {
        0 => String::new(),
        more => format!("{} more: shadow report   ", count(more)),
    };
    format!("q quits   shadow kill   {more}shadow diffs show {}", first.id)
}

/// The change first, which says most where a line is cut; then how often and where, as far as there is room.
fn title(cause: &Cause, room: usize) -> Line<'static> {
    let number = count(cause.exchanges);
    let change = captured(&cause.change, room.saturating_sub(10).max(20));
    let place = format!("  {}", causes::place(cause));
    let left = room.saturating_sub(number.len().max(8) + 2 + change.chars().count());
    let place: String = place.chars().take(left).collect();
    Line::from(vec![
        Span::raw(format!("{number:>8}  ")).bold(),
        Span::raw(change),
        Span::raw(place).dim(),
    ])
}
