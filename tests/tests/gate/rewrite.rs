//! Form of a replayed request on arrival.

use shadow_tests::{laws::assert_laws, need};

use crate::stage::{Stage, bare};

const EVERYTHING: &str = "host: append -shadow
credentials: strip
rewrite:
  path: {strip: /v1, add: /v2}
  query: {set: {env: 'a b&c'}, remove: utm}
  headers: {set: {X-Env: 1}, add: {Via: 1.1 shadow}, remove: [X-Debug]}
  traceparent: new
  marker: 'X-Mirrored: by-shadow'";

#[test]
fn host_path_query_fields_and_trace_are_as_configured() {
    need!(Root);
    let stage = Stage::new(EVERYTHING);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let fields = format!(
        "X-Env: 0\r\nX-Debug: 1\r\nVia: 1.1 edge\r\nAuthorization: Bearer user\r\nCookie: a=b\r\ntraceparent: {trace}\r\ntracestate: x=y\r\nX-Stays: 1\r\n"
    );
    let requests = [
        bare("GET", "/v1/a?x=%20&utm=1&env=prod&y", &fields).replace("Host: shop", "Host: shop.example:8080"),
        bare("GET", "/v10", ""),
        bare("GET", "/marked", "x-mirrored: 1\r\n"),
        bare("GET", "/marked", "Shadow-Replay: 1\r\n"),
    ];
    stage.send(&requests);
    let report = stage.agent.settled(4);
    assert_laws(&report);
    assert_eq!(
        report.funnel.skipped["already_a_replay"], 2,
        "{:?}",
        report.funnel.skipped
    );
    let received = stage.shadow.received();
    assert_eq!(received.len(), 2, "{received:?}");
    let got = received
        .iter()
        .find(|got| got.start.contains("/a?"))
        .expect("the first");
    assert_eq!(got.start, "GET /v2/a?x=%20&y&env=a%20b%26c");
    assert_eq!(got.header("host"), Some("shop.example-shadow:8080"));
    assert_eq!(got.header("x-env"), Some("1"));
    assert_eq!(got.header("x-mirrored"), Some("by-shadow"));
    assert_eq!(got.header("x-stays"), Some("1"));
    for gone in [
        "x-debug",
        "authorization",
        "cookie",
        "tracestate",
        "shadow-replay",
    ] {
        assert_eq!(got.header(gone), None, "{gone}");
    }
    let vias: Vec<_> = got.headers.iter().filter(|(name, _)| name == "Via").collect();
    assert_eq!(vias.len(), 2, "{vias:?}");
    let new = got.header("traceparent").expect("a trace of its own");
    assert!(
        new.len() == 55 && new.starts_with("00-") && new.ends_with("-01"),
        "{new}"
    );
    assert_ne!(new, trace);
    // A prefix matches whole segments, and a trace that was not sampled stays unsampled.
    let other = received
        .iter()
        .find(|got| got.start.contains("/v10"))
        .expect("the second");
    assert_eq!(other.start, "GET /v2/v10?env=a%20b%26c");
    assert!(
        other
            .header("traceparent")
            .is_some_and(|trace| trace.ends_with("-00"))
    );
}

#[test]
fn each_policy_for_the_host_is_kept() {
    need!(Root);
    for (policy, host) in [
        ("preserve", "shop"),
        ("set api.example:81", "api.example:81"),
        ("append -shadow", "shop-shadow"),
    ] {
        let stage = Stage::new(&format!("host: {policy}"));
        stage.send(&[bare("GET", "/", "")]);
        stage.agent.settled(1);
        let received = stage.shadow.received();
        assert_eq!(received.len(), 1, "{policy}");
        assert_eq!(received[0].header("host"), Some(host), "{policy}");
    }
}
