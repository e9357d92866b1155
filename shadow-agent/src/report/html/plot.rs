//! Plots as SVG, drawn from the journal's windows.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::{
    figures::{count, micros, percent},
    journal::{Buckets, Event, Window},
};

/// Units of the drawing; it is scaled to the page.
const WIDTH: f64 = 1100.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 34.0;

/// Points of a line; more windows than this are merged.
const POINTS: usize = 240;

/// Height of the bars.
const BARS: f64 = 44.0;

/// Events that are marked.
const MARKS: usize = 30;

/// Several windows merged into one point.
struct Point {
    at_ms: u64,
    end_ms: u64,
    good: u64,
    compared: u64,
    replayed: u64,
}

fn points(windows: &[Window]) -> Vec<Point> {
    let each = windows.len().div_ceil(POINTS).max(1);
    windows
        .chunks(each)
        .map(|chunk| {
            let sum = |of: fn(&Window) -> u64| chunk.iter().map(of).sum::<u64>();
            let (matched, mismatched) = (sum(|w| w.matched), sum(|w| w.mismatched));
            Point {
                at_ms: chunk.first().map_or(0, |window| window.at_ms),
                end_ms: chunk.last().map_or(0, |window| window.at_ms + window.span_ms),
                good: matched + sum(|w| w.noise),
                compared: (matched + mismatched).saturating_sub(sum(|w| w.explained)),
                replayed: matched + mismatched + sum(|w| w.errors),
            }
        })
        .collect()
}

/// The match rate of each window, above its number of replays.
pub(super) fn rate(windows: &[Window], events: &[Event], overall: Option<f64>) -> Markup {
    const TOP: f64 = 14.0;
    const HIGH: f64 = 170.0;
    let points = points(windows);
    let (start, end) = (
        points.first().map_or(0, |point| point.at_ms),
        points.last().map_or(1, |point| point.end_ms),
    );
    let span = float(end.saturating_sub(start).max(1));
    let x = |ms: u64| LEFT + float(ms.saturating_sub(start)) / span * (WIDTH - LEFT - RIGHT);
    let rates = points.iter().filter(|point| point.compared > 0).map(|point| {
        (
            x(u64::midpoint(point.at_ms, point.end_ms)),
            ratio(point.good, point.compared),
        )
    });
    let rates: Vec<(f64, f64)> = rates.collect();
    let lowest = rates.iter().map(|(_, rate)| *rate).fold(1.0, f64::min);
    let floor = floor(lowest);
    let y = |rate: f64| TOP + (1.0 - rate) / (1.0 - floor) * HIGH;
    let line = path(rates.iter().map(|(at, rate)| (*at, y(*rate))));
    let base = TOP + HIGH + 26.0 + BARS;
    let recent = events
        .iter()
        .filter(|event| event.at_ms >= start && event.at_ms <= end);
    let marks: Vec<&Event> = recent.filter(|event| event.kind != "start").take(MARKS).collect();
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (base + 24.0) } role="img" aria-label="match rate over time" {
            @for step in [0.0, 0.5, 1.0] {
                @let rate = floor + (1.0 - floor) * step;
                line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(rate)) y2=(y(rate)) {}
                text x=(LEFT - 8.0) y=(y(rate) + 4.0) text-anchor="end" { (percent(rate)) }
            }
            @for event in marks {
                line.shad x1=(x(event.at_ms)) x2=(x(event.at_ms)) y1=(TOP) y2=(base) stroke-dasharray="3 3" {}
                text x=(x(event.at_ms) + 4.0) y=(TOP + 10.0) { (super::captured(&event.kind, 16)) }
            }
            @if let Some(overall) = overall {
                line.prod x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(overall.max(floor))) y2=(y(overall.max(floor)))
                    stroke-dasharray="2 5" opacity="0.7" {}
            }
            polyline.prod points=(line) fill="none" stroke-width="2" stroke-linejoin="round" {}
            @if rates.len() <= 60 {
                @for (at, rate) in &rates { circle.prodf cx=(format!("{at:.1}")) cy=(format!("{:.1}", y(*rate))) r="3" {} }
            }
            (bars(&points, base, x))
            text x=(LEFT) y=(base + 18.0) { (super::time(start)) }
            text x=(WIDTH - RIGHT) y=(base + 18.0) text-anchor="end" { (super::time(end)) }
        }
    }
}

/// The number of replays of each point.
fn bars(points: &[Point], base: f64, x: impl Fn(u64) -> f64) -> Markup {
    let replayed = points.iter().map(|point| point.replayed);
    let most = replayed.max().unwrap_or(1).max(1);
    let bar = |point: &Point| {
        let tall = ratio(point.replayed, most) * BARS;
        let (from, to) = (x(point.at_ms), x(point.end_ms));
        (from, base - tall, (to - from - 1.0).max(1.0), tall)
    };
    html! {
        @for point in points {
            @let (at, top, wide, tall) = bar(point);
            rect.prodf x=(format!("{at:.1}")) y=(format!("{top:.1}")) width=(format!("{wide:.1}"))
                height=(format!("{tall:.1}")) opacity="0.35" {}
        }
        line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(base) y2=(base) {}
        text x=(LEFT - 8.0) y=(base - BARS + 10.0) text-anchor="end" { (count(most)) }
        text x=(LEFT - 8.0) y=(base) text-anchor="end" { "0" }
    }
}

/// The start of the axis, chosen so that small changes are visible: a rate of 99.9 % is not a flat line at the top.
fn floor(lowest: f64) -> f64 {
    [0.999, 0.99, 0.95, 0.9, 0.75, 0.5]
        .into_iter()
        .find(|floor| lowest >= *floor)
        .unwrap_or(0.0)
}

/// The distribution of both systems' time to the first byte.
pub(super) fn latency(windows: &[Window]) -> Markup {
    const TOP: f64 = 10.0;
    const HIGH: f64 = 180.0;
    let (mut production, mut shadow) = (Buckets::default(), Buckets::default());
    for window in windows {
        production.merge(&window.production);
        shadow.merge(&window.shadow);
    }
    let ends = production.iter().chain(shadow.iter());
    let (low, high) = ends.fold((f64::MAX, 1.0_f64), |(low, high), (from, to, _)| {
        (low.min(from), high.max(to))
    });
    let (low, high) = ((low / 1.6).max(1.0), high * 1.6);
    let x = |micros: f64| LEFT + (micros / low).log10() / (high / low).log10() * (WIDTH - LEFT - RIGHT);
    let share = |buckets: &Buckets| {
        let all = buckets.count().max(1);
        buckets
            .iter()
            .map(|(_, _, count)| ratio(count, all))
            .fold(0.0, f64::max)
    };
    let most = share(&production).max(share(&shadow)).max(0.001);
    let base = TOP + HIGH;
    let outline = |buckets: &Buckets| {
        let all = buckets.count().max(1);
        let mut corners = vec![(LEFT, base)];
        let mut before = low;
        for (from, to, count) in buckets.iter() {
            if from > before * 1.001 {
                corners.extend([(x(before), base), (x(from), base)]);
            }
            let y = base - ratio(count, all) / most * HIGH;
            corners.extend([(x(from), y), (x(to), y)]);
            before = to;
        }
        corners.push((x(before), base));
        path(corners)
    };
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (base + 26.0) } role="img" aria-label="latency distributions of both systems" {
            line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(base) y2=(base) {}
            text x=(LEFT - 8.0) y=(TOP + 10.0) text-anchor="end" { (percent((most * 100.0).round() / 100.0)) }
            @for (at, label) in ticks(low, high) {
                line.axis x1=(format!("{:.1}", x(at))) x2=(format!("{:.1}", x(at))) y1=(TOP) y2=(base) {}
                text x=(format!("{:.1}", x(at))) y=(base + 18.0) text-anchor="middle" { (label) }
            }
            @for (buckets, line, fill) in [(&production, "prod", "prodf"), (&shadow, "shad", "shadf")] {
                polygon class=(fill) points=(outline(buckets)) opacity="0.18" {}
                polyline class=(line) points=(outline(buckets)) fill="none" stroke-width="2" {}
            }
        }
    }
}

/// Powers of ten, and their halves if there are few.
fn ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let mut ticks = Vec::new();
    let mut at = 1u64;
    for _decade in 0..10 {
        for step in [1, 2, 5] {
            let value = at * step;
            if float(value) >= low && float(value) <= high {
                ticks.push((float(value), micros(value)));
            }
        }
        at *= 10;
    }
    if ticks.len() > 12 {
        ticks.retain(|(value, _)| value.log10().fract().abs() < 0.01);
    }
    ticks
}

/// Points as an attribute.
fn path(corners: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (x, y) in corners {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        write!(text, "{space}{x:.1},{y:.1}").unwrap_or_default();
    }
    text
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "a plot has a few hundred pixels")]
fn float(number: u64) -> f64 {
    number as f64
}
