//! Values that change by themselves in both systems, each at its own time, and values that only look so.

use core::time::Duration;

use super::*;
use crate::{
    compare::{Comparator, Discrepancy, Outcome, Rules, ShadowResponse, Side},
    evidence::{
        ThirdAnswer, ThirdSystem,
        report::{ReportInputs, Standing},
        testing::asked_again,
    },
    redact::RedactConfig,
};
use shadow_proto::{
    exchange::{Body, Headers},
    testing::exchange,
};

/// Nanoseconds between two requests.
const STEP: u64 = 1_300_000_000;

/// Nanoseconds between two runs of the task.
const EVERY: u64 = 5_000_000_000;

/// The state of a task: the number of its last run, and the system that it ran in.
struct Run {
    number: u64,
    /// Nanoseconds of a day.
    at: u64,
}

impl Run {
    /// The last run before `now` of a task that runs `phase` nanoseconds later than others.
    fn last(now: u64, phase: u64) -> Self {
        let number = (now - phase) / EVERY;
        Self {
            number,
            at: number * EVERY + phase,
        }
    }

    /// The milliseconds that it took: random, but the same whenever it is asked.
    fn took(&self, system: u64) -> f64 {
        let mixed = (self.number * 2 + system).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 44;
        2.0 + f64::from(u32::try_from(mixed % 9_000).expect("a small number")) / 1_000.0
    }

    fn time(&self) -> String {
        let (seconds, nanos) = (self.at / 1_000_000_000, self.at % 1_000_000_000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("2026-11-30T{hours:02}:{minutes:02}:{seconds:02}.{nanos:09}Z")
    }
}

/// A system: the content of its answer at a time.
type System = Box<dyn Fn(u64) -> String>;

fn answer(body: String) -> ShadowResponse {
    ShadowResponse {
        status: 200,
        headers: Headers::from_pairs([("content-type", "application/json")]),
        trailers: Headers::default(),
        body: Body::whole(body),
        first_byte: Duration::from_millis(3),
        total: Duration::from_millis(3),
    }
}

/// The standings of all differences after 300 requests, each with the same target.
fn standings(production: impl Fn(u64) -> String, shadow: impl Fn(u64) -> String) -> Vec<Standing> {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
    ledger = ledger.expecting_pairs(true);
    let comparator = Comparator::new(Rules::default()).expect("rules");
    let mut former: Option<(ShadowResponse, ShadowResponse, Vec<Discrepancy>)> = None;
    for number in 0..300 {
        let at = 3_600_000_000_000 + number * STEP;
        let (mine, theirs) = (answer(production(at)), answer(shadow(at)));
        let mut exchange = exchange("GET", "/status");
        if let Some(response) = &mut exchange.response {
            response.headers = mine.headers.clone();
            response.body = mine.body.clone();
        }
        let compare = |a: &ShadowResponse, b: &ShadowResponse| {
            comparator.compare(&exchange.request, Side::from(a), Side::from(b))
        };
        let outcome = Outcome::Response(theirs.clone());
        let verdict = comparator.verdict(&exchange, &outcome);
        let now = Timestamp::from_nanos(at);
        ledger.seen(&exchange);
        ledger.judged(&exchange, &outcome, &verdict, now);
        let found = compare(&mine, &theirs);
        if number % 10 == 0 {
            let answers = [&mine, &theirs, &theirs];
            asked_again(
                (&mut ledger, &comparator),
                &exchange,
                answers,
                (&found, true),
                now,
            );
        }
        if let Some((before, their_former, found_before)) = former.take() {
            let (itself, other) = (compare(&before, &mine), compare(&mine, &their_former));
            let thirds = ThirdAnswer {
                found: &found_before,
                itself: &itself,
                other: &other,
                is_close: true,
            };
            ledger.third(&exchange, ThirdSystem::Production, thirds, now);
            ledger.moved(&exchange, &found, [&itself, &compare(&their_former, &theirs)]);
        }
        former = (!found.is_empty()).then_some((mine, theirs, found));
    }
    let report = ledger.report(ReportInputs::default());
    let shifts = report.groups.iter().flat_map(|group| &group.shifts);
    shifts.map(|shift| shift.standing).collect()
}

fn task(system: u64, phase: u64) -> impl Fn(u64) -> String {
    move |now| {
        let run = Run::last(now, phase);
        format!("{{\"at\":\"{}\",\"took\":{}}}", run.time(), run.took(system))
    }
}

#[test]
fn the_last_run_of_a_task_and_how_long_it_took_are_noise() {
    for phase in [54_000_000, 1_700_000_000, 4_900_000_000] {
        let found = standings(task(0, 0), task(1, phase));
        assert!(
            found.len() > 1 && found.iter().all(|standing| *standing == Standing::Noise),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_wrong_in_such_a_value_is_found() {
    let production = task(0, 0);
    let took = |factor: f64| {
        move |now| {
            let run = Run::last(now, 0);
            format!("{{\"at\":\"{}\",\"took\":{}}}", run.time(), run.took(0) * factor)
        }
    };
    let at = |late: u64, earlier: u64| {
        move |now| {
            let run = Run::last(now - earlier, 0);
            let at = Run {
                at: run.at + late,
                ..run
            };
            format!("{{\"at\":\"{}\",\"took\":{}}}", at.time(), run.took(0))
        }
    };
    let stopped = |_| task(1, 0)(3_600_000_000_000);
    let faults: [(&str, System); 5] = [
        ("an eighth more", Box::new(took(1.125))),
        ("in another unit", Box::new(took(0.001))),
        ("an hour late", Box::new(at(3_600_000_000_000, 0))),
        ("from a cache", Box::new(at(0, 20_000_000_000))),
        ("stopped", Box::new(stopped)),
    ];
    for (name, shadow) in faults {
        let found = standings(&production, shadow);
        assert!(found.contains(&Standing::Regression), "{name}: {found:?}");
    }
}
