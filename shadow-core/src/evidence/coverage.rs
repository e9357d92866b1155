//! Coverage over time.
//!
//! A burst of requests that is too much for the agent, or a short loss, says little about the rest of a run. So
//! coverage is also counted in windows of time, and the gate is open if nearly all windows with traffic are covered,
//! although many exchanges were missed in few of them.
//! Bounds: [`WINDOWS`] windows; when the last one ends, neighbours are added up and windows become twice as long.
//! Bias: only few windows may be left out, and no route of which nothing was compared is.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    burst,
    gate_config::GateConfig,
    gates::{Figures, Reason, Ruling, percent, reason},
    ledger::{Ledger, grown},
    stats::{Proportion, share},
};
use crate::compare::Verdict;

/// Maximum number of windows.
const WINDOWS: usize = 256;

/// Windows with traffic from which one can be an exception.
const ENOUGH: u64 = 20;

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

impl CoverageWindows {
    /// Whether so few windows have too little coverage that the others count, with exchanges that were not read and may
    /// all have been in these.
    fn is_burst(&self, needed: f64, unread: u64) -> bool {
        let covered = self.windows.saturating_sub(self.low);
        let others = share(self.others.successes, self.others.trials.saturating_add(unread));
        self.low > 0
            && self.windows >= ENOUGH
            && !self.unseen_route
            && share(covered, self.windows).is_some_and(|covered| covered >= needed)
            && others.is_some_and(|rate| rate >= needed)
    }

    /// Why a low coverage of all exchanges is none of the run.
    fn explained(&self) -> String {
        let seconds = self.low.saturating_mul(self.seconds);
        format!(
            "; but {} were missed in a burst of {seconds} s ({} s after the start), and {} of the other {} windows of \
             {} s have a verdict",
            self.missed,
            self.worst_at,
            percent(self.others.rate.unwrap_or_default()),
            self.windows.saturating_sub(self.low),
            self.seconds
        )
    }
}

impl Ledger {
    /// Coverage by window after a second, or of the whole run.
    pub(super) fn coverage_since(&self, second: Option<u64>, config: &GateConfig) -> CoverageWindows {
        let all = self.total.missed;
        let unseen_route = self.routes_seen().any(|(_, _, tally)| {
            tally.missed > 0 && tally.compared() == 0 && tally.missed.saturating_mul(100) >= all
        });
        CoverageWindows {
            unseen_route,
            ..self.coverage.since(second, config.coverage)
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

/// The gate. Lost exchanges say nothing against the shadow system, so it never results in NO-GO. Of the number of
/// exchanges that were not read, the end of the interval with more of them counts.
pub(super) fn gate(config: &GateConfig, figures: &Figures) -> Reason {
    let Figures {
        coverage,
        unread,
        windows,
        ..
    } = figures;
    let (Some(rate), Some(low)) = (coverage.rate, coverage.low) else {
        let nothing = "nothing was seen that is to be compared".to_owned();
        return reason("coverage", Ruling::InsufficientEvidence, nothing);
    };
    let is_burst = low < config.coverage && windows.is_burst(config.coverage, unread.high);
    let mut text = format!(
        "{} of {} exchanges that were to be compared have a verdict: {}, needed is {}",
        coverage.successes,
        coverage.trials,
        percent(rate),
        percent(config.coverage),
    );
    if unread.high > 0 {
        // Writing to a String cannot fail.
        write!(
            text,
            "; {} of them were not read (95 % interval {} to {}): at worst {}",
            unread.exchanges,
            unread.low,
            unread.high,
            percent(low),
        )
        .unwrap_or_default();
    }
    if is_burst {
        text += &windows.explained();
    }
    let is = if low >= config.coverage || is_burst {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    };
    reason("coverage", is, text)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::{
        evidence::{
            LedgerLimits,
            report::{Report, ReportInputs},
            testing::answered,
        },
        gate::{Skip, SkipPolicy},
        redact::{RedactConfig, Redactor},
    };
    use shadow_proto::testing;

    /// A run of some seconds; `steps(second)` says how many exchanges of a route are compared, and missed.
    fn run(seconds: u64, steps: impl Fn(u64) -> Vec<(&'static str, u64, u64)>) -> (Ledger, Report) {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
        let answer = answered(200, Duration::from_millis(1));
        for second in 0..seconds {
            let now = Timestamp::from_nanos((1_000_000 + second) * 1_000_000_000);
            for (target, judged, missed) in steps(second) {
                let mut exchange = testing::exchange("GET", target);
                exchange.timing.request_first = Some(now);
                for _ in 0..judged {
                    ledger.seen(&exchange);
                    ledger.judged(&exchange, &answer, &Verdict::Match, now);
                }
                for _ in 0..missed {
                    ledger.seen(&exchange);
                    ledger.skipped(&exchange, Skip::Policy(SkipPolicy::QueueFull));
                }
            }
        }
        let report = ledger.report(ReportInputs::default());
        (ledger, report)
    }

    fn told(report: &Report) -> (Ruling, &str) {
        let gate = report
            .judgement
            .reasons
            .iter()
            .find(|reason| reason.gate == "coverage")
            .unwrap();
        (gate.ruling, &gate.text)
    }

    #[test]
    fn a_burst_is_a_burst_and_not_the_coverage_of_the_run() {
        let burst = |second: u64| (100..103).contains(&second);
        let (mut ledger, report) = run(165, |second| {
            vec![("/a", 20, if burst(second) { 1_500 } else { 0 })]
        });
        assert!(report.coverage.rate.unwrap() < 0.5, "{:?}", report.coverage);
        let (ruling, text) = told(&report);
        assert_eq!(ruling, Ruling::Go, "{text}");
        assert!(
            text.ends_with(
                "; but 4500 were missed in a burst of 3 s (100 s after the start), and 100 % of the other 162 windows \
                 of 1 s have a verdict"
            ),
            "{text}"
        );
        let windows = &report.coverage_windows;
        assert_eq!((windows.windows, windows.low, windows.missed), (165, 3, 4_500));
        // A longer run has longer windows; nothing is lost.
        let (long, report) = run(2_000, |second| {
            vec![("/a", 2, if burst(second) { 900 } else { 0 })]
        });
        assert_eq!(told(&report).0, Ruling::Go, "{report:?}");
        let sum = long.coverage.counts.iter().fold((0, 0), |sum, window| {
            (sum.0 + window.judged, sum.1 + window.missed)
        });
        assert_eq!(sum, (4_000, 2_700));
        assert!(long.coverage.counts.len() <= WINDOWS);
        // A phase after the burst.
        let mark = ledger.mark();
        assert_eq!(ledger.since(&mark, &GateConfig::default()).coverage.trials, 0);
    }

    #[test]
    fn windows_of_several_nodes_are_those_of_one() {
        let sums = |windows: &Windows| {
            windows
                .counts
                .iter()
                .copied()
                .fold(Window::default(), Window::plus)
        };
        for seconds in [1, 200, 256, 5_000] {
            let (mut one, mut nodes) = (Windows::default(), vec![Windows::default(); 3]);
            for second in 0..seconds {
                // The clock of each node begins at another time.
                let node = second % 3;
                let moment = |second: u64| Timestamp::from_nanos(second * 1_000_000_000);
                let local = moment(100 + second - node * 7);
                if second % 10 == 0 {
                    one.missed(Some(moment(100 + second)));
                    nodes[node as usize].missed(Some(local));
                }
                one.judged(moment(100 + second));
                nodes[node as usize].judged(local);
            }
            let nodes: Vec<_> = (0..3)
                .zip(nodes)
                .map(|(node, windows)| windows.later(node * 7))
                .collect();
            let together = Windows::together(&nodes.iter().collect::<Vec<_>>());
            assert_eq!(sums(&together), sums(&one), "{seconds}");
            if seconds <= WINDOWS as u64 {
                assert_eq!(together, one, "{seconds}");
            }
        }
        assert_eq!(
            Windows::together(&[&Windows::default(), &Windows::default()]),
            Windows::default()
        );
    }

    #[test]
    fn what_is_missed_all_the_time_is_no_burst() {
        type Steps = fn(u64) -> Vec<(&'static str, u64, u64)>;
        let cases: [(&str, u64, Steps); 5] = [
            ("always", 165, |_| vec![("/a", 40, 60)]),
            ("every tenth second", 165, |second| {
                vec![("/a", 20, if second % 10 == 0 { 500 } else { 0 })]
            }),
            ("a tenth of the time", 165, |second| {
                vec![("/a", 20, if second < 17 { 500 } else { 0 })]
            }),
            ("too short to tell", 15, |second| {
                vec![("/a", 20, if second == 3 { 500 } else { 0 })]
            }),
            ("all of a route", 165, |second| {
                vec![
                    ("/a", 20, 0),
                    ("/batch", 0, if second == 100 { 5_000 } else { 0 }),
                ]
            }),
        ];
        for (what, seconds, steps) in cases {
            let (_, report) = run(seconds, steps);
            let (ruling, text) = told(&report);
            assert_eq!(ruling, Ruling::InsufficientEvidence, "{what}: {text}");
            assert!(!text.contains("burst"), "{what}: {text}");
        }
    }
}
