//! Coverage over time.
//!
//! A burst of requests that is too much for the agent, or a short loss, says little about the rest of a run. So
//! coverage is also counted in windows of time.
//! Bounds: [`WINDOWS`] windows; when the last one ends, neighbours are added up and windows become twice as long.

use serde::{Deserialize, Serialize};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    burst,
    grow::grown,
    stats::{Proportion, share},
};
use crate::compare::Verdict;

/// Maximum number of windows.
const WINDOWS: usize = 256;

/// Counts by window.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Windows {
    /// The first second.
    start: Option<u64>,
    /// The length of a window, as a power of two of a second.
    doublings: u32,
    counts: Vec<Window>,
}

/// Exchanges that were meant to be compared, in one window.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Window {
    /// Those with a verdict.
    judged: u64,
    /// The others.
    missed: u64,
}

/// Coverage by window of time.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct CoverageWindows {
    /// The length of a window, in seconds.
    pub seconds: u64,
    /// Windows with exchanges that were meant to be compared.
    pub windows: u64,
    /// Of these, windows with less coverage than is needed.
    pub low: u64,
    /// Seconds from the start of the run to the window with the most missed exchanges.
    pub worst_at: u64,
    /// Exchanges that were missed in windows with too little coverage.
    pub missed: u64,
    /// Coverage of the other windows.
    pub others: Proportion,
    /// Whether there is a busy route of which nothing was compared.
    pub unseen_route: bool,
}

impl Windows {
    /// Counts an exchange with a verdict.
    pub(super) fn verdict(&mut self, exchange: &Exchange, verdict: &Verdict, now: Timestamp) {
        let at = when(exchange).unwrap_or(now);
        match verdict {
            // A failure of the agent itself.
            Verdict::ShadowError(failure) if failure.is_ours() => self.missed(Some(at)),
            _ => self.judged(at),
        }
    }

    fn judged(&mut self, at: Timestamp) {
        if let Some(window) = self.at(burst::second(at)) {
            window.judged = window.judged.saturating_add(1);
        }
    }

    /// Counts an exchange that was missed.
    pub(super) fn missed(&mut self, at: Option<Timestamp>) {
        let latest = self.start.map_or(0, |start| {
            let windows = self.counts.len().saturating_sub(1) as u64;
            start.saturating_add(windows << self.doublings)
        });
        if let Some(window) = self.at(at.map_or(latest, burst::second)) {
            window.missed = window.missed.saturating_add(1);
        }
    }

    fn at(&mut self, second: u64) -> Option<&mut Window> {
        let start = *self.start.get_or_insert(second);
        // An earlier second is counted in the first window.
        let since = second.saturating_sub(start);
        while since >> self.doublings >= WINDOWS as u64 {
            self.double();
        }
        grown(&mut self.counts, usize::try_from(since >> self.doublings).ok()?)
    }

    /// Adds up neighbours.
    fn double(&mut self) {
        let sum = |pair: &[Window]| pair.iter().copied().fold(Window::default(), Window::plus);
        self.counts = self.counts.chunks(2).map(sum).collect();
        self.doublings = self.doublings.saturating_add(1);
    }

    /// The same windows so many seconds later.
    pub(super) fn later(mut self, seconds: u64) -> Self {
        self.start = self.start.map(|start| start.saturating_add(seconds));
        self
    }

    /// The windows of several ledgers together, as long as the longest. One that overlaps two of these is counted in
    /// that of its first second.
    pub(super) fn together(of: &[&Self]) -> Self {
        let mut sum = Self {
            start: of.iter().filter_map(|windows| windows.start).min(),
            doublings: of
                .iter()
                .map(|windows| windows.doublings)
                .max()
                .unwrap_or_default(),
            counts: Vec::new(),
        };
        for windows in of {
            let start = windows.start.unwrap_or_default();
            for (at, counts) in (0u64..).zip(&windows.counts) {
                if let Some(window) = sum.at(start.saturating_add(at << windows.doublings)) {
                    *window = window.plus(*counts);
                }
            }
        }
        sum
    }

    /// The windows after a second, or all of them, where so much coverage is needed.
    pub(super) fn since(&self, second: Option<u64>, needed: f64) -> CoverageWindows {
        let start = self.start.unwrap_or_default();
        let from = second.map_or(0, |second| {
            (second.saturating_sub(start) >> self.doublings).saturating_add(1)
        });
        let mut found = CoverageWindows {
            seconds: 1 << self.doublings,
            ..CoverageWindows::default()
        };
        let (mut most, mut others) = (0, Window::default());
        let windows = (0u64..).zip(&self.counts);
        for (at, window) in windows.filter(|(at, _)| *at >= from) {
            let meant = window.judged.saturating_add(window.missed);
            let Some(covered) = share(window.judged, meant) else {
                continue;
            };
            found.windows = found.windows.saturating_add(1);
            if covered >= needed {
                others.judged = others.judged.saturating_add(window.judged);
                others.missed = others.missed.saturating_add(window.missed);
                continue;
            }
            found.low = found.low.saturating_add(1);
            found.missed = found.missed.saturating_add(window.missed);
            if window.missed > most {
                most = window.missed;
                found.worst_at = at << self.doublings;
            }
        }
        found.others = Proportion::new(others.judged, others.judged.saturating_add(others.missed));
        found
    }
}

impl Window {
    fn plus(self, other: Self) -> Self {
        Self {
            judged: self.judged.saturating_add(other.judged),
            missed: self.missed.saturating_add(other.missed),
        }
    }
}

/// When an exchange took place.
pub(super) fn when(exchange: &Exchange) -> Option<Timestamp> {
    let timing = &exchange.timing;
    timing
        .request_first
        .or(timing.request_last)
        .or(timing.response_first)
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
