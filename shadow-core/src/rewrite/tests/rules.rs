//! Changes that rules make to a request, and changes they can never make.

use std::sync::Arc;

use super::{lines, unpacked};
use crate::{
    gate::{SkipPolicy, WritePolicy, WriteRules, Writes},
    rewrite::*,
};
use shadow_proto::testing;

#[derive(Debug)]
struct Given(Option<&'static str>);

impl TokenSource for Given {
    fn token(&self) -> Option<Bytes> {
        self.0.map(|token| Bytes::from_static(token.as_bytes()))
    }
}

fn policy(rules: RewriteRules) -> Result<RewritePolicy, RuleError> {
    RewritePolicy::new(
        rules,
        "shadow:9090",
        &Marker::default(),
        WritePolicy::default(),
        [7; 32],
    )
}

fn bearer(token: Option<&'static str>) -> Replacement {
    Replacement {
        place: CredentialPlace::Header {
            name: "Authorization".to_owned(),
            scheme: "Bearer".to_owned(),
        },
        source: Arc::new(Given(token)),
    }
}

fn cookie(name: &str, token: Option<&'static str>) -> Replacement {
    Replacement {
        place: CredentialPlace::Cookie(name.to_owned()),
        source: Arc::new(Given(token)),
    }
}

const FIELDS: [(&str, &str); 3] = [
    ("AUTHORIZATION", "Basic dXNlcg=="),
    ("Cookie", "a=1; sid=users; b=2"),
    ("Proxy-Authorization", "Basic x"),
];

#[test]
fn credentials_are_kept_stripped_or_replaced() {
    let with = |credentials, replaced: Vec<Replacement>| {
        let rules = RewriteRules {
            credentials,
            replaced,
            ..RewriteRules::default()
        };
        let made = rewrite(
            &testing::exchange_with("GET", "/", &FIELDS),
            &policy(rules).unwrap(),
        );
        made.map(|made| match made {
            Rewritten::Send(request) => lines(&request),
            Rewritten::Record(_) => panic!("nothing is recorded"),
        })
    };
    let marker = "Shadow-Replay: 1";
    assert_eq!(with(Credentials::Strip, vec![]).unwrap(), [marker]);
    assert_eq!(with(Credentials::Keep, vec![]).unwrap().len(), 4);
    assert_eq!(
        with(
            Credentials::Strip,
            vec![bearer(Some("t")), cookie("sid", Some("s"))]
        )
        .unwrap(),
        ["AUTHORIZATION: Bearer t", "Cookie: sid=s", marker]
    );
    assert_eq!(
        with(Credentials::Keep, vec![cookie("sid", Some("s"))])
            .unwrap()
            .get(1)
            .map(String::as_str),
        Some("Cookie: a=1; sid=s; b=2")
    );
    // A credential that is not carried needs no token.
    assert!(with(Credentials::Keep, vec![cookie("other", None)]).is_ok());
    for missing in [
        vec![bearer(None)],
        vec![cookie("sid", None)],
        vec![bearer(Some("a\r\nX: b"))],
        vec![cookie("sid", Some("a;b"))],
    ] {
        assert_eq!(
            with(Credentials::Keep, missing).err(),
            Some(SkipPolicy::NoCredentials)
        );
    }
}

#[test]
fn no_rule_writes_what_ends_a_line_or_frames_a_message() {
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    for (name, value) in [
        ("X-A", "1\r\nX-B: 2"),
        ("X-A", "1\nX-B: 2"),
        ("X-A", "\u{0}"),
        ("X-A", " 1"),
        ("X-A", "ä"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("", "1"),
        ("Host", "a"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Trailer", "x"),
        ("shadow-replay", "0"),
    ] {
        for headers in [
            HeaderRules {
                set: pair(name, value),
                ..HeaderRules::default()
            },
            HeaderRules {
                add: pair(name, value),
                ..HeaderRules::default()
            },
        ] {
            let rules = RewriteRules {
                headers,
                ..RewriteRules::default()
            };
            let error = policy(rules).map(drop).expect_err(name);
            assert!(error.at.starts_with("rewrite.headers"), "{error}");
        }
    }
    let rules = RewriteRules {
        headers: HeaderRules {
            remove: vec!["Shadow-Replay".to_owned()],
            ..HeaderRules::default()
        },
        ..RewriteRules::default()
    };
    assert!(policy(rules).is_err(), "the marker cannot be taken off");
}

#[test]
fn no_prefix_or_host_is_taken_that_cannot_be_one() {
    for prefix in ["", "v2", "/v2/", "/a b", "/a\r\n", "/a?b", "/a#b"] {
        let rules = RewriteRules {
            path: PathRules {
                strip: None,
                add: Some(prefix.to_owned()),
            },
            ..RewriteRules::default()
        };
        assert!(policy(rules).is_err(), "{prefix:?}");
    }
    for host in [
        "set",
        "set a b",
        "set a\r\nb",
        "append :80",
        "append",
        "keep",
        "preserve x",
    ] {
        assert!(host.parse::<HostPolicy>().is_err(), "{host:?}");
    }
}

#[test]
fn paths_and_queries_change_as_told_and_the_rest_stays_byte_for_byte() {
    let rules = RewriteRules {
        path: PathRules {
            strip: Some("/v1".to_owned()),
            add: Some("/x".to_owned()),
        },
        query: QueryRules {
            set: [("env".to_owned(), "a&b".to_owned())].into(),
            remove: vec!["utm".to_owned()],
        },
        ..RewriteRules::default()
    };
    let policy = policy(rules).unwrap();
    for (method, target, sent) in [
        (
            "GET",
            "/v1/a%2Fb?q=%20+&utm=1&u%74m=2&env=c",
            "/x/a%2Fb?q=%20+&env=a%26b",
        ),
        ("GET", "/v1", "/x?env=a%26b"),
        ("GET", "/v12", "/x/v12?env=a%26b"),
        ("GET", "http://a/v1?", "/x?env=a%26b"),
        ("OPTIONS", "*", "*"),
    ] {
        let made = unpacked(rewrite(&testing::exchange_with(method, target, &[]), &policy));
        assert_eq!(made.target, sent, "{target}");
    }
    let only = RewriteRules {
        query: QueryRules {
            remove: vec!["a".to_owned()],
            ..QueryRules::default()
        },
        path: PathRules {
            strip: Some("/v1".to_owned()),
            add: None,
        },
        ..RewriteRules::default()
    };
    let only = super::rules::policy(only).unwrap();
    let made = unpacked(rewrite(&testing::exchange_with("GET", "/v1?a=1", &[]), &only));
    assert_eq!(
        made.target, "/",
        "nothing is left of the query, and a path is never empty"
    );
}

#[test]
fn a_suffix_goes_before_the_port_and_not_behind_an_address() {
    let authority = Bytes::from_static(b"shadow:1");
    for (host, sent) in [
        ("a.example:81", "a.example-shadow:81"),
        ("a.example.", "a.example-shadow"),
        ("10.0.0.1:81", "10.0.0.1:81"),
        ("[::1]:81", "[::1]:81"),
        ("", ""),
    ] {
        let policy: HostPolicy = "append -shadow".parse().unwrap();
        let made = policy.host(Bytes::copy_from_slice(host.as_bytes()), &authority);
        assert_eq!(made, sent, "{host}");
    }
}

#[test]
fn every_replay_of_its_own_trace_has_other_ids() {
    let rules = RewriteRules {
        identity: IdentityRules {
            traceparent: TracePolicy::New,
            ..IdentityRules::default()
        },
        ..RewriteRules::default()
    };
    let policy = policy(rules).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..100 {
        let mut exchange = testing::exchange("GET", "/");
        exchange.index = index;
        let made = lines(&unpacked(rewrite(&exchange, &policy)));
        assert!(seen.insert(made.join("\n")), "{made:?}");
    }
}

const TRACED: [(&str, &str); 8] = [
    (
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    ("tracestate", "x=y"),
    ("X-B3-TraceId", "1"),
    ("X-Request-Id", "3d8e1f10-0b1c-4a5e-9f00-0123456789ab"),
    ("X-Envoy-Attempt-Count", "1"),
    ("x-envoy-external-address", "10.0.0.1"),
    ("X-Forwarded-For", "10.0.0.1"),
    ("X-Envoyage", "1"),
];

fn value<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    let of = |line: &'a String| line.strip_prefix(name)?.strip_prefix(": ");
    lines.iter().find_map(of)
}

#[test]
fn a_replay_has_ids_of_its_own_that_name_the_originals() {
    let policy = policy(RewriteRules::default()).unwrap();
    let exchange = testing::exchange_with("GET", "/", &TRACED);
    let sent = |copy| {
        let Ok(Rewritten::Send(request)) = rewrite_copy(&exchange, &policy, copy) else {
            panic!("it is sent");
        };
        lines(&request)
    };
    let made = sent(0);
    for name in [
        "X-B3-TraceId",
        "X-Envoy-Attempt-Count",
        "x-envoy-external-address",
    ] {
        assert_eq!(value(&made, name), None, "{made:?}");
    }
    assert_eq!(value(&made, "X-Forwarded-For"), Some("10.0.0.1"));
    assert_eq!(value(&made, "X-Envoyage"), Some("1"));
    let parent = value(&made, "traceparent").unwrap();
    assert!(parent.len() == 55 && parent.ends_with("-01"), "{parent}");
    assert!(!parent.contains("0af7651916cd43dd8448eb211c80319c"), "{parent}");
    assert_eq!(
        value(&made, "tracestate"),
        Some("shadow=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331")
    );
    let id = value(&made, "X-Request-Id").unwrap();
    assert_ne!(id, TRACED[3].1);
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(
        (&id[14..15], &id[19..20]),
        ("4", "9"),
        "still a random UUID: {id}"
    );
    assert_eq!(value(&made, "Shadow-Request-Id"), Some(TRACED[3].1));
    assert_eq!(made, sent(0), "the same request again");
    assert_ne!(value(&sent(1), "X-Request-Id"), Some(id), "another copy");
    assert_ne!(value(&sent(1), "traceparent"), Some(parent), "another copy");
}

#[test]
fn ids_are_sent_unchanged_or_not_at_all_if_that_is_wanted() {
    let made = |identity: IdentityRules| {
        let rules = RewriteRules {
            identity,
            ..RewriteRules::default()
        };
        let policy = policy(rules).unwrap();
        lines(&unpacked(rewrite(
            &testing::exchange_with("GET", "/", &TRACED),
            &policy,
        )))
    };
    let kept = made(IdentityRules::KEPT);
    for (name, given) in TRACED {
        assert_eq!(value(&kept, name), Some(given), "{kept:?}");
    }
    let stripped = made(IdentityRules {
        traceparent: TracePolicy::Strip,
        request_id: RequestIds::Strip,
        envoy: MeshFields::Strip,
    });
    for name in ["traceparent", "tracestate", "X-Request-Id", "Shadow-Request-Id"] {
        assert_eq!(value(&stripped, name), None, "{stripped:?}");
    }
}

#[test]
fn a_request_without_ids_gets_none() {
    let policy = policy(RewriteRules::default()).unwrap();
    let made = lines(&unpacked(rewrite(&testing::exchange("GET", "/"), &policy)));
    for name in ["traceparent", "tracestate", "X-Request-Id", "Shadow-Request-Id"] {
        assert_eq!(value(&made, name), None, "{made:?}");
    }
}

#[test]
fn what_is_only_recorded_shows_where_a_token_would_be() {
    let writes = WritePolicy::new(&WriteRules {
        default: Writes::RecordOnly,
        ..WriteRules::default()
    })
    .unwrap();
    let rules = RewriteRules {
        replaced: vec![bearer(None)],
        ..RewriteRules::default()
    };
    let policy = RewritePolicy::new(rules, "a", &Marker::default(), writes, [0; 32]).unwrap();
    let made = rewrite(&testing::exchange_with("POST", "/", &FIELDS), &policy);
    let Ok(Rewritten::Record(request)) = made else {
        panic!("{made:?}")
    };
    assert_eq!(
        lines(&request).first().map(String::as_str),
        Some("AUTHORIZATION: Bearer (token)")
    );
}
