//! Two bodies of one kind: each equals itself, they differ in both directions or not at all, no more is reported than
//! requested, and neither the report nor what would be kept contains the secret that was inserted.

use shadow_core::{
    compare::{Comparator, Rules, Side},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::exchange::{Body, Headers};

use super::decode::request;

const KINDS: [&str; 16] = [
    "application/json",
    "application/x-ndjson",
    "text/event-stream",
    "application/xml",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "text/plain",
    "application/octet-stream",
    "",
    "text/csv",
    "text/plain; charset=utf-16",
    "text/javascript",
    "application/cbor",
    "application/msgpack",
    "application/x-protobuf",
];

/// Separator after the first body.
const BORDER: u8 = 0xff;

/// Placeholder for a secret, and the secret that replaces it.
const MARK: &str = "@@";
const SECRET: &str = "ann.s3cr3t@example.org";

/// Input: a byte for the kind, a body, the separator, a body.
pub fn run(input: &[u8]) {
    let Some((kind, bodies)) = input.split_first() else {
        return;
    };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let mut bodies = bodies.splitn(2, |byte| *byte == BORDER);
    let mut body = || Body::whole(bodies.next().unwrap_or_default().to_vec());
    let (one, two) = (body(), body());
    let headers = match kind {
        "" => Headers::default(),
        kind => Headers::from_pairs([("Content-Type", kind)]),
    };
    let rules = Rules::default();
    let most = rules.discrepancies;
    let comparator = Comparator::new(rules).expect("the defaults are rules");
    let compare = |a: &Body, b: &Body| {
        let side = |body| Side {
            status: 200,
            headers: &headers,
            trailers: Headers::none(),
            body,
        };
        comparator.compare(&request(), side(a), side(b))
    };
    for body in [&one, &two] {
        let same = compare(body, body);
        assert!(same.is_empty(), "{kind}: {same:?}");
    }
    let (there, back) = (compare(&one, &two), compare(&two, &one));
    assert_eq!(there.is_empty(), back.is_empty(), "{kind}: {there:?} {back:?}");
    assert!(there.len() <= most + 1, "{}", there.len());
    let redactor = Redactor::new([5; 32], &RedactConfig::default());
    for found in &there {
        let redacted = redactor.discrepancy(found);
        assert_eq!(redactor.discrepancy(found), redacted);
    }
    for body in [&one, &two] {
        redacted(&redactor, &headers, body);
    }
}

/// An isolated address is found in a body of any kind, even if the body is invalid.
fn redacted(redactor: &Redactor, headers: &Headers, body: &Body) {
    let Ok(text) = str::from_utf8(&body.kept) else {
        redactor.body(headers, body, 1 << 20);
        return;
    };
    let planted = text.replace(MARK, &format!(" {SECRET} "));
    let kept = redactor.body(headers, &Body::whole(planted.into_bytes()), 1 << 20);
    let shown = kept.text.unwrap_or_default();
    assert!(!shown.contains(SECRET), "{shown}");
}
