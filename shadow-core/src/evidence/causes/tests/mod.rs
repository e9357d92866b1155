use core::time::Duration;

use shadow_proto::{
    exchange::{Headers, Response},
    testing::exchange_with,
    time::Timestamp,
};

use crate::{
    compare::{ABSENT, Category, Discrepancy, Failure, Outcome, ShadowResponse, Verdict},
    evidence::{
        GateConfig, Ledger, LedgerLimits,
        report::{Cause, FeatureKind, Harm, Separates},
    },
    redact::{RedactConfig, Redactor},
};

mod hidden;

fn ledger() -> Ledger {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor)
}

fn found(category: Category, place: &str, production: &str, shadow: &str) -> Discrepancy {
    Discrepancy {
        category,
        place: place.to_owned(),
        production: production.to_owned(),
        shadow: shadow.to_owned(),
        leaves: 1,
    }
}

fn missing(place: &str) -> Discrepancy {
    found(Category::Missing, place, "\"x\"", ABSENT)
}

fn status(production: u16, shadow: u16) -> Discrepancy {
    found(
        Category::Status,
        "status",
        &production.to_string(),
        &shadow.to_string(),
    )
}

struct TestRequest<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    server: &'a str,
    /// Production's status.
    answered: u16,
    second: u64,
}

impl Default for TestRequest<'_> {
    fn default() -> Self {
        Self {
            method: "GET",
            target: "/",
            headers: &[],
            server: "",
            answered: 200,
            second: 5,
        }
    }
}

fn ask(ledger: &mut Ledger, asked: &TestRequest<'_>, found: Vec<Discrepancy>) {
    let mut exchange = exchange_with(asked.method, asked.target, asked.headers);
    if let Some(response) = &mut exchange.response {
        response.status = asked.answered;
    }
    let server = [("server", asked.server)];
    let outcome = Outcome::Response(ShadowResponse {
        status: 200,
        headers: Headers::from_pairs(server.iter().copied().filter(|(_, value)| !value.is_empty())),
        trailers: Headers::default(),
        body: exchange
            .response
            .as_ref()
            .map(|response: &Response| response.body.clone())
            .unwrap_or_default(),
        first_byte: Duration::from_millis(1),
        total: Duration::from_millis(1),
    });
    let verdict = if found.is_empty() {
        Verdict::Match
    } else {
        Verdict::Mismatch(found)
    };
    ledger.seen(&exchange);
    ledger.judged(
        &exchange,
        &outcome,
        &verdict,
        Timestamp::from_nanos(asked.second * 1_000_000_000),
    );
}

fn get(ledger: &mut Ledger, target: &str, headers: &[(&str, &str)], found: Vec<Discrepancy>) {
    let asked = TestRequest {
        target,
        headers,
        ..TestRequest::default()
    };
    ask(ledger, &asked, found);
}

fn causes(ledger: &Ledger) -> Vec<Cause> {
    ledger.causes().0
}

fn said(cause: &Cause) -> String {
    cause.features.first().map_or_else(String::new, |feature| {
        let (with, others) = (feature.with, feature.others);
        format!(
            "{} of {} {}; {} of {}",
            with.successes, with.trials, feature.says, others.successes, others.trials
        )
    })
}

#[test]
fn differences_of_the_same_exchanges_are_one_finding() {
    let mut ledger = ledger();
    for number in 0..40 {
        let lost = ["$.a", "$.b", "$.c", "$.d"].map(missing).to_vec();
        get(&mut ledger, &format!("/items/{number}"), &[], lost);
        get(
            &mut ledger,
            &format!("/users/{number}"),
            &[],
            vec![missing("$.role")],
        );
    }
    let causes = causes(&ledger);
    let shown: Vec<_> = causes
        .iter()
        .map(|cause| (cause.change.as_str(), cause.groups.len()))
        .collect();
    assert_eq!(
        shown,
        [("missing at $.a, $.b, $.c, $.d", 4), ("missing at $.role", 1)],
        "{causes:#?}"
    );
    assert_eq!(causes.first().map(|cause| cause.exchanges), Some(40));
}

#[test]
fn a_cookie_is_named_and_its_value_is_not_kept() {
    let mut ledger = ledger();
    for number in 0..60 {
        let session = format!("theme=dark; sessionid=s3cret{number}");
        get(
            &mut ledger,
            "/me",
            &[("Cookie", &session)],
            vec![status(200, 401)],
        );
        get(&mut ledger, "/me", &[("Cookie", "theme=dark")], Vec::new());
    }
    let causes = causes(&ledger);
    assert_eq!(
        causes.first().map(said).as_deref(),
        Some("60 of 60 carry Cookie: sessionid; 0 of 60")
    );
    assert!(!format!("{causes:?}").contains("s3cret"));
}

#[test]
fn a_status_takes_the_body_with_it() {
    let mut ledger = ledger();
    for number in 0..30 {
        let all = vec![
            status(200, 404),
            missing("$.name"),
            found(
                Category::Header,
                "header content-type",
                "application/json",
                "text/html",
            ),
        ];
        get(&mut ledger, &format!("/items/{number}"), &[], all);
    }
    // The same place also differs where the status does not.
    for _ in 0..7 {
        get(&mut ledger, "/items/99", &[], vec![missing("$.name")]);
    }
    let causes = causes(&ledger);
    let shown: Vec<_> = causes
        .iter()
        .map(|cause| (cause.change.as_str(), cause.exchanges))
        .collect();
    assert_eq!(shown, [("status 200 -> 404", 30), ("missing at $.name", 7)]);
    assert_eq!(causes.first().map(|cause| cause.with_it.len()), Some(2));
}

#[test]
fn a_change_on_many_routes_is_one_cause_with_what_separates_it() {
    let mut ledger = ledger();
    let secret = [
        ("authorization", "Bearer s3cr3t-t0ken-0123456789"),
        ("accept", "*/*"),
    ];
    for route in 0..41 {
        let route = char::from(b'a' + route % 26)
            .to_string()
            .repeat(usize::from(route / 26) + 2);
        for number in 0..18 {
            let target = format!("/{route}/list?page={}", number % 3);
            get(
                &mut ledger,
                &target,
                &secret,
                vec![status(200, 401), missing("$.x")],
            );
            for _ in 0..4 {
                get(&mut ledger, &target, &[("accept", "*/*")], Vec::new());
            }
        }
    }
    let causes = causes(&ledger);
    assert_eq!(causes.len(), 1, "{causes:#?}");
    let cause = &causes[0];
    assert_eq!(
        (cause.routes.len(), cause.exchanges, cause.harm),
        (41, 738, Harm::Status)
    );
    assert_eq!(said(cause), "738 of 738 carry Authorization; 0 of 2952");
    assert!(cause.features[0].everywhere && cause.features[0].low > 0.9);
    let text = serde_json::to_string(&causes).expect("serializable");
    assert!(!text.contains("s3cr3t"), "{text}");
}

#[test]
fn the_same_change_with_two_causes_is_two() {
    let mut ledger = ledger();
    for number in 0..60 {
        let gzip = [("accept-encoding", "gzip, br")];
        get(&mut ledger, "/feed", &gzip, vec![status(200, 500)]);
        get(&mut ledger, "/feed", &[], Vec::new());
        get(
            &mut ledger,
            &format!("/users?city=x{number}"),
            &[],
            vec![status(200, 500)],
        );
        get(&mut ledger, "/users?page=2", &[], Vec::new());
    }
    let causes = causes(&ledger);
    let shown: Vec<String> = causes.iter().map(said).collect();
    assert_eq!(
        shown,
        [
            "60 of 60 carry Accept-Encoding; 0 of 120",
            "60 of 60 have the parameter city; 0 of 120"
        ],
        "{causes:#?}"
    );
    assert_ne!(causes[0].id, causes[1].id);
}

#[test]
fn a_change_of_all_routes_is_not_split_by_what_is_special_about_each() {
    let mut ledger = ledger();
    for number in 0..80 {
        for route in 0..8 {
            // A field of its own on each of six routes, in the exchanges that differ.
            let name = format!("x-{route}");
            let is_special = route < 6 && number % 2 == 0;
            let headers = is_special.then_some((name.as_str(), "1"));
            let differs = is_special || route >= 6;
            let added = found(Category::Header, "header vary", "(absent)", "accept");
            get(
                &mut ledger,
                &format!("/r{route}/list"),
                headers.as_slice(),
                if differs { vec![added] } else { Vec::new() },
            );
        }
    }
    let found = causes(&ledger);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].routes.len(), 8, "{found:#?}");
}

#[test]
fn one_user_one_build_and_one_moment_are_found() {
    let mut ledger = ledger();
    for second in 0..16 {
        for user in 1..=10 {
            let differs = |yes: bool, place: &str| if yes { vec![missing(place)] } else { Vec::new() };
            let path = format!("/users/{user}/orders");
            get(&mut ledger, &path, &[], differs(user == 7, "$.user"));
            let built = TestRequest {
                target: "/built",
                server: if user % 3 == 0 { "app/1.8" } else { "app/1.7" },
                ..TestRequest::default()
            };
            ask(&mut ledger, &built, differs(user % 3 == 0, "$.build"));
            let timed = TestRequest {
                target: "/timed",
                second: 5 + second,
                ..TestRequest::default()
            };
            ask(&mut ledger, &timed, differs((4..6).contains(&second), "$.time"));
        }
    }
    let causes = causes(&ledger);
    let of = |change: &str| {
        causes
            .iter()
            .find(|cause| cause.change.contains(change))
            .map(said)
            .unwrap_or_default()
    };
    assert_eq!(of("$.user"), "16 of 16 have /users/7 in the path; 0 of 464");
    assert_eq!(
        of("$.build"),
        "48 of 48 were answered by the shadow system with Server: app/1.8; 0 of 432"
    );
    assert_eq!(
        of("$.time"),
        "20 of 20 came between 4 s and 6 s after the start; 0 of 140"
    );
}

#[test]
fn chance_separates_nothing() {
    let mut ledger = ledger();
    for number in 0..400_u64 {
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let target = format!("/search?a={}&b={}&c={}", noise % 7, noise % 11, noise % 13);
        let differs = (noise / 1009).is_multiple_of(40);
        get(
            &mut ledger,
            &target,
            &[],
            if differs { vec![missing("$.x")] } else { Vec::new() },
        );
    }
    let causes = causes(&ledger);
    assert_eq!(causes.len(), 1);
    assert_eq!(causes[0].features, [], "{causes:#?}");
}

#[test]
fn what_a_change_states_by_itself_does_not_separate_it() {
    let mut ledger = ledger();
    for number in 0..60 {
        let refused = TestRequest {
            target: "/whoami",
            answered: 401,
            ..TestRequest::default()
        };
        ask(&mut ledger, &refused, vec![status(401, 403)]);
        let known = [("authorization", "Bearer s3cr3t-t0ken-0123456789")];
        let target = format!("/whoami?n={number}");
        get(&mut ledger, &target, &known, Vec::new());
    }
    let causes = causes(&ledger);
    let cause = causes.first().expect("a cause");
    assert_eq!(
        said(cause),
        "0 of 60 have the parameter n; 60 of 60",
        "{causes:#?}"
    );
    let stated = |feature: &&Separates| feature.kind == FeatureKind::AnswerStatus;
    assert_eq!(cause.features.iter().find(stated), None);
}

#[test]
fn a_header_field_of_many_routes_is_not_what_else_differs_on_one() {
    let mut ledger = ledger();
    let header = |place: &str| found(Category::Header, place, "Accept-Encoding", ABSENT);
    for number in 0..20 {
        for route in ["orders", "users", "quotes", "feed"] {
            // A field that differs on some of the routes belongs to those that differ on all.
            let fields = if route == "feed" { 1 } else { 2 };
            let everywhere = ["header vary", "header x-frame-options"].map(header);
            let target = format!("/{route}/{number}");
            get(&mut ledger, &target, &[], everywhere[..fields].to_vec());
        }
        let login = [
            "header vary",
            "header x-frame-options",
            "header set-cookie sid httponly",
        ];
        get(&mut ledger, "/login", &[], login.map(header).to_vec());
    }
    let causes = causes(&ledger);
    let shown: Vec<_> = causes
        .iter()
        .map(|cause| (cause.change.as_str(), cause.routes.len(), cause.exchanges))
        .collect();
    assert_eq!(
        shown,
        [
            ("header vary missing, x-frame-options missing", 5, 100),
            ("header set-cookie sid httponly missing", 1, 20)
        ]
    );
}

#[test]
fn one_status_for_whatever_production_answers_is_one_cause() {
    let mut ledger = ledger();
    let status = |production: &str, shadow: &str| vec![found(Category::Status, "status", production, shadow)];
    for number in 0..30 {
        let known = if number % 2 == 0 { "200" } else { "404" };
        get(&mut ledger, "/session", &[], status(known, "401"));
        // The same status on another route for another reason.
        get(&mut ledger, "/legacy", &[], status("301", "401"));
        get(
            &mut ledger,
            "/page",
            &[],
            vec![found(Category::Header, "header content-type", "a/b", "c/d")],
        );
        get(
            &mut ledger,
            "/font",
            &[],
            vec![found(Category::Header, "header content-type", "x y", "12")],
        );
    }
    let causes = causes(&ledger);
    let shown: Vec<_> = causes
        .iter()
        .map(|cause| (cause.change.as_str(), cause.exchanges))
        .collect();
    let expected = [
        ("status 200 or 404 -> 401", 30),
        ("status 301 -> 401", 30),
        ("header content-type", 60),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn elements_of_a_list_and_texts_of_any_form_are_one_change() {
    let mut ledger = ledger();
    for number in 0..30 {
        let lost = format!("$.items[id={}]", number % 3);
        let size = format!("/orders?page=2&size={}", number % 3);
        get(
            &mut ledger,
            &size,
            &[],
            vec![found(Category::Missing, &lost, "{}", ABSENT)],
        );
        get(&mut ledger, "/orders?page=1", &[], Vec::new());
        for (route, text) in [("a", "\"word\""), ("b", "\"two words\""), ("c", "\"a/b\"")] {
            let types = found(Category::Type, "$.path", text, "[1]");
            get(&mut ledger, &format!("/{route}"), &[], vec![types]);
        }
    }
    let causes = causes(&ledger);
    let shown: Vec<_> = causes.iter().map(|cause| (cause.harm, cause.exchanges)).collect();
    assert_eq!(shown, [(Harm::Type, 90), (Harm::Missing, 30)], "{causes:#?}");
    assert_eq!(said(&causes[1]), "30 of 30 have the parameter page=2; 0 of 120");
}

#[test]
fn harm_comes_first_and_then_frequency() {
    let mut ledger = ledger();
    for number in 0..20 {
        for (place, category, shadow) in [
            ("$.added", Category::Added, "1"),
            ("header etag", Category::Header, "b"),
            ("$.order", Category::Order, "[2,1]"),
            ("$.value", Category::Value, "2"),
            ("$.missing", Category::Missing, ABSENT),
            ("$.type", Category::Type, "\"1\""),
        ] {
            let target = format!("/{}", place.trim_start_matches(['$', '.']).replace(' ', "-"));
            get(
                &mut ledger,
                &target,
                &[],
                vec![found(category, place, "1", shadow)],
            );
        }
        if number == 0 {
            get(&mut ledger, "/status", &[], vec![status(200, 500)]);
        }
    }
    let failing = exchange_with("GET", "/fails", &[]);
    ledger.seen(&failing);
    let failure = Failure::Timeout;
    ledger.judged(
        &failing,
        &Outcome::Failed(failure),
        &Verdict::ShadowError(failure),
        Timestamp::from_nanos(1),
    );
    let harms: Vec<Harm> = causes(&ledger).iter().map(|cause| cause.harm).collect();
    let ranks: Vec<u8> = harms.iter().map(|harm| harm.rank()).collect();
    assert_eq!(ranks, [0, 0, 1, 2, 3, 4, 5, 6], "{harms:?}");
    assert!(harms.contains(&Harm::Failure));
}

#[test]
fn hostile_requests_neither_grow_nor_leak() {
    let mut ledger = ledger();
    for number in 0..12_000_u32 {
        let value = blake3::hash(&number.to_le_bytes()).to_hex();
        let name = format!("x-{}", &value[..20]);
        let target = format!("/a?{}={value}&token={value}&q=%00%ff", &value[..8]);
        let headers = [
            (name.as_str(), "1"),
            ("user-agent", &value[..30]),
            ("accept", &value[..33]),
        ];
        let places = (0..3)
            .map(|at| missing(&format!("$.m{}", (number / 7 + at) % 900)))
            .collect();
        get(&mut ledger, &target, &headers, places);
    }
    let size = ledger.causes.size();
    assert!(size.signatures <= super::SIGNATURES, "{size:?}");
    assert!(size.features <= 2048, "{size:?}");
    assert!(size.counts <= 1 << 20, "{size:?}");
    let text = serde_json::to_string(&causes(&ledger)).expect("serializable");
    let first = blake3::hash(&0_u32.to_le_bytes()).to_hex();
    assert!(!text.contains(&first[..20]), "{text}");
}

#[test]
fn a_feature_that_did_not_fit_is_not_shown() {
    let mut ledger = ledger();
    // More values than are kept of one name: nothing is known of the rest, so none of them is called separating.
    for number in 0..200 {
        let target = format!("/v?n=v{number}");
        let differs = number >= 150;
        for _ in 0..10 {
            get(
                &mut ledger,
                &target,
                &[],
                if differs { vec![missing("$.x")] } else { Vec::new() },
            );
        }
    }
    let all = causes(&ledger);
    let kinds: Vec<FeatureKind> = all
        .iter()
        .flat_map(|cause| &cause.features)
        .map(|feature| feature.kind)
        .collect();
    assert!(!kinds.contains(&FeatureKind::QueryValue), "{all:#?}");
}
