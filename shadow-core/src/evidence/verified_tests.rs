use core::time::Duration;

use shadow_proto::{
    exchange::{Body, Headers},
    testing::{Random, exchange},
    time::Timestamp,
};

use super::*;
use crate::{
    compare::{Comparator, Outcome, Rules, ShadowResponse, Side},
    evidence::{Background, LedgerLimits, LedgerSnapshot, report::ReportInputs},
    redact::{RedactConfig, Redactor},
};

struct Run {
    ledger: Ledger,
    comparator: Comparator,
    media: &'static str,
}

impl Run {
    fn new(rules: Rules, media: &'static str) -> Self {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        Self {
            ledger: Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor),
            comparator: Comparator::new(rules).expect("rules"),
            media,
        }
    }

    fn compare(&mut self, number: u64, mut answer: impl FnMut() -> Vec<u8>) {
        let headers = Headers::from_pairs([("content-type", self.media)]);
        let mut exchange = exchange("GET", "/a");
        let production = exchange.response.as_mut().expect("an answer");
        production.headers = headers.clone();
        production.body = Body::whole(answer());
        let [shadow, again] = [(); 2].map(|()| ShadowResponse {
            status: 200,
            headers: headers.clone(),
            trailers: Headers::default(),
            body: Body::whole(answer()),
            first_byte: Duration::from_millis(3),
            total: Duration::from_millis(3),
        });
        let side = |answer: &'_ ShadowResponse| answer.body.clone();
        let (first, second) = (side(&shadow), side(&again));
        let outcome = Outcome::Response(shadow);
        let verdict = self.comparator.verdict(&exchange, &outcome);
        let now = Timestamp::from_nanos(number * 20_000_000);
        self.ledger.seen(&exchange);
        let wanted = self.ledger.judged(&exchange, &outcome, &verdict, now);
        let of = |body| Side {
            status: 200,
            headers: &headers,
            trailers: Headers::none(),
            body,
        };
        if wanted.leaves {
            let production = exchange.response.as_ref().expect("an answer");
            let checked = self
                .comparator
                .checked(&exchange.request, of(&production.body), of(&first));
            self.ledger.checked(&exchange, checked);
        }
        let itself = self
            .comparator
            .compare(&exchange.request, of(&first), of(&second));
        self.ledger.background(&exchange, Background::Twice, &itself, now);
    }

    fn result(mut self, mut answer: impl FnMut() -> Vec<u8>) -> (Ruling, report::Verified, String) {
        (0..6_000).for_each(|number| self.compare(number, &mut answer));
        let report = self.ledger.report(ReportInputs::default());
        let gate = report
            .judgement
            .reasons
            .iter()
            .find(|reason| reason.gate == "verified");
        let text = gate.map(|gate| gate.text.clone()).unwrap_or_default();
        let verified = report.routes[0].verified.clone().expect("it has content");
        (report.judgement.ruling, verified, text)
    }
}

fn ignoring(path: &str) -> Rules {
    Rules {
        ignore: vec![path.parse().expect("a path")],
        ..Rules::default()
    }
}

const JSON: &str = "application/json";

#[test]
fn what_must_be_equal_is_verified() {
    let run = Run::new(Rules::default(), JSON);
    let (ruling, verified, text) = run.result(|| b"{\"a\":1,\"b\":[true,null,\"x\"]}".to_vec());
    assert_eq!(ruling, Ruling::Go, "{text}");
    assert!((verified.leaves - 4.0).abs() < 1e-9, "{verified:?}");
    assert!((verified.exact.leaves - 1.0).abs() < 1e-9, "{verified:?}");
}

#[test]
fn what_a_rule_leaves_out_is_not_verified() {
    let run = Run::new(ignoring("$.items"), JSON);
    let mut random = Random(4);
    let (ruling, verified, text) = run.result(move || {
        let price = random.number();
        format!("{{\"id\":7,\"name\":\"x\",\"items\":[{{\"p\":{price}}},{{\"p\":2}}]}}").into_bytes()
    });
    assert_eq!(ruling, Ruling::InsufficientEvidence);
    assert!((verified.not.leaves - 0.5).abs() < 1e-9, "{verified:?}");
    assert!(
        text.contains("GET /a is verified to 50 % of its leaves (50 % not compared), needed is 90 %"),
        "{text}"
    );
}

#[test]
fn content_without_structure_is_compared_by_digest() {
    let run = Run::new(Rules::default(), "application/octet-stream");
    let mut random = Random(4);
    let (ruling, verified, _) = run.result(move || {
        let last = u8::try_from(random.number() % 256).expect("a byte");
        vec![0, 1, 2, 255, last]
    });
    assert_eq!(ruling, Ruling::InsufficientEvidence);
    assert!(verified.by_digest.leaves > 0.9, "{verified:?}");
}

#[test]
fn noise_is_verified_as_far_as_it_has_a_format() {
    let mut random = Random(5);
    let mut next = move || random.number();
    let run = Run::new(Rules::default(), JSON);
    let mut answer = move || {
        let (a, b) = (next(), next());
        format!(
            "{{\"id\":7,\"name\":\"x\",\"at\":{},\"trace\":\"r-{b:x}\"}}",
            1000 + a % 100
        )
        .into_bytes()
    };
    let (ruling, verified, text) = run.result(&mut answer);
    // One leaf without a format may be noise.
    assert_eq!(ruling, Ruling::Go, "{text}");
    assert!((0.2..=0.25).contains(&verified.by_format.leaves), "{verified:?}");
    assert!((0.2..=0.25).contains(&verified.noise.leaves), "{verified:?}");

    let mut random = Random(6);
    let run = Run::new(Rules::default(), JSON);
    let (ruling, verified, text) = run.result(move || {
        let mut token = || format!("t-{:x}", random.number());
        format!(
            "{{\"id\":7,\"a\":\"{}\",\"b\":\"{}\",\"c\":\"{}\"}}",
            token(),
            token(),
            token()
        )
        .into_bytes()
    });
    assert_eq!(ruling, Ruling::InsufficientEvidence, "{verified:?}");
    assert!(text.contains("noise"), "{text}");
}

#[test]
fn every_kind_of_content_is_counted_by_its_leaves() {
    let comparator = Comparator::new(Rules {
        ignore: vec!["$.b".parse().expect("a path"), "/a/@id".parse().expect("a path")],
        ..Rules::default()
    });
    let comparator = comparator.expect("rules");
    for (media, body, exact, not) in [
        (JSON, "{\"a\":1,\"b\":2}", 1, 1),
        ("application/xml", "<a id='1' x='2'>t<b>u</b></a>", 3, 1),
        ("application/xml", "<f><e/><e/></f>", 0, 0),
        ("application/x-www-form-urlencoded", "a=1&b=2", 1, 1),
        ("application/x-ndjson", "{\"a\":1,\"b\":2}\n{\"a\":3}\n", 2, 1),
        ("text/event-stream", "data: {\"a\":1,\"b\":2}\n\n", 1, 1),
        ("text/csv", "a,b\n1,2\n3,4\n", 4, 0),
        ("text/plain", "one\ntwo\n\n", 2, 0),
        ("text/plain", ")]}'\n{\"a\":1,\"b\":2}", 2, 1),
    ] {
        let headers = Headers::from_pairs([("content-type", media)]);
        let body_of = Body::whole(body);
        let side = Side {
            status: 200,
            headers: &headers,
            trailers: Headers::none(),
            body: &body_of,
        };
        let other = Body::whole("x");
        let shadow = Side { body: &other, ..side };
        let checked = comparator.checked(&exchange("GET", "/").request, side, shadow);
        assert_eq!(
            (checked.exact.leaves, checked.not.leaves),
            (exact, not),
            "{media} {body}: {checked:?}"
        );
        let equal = comparator.checked(&exchange("GET", "/").request, side, side);
        assert_eq!(
            (equal.exact.leaves, equal.not.leaves),
            ((exact + not).max(1), 0),
            "equal bytes need no rule"
        );
    }
}

/// The ruling of the gate on shares since a mark.
fn since(run: &Run, mark: &LedgerSnapshot) -> Ruling {
    let judgement = run.ledger.since(mark, &GateConfig::default()).judgement;
    let gate = judgement.reasons.iter().find(|reason| reason.gate == "verified");
    gate.expect("it is always there").ruling
}

#[test]
fn a_phase_is_judged_by_the_shares_of_its_own_answers() {
    let whole = || b"{\"a\":1,\"b\":2,\"c\":3}".to_vec();
    let mut random = Random(4);
    let mut tokens = move || {
        let mut token = || format!("t-{:x}", random.number());
        format!(
            "{{\"a\":\"{}\",\"b\":\"{}\",\"c\":\"{}\"}}",
            token(),
            token(),
            token()
        )
        .into_bytes()
    };
    let mut run = Run::new(Rules::default(), JSON);
    // Noise, then equal content, then noise again, in few answers.
    (0..3_000).for_each(|number| run.compare(number, &mut tokens));
    let noisy = run.ledger.mark();
    assert_eq!(
        since(&run, &LedgerSnapshot::default()),
        Ruling::InsufficientEvidence
    );
    (3_000..3_100).for_each(|number| run.compare(number, whole));
    assert_eq!(since(&run, &noisy), Ruling::Go);
    assert_eq!(
        since(&run, &LedgerSnapshot::default()),
        Ruling::InsufficientEvidence
    );

    let equal = run.ledger.mark();
    (3_100..20_000).for_each(|number| run.compare(number, whole));
    let late = run.ledger.mark();
    assert_eq!(since(&run, &equal), Ruling::Go);
    (20_000..20_020).for_each(|number| run.compare(number, &mut tokens));
    assert_eq!(since(&run, &late), Ruling::InsufficientEvidence);
    assert_eq!(since(&run, &equal), Ruling::Go, "a small part of all since then");
}

#[test]
fn shares_begin_again_with_other_rules() {
    let answer = || b"{\"a\":1,\"b\":2}".to_vec();
    let mut number = 0;
    let mut random = Random(9);
    let mut run = Run::new(ignoring("$.b"), JSON);
    let mut more = |run: &mut Run| {
        for _ in 0..40 {
            number += 1;
            run.compare(number, || {
                format!("{{\"a\":1,\"b\":{}}}", random.number()).into_bytes()
            });
        }
    };
    more(&mut run);
    let mark = run.ledger.mark();
    more(&mut run);
    assert_eq!(since(&run, &mark), Ruling::InsufficientEvidence);
    run.comparator = Comparator::new(Rules::default()).expect("rules");
    run.ledger.rules_changed();
    let shares = |run: &Run| {
        run.ledger.report(ReportInputs::default()).routes[0]
            .verified
            .clone()
    };
    assert_eq!(shares(&run), None, "nothing was compared by these rules yet");
    (200..240).for_each(|number| run.compare(number, answer));
    let verified = shares(&run).expect("it has content");
    assert_eq!((verified.answers, verified.share()), (16, 1.0), "{verified:?}");
    assert_eq!(
        since(&run, &mark),
        Ruling::Go,
        "a mark from before is judged from the change on"
    );
    // The same in the other direction.
    run.comparator = Comparator::new(ignoring("$.b")).expect("rules");
    run.ledger.rules_changed();
    more(&mut run);
    assert_eq!(since(&run, &mark), Ruling::InsufficientEvidence);
    let verified = shares(&run).expect("it has content");
    assert!((verified.share() - 0.5).abs() < 1e-9, "{verified:?}");
}

#[test]
fn answers_without_content_leave_none_unverified() {
    let comparator = Comparator::new(Rules::default()).expect("rules");
    let request = shadow_proto::testing::exchange_with("GET", "/a", &[("If-None-Match", "\"a\"")]).request;
    let side = |status, body| Side {
        status,
        headers: Headers::none(),
        trailers: Headers::none(),
        body,
    };
    let (none, text) = (Body::whole(Vec::new()), Body::whole(b"text".to_vec()));
    let whole = comparator.checked(&request, side(200, &text), side(200, &text));
    let not_modified = comparator.checked(&request, side(304, &none), side(200, &text));
    let share = |answers, checked| {
        let shares = Sum { answers, checked }.shares(Excused::default(), answers);
        shares.map(|shares| shares.share())
    };
    assert_eq!(share(1, whole), Some(1.0));
    assert_eq!(share(3, whole.plus(not_modified).plus(not_modified)), Some(1.0));
    assert_eq!(share(2, not_modified.plus(not_modified)), Some(0.0));
    assert_eq!(share(1, Checked::default()), None);
}
