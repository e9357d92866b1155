//! Learned values, exchange by exchange.

mod adversarial;
mod cost;
mod learning;
mod markup;
mod model;
mod requests;

use core::time::Duration;

use bytes::Bytes;
use shadow_core::{
    compare::ShadowResponse,
    gate::{SkipPolicy, Writes},
    rewrite::{Marker, RewritePolicy, RewriteRules, Rewritten, ShadowRequest, rewrite},
    values::{TableLimits, Values},
};
use shadow_proto::{
    exchange::{Body, Exchange, Headers, Response, Version},
    testing,
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_nanos(1);

fn values() -> Values {
    Values::new(TableLimits {
        entries: 100_000,
        bytes: 64 << 20,
        ttl: Duration::from_hours(1),
    })
}

/// An answer: status, fields, and content (JSON where it begins as such).
#[derive(Clone, Copy)]
struct Said<'a>(u16, &'a [(&'a str, &'a str)], &'a str);

fn fields(said: Said<'_>) -> Headers {
    let json = [("Content-Type", "application/json")];
    let typed = if said.2.is_empty() { &[][..] } else { &json[..] };
    Headers::from_pairs(said.1.iter().chain(typed).copied())
}

/// An exchange in which production said this.
fn exchange(method: &str, target: &str, headers: &[(&str, &str)], body: &str, said: Said<'_>) -> Exchange {
    let mut exchange = testing::exchange_with(method, target, headers);
    exchange.request.body = Body::whole(body.to_owned());
    exchange.response = Some(Response {
        status: said.0,
        version: Version::Http11,
        reason: Bytes::new(),
        headers: fields(said),
        body: Body::whole(said.2.to_owned()),
        trailers: Headers::default(),
    });
    exchange
}

fn shadow(said: Said<'_>) -> ShadowResponse {
    ShadowResponse {
        status: said.0,
        headers: fields(said),
        trailers: Headers::default(),
        body: Body::whole(said.2.to_owned()),
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    }
}

/// Compares one exchange: the text of the shadow system's answer as it is compared, and whether anything conflicted.
fn compared(values: &mut Values, exchange: &Exchange, said: Said<'_>) -> (String, bool) {
    let introduced = values.introduced(exchange, NOW);
    let shadow = shadow(said);
    let mapped = values.answered(exchange, &introduced, &shadow, NOW);
    let has_conflicts = mapped.has_conflicts();
    let answer = mapped.answer.unwrap_or(shadow);
    (
        String::from_utf8(answer.body.kept.to_vec()).unwrap(),
        has_conflicts,
    )
}

/// Writes are sent as they are.
fn policy() -> RewritePolicy {
    let rules = RewriteRules::default();
    RewritePolicy::new(
        rules,
        "shadow",
        &Marker::default(),
        Writes::Replay.into(),
        [0; 32],
    )
    .unwrap()
}

/// A request in the form in which it would be sent.
fn sent(
    values: &mut Values,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<ShadowRequest, SkipPolicy> {
    let exchange = exchange(method, target, headers, body, Said(200, &[], ""));
    let Ok(Rewritten::Send(mut request)) = rewrite(&exchange, &policy()) else {
        panic!("not sent");
    };
    values.substitute(&mut request, NOW).map(|_replaced| request)
}

/// The target of such a request without fields and content.
fn target(values: &mut Values, target: &str) -> Result<String, SkipPolicy> {
    let request = sent(values, "GET", target, &[], "")?;
    Ok(String::from_utf8(request.target.to_vec()).unwrap())
}

fn content(request: &ShadowRequest) -> &str {
    core::str::from_utf8(&request.body).unwrap()
}

fn header<'r>(request: &'r ShadowRequest, name: &str) -> Option<&'r str> {
    let found = request
        .headers
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
    found.and_then(|(_, value)| core::str::from_utf8(value).ok())
}

/// Knows that production's order 8123 is the shadow system's 977.
fn with_order() -> Values {
    let mut values = values();
    let created = exchange(
        "POST",
        "/orders",
        &[],
        r#"{"sku":"a"}"#,
        Said(201, &[("Location", "/orders/8123")], r#"{"id":8123,"sku":"a"}"#),
    );
    let (text, conflict) = compared(
        &mut values,
        &created,
        Said(201, &[("Location", "/orders/977")], r#"{"id":977,"sku":"a"}"#),
    );
    assert_eq!((&*text, conflict), (r#"{"id":8123,"sku":"a"}"#, false));
    values
}
