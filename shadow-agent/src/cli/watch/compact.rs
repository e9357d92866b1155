//! The page on a small terminal: no bars, so that the causes keep what separates them.

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::Stylize as _,
    text::Line,
    widgets::{Block, Paragraph},
};

use super::{causes, view};
use crate::{
    control::status::Status,
    figures::{count, rate},
};

/// Lines about the funnel.
const FUNNEL: usize = 3;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    status: &Status,
    mut head: Vec<Line<'static>>,
    targets: Vec<Line<'static>>,
) {
    if head.last().is_some_and(|line| line.width() == 0) {
        head.pop();
    }
    let room = usize::from(frame.area().width).saturating_sub(2);
    let rows = usize::from(frame.area().height);
    let others = head.len() + FUNNEL + targets.len() + 3;
    let mut causes = causes::short(status, room);
    if others + causes.len() > rows {
        causes = causes::titles(status, room);
    }
    let height = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
    let [top, why, middle, lanes, foot] = Layout::vertical([
        Constraint::Length(height(head.len())),
        Constraint::Length(height(causes.len() + 2)),
        Constraint::Min(height(FUNNEL)),
        Constraint::Length(height(targets.len())),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let title = " causes, the most harmful first ";
    frame.render_widget(Paragraph::new(head), top);
    frame.render_widget(Paragraph::new(causes).block(Block::bordered().title(title)), why);
    frame.render_widget(Paragraph::new(funnel(status).to_vec()), middle);
    frame.render_widget(Paragraph::new(targets), lanes);
    frame.render_widget(Paragraph::new(causes::next(status).dim()), foot);
}

/// The steps of the funnel, and the losses, largest first.
fn funnel(status: &Status) -> [Line<'static>; FUNNEL] {
    let [seen, sampled, complete, selected, replayed, compared, matched] =
        view::steps(status).map(|(_, number, _)| count(number));
    let losses = view::lost(status);
    let losses: Vec<String> = losses
        .into_iter()
        .map(|(name, number)| format!("{name} {}", count(number)))
        .collect();
    let losses = if losses.is_empty() {
        "nothing lost".to_owned()
    } else {
        format!("losses: {}", losses.join(", "))
    };
    let now = [status.rates.exchanges, status.rates.replayed].map(rate);
    [
        format!("{seen} packets, {sampled} sampled: {} exchanges, {} replays", now[0], now[1]),
        format!("{complete} complete, {selected} selected, {replayed} replayed, {compared} compared, {matched} match"),
        losses,
    ]
    .map(Line::raw)
}
