//! Per-route windows: counts and latencies since the last call, which the journal keeps as a history.
//!
//! Bounds: the routes of the ledger, with four histograms of at most a few thousand marks each. A window that is never
//! taken does not grow beyond that.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use shadow_proto::time::Timestamp;

use super::{
    latency::{self, Spans},
    ledger::Ledger,
    sets::MismatchCounts,
};

/// One route in one period.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RouteWindow {
    /// Method and path template, such as `GET /users/{id}`.
    pub route: String,
    /// Start of the window, in nanoseconds of the capture's clock: the end of the previous one, or the first event.
    pub from_ns: u64,
    /// End of the window.
    pub to_ns: u64,
    /// Exchanges that were skipped.
    pub skipped: u64,
    /// Of these, exchanges that were meant to be compared.
    pub missed: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Of these, mismatches that were undecided at the end of the window.
    #[serde(default)]
    pub undecided: u64,
    /// Of these, mismatches that were considered noise at the end of the window.
    pub noise: u64,
    /// Of these, mismatches that a skipped write explains.
    pub after_skipped_write: u64,
    /// Verdict shadow error.
    pub shadow_errors: u64,
    /// Of these, failures of the shadow system, except those caused by the agent itself.
    pub failed: u64,
    /// Answers of production with a 5xx status, among replayed exchanges.
    pub production_5xx: u64,
    /// Answers of the shadow system with a 5xx status.
    pub shadow_5xx: u64,
    /// Production's time to the first byte, and to the last.
    pub production: [Marks; 2],
    /// The same for the shadow system.
    pub shadow: [Marks; 2],
}

/// A sparse histogram: (microseconds, count), ascending. Values are exact to two digits.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Marks(Vec<(u64, u64)>);

impl Marks {
    /// Values in microseconds with their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    /// Number of recorded values.
    pub fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Adds the values of another window.
    pub fn merge(&mut self, other: &Self) {
        for (value, count) in other.iter() {
            self.add(value, count);
        }
    }

    /// The value that a share of `quantile` does not exceed, `None` when empty.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let wanted = super::numbers::float(self.count()) * quantile;
        let mut seen = 0;
        self.0
            .iter()
            .find(|(_, count)| {
                seen += count;
                super::numbers::float(seen) >= wanted
            })
            .map(|(value, _)| *value)
    }

    fn record(&mut self, span: Duration) {
        self.add(latency::two_digits(span), 1);
    }

    fn add(&mut self, value: u64, count: u64) {
        match self.0.binary_search_by_key(&value, |(value, _)| *value) {
            Ok(at) => {
                if let Some((_, sum)) = self.0.get_mut(at) {
                    *sum = sum.saturating_add(count);
                }
            }
            Err(at) => self.0.insert(at, (value, count)),
        }
    }
}

/// Measurements of a route since the window began; counts follow from the difference of its tallies.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) counted: Counted,
    production: [Marks; 2],
    shadow: [Marks; 2],
}

/// Values of a route's counters when the window began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) skipped: u64,
    pub(super) missed: u64,
    pub(super) failed: u64,
    pub(super) matched: u64,
    pub(super) mismatched: u64,
    pub(super) shadow_errors: u64,
    pub(super) production_5xx: u64,
    pub(super) shadow_5xx: u64,
    pub(super) judged_at_once: MismatchCounts,
}

impl Counted {
    fn plus(self, other: Self) -> Self {
        Self {
            skipped: self.skipped.saturating_add(other.skipped),
            missed: self.missed.saturating_add(other.missed),
            failed: self.failed.saturating_add(other.failed),
            matched: self.matched.saturating_add(other.matched),
            mismatched: self.mismatched.saturating_add(other.mismatched),
            shadow_errors: self.shadow_errors.saturating_add(other.shadow_errors),
            production_5xx: self.production_5xx.saturating_add(other.production_5xx),
            shadow_5xx: self.shadow_5xx.saturating_add(other.shadow_5xx),
            judged_at_once: self.judged_at_once.plus(other.judged_at_once),
        }
    }
}

impl Open {
    pub(super) fn record(&mut self, production: Spans, shadow: Spans) {
        let both = [(&mut self.production, production), (&mut self.shadow, shadow)];
        for ([first, whole], spans) in both {
            first.record(spans.first);
            whole.record(spans.whole);
        }
    }

    /// Adds those of another route since the same moment.
    pub(super) fn take_over(&mut self, part: Self) {
        self.counted = self.counted.plus(part.counted);
        let both = [
            (&mut self.production, part.production),
            (&mut self.shadow, part.shadow),
        ];
        for (marks, part) in both {
            for (marks, part) in marks.iter_mut().zip(&part) {
                marks.merge(part);
            }
        }
    }

    /// Ends the window and starts the next.
    pub(super) fn close(&mut self, now: Counted, (from, to): (Timestamp, Timestamp)) -> RouteWindow {
        let before = core::mem::replace(&mut self.counted, now);
        let at_once = now.judged_at_once.minus(before.judged_at_once);
        RouteWindow {
            route: String::new(),
            from_ns: from.as_nanos(),
            to_ns: to.as_nanos(),
            skipped: now.skipped.saturating_sub(before.skipped),
            missed: now.missed.saturating_sub(before.missed),
            failed: now.failed.saturating_sub(before.failed),
            matched: now.matched.saturating_sub(before.matched),
            mismatched: now.mismatched.saturating_sub(before.mismatched),
            undecided: at_once.undecided,
            noise: at_once.noise,
            after_skipped_write: at_once.after_skipped_write,
            shadow_errors: now.shadow_errors.saturating_sub(before.shadow_errors),
            production_5xx: now.production_5xx.saturating_sub(before.production_5xx),
            shadow_5xx: now.shadow_5xx.saturating_sub(before.shadow_5xx),
            production: core::mem::take(&mut self.production),
            shadow: core::mem::take(&mut self.shadow),
        }
    }
}

impl Ledger {
    /// Activity on each route since the last call; routes without any are left out.
    pub fn take_window(&mut self, now: Timestamp) -> Vec<RouteWindow> {
        let from = self.window_from.replace(now).unwrap_or(now);
        let mut splits = vec![MismatchCounts::default(); self.by_route.len()];
        let standings = self.standings();
        for found in self.sets_found(&standings) {
            if let Some(split) = splits.get_mut(found.route.index()) {
                split.add(found.standing, self.sets.in_window(found.id));
            }
        }
        self.sets.end_window();
        let Self {
            by_route, windows, ..
        } = self;
        windows.resize_with(by_route.len().max(windows.len()), Open::default);
        let names = self.routes.names().iter();
        names
            .zip(by_route.iter().zip(windows))
            .zip(splits)
            .map(|((name, (tally, open)), split)| {
                let mut window = open.close(tally.counted(), (from, now));
                window.route.clone_from(name);
                window.undecided = window.undecided.saturating_add(split.undecided);
                window.noise = window.noise.saturating_add(split.noise);
                window.after_skipped_write = window
                    .after_skipped_write
                    .saturating_add(split.after_skipped_write);
                window
            })
            .filter(|window| !window.is_empty())
            .collect()
    }
}

impl RouteWindow {
    /// Whether there was no activity.
    pub fn is_empty(&self) -> bool {
        self.skipped == 0 && self.matched == 0 && self.mismatched == 0 && self.shadow_errors == 0
    }
}
