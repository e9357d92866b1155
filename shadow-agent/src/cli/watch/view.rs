//! The page: the state of the agent, laid out for any terminal size.

use std::{collections::VecDeque, time::Duration};

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Paragraph, Sparkline},
};

use super::{News, causes, compact};
use shadow_common::stat::Stat;
use shadow_proto::units::Rate;

use crate::{
    control::status::{Lane, Status},
    figures::{captured, count, micros, percent, rate, span},
};

/// Seconds of rates that are kept.
pub(super) const KEPT: usize = 300;

/// Rows of the funnel.
const FUNNEL: usize = 9;

/// Rows of the curves.
const SPARKS: usize = 5;

/// The longest bar of the funnel.
const BAR: usize = 24;

/// Everything that is shown.
#[derive(Debug, Default)]
pub(super) struct View {
    status: Option<Box<Status>>,
    /// Why there is no newer status.
    gone: Option<String>,
    exchanges: VecDeque<u64>,
    replays: VecDeque<u64>,
}

impl View {
    /// Takes the agent's status, or the reason why there is none.
    pub(super) fn take(&mut self, news: News) {
        match news {
            Ok(status) => {
                push(&mut self.exchanges, status.rates.exchanges);
                push(&mut self.replays, status.rates.replayed);
                self.status = Some(status);
                self.gone = None;
            }
            Err(why) => self.gone = Some(why),
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let Some(status) = &self.status else {
            let why = self.gone.as_deref().unwrap_or("asking the agent ...");
            frame.render_widget(
                Paragraph::new(format!(
                    "{}\nasking again every second; q quits",
                    captured(why, 300)
                )),
                frame.area(),
            );
            return;
        };
        let width = usize::from(frame.area().width);
        let targets = targets(status, width.saturating_sub(2));
        let causes = causes::lines(status, width.saturating_sub(2));
        // Without room for all of it the curves go first, then the frame of the targets, then the bars.
        let head = head(status, self.gone.as_deref(), width);
        let rest = FUNNEL + targets.len() + 2 + 1;
        let rows = usize::from(frame.area().height);
        if head.len() + rest + causes.len() > rows {
            compact::draw(frame, status, head, targets);
            return;
        }
        let left = rows.saturating_sub(head.len() + rest + causes.len());
        let sparks = if left < 2 + SPARKS { 0 } else { SPARKS };
        let targets_block = if left < 2 {
            Block::new()
        } else {
            Block::bordered().title(" targets ")
        };
        let [top, why, middle, lanes, rates, foot] = Layout::vertical([
            Constraint::Length(height(head.len())),
            Constraint::Length(height(causes.len() + 2)),
            Constraint::Min(height(FUNNEL)),
            Constraint::Length(height(targets.len() + if left < 2 { 0 } else { 2 })),
            Constraint::Length(height(sparks)),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(head), top);
        let title = " causes, the most harmful first ";
        frame.render_widget(Paragraph::new(causes).block(Block::bordered().title(title)), why);
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(middle);
        let now = format!(
            " funnel: {} exchanges, {} replays ",
            rate(status.rates.exchanges),
            rate(status.rates.replayed)
        );
        frame.render_widget(funnel(status).block(Block::bordered().title(now)), left);
        let room = usize::from(right.width.saturating_sub(2));
        frame.render_widget(
            losses(status, room).block(Block::bordered().title(" losses ")),
            right,
        );
        frame.render_widget(Paragraph::new(targets).block(targets_block), lanes);
        if sparks > 0 {
            self.sparks(frame, rates, status);
        }
        frame.render_widget(Paragraph::new(causes::next(status).dim()), foot);
    }

    fn sparks(&self, frame: &mut Frame<'_>, area: Rect, status: &Status) {
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area);
        let both = [
            (left, "exchanges", &self.exchanges, status.rates.exchanges),
            (right, "replays", &self.replays, status.rates.replayed),
        ];
        for (area, what, kept, now) in both {
            let room = usize::from(area.width.saturating_sub(2));
            let shown = kept.iter().skip(kept.len().saturating_sub(room)).copied();
            let title = format!(" {what} {} ", rate(now));
            frame.render_widget(
                Sparkline::default()
                    .data(shown)
                    .block(Block::bordered().title(title)),
                area,
            );
        }
    }
}

fn height(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

fn push(kept: &mut VecDeque<u64>, rate: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are small and positive"
    )]
    kept.push_back(rate.round() as u64);
    while kept.len() > KEPT {
        kept.pop_front();
    }
}

/// The lines of the head. The ruling takes as many as it needs.
fn head(status: &Status, gone: Option<&str>, room: usize) -> Vec<Line<'static>> {
    let state = if status.armed {
        "mirroring".green()
    } else {
        " KILLED ".on_red().bold()
    };
    let place = &status.rollout;
    let phase = format!("rollout {} {}", place.stage.as_str(), captured(&place.phase, 40));
    let first = Line::from(vec![
        state,
        Span::raw(format!(
            "  {} of connections  {}  up {}",
            Rate::from_fraction(status.sample),
            phase.trim_end(),
            span(Duration::from_millis(status.uptime_ms)),
        )),
    ]);
    let ruling = causes::ruling(status, room);
    let to = status
        .shadow
        .clone()
        .unwrap_or_else(|| "observing only".to_owned());
    let second = Line::raw(format!("{} -> {}", status.targets.join(", "), captured(&to, 200)));
    let third = match (gone, &status.killed, status.warnings.first()) {
        (Some(why), ..) => Line::from(
            format!("AGENT GONE: {}; asking again every second", captured(why, 200))
                .red()
                .bold(),
        ),
        (None, Some(killed), _) => Line::from(
            format!(
                "killed by {}: {}",
                captured(&killed.who, 80),
                captured(&killed.why, 120)
            )
            .red(),
        ),
        (None, None, Some(warning)) => {
            let more = status.warnings.len().saturating_sub(1);
            let more = if more > 0 {
                format!(" (and {more} more)")
            } else {
                String::new()
            };
            Line::from(format!("WARNING {}{more}", captured(warning, 200)).yellow())
        }
        (None, None, None) => Line::raw(""),
    };
    [vec![first], ruling, vec![second, third]].concat()
}

/// The steps of the funnel: name, count, and the step that its share refers to.
pub(super) fn steps(status: &Status) -> [(&'static str, u64, u64); 7] {
    let funnel = &status.funnel;
    let seen = funnel.kernel(Stat::Seen);
    let complete = funnel.engine.exchanges_complete;
    let selected = funnel.replayed.saturating_add(funnel.in_flight);
    let compared = funnel.matched.saturating_add(funnel.mismatched);
    [
        ("seen, packets", seen, seen),
        ("sampled, packets", funnel.kernel(Stat::Emitted), seen),
        ("complete", complete, complete),
        ("selected", selected, complete),
        ("replayed", funnel.replayed, complete),
        ("compared", compared, complete),
        ("match", funnel.matched, complete),
    ]
}

fn funnel(status: &Status) -> Paragraph<'static> {
    let lines: Vec<Line<'_>> = steps(status)
        .into_iter()
        .map(|(name, number, whole)| {
            Line::from(vec![
                Span::raw(format!("{name:<17}{:>14} ", count(number))),
                "#".repeat(bar(number, whole)).cyan(),
            ])
        })
        .collect();
    Paragraph::new(lines)
}

/// The length of a bar: at least one mark for a number above zero.
fn bar(number: u64, whole: u64) -> usize {
    if number == 0 || whole == 0 {
        return 0;
    }
    let marks = u128::from(number.min(whole)) * BAR as u128 / u128::from(whole);
    usize::try_from(marks).unwrap_or(BAR).max(1)
}

/// The losses, largest first.
pub(super) fn lost(status: &Status) -> Vec<(String, u64)> {
    let funnel = &status.funnel;
    let lost = [Stat::RingFull, Stat::LoadFailed, Stat::Expired];
    let lost = lost.map(|stat| (format!("{} (packets)", stat.as_str()), funnel.kernel(stat)));
    let lost = lost.into_iter();
    let skipped = funnel
        .skipped
        .iter()
        .map(|(name, number)| (name.clone(), *number));
    let failed = funnel
        .failures
        .iter()
        .map(|(name, number)| (format!("shadow: {name}"), *number));
    let mut rows: Vec<(String, u64)> = lost
        .chain(skipped)
        .chain(failed)
        .filter(|(_, number)| *number > 0)
        .collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows
}

fn losses(status: &Status, room: usize) -> Paragraph<'static> {
    let rows = lost(status);
    if rows.is_empty() {
        return Paragraph::new("nothing".dim());
    }
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .map(|(name, number)| {
            let number = count(number);
            let wide = room.saturating_sub(number.len() + 1).min(26);
            let shown: String = name.chars().take(wide).collect();
            let right = room.min(36).saturating_sub(wide).max(number.len() + 1);
            Line::raw(format!("{shown:<wide$}{number:>right$}"))
        })
        .collect();
    Paragraph::new(lines)
}

fn targets(status: &Status, room: usize) -> Vec<Line<'static>> {
    status.lanes.iter().flat_map(|lane| target(lane, room)).collect()
}

/// One line, or two where one has no room.
fn target(lane: &Lane, room: usize) -> Vec<Line<'static>> {
    let Lane {
        name,
        queue,
        breaker,
        match_rate,
        latency,
        ..
    } = lane;
    let matches = match_rate.rate.map_or_else(
        || "nothing compared".to_owned(),
        |rate| format!("{} match", percent(rate)),
    );
    let (production, shadow) = (&latency.production.first_byte, &latency.shadow.first_byte);
    let style = match breaker.as_str() {
        "closed" => Style::new(),
        _ => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };
    let name = format!("{:<12} {matches}  ", captured(name, 40));
    let breaker = format!("breaker {}", breaker.as_str());
    let rest = format!(
        "  {} waiting, {} in flight  p50 {} / {}, p99 {} / {}",
        count(queue.waiting),
        count(queue.in_flight),
        micros(production.p50_us),
        micros(shadow.p50_us),
        micros(production.p99_us),
        micros(shadow.p99_us),
    );
    let fits = name.len() + breaker.len() + rest.len() <= room;
    let mut first = vec![Span::raw(name), Span::styled(breaker, style)];
    if fits {
        first.push(Span::raw(rest));
        return vec![Line::from(first)];
    }
    vec![Line::from(first), Line::raw(rest)]
}
