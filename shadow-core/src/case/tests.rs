use core::time::Duration;

use super::*;
use crate::{
    compare::{Category, Failure, Outcome, ShadowResponse, Verdict},
    evidence::SampleRequest,
    redact::{RedactConfig, Redactor},
};
use shadow_proto::exchange::{Body, Exchange, Headers};
use shadow_proto::testing::exchange;

const SECRET: &str = "s3cr3t-v4lue-0f-m1ne";

fn json(text: &str) -> (Headers, Body) {
    let fields = [
        ("Content-Type", "application/json"),
        ("Set-Cookie", "sid=s3cr3t-v4lue-0f-m1ne"),
    ];
    (Headers::from_pairs(fields), Body::whole(text.as_bytes().to_vec()))
}

fn differing() -> (Exchange, Outcome, Verdict) {
    let mut exchange = exchange("POST", "/cart?token=s3cr3t-v4lue-0f-m1ne&page=2");
    (exchange.request.headers, exchange.request.body) = json("{\"password\":\"s3cr3t-v4lue-0f-m1ne\"}");
    if let Some(response) = &mut exchange.response {
        (response.headers, response.body) = json("{\"price\":1,\"api_key\":\"s3cr3t-v4lue-0f-m1ne\"}");
    }
    let (headers, body) = json("{\"price\":2,\"api_key\":\"another s3cr3t-v4lue-0f-m1ne\"}");
    let outcome = Outcome::Response(ShadowResponse {
        status: 200,
        headers,
        trailers: Headers::default(),
        body,
        first_byte: Duration::from_micros(1500),
        total: Duration::from_millis(2),
    });
    let verdict = Verdict::Mismatch(vec![Discrepancy {
        category: Category::Value,
        place: "$.api_key".to_owned(),
        production: format!("\"{SECRET}\""),
        shadow: format!("\"another {SECRET}\""),
        leaves: 1,
    }]);
    (exchange, outcome, verdict)
}

fn made(judged: Judged<'_>, limits: CaseLimits) -> Option<Case> {
    let redactor = Redactor::new([7; 32], &RedactConfig::default());
    let wanted = SampleRequest {
        route: "POST /cart".to_owned(),
        groups: vec!["0a".to_owned()],
        samples: Vec::new(),
        leaves: false,
    };
    Case::of(judged, wanted, &redactor, limits)
}

#[test]
fn a_case_shows_the_exchange_and_none_of_its_secrets() {
    let (exchange, outcome, verdict) = differing();
    let judged = Judged {
        exchange: &exchange,
        outcome: &outcome,
        verdict: &verdict,
        target: "shadow",
        at_ms: 5,
    };
    let case = made(judged, CaseLimits::default()).expect("it differs");
    let text = serde_json::to_string_pretty(&case).expect("serialises");
    assert!(!text.contains(SECRET), "{text}");
    assert!(
        case.request.target.starts_with("/cart?token=[redacted:"),
        "{text}"
    );
    assert!(case.request.target.ends_with("&page=2"), "{text}");
    let shown = |answer: &Answered| answer.body.text.clone().expect("text");
    assert!(shown(&case.production).contains("\"price\":1"), "{text}");
    let shadow = case.shadow.as_ref().expect("it answered");
    assert!(shown(shadow).contains("\"price\":2"), "{text}");
    assert_eq!((shadow.first_byte_us, shadow.total_us), (Some(1500), Some(2000)));
    assert_ne!(
        case.discrepancies[0].production, case.discrepancies[0].shadow,
        "different secrets stay different"
    );
    assert_eq!(case.id.len(), 16);
    assert_eq!(serde_json::from_str::<Case>(&text).expect("reads"), case);

    let later = made(Judged { at_ms: 6, ..judged }, CaseLimits::default()).expect("it differs");
    assert_ne!(later.id, case.id);
}

#[test]
fn a_case_is_bounded_and_a_match_is_none() {
    let (mut exchange, _, _) = differing();
    let many = (0..500).map(|number| (format!("X-{number}"), "v"));
    exchange.request.headers = Headers::from_pairs(many);
    exchange.request.body = Body::whole("word ".repeat(20_000).into_bytes());
    let outcome = Outcome::Failed(Failure::Timeout);
    let judged = Judged {
        exchange: &exchange,
        outcome: &outcome,
        verdict: &Verdict::ShadowError(Failure::Timeout),
        target: "shadow",
        at_ms: 5,
    };
    let limits = CaseLimits {
        body: 1000,
        fields: 10,
    };
    let case = made(judged, limits).expect("it failed");
    assert_eq!(case.request.headers.len(), 10);
    let body = &case.request.body;
    assert_eq!((body.len, body.cut), (100_000, true));
    assert!(
        body.text.as_ref().is_none_or(|text| text.len() < 1_200),
        "{body:?}"
    );
    assert!(case.weight() < 16_000, "{}", case.weight());
    assert_eq!(
        (case.shadow.is_none(), case.failure.as_deref()),
        (true, Some("timeout"))
    );

    let same = Judged {
        verdict: &Verdict::Match,
        ..judged
    };
    assert_eq!(made(same, limits), None);
    let mut unanswered = exchange.clone();
    unanswered.response = None;
    let alone = Judged {
        exchange: &unanswered,
        ..judged
    };
    assert_eq!(made(alone, limits), None);
}
