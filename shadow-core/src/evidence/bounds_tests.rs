//! Bounds of the ledger when everything differs, and of what it returns.

use super::{
    tests::{FAST, judge, ledger, mismatch, report},
    *,
};
use crate::{
    compare::Failure,
    evidence::{Background, RouteWindow, testing::answered},
    redact::RedactConfig,
};
use shadow_proto::testing::exchange;

#[test]
fn a_storm_of_mismatches_stays_bounded() {
    let mut ledger = ledger();
    for number in 0..20_000u64 {
        let word: String = number
            .to_string()
            .bytes()
            .map(|digit| char::from(digit + 60))
            .collect();
        let place = format!("$.{word}");
        judge(
            &mut ledger,
            &format!("/{word}/{word}"),
            &answered(200, FAST),
            &mismatch(&place, "1", "2"),
        );
    }
    let report = report(&ledger);
    assert_eq!(ledger.check(0), Ok(()));
    assert!(
        report.groups.len() <= 1024 && report.routes.len() <= 257,
        "{} {}",
        report.groups.len(),
        report.routes.len()
    );
    assert_eq!(
        report.groups.iter().map(|group| group.discrepancies).sum::<u64>() + report.groups_overflow,
        20_000
    );
}

#[test]
fn a_storm_of_distinct_mismatches_is_bounded_and_excuses_nothing() {
    let limits = LedgerLimits {
        sets: 50,
        groups: 100,
        ..LedgerLimits::default()
    };
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    let mut ledger = Ledger::new(limits, GateConfig::default(), redactor);
    let mut state = 3u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let outcome = Outcome::Failed(Failure::Reset);
    for number in 0..20_000u64 {
        let exchange = exchange("GET", &format!("/x/{}", number % 300));
        let found: Vec<Discrepancy> = (0..=random() % 20)
            .map(|_| Discrepancy {
                category: Category::Value,
                place: format!("header m{}", "x".repeat((random() % 40) as usize)),
                production: random().to_string(),
                shadow: random().to_string(),
                leaves: 1,
            })
            .collect();
        ledger.seen(&exchange);
        ledger.judged(
            &exchange,
            &outcome,
            &Verdict::Mismatch(found),
            Timestamp::from_nanos(number),
        );
    }
    let report = report(&ledger);
    assert_eq!(report.funnel.regressions + report.funnel.undecided, 20_000);
    assert!(
        report.background.sets_overflow > 19_000,
        "{:?}",
        report.background
    );
    assert!(report.groups.len() <= 100);
}

#[test]
fn minutes_of_a_storm_take_no_more_room_than_its_first_seconds() {
    // Five thousand per second, each wrong in a different way on its own route, with pairs that differ as well.
    let mut ledger = ledger();
    let size = |ledger: &Ledger| {
        (
            ledger.by_route.len(),
            ledger.groups.size(),
            ledger.sets.counts().len(),
            ledger.skips.len(),
        )
    };
    let mut before = None;
    for number in 0..60_000u64 {
        let word: String = number
            .to_string()
            .bytes()
            .map(|digit| char::from(digit + 60))
            .collect();
        let verdict = mismatch(&format!("header {word}-{number}"), &number.to_string(), "\"x\"");
        let target = format!("/{word}/{number}");
        judge(&mut ledger, &target, &answered(200, FAST), &verdict);
        let pair = mismatch(&format!("header pair-{word}"), "1", "2");
        if let (0, Verdict::Mismatch(found)) = (number % 20, &pair) {
            let asked = exchange("GET", &target);
            ledger.background(
                &asked,
                Background::Twice,
                found,
                Timestamp::from_nanos(number * 200_000),
            );
        }
        if number == 25_000 {
            before = Some(size(&ledger));
        }
    }
    assert_eq!(Some(size(&ledger)), before);
    let report = report(&ledger);
    let funnel = &report.funnel;
    assert_eq!(
        funnel.regressions + funnel.undecided,
        60_000,
        "nothing is excused"
    );
    assert!(report.background.overflow > 0, "{:?}", report.background);
}

#[test]
fn a_window_holds_what_happened_since_the_last() {
    let mut ledger = ledger();
    judge(&mut ledger, "/a", &answered(200, FAST), &Verdict::Match);
    judge(
        &mut ledger,
        "/a",
        &answered(503, FAST),
        &mismatch("status", "200", "503"),
    );
    judge(&mut ledger, "/b", &answered(200, FAST), &Verdict::Match);
    let first = ledger.take_window(Timestamp::from_nanos(100));
    let routes: Vec<_> = first.iter().map(|window| window.route.as_str()).collect();
    assert_eq!(routes, ["GET /a", "GET /b"]);
    let window = &first[0];
    assert_eq!((window.from_ns, window.to_ns), (5, 100));
    assert_eq!((window.matched, window.mismatched, window.shadow_5xx), (1, 1, 1));
    assert_eq!(
        window.shadow[1].iter().collect::<Vec<_>>(),
        [(2_992, 2)],
        "of 3 ms"
    );
    assert_eq!(ledger.take_window(Timestamp::from_nanos(200)), []);
    judge(
        &mut ledger,
        "/a",
        &Outcome::Failed(Failure::Reset),
        &Verdict::ShadowError(Failure::Reset),
    );
    let second = ledger.take_window(Timestamp::from_nanos(300));
    assert_eq!(
        (second.len(), second[0].shadow_errors, second[0].matched),
        (1, 1, 0)
    );
    assert_eq!((second[0].from_ns, second[0].shadow[0].count()), (200, 0));
    let text = serde_json::to_string(&first).expect("serializable");
    assert_eq!(
        serde_json::from_str::<Vec<RouteWindow>>(&text).expect("readable"),
        first
    );
}
