use core::time::Duration;

use super::*;
use crate::{
    compare::Failure,
    evidence::{
        Ruling,
        report::{FindingKind, Funnel, KernelCounters, Report, ReportInputs},
        testing::answered,
    },
    gate::SkipPolicy,
    redact::RedactConfig,
};
use shadow_proto::exchange::Incomplete;
use shadow_proto::testing::exchange;

pub(super) fn ledger() -> Ledger {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor)
}

pub(super) fn mismatch(place: &str, production: &str, shadow: &str) -> Verdict {
    Verdict::Mismatch(vec![Discrepancy {
        category: Category::Value,
        place: place.to_owned(),
        production: production.to_owned(),
        shadow: shadow.to_owned(),
        leaves: 1,
    }])
}

pub(super) fn report(ledger: &Ledger) -> Report {
    ledger.report(ReportInputs {
        started_ms: 1,
        now_ms: 2,
        kernel: KernelCounters::ZERO,
        sample: Some(1.0),
        ..ReportInputs::default()
    })
}

/// Judges one exchange and counts it as seen.
pub(super) fn judge(ledger: &mut Ledger, target: &str, outcome: &Outcome, verdict: &Verdict) {
    let exchange = exchange("GET", target);
    ledger.seen(&exchange);
    ledger.judged(&exchange, outcome, verdict, Timestamp::from_nanos(5));
}

pub(super) const FAST: Duration = Duration::from_millis(3);

#[test]
fn every_exchange_is_counted_once() {
    let mut ledger = ledger();
    for &reason in Incomplete::ALL {
        let cut = exchange("GET", "/cut");
        ledger.seen(&cut);
        ledger.skipped(&cut, Skip::Incomplete(reason));
    }
    for &reason in SkipPolicy::ALL {
        let write = exchange("POST", "/write");
        ledger.seen(&write);
        ledger.skipped(&write, Skip::Policy(reason));
    }
    for &failure in Failure::ALL {
        judge(
            &mut ledger,
            "/fails",
            &Outcome::Failed(failure),
            &Verdict::ShadowError(failure),
        );
    }
    judge(&mut ledger, "/ok", &answered(200, FAST), &Verdict::Match);
    judge(
        &mut ledger,
        "/differs",
        &answered(200, FAST),
        &mismatch("$.a", "1", "2"),
    );
    ledger.seen(&exchange("GET", "/in-flight"));

    assert_eq!(ledger.check(1), Ok(()));
    let skipped = (Incomplete::ALL.len() + SkipPolicy::ALL.len()) as u64;
    let replayed = Failure::ALL.len() as u64 + 2;
    assert_eq!(
        ledger.check(0),
        Err(LawError {
            exchanges: skipped + replayed + 1,
            skipped,
            replayed,
            in_flight: 0
        })
    );
    let by_route: u64 = report(&ledger).routes.iter().map(|route| route.exchanges).sum();
    assert_eq!(by_route, skipped + replayed);
    let funnel = report(&ledger).funnel;
    assert_eq!(
        funnel.skipped.len() as u64,
        skipped,
        "no two reasons share a name"
    );
    assert_eq!((funnel.matched, funnel.mismatched, funnel.in_flight), (1, 1, 1));
    adds_up(&funnel);
}

fn adds_up(funnel: &Funnel) {
    assert_eq!(
        funnel.exchanges,
        funnel.skipped_total + funnel.replayed + funnel.in_flight,
        "{funnel:?}"
    );
    assert_eq!(
        funnel.replayed,
        funnel.matched + funnel.mismatched + funnel.shadow_errors,
        "{funnel:?}"
    );
    assert_eq!(
        funnel.skipped.values().sum::<u64>(),
        funnel.skipped_total,
        "{funnel:?}"
    );
    assert_eq!(
        funnel.failures.values().sum::<u64>(),
        funnel.shadow_errors,
        "{funnel:?}"
    );
}

#[test]
fn coverage_leaves_out_what_was_skipped_on_purpose() {
    let mut ledger = ledger();
    for _ in 0..8 {
        judge(&mut ledger, "/ok", &answered(200, FAST), &Verdict::Match);
    }
    for skip in [
        Skip::Policy(SkipPolicy::Write),
        Skip::Policy(SkipPolicy::Replayed),
        Skip::Policy(SkipPolicy::QueueFull),
        Skip::Incomplete(Incomplete::ResponseGap),
    ] {
        let other = exchange("POST", "/x");
        ledger.seen(&other);
        ledger.skipped(&other, skip);
    }
    let cancelled = Failure::Cancelled;
    judge(
        &mut ledger,
        "/ok",
        &Outcome::Failed(cancelled),
        &Verdict::ShadowError(cancelled),
    );
    let report = report(&ledger);
    assert_eq!((report.coverage.successes, report.coverage.trials), (8, 11));
    assert_eq!(
        report.shadow_errors.successes, 0,
        "a replay that the agent cancelled is no error of the shadow system"
    );
}

#[test]
fn slow_and_failing_routes_are_named() {
    let mut ledger = ledger();
    for number in 0..1000 {
        judge(&mut ledger, "/fast", &answered(200, FAST), &Verdict::Match);
        if number % 20 == 0 {
            judge(
                &mut ledger,
                &format!("/slow/{number}"),
                &answered(200, FAST * 10),
                &Verdict::Match,
            );
        }
    }
    for failure in [Failure::Timeout, Failure::Reset] {
        judge(
            &mut ledger,
            "/stuck",
            &Outcome::Failed(failure),
            &Verdict::ShadowError(failure),
        );
    }
    let report = report(&ledger);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.route.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (FindingKind::Slow, "GET /slow/{id}"),
            (FindingKind::TimesOut, "GET /stuck"),
            (FindingKind::Fails, "GET /stuck"),
        ]
    );
    assert_eq!(report.judgement.ruling, Ruling::NoGo, "{:?}", report.judgement);
    let categories: Vec<_> = report
        .groups
        .iter()
        .map(|group| group.category.as_str())
        .collect();
    assert!(
        categories.contains(&"timeout") && categories.contains(&"reset"),
        "{categories:?}"
    );
    let fast = report.routes.first().expect("routes");
    assert_eq!(fast.route, "GET /fast");
    let p50 = fast.latency.production.first_byte.p50_us;
    assert!((2970..=3030).contains(&p50), "{p50} us of 3 ms");
}

#[test]
fn errors_of_both_systems_are_held_against_each_other() {
    let mut ledger = ledger();
    for _ in 0..10 {
        judge(
            &mut ledger,
            "/a",
            &answered(503, FAST),
            &mismatch("status", "200", "503"),
        );
    }
    let mut broken = exchange("GET", "/a");
    if let Some(production) = &mut broken.response {
        production.status = 500;
    }
    ledger.seen(&broken);
    ledger.judged(
        &broken,
        &answered(500, FAST),
        &Verdict::Match,
        Timestamp::default(),
    );
    let report = report(&ledger);
    assert_eq!(
        (
            report.production_errors.successes,
            report.production_errors.trials
        ),
        (1, 11)
    );
    assert_eq!(
        (report.shadow_errors.successes, report.shadow_errors.trials),
        (11, 11)
    );
}

#[test]
fn enough_equal_answers_are_a_go() {
    let mut ledger = ledger();
    for number in 0..4200 {
        judge(
            &mut ledger,
            &format!("/items/{number}"),
            &answered(200, FAST),
            &Verdict::Match,
        );
    }
    let report = report(&ledger);
    assert_eq!(report.judgement.ruling, Ruling::Go, "{:?}", report.judgement);
    assert_eq!(report.routes.len(), 1);
    assert_eq!(report.latency.p50_ratio, Some(1.0));
}

#[test]
fn a_report_reads_back_as_it_was_written() {
    let mut ledger = ledger();
    judge(
        &mut ledger,
        "/a?x=1",
        &answered(200, FAST),
        &mismatch("$.items[3].price", "1.5", "1.6"),
    );
    judge(
        &mut ledger,
        "/b",
        &Outcome::Failed(Failure::Timeout),
        &Verdict::ShadowError(Failure::Timeout),
    );
    let report = report(&ledger);
    let text = serde_json::to_string(&report).expect("serializable");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("readable"), report);
    assert_eq!(report.groups[0].samples[0].at_ns, 5);
}

#[test]
fn no_secret_reaches_the_report() {
    let mut ledger = ledger();
    let secrets = ["s3cr3t-v4lue", "ann@example.org", "4111111111111111", "hunter2"];
    let target = "/login/ann@example.org?token=s3cr3t-v4lue&card=4111111111111111";
    let found = [
        ("$.password", "\"hunter2\""),
        (
            "$.user",
            "{\"password\":\"hunter2\",\"mail\":\"ann@example.org\"}",
        ),
        ("header set-cookie", "sid=s3cr3t-v4lue"),
        ("$['ann@example.org']", "4111111111111111"),
        ("line 3", "Authorization: Bearer s3cr3t-v4lue"),
    ];
    for (place, value) in found {
        for (production, shadow) in [(value, "x"), ("x", value)] {
            judge(
                &mut ledger,
                target,
                &answered(200, FAST),
                &mismatch(place, production, shadow),
            );
        }
    }
    judge(
        &mut ledger,
        target,
        &Outcome::Failed(Failure::Reset),
        &Verdict::ShadowError(Failure::Reset),
    );
    let text = serde_json::to_string(&report(&ledger)).expect("serializable");
    let debug = format!("{ledger:?}");
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in the report: {text}");
        assert!(!debug.contains(secret), "{secret} is in the ledger");
    }
}

#[test]
fn latency_buckets_hold_every_answer_once() {
    let mut ledger = ledger();
    for millis in [1, 2, 2, 30, 4_000] {
        let outcome = answered(200, Duration::from_millis(millis));
        judge(&mut ledger, "/a", &outcome, &Verdict::Match);
    }
    let bounds = [5, 50].map(Duration::from_millis);
    let found = ledger.latency_buckets(&bounds);
    let names = found.each_ref().map(|(system, span, _)| (*system, *span));
    assert_eq!(
        names,
        [
            ("production", "first_byte"),
            ("production", "whole"),
            ("shadow", "first_byte"),
            ("shadow", "whole")
        ]
    );
    let (_, _, shadow) = &found[2];
    assert_eq!(shadow.counts, [3, 1, 1]);
    let sum = shadow.sum.as_secs_f64();
    assert!((sum - 4.035).abs() < 0.05, "two significant digits: {sum}");
    assert!(
        found
            .iter()
            .all(|(.., buckets)| buckets.counts.iter().sum::<u64>() == 5),
        "{found:?}"
    );
}
