use shadow_common::stat::Stat;
use shadow_core::{
    case::{Answered, CaseRequest, Field},
    compare::{Category, Discrepancy},
    evidence::{
        Proportion, Ruling,
        report::{
            Cause, CauseRoute, Finding, FindingKind, Group, Missed, Power, PowerOf, Route, Sample, Separates,
            Share, Standing, Verified,
        },
    },
    redact::RedactedBody,
};

use super::*;
use crate::journal::Buckets;

const HOSTILE: &str = "</td></table></code><script>alert(document.domain)</script><img src=x onerror=alert(1)>\
    \"'--><style>*{display:none}</style>\u{202e}\u{1b}[2J&lt;";

fn answer(text: &str) -> Answered {
    Answered {
        status: 200,
        headers: vec![Field {
            name: HOSTILE.to_owned(),
            value: HOSTILE.to_owned(),
        }],
        body: RedactedBody {
            len: text.len() as u64,
            text: Some(text.to_owned()),
            ..RedactedBody::default()
        },
        ..Answered::default()
    }
}

fn group(number: usize, standing: Standing, text: &str) -> Group {
    Group {
        id: format!("{number:012x}"),
        route: format!("GET /{text}"),
        category: "value".to_owned(),
        place: format!("$.{text}"),
        standing,
        exchanges: 1000 - number as u64 % 1000,
        samples: vec![
            Sample {
                target: text.to_owned(),
                place: text.to_owned(),
                production: text.to_owned(),
                shadow: text.to_owned(),
                ..Sample::default()
            };
            3
        ],
        ..Group::default()
    }
}

fn case(number: usize, text: &str) -> Case {
    Case {
        id: format!("{number:016x}"),
        request: CaseRequest {
            method: text.to_owned(),
            target: text.to_owned(),
            ..CaseRequest::default()
        },
        production: answer(text),
        shadow: Some(answer(&format!("{text}!"))),
        discrepancies: vec![Discrepancy {
            category: Category::Value,
            place: text.to_owned(),
            production: text.to_owned(),
            shadow: text.to_owned(),
            leaves: 1,
        }],
        ..Case::default()
    }
}

fn cause(number: usize, text: &str) -> Cause {
    let exchanges = 1_000 - number as u64;
    Cause {
        id: format!("cause-{number:06x}"),
        change: format!("missing at $.{text}"),
        exchanges,
        rate: Proportion::new(exchanges, 4_000),
        routes: (0..=number % 3)
            .map(|route| CauseRoute {
                route: format!("GET /{route}/{text}"),
                exchanges,
                of: 4_000,
            })
            .collect(),
        groups: vec![format!("{number:012x}")],
        features: vec![Separates {
            says: format!("carry {text}"),
            with: Proportion::new(exchanges, exchanges),
            others: Proportion::new(0, 3_000),
            low: 0.98,
            high: 1.0,
            ..Separates::default()
        }],
        sample: Some(Sample {
            target: text.to_owned(),
            production: text.to_owned(),
            ..Sample::default()
        }),
        ..Cause::default()
    }
}

fn power(text: &str) -> Power {
    Power {
        planted: 5_000,
        caught: Proportion::new(3_980, 4_000),
        by_route: vec![PowerOf {
            route: text.to_owned(),
            caught: Proportion::new(3_980, 4_000),
            ..PowerOf::default()
        }],
        missed: vec![Missed {
            route: text.to_owned(),
            place: format!("$.{text}"),
            count: 20,
            why: "not_compared".to_owned(),
        }],
        ..Power::default()
    }
}

fn report(groups: usize, text: &str) -> Report {
    let standings = [
        Standing::Regression,
        Standing::Undecided,
        Standing::Noise,
        Standing::AfterSkippedWrite,
    ];
    let share = |leaves: f64| Share {
        leaves,
        bytes: leaves,
    };
    let mut report = Report {
        target: text.to_owned(),
        started_ms: 1_700_000_000_000,
        ended_ms: 1_700_000_600_000,
        match_rate: Proportion::new(990, 1000),
        groups: (0..groups)
            .map(|number| group(number, standings[number % 4], text))
            .collect(),
        routes: vec![Route {
            route: text.to_owned(),
            verified: Some(Verified {
                answers: 16,
                leaves: 12.0,
                exact: share(0.75),
                not: share(0.25),
                ..Verified::default()
            }),
            ..Route::default()
        }],
        power: power(text),
        causes: (0..groups.min(30)).map(|number| cause(number, text)).collect(),
        findings: vec![Finding {
            kind: FindingKind::Slow,
            route: text.to_owned(),
            text: text.to_owned(),
        }],
        ..Report::default()
    };
    report.judgement.ruling = Ruling::NoGo;
    report.funnel.skipped.insert("write".to_owned(), 7);
    let kernel = &mut report.funnel.kernel;
    kernel.set(Stat::Seen, 9);
    kernel.set(Stat::RingFull, 3);
    report.also = vec![Report {
        also: Vec::new(),
        ..report.clone()
    }];
    report
}

fn history(groups: usize, text: &str) -> History {
    let window = |at: u64| Window {
        at_ms: 1_700_000_000_000 + at * 10_000,
        span_ms: 10_000,
        matched: 99,
        mismatched: 1,
        production: Buckets::of([(1_000 + at, 50)]),
        shadow: Buckets::of([(2_000 + at, 50)]),
        ..Window::default()
    };
    History {
        windows: (0..60).map(window).collect(),
        events: vec![Event {
            at_ms: 1_700_000_100_000,
            kind: text.to_owned(),
            who: text.to_owned(),
            why: text.to_owned(),
            ..Event::default()
        }],
        cases: (0..groups)
            .map(|number| (format!("{number:012x}"), case(number, text)))
            .collect(),
        missing: None,
    }
}

#[test]
fn captured_text_is_shown_and_never_obeyed() {
    let page = page(&report(8, HOSTILE), &history(8, HOSTILE));
    assert!(
        page.contains("&lt;script&gt;alert(document.domain)&lt;/script&gt;"),
        "it is shown"
    );
    for tag in [
        "<script",
        "<img",
        "<style>*",
        "onerror=alert(1)>",
        "\u{202e}",
        "\u{1b}",
    ] {
        assert!(!page.contains(tag), "{tag:?} came through");
    }
    assert_eq!(page.matches("<style>").count(), 1, "only the page's own");
    // No external resources: addresses occur only in text.
    for attribute in [" src=", " href=", "@import", "url("] {
        let inside_tags = page
            .split('<')
            .filter_map(|part| part.split_once('>'))
            .any(|(tag, _)| tag.contains(attribute));
        assert!(!inside_tags, "{attribute} in a tag");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_storm_of_mismatches_makes_no_longer_page() {
    let long = "long ".repeat(400);
    let size = |groups: usize| page(&report(groups, &long), &history(groups, &long)).len();
    let (some, storm) = (size(100), size(4_000));
    assert!(storm < 3 << 20, "{storm} bytes");
    assert!(storm < some + 10_000, "{some} bytes became {storm}");
    let text = page(&report(4_000, "x"), &history(0, "x"));
    assert!(
        text.contains("more groups; `shadow diffs` lists them"),
        "it says what it leaves out"
    );
}

#[test]
fn every_part_is_there_and_what_is_missing_is_said() {
    let full = page(&report(8, "x"), &history(8, "x"));
    for part in [
        "NO-GO",
        "<svg",
        "match rate over time",
        "latency distributions",
        "LOST: the ring was full",
        "<code>write</code>",
        "Noise: a system differs from itself",
        "Explained: after a write",
        "What was done",
        "The comparison would have caught <b>99.5 %</b> of 4,000 planted faults",
        "<td class=\"n\">75 %</td>",
        "<td class=\"n\">99.5 % of 4,000</td>",
        "<td>not compared</td>",
        "Also: x",
    ] {
        assert!(full.contains(part), "{part}");
    }
    let nothing = page(
        &Report::default(),
        &History {
            missing: Some("There is no journal, so there is no history.".to_owned()),
            ..History::default()
        },
    );
    assert!(
        nothing.contains("There is no journal") && nothing.contains("None that nothing excuses"),
        "{nothing}"
    );
    assert!(!nothing.contains("planted"), "{nothing}");
    assert!(!nothing.contains("NaN") && !nothing.contains("inf"), "{nothing}");
}

#[test]
fn after_the_cut_over_the_systems_are_called_what_they_are() {
    let mut report = report(8, "x");
    let history = history(8, "x");
    let headings = |report: &Report| {
        let page = page(report, &history);
        // In the columns' headings only; class names and units in the page are not renamed.
        let columns = page.matches("<th>production</th><th>shadow</th>").count();
        let renamed = page.matches("<th>new system</th><th>old system</th>").count();
        (columns, renamed, page)
    };
    let (columns, renamed, page) = headings(&report);
    assert!(columns > 8 && renamed == 0, "{columns} {renamed}");
    assert!(page.contains("production, on the wire") && page.contains("p50 production / shadow"));
    report.scope.reversed = true;
    report.also.clear();
    let (columns, renamed, page) = headings(&report);
    assert!(columns == 0 && renamed > 8, "{columns} {renamed}");
    for part in [
        "new system, on the wire",
        "old system, at the client socket",
        "p50 new system / old system",
    ] {
        assert!(page.contains(part), "{part:?} is not there");
    }
}

#[test]
fn the_page_leads_with_the_verdict_and_five_causes() {
    let page = page(&report(40, "role"), &history(40, "role"));
    println!("{page}");
    let at = |what: &str| {
        page.find(what)
            .unwrap_or_else(|| panic!("{what:?} is not on the page"))
    };
    let order = [
        "NO-GO</h1>",
        "Causes, the most harmful first",
        "missing at $.role",
        "all 1,000 carry role; none of 3,000 others do",
        "all 996 carry role",
        "shadow diffs show cause-000000",
        "25 more causes",
        "all 995 carry role",
        "match rate",
        "Match rate over time",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
}
