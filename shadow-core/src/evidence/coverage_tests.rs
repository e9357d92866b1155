use core::time::Duration;

use super::*;
use crate::{
    evidence::{
        GateConfig, Ledger, LedgerLimits, Ruling,
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

fn shown(report: &Report) -> (Ruling, &str) {
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
    let (ruling, text) = shown(&report);
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
    assert_eq!(shown(&report).0, Ruling::Go, "{report:?}");
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
        let (ruling, text) = shown(&report);
        assert_eq!(ruling, Ruling::InsufficientEvidence, "{what}: {text}");
        assert!(!text.contains("burst"), "{what}: {text}");
    }
}
