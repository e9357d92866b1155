use std::io::Write as _;

use super::*;
use crate::compare::{ABSENT, Failure, ShadowResponse};
use shadow_proto::exchange::{Body, Headers};
use shadow_proto::testing;

pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(super) const JSON: Fields<'_> = &[("Content-Type", "application/json")];

pub(super) struct Answer {
    status: u16,
    headers: Headers,
    body: Body,
}

pub(super) fn answer(status: u16, headers: Fields<'_>, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        headers: Headers::from_pairs(headers.iter().copied()),
        body: Body::whole(body.into()),
    }
}

impl Answer {
    pub(super) fn side(&self) -> Side<'_> {
        Side {
            status: self.status,
            headers: &self.headers,
            trailers: Headers::none(),
            body: &self.body,
        }
    }
}

fn found_under(rules: Rules, a: &Answer, b: &Answer) -> Vec<String> {
    let comparator = Comparator::new(rules).unwrap_or_else(|error| panic!("{error}"));
    comparator
        .compare(&testing::exchange("GET", "/").request, a.side(), b.side())
        .into_iter()
        .map(|found| format!("{} {}", found.category.as_str(), found.place))
        .collect()
}

fn found(a: &Answer, b: &Answer) -> Vec<String> {
    found_under(Rules::default(), a, b)
}

fn gzip(data: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn the_status_is_exact() {
    let ok = answer(200, JSON, "{}");
    assert_eq!(found(&ok, &answer(201, JSON, "{}")), ["status status"]);
    assert_eq!(
        found(&ok, &answer(201, JSON, "[]")),
        ["status status", "type $"],
        "within one class the rest is compared"
    );
    assert_eq!(
        found(&ok, &answer(500, &[("Content-Type", "text/html")], "oh no")),
        ["status status"],
        "an error page is not compared with an answer"
    );
}

#[test]
fn the_content_decides_and_not_its_coding() {
    let plain = answer(200, JSON, r#"{"a":1}"#);
    let coded = answer(
        200,
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        gzip(r#"{"a": 1.0}"#),
    );
    assert_eq!(found(&plain, &coded), [""; 0]);
    let other = answer(
        200,
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        gzip(r#"{"a":2}"#),
    );
    assert_eq!(found(&plain, &other), ["value $.a"]);
    // The same bytes with a different coding are different content.
    let raw = answer(
        200,
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        r#"{"a":1}"#,
    );
    assert_eq!(found(&plain, &raw), ["decode body"]);
    let (a, b) = (
        answer(200, &[("Content-Encoding", "gzip")], &b"\xff"[..]),
        answer(200, &[("Content-Encoding", "gzip")], &b"\xff\xff"[..]),
    );
    assert_eq!(found(&a, &b), ["length body"], "neither can be decoded");
    let other = answer(
        200,
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        r#"{"a":2}"#,
    );
    assert_eq!(found(&raw, &other), ["value $.a"], "neither was coded");
    assert_eq!(found(&raw, &plain), [""; 0], "production's clients read it");
}

#[test]
fn the_media_type_decides_how() {
    let cases: [(Option<&str>, &str, &str, &[&str]); 12] = [
        (
            Some("application/json"),
            r#"{"a":1,"b":2}"#,
            r#"{"b":2,"a":1}"#,
            &[],
        ),
        (Some("application/problem+json"), "[1]", "[2]", &["value $[0]"]),
        (Some("application/json"), "{", "[", &["value line 1"]),
        (Some("application/json"), "{}", "<p>", &["decode body"]),
        (Some("text/plain"), r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &[]),
        (
            Some("application/octet-stream"),
            "a\nb",
            "a\nc",
            &["value line 2"],
        ),
        (Some("text/html"), "a\nb", "a\nc", &["value line 2"]),
        (Some("image/png"), "a\nb", "a\nc", &["value body"]),
        (Some("image/png"), "ab", "abc", &["length body"]),
        (None, r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &[]),
        (None, "a\nb", "a\nc", &["value line 2"]),
        (None, "a\0", "b\0", &["value body"]),
    ];
    for (media_type, a, b, expected) in cases {
        let headers: Vec<_> = media_type
            .map(|value| ("Content-Type", value))
            .into_iter()
            .collect();
        assert_eq!(
            found(&answer(200, &headers, a), &answer(200, &headers, b)),
            expected,
            "{media_type:?} {a} {b}"
        );
    }
    // When only the shadow system gives a type, that type decides.
    assert_eq!(
        found(&answer(200, &[], "1"), &answer(200, JSON, "1.0")),
        ["header header content-type"]
    );
}

#[test]
fn empty_bodies_are_equal_whatever_their_head_says() {
    let head = answer(200, &[("Content-Encoding", "gzip"), ("Content-Length", "10")], "");
    assert_eq!(found(&head, &answer(200, &[], "")), [""; 0]);
    assert_eq!(found(&answer(304, &[], ""), &answer(304, &[], "")), [""; 0]);
}

#[test]
fn a_body_that_is_not_whole_is_compared_by_length_and_digest() {
    let mut a = answer(200, JSON, "{\"a\":1");
    a.body = Body {
        len: 100,
        digest: Some([1; 32]),
        ..a.body
    };
    let mut b = answer(200, JSON, "{\"a\":1");
    b.body = a.body.clone();
    assert_eq!(found(&a, &b), [""; 0]);
    b.body.digest = Some([2; 32]);
    assert_eq!(found(&a, &b), ["value body"]);
}

#[test]
fn discrepancies_are_bounded_and_say_so() {
    let list = |from: i32| format!("{:?}", (from..from + 1000).collect::<Vec<_>>());
    let found = found(&answer(200, JSON, list(0)), &answer(200, JSON, list(5000)));
    assert_eq!(found.len(), Rules::default().discrepancies + 1);
    assert_eq!(found.last().map(String::as_str), Some("more response"));
}

#[test]
fn an_outcome_becomes_a_verdict() {
    let comparator = Comparator::new(Rules::default()).expect("defaults work");
    let mut exchange = testing::exchange("GET", "/");
    let production = exchange.response.as_mut().expect("it has one");
    production.headers = Headers::from_pairs(JSON.iter().copied());
    production.body = Body::whole(&b"{}"[..]);
    let outcome = |body: &'static str| {
        Outcome::Response(ShadowResponse {
            status: 200,
            headers: Headers::from_pairs(JSON.iter().copied()),
            trailers: Headers::default(),
            body: Body::whole(body),
            first_byte: core::time::Duration::ZERO,
            total: core::time::Duration::ZERO,
        })
    };
    assert!(matches!(
        comparator.verdict(&exchange, &outcome("{ }")),
        Verdict::Match
    ));
    let verdict = comparator.verdict(&exchange, &outcome("{\"a\":1}"));
    let Verdict::Mismatch(found) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        (found[0].place.as_str(), found[0].production.as_str()),
        ("$.a", ABSENT)
    );
    let failed = comparator.verdict(&exchange, &Outcome::Failed(Failure::Timeout));
    assert!(
        matches!(failed, Verdict::ShadowError(Failure::Timeout)),
        "{failed:?}"
    );
    exchange.response = None;
    let nothing = comparator.verdict(&exchange, &outcome("{ }"));
    assert!(
        !matches!(nothing, Verdict::Match),
        "nothing compared is no match: {nothing:?}"
    );
}
