//! Tests of production's validators, and of offers of another protocol.

use super::*;
use crate::gate::{WriteRules, Writes};

/// The fields sent after Host, if production answered with `status`.
fn sent(
    policy: &RewritePolicy,
    method: &str,
    fields: &[(&str, &str)],
    status: Option<u16>,
) -> (Vec<String>, bool) {
    let mut exchange = testing::exchange_with(method, "/", fields);
    match (status, &mut exchange.response) {
        (Some(status), Some(response)) => response.status = status,
        (Some(_), None) => panic!("the exchange has an answer"),
        (None, response) => *response = None,
    }
    let made = unpacked(rewrite(&exchange, policy));
    let lines = lines(&made)
        .into_iter()
        .filter(|line| !line.starts_with("Shadow-Replay"));
    (lines.collect(), policy.leaves_out_validators(&exchange))
}

#[test]
fn production_s_validators_are_left_out_where_it_acted_on_the_request() {
    const ETAG: (&str, &str) = ("If-None-Match", "\"p\"");
    const SINCE: (&str, &str) = ("If-Modified-Since", "Sat, 29 Oct 1994 19:43:31 GMT");
    const MATCH: (&str, &str) = ("if-match", "\"p\"");
    const LIST: (&str, &str) = ("If-Match", "\"p\", \"q\"");
    const UNMODIFIED: (&str, &str) = ("If-Unmodified-Since", "Sat, 29 Oct 1994 19:43:31 GMT");
    const IF_RANGE: (&str, &str) = ("If-Range", "\"p\"");
    const RANGE: (&str, &str) = ("Range", "bytes=0-3");
    const ANY: (&str, &str) = ("If-None-Match", "*");
    type Fields<'f> = &'f [(&'f str, &'f str)];
    let cases: [(&str, Fields<'_>, u16, &[&str]); 21] = [
        ("GET", &[ETAG, SINCE], 304, &[]),
        ("HEAD", &[ETAG], 200, &[]),
        ("GET", &[SINCE, ("Accept", "*/*")], 200, &["Accept: */*"]),
        ("GET", &[MATCH, UNMODIFIED], 200, &[]),
        ("GET", &[ETAG], 404, &[]),
        ("GET", &[MATCH], 412, &["if-match: \"p\""]),
        ("GET", &[("If-None-Match", "bad")], 400, &["If-None-Match: bad"]),
        ("GET", &[IF_RANGE, RANGE], 206, &[]),
        ("GET", &[IF_RANGE, RANGE], 416, &["Range: bytes=0-3"]),
        ("GET", &[IF_RANGE, RANGE], 200, &[]),
        ("GET", &[RANGE, IF_RANGE, ETAG], 304, &[]),
        ("GET", &[RANGE, ETAG], 304, &["Range: bytes=0-3"]),
        ("PUT", &[MATCH], 204, &["if-match: *"]),
        ("PUT", &[MATCH, UNMODIFIED], 200, &["if-match: *"]),
        ("PUT", &[MATCH, LIST], 200, &["if-match: *"]),
        ("DELETE", &[LIST], 204, &["If-Match: *"]),
        ("PATCH", &[UNMODIFIED], 200, &[]),
        ("PUT", &[LIST, ("If-None-Match", "\"q\"")], 303, &["If-Match: *"]),
        ("PUT", &[MATCH], 412, &["if-match: \"p\""]),
        ("PUT", &[MATCH], 409, &["if-match: \"p\""]),
        ("PUT", &[ANY], 201, &["If-None-Match: *"]),
    ];
    for (method, fields, status, expected) in cases {
        let facts = format!("{method} {fields:?} {status}");
        let (lines, counted) = sent(&writing(Conditional::Strip), method, fields, Some(status));
        assert_eq!(lines, expected, "{facts}");
        let as_they_were: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(counted, lines != as_they_were, "{facts}");
        let kept = sent(&writing(Conditional::Keep), method, fields, Some(status));
        assert_eq!(kept, (as_they_were, false), "{facts}");
    }
    let unanswered = sent(&writing(Conditional::Strip), "PUT", &[MATCH], None);
    assert_eq!(
        unanswered,
        (vec!["if-match: \"p\"".to_owned()], false),
        "production may have refused it"
    );
}

fn writing(conditional: Conditional) -> RewritePolicy {
    let rules = RewriteRules {
        conditional,
        ..RewriteRules::default()
    };
    let writes = WritePolicy::new(&WriteRules {
        default: Writes::Replay,
        ..WriteRules::default()
    })
    .expect("the rules work");
    RewritePolicy::new(rules, "s:1", &Marker::default(), writes, [0; 32]).expect("the rules work")
}

#[test]
fn an_offer_of_another_protocol_is_left_out() {
    for fields in [
        &[
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABk"),
        ][..],
        &[("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")],
        &[
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "websocket, TLS/1.2"),
        ],
    ] {
        let (lines, _) = sent(&preserve(), "GET", fields, Some(200));
        assert_eq!(lines, [""; 0], "{fields:?}");
    }
}
