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

/// The beginning of a line that belongs to the one above.
const INDENT: &str = "    ";

/// Characters that show that something is cut.
const DOTS: usize = 4;

/// The ruling, and the first gate that decided it, in lines of at most `room`.
pub(super) fn ruling(status: &Status, room: usize) -> Vec<Line<'static>> {
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
        format!("{}: {}", reason.gate, captured(&reason.text, 300))
    });
    let used = word.content.chars().count() + 2;
    let mut lines = folded(&reason, room.saturating_sub(used), room).into_iter();
    let first = lines.next().unwrap_or_default();
    let first = Line::from(vec![word, Span::raw(format!("  {first}"))]);
    let further = lines.map(|line| Line::raw(format!("{INDENT}{line}")));
    std::iter::once(first).chain(further).collect()
}

/// A text in lines, broken between words. The first line has less room, the others are indented.
fn folded(text: &str, first: usize, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let limit = match lines.len() {
            1 => first,
            _ => room.saturating_sub(INDENT.len()),
        };
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() > limit {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

/// The causes with what separates them.
pub(super) fn lines(status: &Status, room: usize) -> Vec<Line<'static>> {
    let lines = |cause: &Cause| {
        let separates = cause.features.first();
        let separates = separates.map(|feature| Line::raw(format!("{INDENT}{}", causes::separates(feature))));
        let (title, left) = title(cause, room);
        let place = (!left.is_empty()).then(|| Line::from(format!("{INDENT}{left}").dim()));
        [Some(title), place, separates].into_iter().flatten()
    };
    or_none(status.causes.iter().flat_map(lines).collect())
}

/// The causes on at most two lines each: the change, and where and what it separates as far as there is room.
pub(super) fn short(status: &Status, room: usize) -> Vec<Line<'static>> {
    let lines = |cause: &Cause| {
        let (title, left) = title(cause, room);
        let separates = cause.features.first().map(causes::separates);
        let more: Vec<String> = Some(left)
            .filter(|left| !left.is_empty())
            .into_iter()
            .chain(separates)
            .collect();
        let more = cut(&more.join(": "), room.saturating_sub(INDENT.len()));
        let more = (!more.is_empty()).then(|| Line::from(format!("{INDENT}{more}").dim()));
        [Some(title), more].into_iter().flatten()
    };
    or_none(status.causes.iter().flat_map(lines).collect())
}

/// A text in `room`, with the mark of what is cut.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return captured(text, room);
    }
    captured(text, room.saturating_sub(DOTS))
}

/// Only their titles.
pub(super) fn titles(status: &Status, room: usize) -> Vec<Line<'static>> {
    let titles = status.causes.iter().map(|cause| title(cause, room).0);
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

/// The change first, which says most where a line is cut; then how often and where, and what of that has no room.
fn title(cause: &Cause, room: usize) -> (Line<'static>, String) {
    let number = count(cause.exchanges);
    let change = cut(&cause.change, room.saturating_sub(10).max(20));
    let place = causes::place(cause);
    let left = room.saturating_sub(number.len().max(8) + 4 + change.chars().count());
    let shown: String = place.chars().take(left).collect();
    let rest = if shown == place { String::new() } else { place };
    let line = Line::from(vec![
        Span::raw(format!("{number:>8}  ")).bold(),
        Span::raw(change),
        Span::raw(format!("  {shown}")).dim(),
    ]);
    (line, rest)
}
