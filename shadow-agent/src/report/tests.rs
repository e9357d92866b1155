use std::{collections::BTreeMap, time::Duration};

use serde::de::DeserializeOwned;
use shadow_core::{
    compare::RuleUsage,
    evidence::{
        Judgement, Proportion, Reason, Ruling, Settle, Unread,
        report::{
            Cause, CauseRoute, Compared, Finding, FindingKind, Funnel, Group, Latency, Quantiles, Report,
            Route, Sample, Separates, Shift, Spans, Standing, Trend, TrendDirection,
        },
    },
};

use super::{status, text};
use crate::figures;
use crate::{
    control::status::{Attached, Lane, Queue, Rates, Ring, RouteChecked, Status},
    state::Killed,
};

fn counters(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// Counters, by their names in JSON.
fn typed<T: DeserializeOwned>(pairs: &[(&str, u64)]) -> T {
    serde_json::from_value(serde_json::json!(counters(pairs))).expect("names of counters")
}

fn funnel() -> Funnel {
    Funnel {
        kernel: typed(&[
            ("seen", 1_234_567),
            ("not_targeted", 1_000_000),
            ("no_payload", 134_566),
            ("emitted", 99_999),
            ("ring_full", 2),
        ]),
        engine: typed(&[
            ("requests", 2_105),
            ("exchanges_complete", 2_100),
            ("gap_bytes", 4_096),
            ("incomplete_response_gap", 5),
        ]),
        exchanges: 2_105,
        skipped: counters(&[("write", 100), ("response_gap", 5)]),
        skipped_total: 105,
        unverified: counters(&[("write", 100)]),
        in_flight: 0,
        replayed: 2_000,
        matched: 1_990,
        mismatched: 7,
        regressions: 7,
        undecided: 0,
        noise: 0,
        after_skipped_write: 0,
        shadow_errors: 3,
        failures: counters(&[("timeout", 3)]),
        notes: BTreeMap::new(),
    }
}

fn latency(production_us: u64, shadow_us: u64) -> Latency {
    let spans = |us: u64| {
        let quantiles = Quantiles {
            count: 1_997,
            p50_us: us,
            p50_low_us: us - us / 100,
            p50_high_us: us + us / 100,
            p90_us: 2 * us,
            p99_us: 9 * us,
            max_us: 10 * us,
            ..Quantiles::default()
        };
        Spans {
            first_byte: quantiles,
            whole: quantiles,
        }
    };
    Latency {
        production: spans(production_us),
        shadow: spans(shadow_us),
        p50_ratio: Some(14.52),
        p50_ratio_low: Some(13.9),
        p50_ratio_high: Some(15.2),
    }
}

fn causes() -> Vec<Cause> {
    let route = |route: &str| CauseRoute {
        route: route.to_owned(),
        exchanges: 400,
        of: 4_000,
    };
    vec![
        Cause {
            id: "cause-1f9a03".to_owned(),
            change: "status 200 -> 401".to_owned(),
            exchanges: 800,
            rate: Proportion::new(800, 8_000),
            routes: vec![route("GET /orders/{id}"), route("GET /users/{id}")],
            groups: vec!["1f9a03b2c4d5".to_owned()],
            features: vec![Separates {
                says: "carry Authorization".to_owned(),
                with: Proportion::new(800, 800),
                others: Proportion::new(0, 7_200),
                ..Separates::default()
            }],
            ..Cause::default()
        },
        Cause {
            id: "cause-aabbcc".to_owned(),
            change: "value at $.\u{1b}[2Jprice".to_owned(),
            standing: Standing::Undecided,
            exchanges: 1,
            rate: Proportion::new(1, 1_997),
            routes: vec![route("GET /users/{id}")],
            features: vec![Separates {
                says: "have the parameter page".to_owned(),
                with: Proportion::new(0, 1),
                others: Proportion::new(1_990, 1_996),
                ..Separates::default()
            }],
            sample: Some(Sample {
                target: "/users/17".to_owned(),
                ..Sample::default()
            }),
            ..Cause::default()
        },
    ]
}

fn group() -> Group {
    Group {
        route: "GET /users/{id}".to_owned(),
        category: "value".to_owned(),
        place: "$.price".to_owned(),
        exchanges: 7,
        rate: Proportion::new(7, 1_997),
        trend: Trend {
            direction: TrendDirection::Rising,
            ..Trend::default()
        },
        shifts: vec![Shift {
            production: "decimal".to_owned(),
            shadow: "decimal".to_owned(),
            apart: "within 1 %".to_owned(),
            standing: Standing::Regression,
            observed: Proportion::new(7, 1_997),
            background: Some(Compared {
                source: "twice".to_owned(),
                pairs: Proportion::new(0, 98),
                low: 0.001,
                high: 0.007,
            }),
            ..Shift::default()
        }],
        samples: vec![Sample {
            target: "/users/17".to_owned(),
            production: "10.5".to_owned(),
            // An answer of a hostile server, aimed at readers of reports on a terminal.
            shadow: "\u{1b}[2J10.4\u{202e}\n".to_owned(),
            ..Sample::default()
        }],
        ..Group::default()
    }
}

/// One rule that never matched, one that hides whole bodies, one without a problem.
fn rules() -> Vec<RuleUsage> {
    vec![
        RuleUsage {
            rule: "compare.ignore[0]".to_owned(),
            what: "$.meta.requst_id".to_owned(),
            asked: 412,
            ..RuleUsage::default()
        },
        RuleUsage {
            rule: "compare.routes[0].ignore[0]".to_owned(),
            what: "$..*".to_owned(),
            asked: 64,
            matched: 64,
            hid_all: 60,
        },
        RuleUsage {
            rule: "compare.ignore[1]".to_owned(),
            what: "$.fine".to_owned(),
            asked: 412,
            matched: 3,
            hid_all: 0,
        },
    ]
}

fn report() -> Report {
    let reason = |gate: &str, ruling, text: &str| Reason {
        gate: gate.to_owned(),
        ruling,
        text: text.to_owned(),
    };
    Report {
        format: 2,
        started_ms: 1_000,
        ended_ms: 3_724_000,
        funnel: funnel(),
        coverage: Unread::default().coverage(2_000, 2_005),
        match_rate: Proportion::new(1_990, 1_997),
        latency: latency(850, 12_345),
        routes: vec![Route {
            route: "GET /users/{id}".to_owned(),
            latency: latency(1_000, 4_560_000),
            ..Route::default()
        }],
        causes: causes(),
        causes_more: 4,
        groups: vec![group()],
        findings: vec![Finding {
            kind: FindingKind::Slow,
            route: "GET /users/{id}".to_owned(),
            text: "the median is 4560 times production's".to_owned(),
        }],
        rules: rules(),
        judgement: Judgement {
            ruling: Ruling::NoGo,
            reasons: vec![
                reason(
                    "match_rate",
                    Ruling::InsufficientEvidence,
                    "1990 of 1997 answers matched",
                ),
                reason("latency", Ruling::NoGo, "too slow"),
                reason("coverage", Ruling::Go, "enough"),
            ],
            more_exchanges_needed: Some(12_345),
            more_seconds_needed: Some(5_400),
            settle: vec![Settle {
                route: "GET /search".to_owned(),
                undecided: 3,
                pairs: 14,
            }],
        },
        ..Report::default()
    }
}

fn assert_golden(shown: &str, golden: &str) {
    assert!(shown == golden, "the text is now:\n{shown}");
}

#[test]
fn causes_after_the_first_have_a_line_each() {
    let mut report = report();
    let cause = |number: usize| Cause {
        id: format!("cause-{number:06}"),
        ..causes()[0].clone()
    };
    report.causes = (1..=40).map(cause).collect();
    let text = text::report(&report);
    let line = "\n 30. 800 exchanges on 2 routes (10 %): status 200 -> 401  cause-000030\n  and 14 more;";
    assert!(text.contains(line), "{text}");
    assert_eq!(
        text.matches("carry Authorization").count(),
        text::CAUSES,
        "{text}"
    );
}

#[test]
fn many_routes_with_one_problem_leave_room_for_others() {
    let finding = |kind: FindingKind, number: u64| Finding {
        kind,
        route: format!("GET /page{number}"),
        text: "as it is".to_owned(),
    };
    let mut report = report();
    report.findings = (0..34).map(|number| finding(FindingKind::Slow, number)).collect();
    report.findings.push(finding(FindingKind::TimesOut, 77));
    let text = text::report(&report);
    assert!(
        text.contains("GET /page4: as it is\n  and 29 more routes like these"),
        "{text}"
    );
    assert!(text.contains("GET /page77: as it is"), "{text}");
}

#[test]
fn the_report_reads_as_agreed() {
    assert_golden(&text::report(&report()), include_str!("golden/report.txt"));
}

#[test]
fn exchanges_that_were_not_read_are_shown_with_their_interval() {
    let unread = Unread {
        low: 50,
        exchanges: 57,
        high: 80,
    };
    let report = Report {
        coverage: unread.coverage(2_000, 2_005),
        unread,
        ..report()
    };
    let shown = text::report(&report);
    for part in [
        "  coverage    96.993 % (2,000 of 2,062; 95 % interval 95.923 % to 97.324 %)\n",
        "  unread      57 (95 % interval 50 to 80) of these exchanges passed, but could not be read\n",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let page = super::html::page(&report, &super::html::History::default());
    assert!(
        page.contains(
            "2,000 of 2,062 meant to be compared; not read: 57 (95 % interval 50 to 80), at worst 95.923 %"
        ),
        "{page}"
    );
    let json = serde_json::to_value(&report).expect("a report is JSON");
    assert_eq!(json["unread"]["high"], 80);
}

#[test]
fn a_report_of_nothing_claims_nothing() {
    assert_golden(
        &text::report(&Report::default()),
        include_str!("golden/nothing.txt"),
    );
}

#[test]
fn long_lists_say_how_much_they_leave_out() {
    let mut report = report();
    report.causes.clear();
    report.groups = vec![report.groups[0].clone(); text::GROUPS + 5];
    report.groups_overflow = 3;
    let shown = text::report(&report);
    assert!(shown.contains("and 5 more groups; --json shows all"), "{shown}");
    assert!(
        shown.contains("3 more differences found no place: raise evidence.groups"),
        "{shown}"
    );
    assert_eq!(shown.matches("for example /users/17").count(), text::GROUPS);
    let listed = shown
        .split("\nDifferences")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let lines = listed.map_or(0, |listed| listed.lines().count());
    assert!(lines <= 3 * text::GROUPS + 3, "three lines a group: {shown}");
    for standing in [Standing::Noise, Standing::AfterSkippedWrite] {
        let excused = Group {
            standing,
            ..report.groups[0].clone()
        };
        report.groups.extend(vec![excused; 500]);
    }
    let shown = text::report(&report);
    assert_eq!(shown.matches("and 490 more groups").count(), 2, "{shown}");
    assert!(
        shown.lines().count() < 200,
        "a thousand groups fit on a few pages: {shown}"
    );
}

fn status() -> Status {
    Status {
        version: "1.2.3".to_owned(),
        pid: 42,
        uptime_ms: 3_723_000,
        armed: true,
        sample: 0.05,
        shadow: Some("http://10.0.0.2:9090".to_owned()),
        targets: vec!["8080".to_owned(), "10.0.0.1:80".to_owned()],
        interfaces: vec![Attached {
            name: "eth0".to_owned(),
            method: "tcx".to_owned(),
            before_ingress: Some(Vec::new()),
            before_egress: Some(Vec::new()),
        }],
        ring: Ring {
            bytes: 32 << 20,
            waiting: 3 << 19,
            full: 2,
            ..Ring::default()
        },
        queue: Queue {
            waiting: 3,
            room: 1_024,
            bytes: 4_096,
            in_flight: 64,
        },
        rates: Rates {
            packets: 10_000.4,
            emitted: 500.0,
            exchanges: 99.6,
            replayed: 90.0,
        },
        funnel: funnel(),
        match_rate: Proportion::new(1_990, 1_997),
        latency: latency(850, 12_345),
        warnings: vec!["2 packets were lost".to_owned()],
        lanes: vec![Lane {
            routes: vec![
                RouteChecked {
                    route: "GET /orders/{id}".to_owned(),
                    exchanges: 2_000,
                    verified: Some(0.964),
                    caught: None,
                },
                RouteChecked {
                    route: "GET /rare".to_owned(),
                    exchanges: 5,
                    verified: Some(0.2),
                    caught: None,
                },
            ],
            power: Proportion::new(1_491, 1_500),
            ..Lane::default()
        }],
        ..Status::default()
    }
}

#[test]
fn the_status_reads_as_agreed() {
    assert_golden(&status::page(&status()), include_str!("golden/status.txt"));
    assert_eq!(
        status::line(&status()),
        "2,105 exchanges (100/s) | 105 skipped | 2,000 replayed | 99.649 % match | 3 shadow errors | 3 waiting | \
         2 packets LOST"
    );
}

#[test]
fn a_kill_is_the_first_thing_to_see() {
    let killed = Status {
        armed: false,
        killed: Some(Killed {
            who: "root".to_owned(),
            why: "incident\n4711".to_owned(),
            at_ms: 1_700_000_000_000,
            ..Killed::default()
        }),
        ..status()
    };
    let page = status::page(&killed);
    let mut lines = page.lines();
    assert_eq!(lines.next(), Some("KILLED   shadow 1.2.3, pid 42, up 1h 2m 3s"));
    assert_eq!(
        lines.next(),
        Some("  by root at 2023-11-14T22:13:20Z: incident\\n4711; `shadow resume` mirrors again")
    );
    assert!(status::line(&killed).starts_with("KILLED | "));
    let unknown = Status {
        killed: Some(Killed::default()),
        ..killed
    };
    assert!(status::page(&unknown).contains("who did it is not known"));
}

#[test]
fn figures_are_short_and_exact_where_it_matters() {
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(figures::count),
        ["0", "999", "1,000", "1,234,567"]
    );
    assert_eq!(
        [1.0, 0.999_999_9, 0.999_9, 0.5, 1e-9, 0.0].map(figures::percent),
        ["100 %", "> 99.999 %", "99.99 %", "50 %", "< 0.001 %", "0 %"]
    );
    assert_eq!(
        [850, 12_345, 4_560_000].map(figures::micros),
        ["850 us", "12.3 ms", "4.56 s"]
    );
    assert_eq!(figures::span(Duration::from_millis(61_999)), "1m 1s");
    assert_eq!(
        figures::captured("a\tb\u{7f}\u{200b}c", 9),
        "a\\tb\\u{7f}\\u{200b}c"
    );
    assert_eq!(figures::captured("abcdef", 3), "abc ...");
}

#[test]
fn what_the_engine_did_not_see_is_told_by_its_reason() {
    let mut report = Report::default();
    report.funnel.exchanges = 3;
    report.funnel.skipped_total = 3;
    report.funnel.skipped = counters(&[("response_gap", 3)]);
    let text = text::report(&report);
    assert!(text.contains("3  response_gap"), "{text}");
    assert!(
        !text.contains("as above") && !text.contains("requests seen"),
        "{text}"
    );
}
