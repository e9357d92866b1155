//! Tests of selection rules and write rules.

use bytes::Bytes;
use proptest::prelude::*;

use super::{REPLAY, exchange};
use crate::gate::{
    Absent, Decision, Gate, Key, Match, Selection, Selector, Share, Skip, SkipPolicy, WritePolicy,
    WriteRules, Writes,
};
use shadow_proto::{
    exchange::{Body, Exchange},
    time::Timestamp,
};

fn select(selection: &Selection, exchange: &Exchange) -> Decision {
    let selector = Selector::new(selection).unwrap();
    Gate::new(selector, WritePolicy::from(Writes::Replay), Vec::new()).decide(exchange)
}

fn skipped(reason: SkipPolicy) -> Decision {
    Decision::Skip(Skip::Policy(reason))
}

fn paths(list: &[&str]) -> Match {
    Match {
        path: list.iter().map(|&path| path.to_owned()).collect(),
        ..Match::default()
    }
}

#[test]
fn a_glob_of_paths_keeps_to_its_segments() {
    for (glob, path, fits) in [
        ("/api/*", "/api/a", true),
        ("/api/*", "/api/a/b", false),
        ("/api/**", "/api/a/b", true),
        ("/api/**", "/api", false),
        ("/api", "/apis", false),
        ("/*.js", "/a.js", true),
        ("/{a,b}/x", "/b/x", true),
        ("/a?c", "/abc", true),
        ("/a", "/A", false),
    ] {
        let include = Selection {
            include: vec![paths(&[glob])],
            ..Selection::default()
        };
        let expected = if fits {
            REPLAY
        } else {
            skipped(SkipPolicy::NotIncluded)
        };
        assert_eq!(
            select(&include, &exchange("GET", path, &[])),
            expected,
            "{glob} {path}"
        );
    }
}

#[test]
fn an_absolute_target_is_matched_by_its_path_and_its_host() {
    let rule = Match {
        host: vec!["a.example".to_owned()],
        ..paths(&["/p"])
    };
    let include = Selection {
        include: vec![rule],
        ..Selection::default()
    };
    let given = exchange("GET", "http://A.example:81/p?q", &[("Host", "other")]);
    assert_eq!(select(&include, &given), REPLAY);
    assert_ne!(
        select(
            &include,
            &exchange("GET", "http://b.example/p", &[("Host", "a.example")])
        ),
        REPLAY
    );
}

#[test]
fn what_cannot_be_a_rule_is_refused_with_its_place() {
    let status = |text: &str| Match {
        status: vec![text.to_owned()],
        ..Match::default()
    };
    let regex = |text: &str| Match {
        path_regex: vec![text.to_owned()],
        ..Match::default()
    };
    for (rule, at) in [
        (paths(&["/["]), "select.exclude[1].path"),
        (regex("("), "select.exclude[1].path_regex"),
        (regex("(a{1000}){1000}"), "select.exclude[1].path_regex"),
        (status("6x"), "select.exclude[1].status"),
        (status("500-400"), "select.exclude[1].status"),
        (status("0xx"), "select.exclude[1].status"),
        (
            Match {
                method: vec!["GET POST".to_owned()],
                ..Match::default()
            },
            "select.exclude[1].method",
        ),
        (
            Match {
                body_min: Some(2),
                body_max: Some(1),
                ..Match::default()
            },
            "select.exclude[1].body_min",
        ),
    ] {
        let selection = Selection {
            exclude: vec![Match::default(), rule],
            ..Selection::default()
        };
        let error = Selector::new(&selection).expect_err(at);
        assert_eq!(error.at, at, "{error}");
    }
    for text in ["", "flow x", "header", "cookie a b", "path 0", "path x", "body"] {
        assert!(text.parse::<Key>().is_err(), "{text:?}");
    }
    for text in ["flow", "header X-User", "cookie sid", "query q", "path 2"] {
        assert_eq!(
            text.parse::<Key>().map(|key| key.to_string()).as_deref(),
            Ok(text)
        );
    }
}

#[test]
fn health_probes_are_counted_apart() {
    let selection = Selection {
        probes: vec!["kube-probe/*".to_owned()],
        ..Selection::default()
    };
    for (agent, expected) in [
        (
            "kube-probe/1.31",
            Decision::Skip(Skip::Policy(SkipPolicy::HealthProbe)),
        ),
        ("curl/8 (kube-probe/1.31)", REPLAY),
        ("", REPLAY),
    ] {
        let given = exchange("GET", "/healthz", &[("User-Agent", agent)]);
        assert_eq!(select(&selection, &given), expected, "{agent}");
    }
    assert!(SkipPolicy::HealthProbe.is_intended(), "no loss of coverage");
    assert!(!Selector::new(&selection).unwrap().is_selective());
}

fn share(fraction: f64, key: &str, absent: Absent) -> Selection {
    Selection {
        share: Share {
            fraction,
            key: key.parse().unwrap(),
            absent,
        },
        ..Selection::default()
    }
}

#[test]
fn each_key_is_found_where_it_is() {
    let fields = [("X-User", "7"), ("Cookie", "a=b; sid=7"), ("Cookie", "sid=8")];
    let with = exchange("GET", "/users/7/x?u=7", &fields);
    for key in ["header x-user", "cookie sid", "query u", "path 2", "flow"] {
        let all = share(0.999_999_999, key, Absent::Skip);
        assert_eq!(select(&all, &with), REPLAY, "{key}");
        let without = exchange("GET", "/", &[("Cookie", "SID=7; asid=7; sid=")]);
        let expected = if key == "flow" {
            REPLAY
        } else {
            skipped(SkipPolicy::NoKey)
        };
        assert_eq!(select(&all, &without), expected, "{key}");
        let flow = share(0.999_999_999, key, Absent::Flow);
        assert_eq!(select(&flow, &without), REPLAY, "{key}");
        let none = share(0.0, key, Absent::Skip);
        assert_eq!(select(&none, &with), skipped(SkipPolicy::OutOfShare), "{key}");
    }
}

#[test]
fn a_share_is_about_as_large_as_it_says_and_another_than_the_kernels() {
    let users = 4000_u16;
    let count = |fraction| {
        let share = share(fraction, "header X-User", Absent::Skip);
        let user = |user: &u16| exchange("GET", "/", &[("X-User", &user.to_string())]);
        (0..users)
            .filter(|id| select(&share, &user(id)) == REPLAY)
            .count()
    };
    for (fraction, about) in [(0.05, 200_usize), (0.5, 2000)] {
        let found = count(fraction);
        // Four standard deviations of the larger count.
        assert!(found.abs_diff(about) < 130, "{fraction}: {found}");
    }
}

proptest! {
    #[test]
    fn who_is_in_a_small_share_is_in_a_larger_one(user in "[a-z0-9]{1,12}", small in 0.0_f64..1.0, more in 0.0_f64..1.0) {
        let given = exchange("GET", "/", &[("X-User", &user)]);
        let within = |fraction| select(&share(fraction, "header X-User", Absent::Skip), &given) == REPLAY;
        prop_assert!(!within(small) || within((small + more).min(1.0)));
        prop_assert_eq!(within(small), within(small), "it is decided once and for all");
    }

    #[test]
    fn no_bytes_make_the_gate_panic(target in proptest::collection::vec(any::<u8>(), 0..64), body in proptest::collection::vec(any::<u8>(), 0..64), method in "[A-Za-z]{1,8}") {
        let rules = WriteRules { graphql: vec!["/**".to_owned()], ..WriteRules::default() };
        let selection = Selection { exclude: vec![paths(&["/x/**"])], ..share(0.5, "path 1", Absent::Flow) };
        let mut given = exchange(&method, "/", &[("Content-Type", "application/json"), ("Cookie", "a")]);
        given.request.target = Bytes::from(target);
        given.request.body = Body::whole(body);
        let gate = Gate::new(Selector::new(&selection).unwrap(), WritePolicy::new(&rules).unwrap(), Vec::new());
        let decided = gate.decide(&given);
        prop_assert!(decided != REPLAY || ["GET", "HEAD", "OPTIONS", "TRACE", "POST"].contains(&method.as_str()), "{:?}", decided);
    }
}

fn writes(rules: &WriteRules, exchange: &Exchange) -> Decision {
    Gate::new(Selector::default(), WritePolicy::new(rules).unwrap(), Vec::new()).decide(exchange)
}

#[test]
fn a_rule_that_lets_a_write_through_wants_every_reading_to_fit() {
    let post = Match {
        method: vec!["POST".to_owned()],
        ..paths(&["/search"])
    };
    let rules = WriteRules {
        routes: vec![(post, Writes::Replay)],
        ..WriteRules::default()
    };
    for (method, target, fields, passes) in [
        ("POST", "/search", &[][..], true),
        ("POST", "/search?q=1", &[], true),
        ("PUT", "/search", &[], false),
        ("POST", "/sear%63h", &[], false),
        ("POST", "/x/../search", &[], false),
        ("POST", "/search", &[("X-HTTP-Method-Override", "DELETE")], false),
        ("POST", "/search", &[("X-HTTP-Method-Override", "POST")], true),
        ("GET", "/search", &[("X-HTTP-Method-Override", "POST")], false),
        ("POST", "/search?_method=DELETE", &[], false),
    ] {
        let expected = if passes {
            REPLAY
        } else {
            skipped(SkipPolicy::Write)
        };
        let given = exchange(method, target, fields);
        assert_eq!(writes(&rules, &given), expected, "{method} {target} {fields:?}");
    }
    let held = WriteRules {
        default: Writes::Replay,
        routes: vec![(paths(&["/pay"]), Writes::Skip)],
        ..WriteRules::default()
    };
    for target in ["/pay", "/%70ay", "//pay", "/pay;a=1"] {
        let given = exchange("POST", target, &[]);
        assert_eq!(writes(&held, &given), skipped(SkipPolicy::Write), "{target}");
    }
    assert_eq!(writes(&held, &exchange("POST", "/other", &[])), REPLAY);
}

#[test]
fn a_call_of_grpc_is_a_write_unless_its_method_is_listed() {
    let call = |target: &str| exchange("POST", target, &[("Content-Type", "application/grpc-web+proto")]);
    let skipping = WriteRules {
        grpc_safe: vec!["shop.Catalog/Get*".to_owned(), "/shop.Health/**".to_owned()],
        ..WriteRules::default()
    };
    let write = skipped(SkipPolicy::GrpcWrite);
    for (target, expected) in [
        ("/shop.Catalog/GetItem", REPLAY),
        ("/shop.Health/Check", REPLAY),
        ("/shop.Catalog/SetItem", write),
        ("/shop.Catalog/%47etItem", write),
        ("//shop.Catalog/GetItem", write),
        ("/shop.Catalog/GetItem/x", write),
        ("/shop.Catalog/GetItem?_method=DELETE", write),
        ("/other/shop.Catalog/GetItem", write),
    ] {
        assert_eq!(writes(&skipping, &call(target)), expected, "{target}");
    }
    let put = exchange(
        "PUT",
        "/shop.Catalog/GetItem",
        &[("Content-Type", "application/grpc")],
    );
    assert_eq!(writes(&skipping, &put), write);
    assert_eq!(
        writes(&WriteRules::default(), &call("/shop.Catalog/GetItem")),
        write
    );
    let replaying = WriteRules {
        default: Writes::Replay,
        ..WriteRules::default()
    };
    assert_eq!(writes(&replaying, &call("/shop.Catalog/SetItem")), REPLAY);
}

#[test]
fn a_call_whose_response_began_before_its_request_had_ended_is_not_replayed() {
    let policy = WriteRules {
        default: Writes::Replay,
        ..WriteRules::default()
    };
    for (media, apart, expected) in [
        ("application/grpc", 1, REPLAY),
        ("application/grpc", 0, REPLAY),
        ("application/grpc", -1, skipped(SkipPolicy::GrpcInterleaved)),
        (
            "application/connect+proto",
            -1,
            skipped(SkipPolicy::GrpcInterleaved),
        ),
        ("application/json", -1, REPLAY),
    ] {
        let mut given = exchange("POST", "/p.S/M", &[("content-type", media)]);
        let at = |millis: i64| Some(Timestamp::from_nanos(u64::try_from(millis).unwrap() * 1_000_000));
        given.timing.request_last = at(10);
        given.timing.response_first = at(10 + apart);
        assert_eq!(writes(&policy, &given), expected, "{media}, {apart} ms");
    }
}

#[test]
fn a_method_that_is_said_to_have_no_side_effects_is_a_read() {
    let rules = WriteRules {
        descriptors: Some(crate::descriptors::tests::shop()),
        ..WriteRules::default()
    };
    let grpc = ("content-type", "application/grpc");
    let web = ("content-type", "application/grpc-web-text");
    let connect = [
        ("content-type", "application/json"),
        ("connect-protocol-version", "1"),
    ];
    let other = ("x-http-method-override", "DELETE");
    let write = skipped(SkipPolicy::GrpcWrite);
    for (target, fields, expected) in [
        ("/shop.Shop/Get", &[grpc][..], REPLAY),
        ("/shop.Shop/List", &[web], REPLAY),
        ("/shop.Shop/Get", &connect, REPLAY),
        ("/shop.Shop/Get", &connect[..1], skipped(SkipPolicy::Write)),
        ("/shop.Shop/Put", &[grpc], write),
        ("/shop.Shop/Put", &connect, write),
        ("/shop.Shop/Peek", &[grpc], write),
        ("/shop.Shop/Get?x", &[grpc], write),
        ("/a/shop.Shop/Get", &[grpc], write),
        ("/shop.Shop/Get", &[grpc, other], write),
    ] {
        let given = exchange("POST", target, fields);
        assert_eq!(writes(&rules, &given), expected, "{target} {fields:?}");
    }
}

#[test]
fn a_dry_run_without_a_field_is_refused() {
    let rules = WriteRules {
        default: Writes::DryRun,
        ..WriteRules::default()
    };
    assert_eq!(
        WritePolicy::new(&rules).map(drop).unwrap_err().at,
        "writes.header"
    );
    for (name, value) in [
        ("X-Dry", "a\r\nb: c"),
        ("Host", "x"),
        ("a b", "1"),
        ("Content-Length", "0"),
    ] {
        let rules = WriteRules {
            header: Some((name.to_owned(), value.to_owned())),
            ..WriteRules::default()
        };
        assert!(WritePolicy::new(&rules).is_err(), "{name}: {value:?}");
    }
}

#[test]
fn what_leaves_a_kind_of_traffic_unseen_is_named_so() {
    let blind: Vec<_> = SkipPolicy::ALL
        .iter()
        .filter(|reason| reason.is_blind())
        .collect();
    assert!(blind.iter().any(|reason| reason.as_str() == "write"));
    // Intended reasons that skip a sample of the traffic say nothing about a kind.
    for sampled in [SkipPolicy::OutOfShare, SkipPolicy::Replayed, SkipPolicy::Observed] {
        assert!(sampled.is_intended() && !sampled.is_blind(), "{sampled}");
    }
    assert!(!SkipPolicy::NoCredentials.is_intended());
}
