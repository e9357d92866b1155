//! Selection: every kind of rule, and a percentage that keeps a user's whole session together on every node.

use std::collections::BTreeSet;

use bytes::Bytes;
use shadow_common::flow::Endpoint;
use shadow_core::gate::{Absent, Decision, Gate, Selection, Selector, Share, WritePolicy};
use shadow_proto::exchange::{Body, Exchange, Flow, Headers, Request, Response, Timing, Version};
use shadow_tests::{laws::assert_laws, need};

use crate::stage::{Stage, bare, full};

#[test]
fn what_is_excluded_stays_out_and_what_is_not_included_too() {
    need!(Root);
    let stage = Stage::new(
        "select:
  include:
  - {path: '/api/**'}
  - {path_regex: '^/v[0-9]/'}
  - {host: '*.wanted.example'}
  exclude:
  - {method: HEAD}
  - {path: '/api/admin/**'}
  - {header: {X-Probe: '*'}}
  - {query: {debug: '1'}}
  - {content_type: text/csv}
  - {body_min: 10B}
  - {status: 500-599}
  - {path: /v1/status, status: 200}",
    );
    let in_ = ["/api/a", "/v2/b", "/c"];
    let requests = [
        bare("GET", "/api/a", ""),
        bare("GET", "/v2/b", ""),
        "GET /c HTTP/1.1\r\nHost: Shop.Wanted.Example:8080\r\n\r\n".to_owned(),
        // Not included.
        bare("GET", "/other", ""),
        bare("GET", "/api/../other", ""),
        bare("GET", "/vx/b", ""),
        // Excluded, with every spelling of the path.
        bare("HEAD", "/api/head", ""),
        bare("GET", "/api/admin/x", ""),
        bare("GET", "/api/%61dmin/x", ""),
        bare("GET", "//api//admin/x", ""),
        bare("GET", "/api/x/../admin/x", ""),
        bare("GET", "/api/admin;v=1/x", ""),
        bare("GET", "/api/probe", "x-probe: 7\r\n"),
        bare("GET", "/api/debug?a=b&debug=1", ""),
        full(
            "GET",
            "/api/csv",
            "Content-Type: Text/CSV; charset=utf-8\r\n",
            "a",
        ),
        full("GET", "/api/long", "", "ten bytes and more"),
        bare("GET", "/v1/status", ""),
    ];
    stage.send(&requests);
    let report = stage.agent.settled(requests.len() as u64);
    assert_laws(&report);
    assert_eq!(
        stage.reached(),
        in_.map(str::to_owned).into(),
        "{:#?}",
        report.funnel
    );
    let skipped = &report.funnel.skipped;
    assert_eq!(
        (skipped["not_included"], skipped["excluded"]),
        (3, 11),
        "{skipped:?}"
    );
    assert_eq!(stage.agent.status()["modes"], serde_json::json!(["selective"]));
}

/// Decision for a user by a gate in this process, separate from the agent's.
fn chosen(key: &str, field: &str) -> bool {
    let share = Share {
        fraction: 0.3,
        key: key.parse().expect("a key"),
        absent: Absent::Skip,
    };
    let selection = Selection {
        share,
        ..Selection::default()
    };
    let selector = Selector::new(&selection).expect("it works");
    let gate = Gate::new(selector, WritePolicy::default(), Vec::new());
    let (name, value) = field.split_once(": ").expect("a field");
    let end = Endpoint::v4([10, 0, 0, 1], 1);
    let exchange = Exchange {
        flow: Flow {
            client: end,
            server: end,
        },
        index: 0,
        place: shadow_proto::exchange::Place::default(),
        request: Request {
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(b"/"),
            version: Version::Http11,
            headers: Headers::from_pairs([(name, value)]),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: Some(Response {
            status: 200,
            version: Version::Http11,
            reason: Bytes::new(),
            headers: Headers::default(),
            body: Body::default(),
            trailers: Headers::default(),
        }),
        timing: Timing::default(),
        incomplete: None,
    };
    gate.decide(&exchange) == Decision::Replay
}

#[test]
fn a_percentage_takes_whole_sessions_and_the_same_everywhere() {
    need!(Root);
    let stage = Stage::new("select: {percent: 30%, key: cookie session}");
    let users = 60;
    let field = |user: usize| format!("Cookie: theme=dark; session=user-{user}");
    let mut requests = Vec::new();
    for user in 0..users {
        for page in 0..2 {
            requests.push(bare(
                "GET",
                &format!("/{user}/{page}"),
                &format!("{}\r\n", field(user)),
            ));
        }
    }
    requests.push(bare("GET", "/anonymous", ""));
    requests.push(bare("GET", "/other", "Cookie: mysession=user-1\r\n"));
    stage.send(&requests);
    let report = stage.agent.settled(requests.len() as u64);
    assert_laws(&report);
    let expected: BTreeSet<String> = (0..users)
        .filter(|user| chosen("cookie session", &field(*user)))
        .flat_map(|user| [format!("/{user}/0"), format!("/{user}/1")])
        .collect();
    assert!(
        (16..60).contains(&expected.len()),
        "30 % of 120: {}",
        expected.len()
    );
    assert_eq!(stage.reached(), expected);
    assert_eq!(report.funnel.skipped["no_key"], 2, "{:?}", report.funnel.skipped);
    assert_eq!(
        report.funnel.skipped["out_of_share"],
        120 - expected.len() as u64,
        "{:?}",
        report.funnel.skipped
    );
}
