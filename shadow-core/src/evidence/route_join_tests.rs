use core::time::Duration;

use super::*;
use crate::{
    compare::{Category, Discrepancy, Failure, Outcome, Verdict},
    evidence::{
        Background, GateConfig, LedgerLimits,
        report::{Report, ReportInputs},
        testing::answered,
    },
    gate::{Skip, SkipPolicy},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::{
    testing::{self, Random},
    time::Timestamp,
};

const WORDS: usize = 60;

fn ledger() -> Ledger {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor).expecting_pairs(true)
}

fn word(number: usize) -> String {
    let letter = |at: usize| char::from(b'g' + u8::try_from(at % 10).unwrap());
    [letter(number), letter(number / 10), 'q'].iter().collect()
}

fn value(place: &str) -> Discrepancy {
    Discrepancy {
        category: Category::Value,
        place: place.to_owned(),
        production: "1".to_owned(),
        shadow: "2".to_owned(),
        leaves: 1,
    }
}

/// One step of the traffic: a word, and what happens to a request for it.
fn step(ledger: &mut Ledger, word: &str, kind: usize) {
    let exchange = testing::exchange("GET", &format!("/products/{word}"));
    let now = Timestamp::from_nanos(5);
    ledger.seen(&exchange);
    let judged = |ledger: &mut Ledger, outcome: &Outcome, verdict: &Verdict| {
        ledger.judged(&exchange, outcome, verdict, now);
    };
    let fast = answered(200, Duration::from_millis(3));
    match kind {
        0 => judged(ledger, &fast, &Verdict::Match),
        1 => judged(
            ledger,
            &fast,
            &Verdict::Mismatch(vec![value("$.price"), value("$.price")]),
        ),
        2 => judged(
            ledger,
            &fast,
            &Verdict::Mismatch(vec![value("$.price"), value("$.name")]),
        ),
        3 => {
            let failure = Failure::Timeout;
            judged(ledger, &Outcome::Failed(failure), &Verdict::ShadowError(failure));
        }
        4 => ledger.skipped(&exchange, Skip::Policy(SkipPolicy::QueueFull)),
        _ => {
            judged(ledger, &fast, &Verdict::Match);
            ledger.background(&exchange, Background::Twice, &[value("$.price")], now);
        }
    }
}

fn report(ledger: &Ledger) -> Report {
    ledger.report(ReportInputs {
        started_ms: 1,
        now_ms: 2,
        ..ReportInputs::default()
    })
}

/// Everything in a report that counts exchanges of routes.
fn figures(ledger: &Ledger) -> Vec<String> {
    let report = report(ledger);
    let routes = report.routes.iter().map(|route| {
        format!(
            "{} {} {} {} {} {} {} {} {}",
            route.route,
            route.exchanges,
            route.skipped,
            route.matched,
            route.mismatched,
            route.regressions + route.undecided + route.noise,
            route.shadow_errors,
            route.background_pairs,
            route.latency.shadow.first_byte.count,
        )
    });
    let groups = report.groups.iter().map(|group| {
        let shifts: Vec<String> = group
            .shifts
            .iter()
            .map(|shift| format!("{:?} {:?}", shift.observed.successes, shift.standing))
            .collect();
        format!(
            "{} {} {} {} {} {} {:?} {shifts:?}",
            group.id,
            group.route,
            group.category,
            group.place,
            group.exchanges,
            group.discrepancies,
            group.standing,
        )
    });
    let causes = report.causes.iter().map(|cause| {
        format!(
            "{} {} {} {:?}",
            cause.id, cause.change, cause.exchanges, cause.routes
        )
    });
    let mut all: Vec<String> = routes.chain(groups).chain(causes).collect();
    all.sort_unstable();
    all
}

fn traffic() -> Vec<(usize, usize)> {
    (0..WORDS)
        .flat_map(|word| (0..6).map(move |kind| (word, kind)))
        .collect()
}

#[test]
fn counts_are_conserved_in_any_order() {
    let play = |steps: &[(usize, usize)]| {
        let mut ledger = ledger();
        for (number, kind) in steps {
            step(&mut ledger, &word(*number), *kind);
        }
        ledger.check(0).unwrap();
        let seen = report(&ledger);
        assert_eq!(seen.routes.len(), 1, "{:?}", seen.routes);
        assert_eq!(
            seen.funnel.regressions + seen.funnel.undecided + seen.funnel.noise,
            2 * WORDS as u64
        );
        figures(&ledger)
    };
    let mut steps = traffic();
    let expected = play(&steps);
    let all = WORDS as u64;
    let row = format!(
        "GET /products/{{name}} {} {all} {} {} {} {all} {all} {}",
        6 * all,
        2 * all,
        2 * all,
        2 * all,
        4 * all
    );
    assert!(expected.contains(&row), "{row}\n{expected:#?}");
    let price = format!("value $.price {} {} ", 2 * all, 3 * all);
    assert!(expected.iter().any(|line| line.contains(&price)), "{expected:#?}");
    let mut random = Random(3);
    for _ in 0..20 {
        for at in (1..steps.len()).rev() {
            let with = usize::try_from(random.number()).unwrap_or_default() % (at + 1);
            steps.swap(at, with);
        }
        assert_eq!(play(&steps), expected);
    }
}

#[test]
fn marks_and_windows_before_a_join_count_what_is_after_them() {
    let mut ledger = ledger();
    let steps = traffic();
    let (before, after) = steps.split_at(30 * 6);
    for (number, kind) in before {
        step(&mut ledger, &word(*number), *kind);
    }
    let mark = ledger.mark();
    let verdicts = ledger.verdict_mark();
    let first = ledger.take_window(Timestamp::from_nanos(10));
    // Part of a window before the join, and part after it.
    for (number, kind) in after {
        step(&mut ledger, &word(*number), *kind);
    }
    let second = ledger.take_window(Timestamp::from_nanos(20));
    assert_eq!(report(&ledger).routes.len(), 1);
    let sum = |windows: &[crate::evidence::RouteWindow]| {
        windows.iter().fold([0; 6], |mut sum, window| {
            let counts = [
                window.skipped,
                window.matched,
                window.mismatched,
                window.undecided + window.noise,
                window.shadow_errors,
                window.shadow[0].count(),
            ];
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum += count;
            }
            sum
        })
    };
    let each = [30, 60, 60, 0, 30, 120];
    assert_eq!((first.len(), second.len()), (30, 1), "{second:?}");
    for (windows, what) in [(&first, "first"), (&second, "second")] {
        let [skipped, matched, mismatched, _, errors, answers] = sum(windows);
        assert_eq!([skipped, matched, mismatched, 0, errors, answers], each, "{what}");
    }
    let marked = ledger.marked(&mark);
    assert_eq!(marked.iter().map(|(compared, _)| compared).sum::<u64>(), 120);
    assert_eq!(ledger.since(&mark, &GateConfig::default()).compared, 120);
    assert_eq!(ledger.regressions_since(&verdicts).1, 120);
    let splits = ledger.splits_since(&ledger.standings(), &mark);
    let counted: u64 = splits
        .iter()
        .map(|split| split.regressions + split.undecided + split.noise)
        .sum();
    assert_eq!(counted, 60, "{splits:?}");
}

#[test]
fn keys_that_differ_once_on_each_route_are_data_when_the_routes_are_one() {
    let mut ledger = ledger();
    for number in 0..WORDS {
        let exchange = testing::exchange("GET", &format!("/products/{}", word(number)));
        let found = vec![value(&format!("$.stock.{}.count", word(number)))];
        ledger.seen(&exchange);
        let outcome = answered(200, Duration::from_millis(3));
        ledger.judged(
            &exchange,
            &outcome,
            &Verdict::Mismatch(found),
            Timestamp::from_nanos(5),
        );
    }
    let report = report(&ledger);
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|group| {
            (
                group.route.as_str(),
                group.place.as_str(),
                group.exchanges,
                group.discrepancies,
            )
        })
        .collect();
    let all = WORDS as u64;
    assert_eq!(groups, [("GET /products/{name}", "$.stock.*.count", all, all)]);
}

#[test]
fn a_name_that_was_a_route_separates_a_cause() {
    let mut ledger = ledger();
    let only = word(7);
    for round in 0..3 {
        for number in 0..WORDS {
            step(&mut ledger, &word(number), usize::from(number == 7));
            if round == 0 && number < 20 {
                step(&mut ledger, &only, 1);
            }
        }
    }
    let report = report(&ledger);
    let cause = &report.causes[0];
    let shown = cause
        .features
        .iter()
        .find(|feature| feature.name == format!("/products/{only}"));
    let shown = shown.unwrap_or_else(|| panic!("{cause:#?}"));
    assert_eq!(cause.exchanges, 23, "{cause:#?}");
    assert_eq!(shown.with.successes, 23, "{shown:#?}");
}
