mod rules;

use bytes::Bytes;

use super::*;
use shadow_proto::exchange::{Body, Incomplete};
use shadow_proto::testing::exchange_with as exchange;

fn decide(writes: Writes, exchange: &Exchange) -> Decision {
    Gate::new(Selector::default(), writes.into(), vec![Marker::default()]).decide(exchange)
}

#[test]
fn whole_requests_without_a_whole_answer_pass_when_asked_for() {
    let mut sending = Gate::new(Selector::default(), Writes::Skip.into(), Vec::new());
    sending.send_unanswered();
    let strict = Gate::new(Selector::default(), Writes::Skip.into(), Vec::new());
    for &reason in Incomplete::ALL {
        let mut lost = exchange("GET", "/", &[]);
        lost.incomplete = Some(reason);
        lost.response = None;
        let skipped = Decision::Skip(Skip::Incomplete(reason));
        assert_eq!(strict.decide(&lost), skipped);
        let only_the_answer = !matches!(
            reason.as_str(),
            "request_gap"
                | "request_cut"
                | "unrequested"
                | "ambiguous_framing"
                | "ambiguous_host"
                | "malformed"
                | "head_too_large"
                | "conflicting_overlap"
                | "urgent_data"
                | "pipeline_full"
                | "mptcp"
                | "body_not_saved"
                | "body_altered"
                | "bad_record"
                | "h2_header_state"
                | "h2_joined_midway"
                | "h2_gap"
                | "h2_reset"
                | "h2_unprocessed"
                | "h2_tunnel"
        );
        let expected = if only_the_answer { REPLAY } else { skipped };
        assert_eq!(sending.decide(&lost), expected, "{reason}");
        // The announced body is missing, or it is not known whether it is.
        for (name, value) in [("Content-Length", "5"), ("Transfer-Encoding", "chunked")] {
            let mut cut = exchange("GET", "/", &[(name, value)]);
            cut.incomplete = Some(reason);
            assert_eq!(sending.decide(&cut), skipped, "{reason}, {name}");
        }
        let mut write = exchange("POST", "/", &[]);
        write.incomplete = Some(reason);
        let expected = if only_the_answer { WRITE } else { skipped };
        assert_eq!(sending.decide(&write), expected, "{reason}");
    }
}

type Fields<'a> = &'a [(&'a str, &'a str)];

const REPLAY: Decision = Decision::Replay;
const WRITE: Decision = Decision::Skip(Skip::Policy(SkipPolicy::Write));
const UPGRADE: Decision = Decision::Skip(Skip::Policy(SkipPolicy::Upgrade));
const REPLAYED: Decision = Decision::Skip(Skip::Policy(SkipPolicy::Replayed));

#[test]
fn only_safe_methods_pass_by_default() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert_eq!(
            decide(Writes::Skip, &exchange(method, "/", &[])),
            REPLAY,
            "{method}"
        );
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT", "SEARCH", "QUERY", "PURGE", "get", "Get",
        "GETS", "", "X",
    ] {
        assert_eq!(
            decide(Writes::Skip, &exchange(method, "/", &[])),
            WRITE,
            "{method}"
        );
        assert_eq!(
            decide(Writes::Replay, &exchange(method, "/", &[])),
            REPLAY,
            "{method}"
        );
    }
}

#[test]
fn an_override_makes_a_write_and_never_unmakes_one() {
    let cases: [(&str, &str, Fields<'_>, Decision); 15] = [
        ("GET", "/", &[("X-HTTP-Method-Override", "DELETE")], WRITE),
        ("GET", "/", &[("x-http-method", "patch")], WRITE),
        ("GET", "/", &[("X-Method-Override", " PUT ")], WRITE),
        ("GET", "/", &[("X-HTTP-Method-Override", "get")], REPLAY),
        ("GET", "/", &[("X-HTTP-Method-Override", "")], WRITE),
        (
            "GET",
            "/",
            &[
                ("X-HTTP-Method-Override", "GET"),
                ("X-HTTP-Method-Override", "DELETE"),
            ],
            WRITE,
        ),
        ("POST", "/", &[("X-HTTP-Method-Override", "GET")], WRITE),
        ("GET", "/x?_method=delete", &[], WRITE),
        ("GET", "/x?a=1&_method=PUT", &[], WRITE),
        ("GET", "/x?a=1;%5Fmethod=PUT", &[], WRITE),
        ("GET", "/x?_METHOD=PUT", &[], WRITE),
        ("GET", "/x?_method=GET", &[], REPLAY),
        ("GET", "/x?my_method=PUT", &[], REPLAY),
        ("GET", "/_method=PUT", &[], REPLAY),
        ("GET", "/x?_method=%4", &[], WRITE),
    ];
    for (method, target, headers, expected) in cases {
        let given = exchange(method, target, headers);
        assert_eq!(
            decide(Writes::Skip, &given),
            expected,
            "{method} {target} {headers:?}"
        );
    }
}

#[test]
fn a_replay_is_never_replayed() {
    let marked = exchange("GET", "/", &[("shadow-REPLAY", "1")]);
    assert_eq!(decide(Writes::Replay, &marked), REPLAYED);
    let cut = Exchange {
        incomplete: Some(Incomplete::RequestCut),
        ..marked
    };
    assert_eq!(
        decide(Writes::Replay, &cut),
        REPLAYED,
        "even when it is not whole"
    );
}

#[test]
fn a_changed_protocol_is_left() {
    assert_eq!(
        decide(Writes::Replay, &exchange("CONNECT", "a:443", &[])),
        UPGRADE
    );
    for offered in ["h2c", "websocket", "TLS/1.2, h2c"] {
        let declined = exchange("GET", "/", &[("Connection", "Upgrade"), ("Upgrade", offered)]);
        assert_eq!(decide(Writes::Replay, &declined), Decision::Replay, "{offered}");
    }
    let mut switched = exchange("GET", "/", &[]);
    if let Some(response) = &mut switched.response {
        response.status = 101;
    }
    assert_eq!(decide(Writes::Replay, &switched), UPGRADE);
}

#[test]
fn what_is_not_whole_is_not_sent() {
    for &reason in Incomplete::ALL {
        let given = Exchange {
            incomplete: Some(reason),
            ..exchange("GET", "/", &[])
        };
        assert_eq!(
            decide(Writes::Replay, &given),
            Decision::Skip(Skip::Incomplete(reason))
        );
    }
    let mut over = exchange("PUT", "/", &[]);
    over.request.body = Body {
        len: 10,
        kept: Bytes::from_static(b"12345"),
        digest: None,
        missing: 0,
    };
    assert_eq!(
        decide(Writes::Replay, &over),
        Decision::Skip(Skip::Policy(SkipPolicy::BodyOverLimit))
    );
    assert_eq!(
        decide(Writes::Skip, &over),
        WRITE,
        "a write is one, however large"
    );
}
