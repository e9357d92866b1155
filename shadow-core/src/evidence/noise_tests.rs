//! Noise in both systems, with and without faults, passed through the comparison and the ledger.

use core::time::Duration;

use super::*;
use crate::{
    compare::{Comparator, Rules, ShadowResponse, Side},
    evidence::report::{Group, Report, ReportInputs, Standing},
    evidence::{Background, ThirdAnswer, ThirdSystem},
    gate::SkipPolicy,
    redact::RedactConfig,
};
use shadow_proto::exchange::{Body, Headers};
use shadow_proto::testing::{Random, exchange};

/// The system that answers.
#[derive(Clone, Copy, PartialEq)]
enum System {
    Production,
    Shadow,
}

/// A simulated service: returns the body of one answer.
type Service = Box<dyn Fn(System, &mut Random, u64) -> String>;

struct Scene {
    ledger: Ledger,
    comparator: Comparator,
    random: Random,
    service: Service,
    /// Whether third answers are to the same requester, close in time.
    is_close: bool,
}

fn headers() -> Headers {
    Headers::from_pairs([("content-type", "application/json")])
}

impl Scene {
    fn new(service: impl Fn(System, &mut Random, u64) -> String + 'static) -> Self {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        Self {
            ledger: Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor),
            comparator: Comparator::new(Rules::default()).expect("rules"),
            random: Random(7),
            service: Box::new(service),
            is_close: true,
        }
    }

    fn answer(&mut self, system: System, number: u64) -> Body {
        Body::whole((self.service)(system, &mut self.random, number))
    }

    fn judge(&mut self, number: u64, target: &str) {
        let mut exchange = exchange("GET", target);
        let body = self.answer(System::Production, number);
        if let Some(production) = &mut exchange.response {
            production.headers = headers();
            production.body = body;
        }
        let outcome = Outcome::Response(ShadowResponse {
            status: 200,
            headers: headers(),
            trailers: Headers::default(),
            body: self.answer(System::Shadow, number),
            first_byte: Duration::from_millis(3),
            total: Duration::from_millis(3),
        });
        let verdict = self.comparator.verdict(&exchange, &outcome);
        self.ledger.seen(&exchange);
        let now = Timestamp::from_nanos(number * 1_000_000);
        self.ledger.judged(&exchange, &outcome, &verdict, now);
    }

    /// Two answers of one system.
    fn pair(&mut self, number: u64, target: &str, source: Background) {
        let system = match source {
            Background::Twice => System::Shadow,
            Background::Recurring | Background::Control => System::Production,
        };
        let (first, second) = (self.answer(system, number), self.answer(system, number));
        let asked = exchange("GET", target);
        let headers = headers();
        let side = |body| Side {
            status: 200,
            headers: &headers,
            trailers: Headers::none(),
            body,
        };
        let found = self
            .comparator
            .compare(&asked.request, side(&first), side(&second));
        self.ledger
            .background(&asked, source, &found, Timestamp::from_nanos(number));
    }

    /// A mismatch, with a third answer to the same request.
    fn third(&mut self, number: u64, target: &str, asked: ThirdSystem) {
        let production = self.answer(System::Production, number);
        let shadow = self.answer(System::Shadow, number);
        let (again, first, second) = match asked {
            ThirdSystem::Production => (self.answer(System::Production, number), &production, &shadow),
            ThirdSystem::Shadow => (self.answer(System::Shadow, number), &shadow, &production),
        };
        let exchange = exchange("GET", target);
        let headers = headers();
        let side = |body| Side {
            status: 200,
            headers: &headers,
            trailers: Headers::none(),
            body,
        };
        let compare = |a, b| self.comparator.compare(&exchange.request, side(a), side(b));
        let found = compare(&production, &shadow);
        let (itself, other) = (compare(first, &again), compare(second, &again));
        let thirds = ThirdAnswer {
            found: &found,
            itself: &itself,
            other: &other,
            is_close: self.is_close,
        };
        let now = Timestamp::from_nanos(number);
        self.ledger.third(&exchange, asked, thirds, now);
    }

    /// Sends ten thousand exchanges; one in five is also sent twice.
    fn run(mut self) -> Report {
        for number in 0..10_000 {
            self.judge(number, "/a");
            if self.random.one_in(5) {
                self.pair(number, "/a", Background::Twice);
            }
        }
        self.report()
    }

    fn report(&self) -> Report {
        self.ledger.report(ReportInputs::default())
    }
}

fn uuid(random: &mut Random) -> String {
    let (a, b) = (random.number(), random.number());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

fn facts(group: &Group) -> Vec<(String, Standing, u64)> {
    let shift = |shift: &report::Shift| {
        let name = format!("{} -> {}", shift.production, shift.shadow);
        (name, shift.standing, shift.observed.successes)
    };
    group.shifts.iter().map(shift).collect()
}

/// The standing of one shift, and how often it was observed.
fn shift(report: &Report, name: &str) -> (Standing, u64) {
    let all: Vec<_> = report.groups.iter().flat_map(facts).collect();
    let found = all.iter().find(|(known, ..)| known == name);
    let (_, standing, count) = found.unwrap_or_else(|| panic!("no {name} among {all:?}"));
    (*standing, *count)
}

fn assert_all_noise(report: &Report) {
    let strays: Vec<_> = report
        .groups
        .iter()
        .filter(|group| group.standing != Standing::Noise)
        .map(|group| (&group.category, &group.place, &group.shifts))
        .collect();
    assert!(strays.is_empty(), "{strays:#?}");
    let funnel = &report.funnel;
    assert_eq!((funnel.regressions, funnel.noise), (0, funnel.mismatched));
    assert_eq!(report.match_rate.successes, 10_000, "{:?}", report.match_rate);
}

#[test]
fn what_is_random_in_both_systems_is_noise() {
    let scene = Scene::new(|_, random, _| format!("{{\"id\":\"{}\",\"price\":17}}", uuid(random)));
    let report = scene.run();
    assert_eq!(report.funnel.mismatched, 10_000);
    assert_all_noise(&report);
    assert_eq!(report.judgement.reasons[0].ruling, super::super::Ruling::Go);
}

#[test]
fn random_texts_that_happen_to_have_parts_are_noise_as_the_others_are() {
    let scene = Scene::new(|_, random, number| {
        let start = match number % 1000 {
            7 => ["abq-", "kwe-", "zot-"][usize::try_from(random.number() % 3).unwrap_or(0)],
            _ => "k",
        };
        let (a, b) = (random.number(), random.number());
        format!("{{\"csrf\":\"{start}{a:016x}{b:016x}\"}}")
    });
    let report = scene.run();
    assert!(report.groups.iter().any(|group| group.place == "$.csrf word 1"));
    assert_all_noise(&report);
}

#[test]
fn the_order_of_random_elements_is_noise_as_they_are() {
    let scene = Scene::new(|_, random, number| {
        let mut below = |most: u64| random.number() % most;
        let [a, b, c] = match number % 1000 {
            7 => [[1, 2, 3], [3, 1, 2], [2, 3, 1]][usize::try_from(below(3)).unwrap_or(0)],
            _ => [below(99_999), below(99_999), below(99_999)],
        };
        format!("{{\"top\":[{a},{b},{c}]}}")
    });
    let report = scene.run();
    assert!(report.groups.iter().any(|group| group.category == "order"));
    assert_all_noise(&report);
}

#[test]
fn a_fault_inside_a_random_field_is_a_regression() {
    // The rewrite drops the identifier in one answer in fifty, at random on each attempt.
    let scene = Scene::new(|system, random, _| {
        if system == System::Shadow && random.one_in(50) {
            return "{\"id\":null}".to_owned();
        }
        format!("{{\"id\":\"{}\"}}", uuid(random))
    });
    let report = scene.run();
    let (standing, wrong) = shift(&report, "uuid -> null");
    assert_eq!(standing, Standing::Regression);
    assert!((150..250).contains(&wrong), "{wrong}");
    assert_eq!(shift(&report, "uuid -> uuid").0, Standing::Noise);
    let funnel = &report.funnel;
    assert_eq!((funnel.regressions, funnel.noise), (wrong, 10_000 - wrong));
    assert_eq!(report.match_rate.successes, 10_000 - wrong);
    assert_eq!(report.judgement.ruling, super::super::Ruling::NoGo);
    let group = report.groups.iter().find(|group| group.category == "type");
    let sample = &group.expect("a group of it").samples[0];
    assert_eq!(sample.shift, "uuid -> null", "a fault is shown before noise");
}

#[test]
fn a_fault_that_returns_with_the_request_is_one_too() {
    for wrong in [
        "{\"id\":\"not an id\"}",
        "{\"id\":\"\"}",
        "{}",
        "{\"id\":17}",
        "{\"id\":\"0123456789abcdef\"}",
    ] {
        let report = Scene::new(move |system, random, number| {
            if system == System::Shadow && number.is_multiple_of(50) {
                return wrong.to_owned();
            }
            format!("{{\"id\":\"{}\"}}", uuid(random))
        })
        .run();
        let funnel = report.funnel;
        assert_eq!(
            (funnel.regressions, funnel.noise),
            (200, 9_800),
            "{wrong}: {funnel:?}"
        );
    }
}

/// A number that jitters by 5 %.
fn jittered(random: &mut Random) -> u64 {
    1_000 + random.number() % 101 - 50
}

#[test]
fn jitter_is_noise_and_a_number_far_off_is_not() {
    let report = Scene::new(|_, random, _| format!("{{\"load\":{}}}", jittered(random))).run();
    assert_all_noise(&report);

    let report = Scene::new(|system, random, number| {
        let load = jittered(random);
        let wrong = system == System::Shadow && number.is_multiple_of(50);
        format!("{{\"load\":{}}}", if wrong { load * 100 } else { load })
    })
    .run();
    let far = report.groups[0]
        .shifts
        .iter()
        .find(|shift| shift.apart == "over 10x")
        .expect("those that are far off");
    assert_eq!(
        (far.standing, far.observed.successes),
        (Standing::Regression, 200)
    );
    assert_eq!(report.funnel.regressions, 200);
}

#[test]
fn a_field_that_is_sometimes_there_is_noise_when_it_is_so_in_both() {
    fn hint(random: &mut Random, n: u64) -> String {
        if random.one_in(n) {
            return "{}".to_owned();
        }
        "{\"hint\":\"x\"}".to_owned()
    }
    assert_all_noise(&Scene::new(|_, random, _| hint(random, 10)).run());
    // Three times as often in the rewrite, also between its own two answers.
    let report =
        Scene::new(|system, random, _| hint(random, if system == System::Shadow { 10 } else { 30 })).run();
    assert_eq!(shift(&report, "word -> absent").0, Standing::Regression);
}

#[test]
fn a_rare_null_that_only_the_rewrite_has_is_found_over_all_routes() {
    let standings = |nulls: fn(System) -> bool| -> Vec<Standing> {
        let mut scene = Scene::new(move |system, random, _| {
            if nulls(system) && random.one_in(100) {
                "{\"request_id\":null}".to_owned()
            } else {
                format!("{{\"request_id\":\"{}\"}}", uuid(random))
            }
        });
        for number in 0..400 {
            for route in ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"] {
                scene.judge(number, route);
                scene.third(number, route, ThirdSystem::Shadow);
                if number % 20 == 0 {
                    scene.pair(number, route, Background::Twice);
                }
            }
        }
        let report = scene.report();
        let shifts = report.groups.iter().flat_map(|group| &group.shifts);
        let null = shifts.filter(|shift| shift.production == "null" || shift.shadow == "null");
        null.map(|shift| shift.standing).collect()
    };
    let found = standings(|system| system == System::Shadow);
    assert!(found.len() >= 6, "{found:?}");
    assert!(
        found.iter().all(|standing| *standing == Standing::Regression),
        "{found:?}"
    );
    let found = standings(|_| true);
    assert!(
        found.len() >= 6 && !found.contains(&Standing::Regression),
        "{found:?}"
    );
}

#[test]
fn only_the_rewrite_is_random_and_production_says_so() {
    let mut scene = Scene::new(|system, random, _| match system {
        System::Production => format!("{{\"id\":\"{}\"}}", uuid(&mut Random(1))),
        System::Shadow => format!("{{\"id\":\"{}\"}}", uuid(random)),
    });
    for number in 0..1_000 {
        scene.judge(number, "/a");
        scene.pair(number, "/a", Background::Twice);
    }
    let before = scene.report();
    assert_eq!(
        before.funnel.regressions, 0,
        "as far as the shadow system tells: {:?}",
        before.groups
    );
    for number in 0..20 {
        scene.third(number, "/a", ThirdSystem::Production);
    }
    let report = scene.report();
    assert_eq!(report.funnel.noise, 0, "{:?}", report.groups);
    let shift = &report.groups[0].shifts[0];
    assert_eq!(
        (shift.why.as_str(), shift.production_again.stays),
        ("production", 20)
    );
}

#[test]
fn what_is_known_later_is_applied_to_what_was_counted_before() {
    let mut scene = Scene::new(|_, random, _| format!("{{\"id\":\"{}\"}}", uuid(random)));
    for number in 0..500 {
        scene.judge(number, "/a");
    }
    let before = scene.report();
    assert_eq!((before.funnel.regressions, before.funnel.noise), (500, 0));
    assert_eq!(before.groups[0].standing, Standing::Regression, "no pairs yet");
    scene.pair(1, "/a", Background::Twice);
    assert_eq!(
        scene.report().groups[0].standing,
        Standing::Undecided,
        "one pair says little"
    );
    for number in 0..20 {
        scene.pair(number, "/a", Background::Twice);
    }
    let after = scene.report();
    assert_eq!((after.funnel.regressions, after.funnel.noise), (0, 500));
    assert_eq!(after.match_rate.successes, 500);
    assert_eq!(after.background.twice.compared, 21);
    let windows = scene.ledger.take_window(Timestamp::from_nanos(u64::MAX));
    assert_eq!((windows[0].mismatched, windows[0].noise), (500, 500));
}

/// A system that was not sent a write to `/users/7`, and has the old name everywhere.
fn after_a_write() -> Scene {
    let mut scene = Scene::new(|system, _, _| match system {
        System::Production => "{\"name\":\"new\"}".to_owned(),
        System::Shadow => "{\"name\":\"old\"}".to_owned(),
    });
    let put = exchange("PUT", "/users/7");
    scene.ledger.seen(&put);
    scene.ledger.skipped(&put, Skip::Policy(SkipPolicy::Write));
    scene
}

#[test]
fn a_read_behind_a_skipped_write_is_counted_apart() {
    let mut scene = after_a_write();
    for number in 0..10 {
        scene.judge(number, "/users/7");
    }
    scene.judge(11, "/users/8");
    scene.judge(12, "/orders/7");
    let report = scene.report();
    let funnel = &report.funnel;
    assert_eq!(
        (funnel.after_skipped_write, funnel.regressions),
        (10, 2),
        "{funnel:?}"
    );
    assert_eq!((report.match_rate.successes, report.match_rate.trials), (0, 2));
    assert_eq!((report.writes.seen, report.writes.paths), (1, 2));
    let standings: Vec<_> = report
        .groups
        .iter()
        .map(|group| {
            (
                group.route.as_str(),
                group.standing,
                group.exchanges,
                group.after_skipped_write,
            )
        })
        .collect();
    assert_eq!(
        standings,
        [
            ("GET /users/{id}", Standing::Regression, 11, 10),
            ("GET /orders/{id}", Standing::Regression, 1, 0)
        ]
    );
}

#[test]
fn no_write_explains_what_differs_without_one() {
    let mut scene = after_a_write();
    for number in 0..20 {
        scene.judge(number, "/users/7");
        scene.judge(number, "/users/8");
    }
    let funnel = scene.report().funnel;
    assert_eq!(
        (funnel.after_skipped_write, funnel.regressions),
        (0, 40),
        "{funnel:?}"
    );
}

#[test]
fn no_write_explains_what_is_as_frequent_without_one() {
    // A fault in every third answer, and the name of a user that was written.
    let mut scene = Scene::new(|system, _, number| {
        let is_shadow = system == System::Shadow;
        let name = if is_shadow && number >= 100 { "old" } else { "new" };
        let page = if is_shadow && number % 3 == 0 {
            ""
        } else {
            ",\"page\":3"
        };
        format!("{{\"name\":\"{name}\"{page}}}")
    });
    let put = exchange("PUT", "/users/7");
    scene.ledger.seen(&put);
    scene.ledger.skipped(&put, Skip::Policy(SkipPolicy::Write));
    for number in 0..100 {
        scene.judge(number, "/users/8");
        scene.judge(number + 100, "/users/7");
    }
    let report = scene.report();
    let standing = |category: &str| {
        let group = report.groups.iter().find(|group| group.category == category);
        group.map(|group| (group.standing, group.after_skipped_write > 0))
    };
    assert_eq!(
        standing("missing"),
        Some((Standing::Regression, true)),
        "{report:?}"
    );
    // The changed name is explained in every exchange but those with the fault.
    assert_eq!(
        standing("value"),
        Some((Standing::AfterSkippedWrite, true)),
        "{report:?}"
    );
    assert_eq!(
        (report.funnel.after_skipped_write, report.funnel.regressions),
        (67, 67),
        "{:?}",
        report.funnel
    );
}

#[test]
fn answers_to_another_requester_say_nothing_about_what_varies() {
    for (is_close, expected) in [(true, Standing::Noise), (false, Standing::Regression)] {
        let mut scene = Scene::new(|_, random, _| format!("{{\"id\":\"{}\"}}", uuid(random)));
        scene.is_close = is_close;
        for number in 0..100 {
            scene.judge(number, "/me");
            scene.third(number, "/me", ThirdSystem::Production);
        }
        let report = scene.report();
        assert_eq!(report.groups[0].standing, expected, "{:#?}", report.groups[0]);
    }
}

#[test]
fn what_was_counted_before_its_place_was_known_to_be_data_is_judged_by_later_evidence() {
    let mut scene = Scene::new(|_, random, _| {
        let keys: Vec<String> = (0..3)
            .map(|_| format!("\"w{}\":true", random.number() % 1_000_000))
            .collect();
        format!("{{\"stock\":{{{}}}}}", keys.join(","))
    });
    scene.ledger = scene.ledger.expecting_pairs(true);
    for number in 0..100 {
        scene.judge(number, "/stock");
        scene.pair(number, "/stock", Background::Twice);
    }
    let report = scene.report();
    let funnel = &report.funnel;
    assert_eq!(
        (funnel.regressions, funnel.undecided, funnel.noise),
        (0, 0, 100),
        "{:#?}",
        report.groups
    );
}

#[test]
fn a_number_nearer_than_what_is_noise_by_its_name_is_noise() {
    let mut scene = Scene::new(|system, random, number| {
        let took = match (system, number) {
            (System::Production, 1_000..) => "4.00",
            (System::Shadow, 1_000..) => "4.01",
            _ => ["2.1", "4.0", "7.9"][usize::try_from(random.number() % 3).unwrap_or(0)],
        };
        format!("{{\"took_ms\":{took}}}")
    });
    scene.ledger = scene.ledger.expecting_pairs(true);
    for number in 0..400 {
        scene.judge(number, "/a");
        scene.pair(number, "/a", Background::Recurring);
        // No request of this route is repeated.
        scene.judge(number, "/b");
    }
    for number in 1_000..1_003 {
        scene.judge(number, "/b");
    }
    let funnel = scene.report().funnel;
    assert_eq!((funnel.regressions, funnel.undecided), (0, 0), "{funnel:?}");
}

#[test]
fn differences_over_the_limit_are_never_noise() {
    let mut scene = Scene::new(|system, random, _| {
        let values: Vec<String> = (0..300)
            .map(|n| format!("{{\"id\":{n},\"trace\":\"{}\"}}", uuid(random)))
            .collect();
        let total = if system == System::Shadow { -1 } else { 1 };
        format!("{{\"items\":[{}],\"total\":{total}}}", values.join(","))
    });
    for number in 0..200 {
        scene.judge(number, "/a");
        scene.pair(number, "/a", Background::Twice);
    }
    assert_eq!(
        scene.report().funnel.noise,
        0,
        "one of the differences was not stored"
    );
}
