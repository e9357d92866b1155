//! Writes: none by default, however they are spelled; and the settings of a route.

use std::collections::BTreeSet;

use shadow_tests::{laws::assert_laws, need};

use crate::stage::{Stage, bare, full};

const METHODS: &[&str] = &[
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "LINK",
    "UNLINK",
    "REPORT",
    "SEARCH",
    "QUERY",
    "PURGE",
    "MKCALENDAR",
    "ACL",
    "BIND",
    "M-SEARCH",
    "NOTIFY",
    "get",
    "Get",
    "head",
    "post",
    "delete",
    "GETS",
    "X",
    "UNKNOWN",
    "!#$%&'*+-.^_`|~",
];

/// Requests that say GET and mean something else to some server.
const DISGUISED: &[(&str, &str)] = &[
    ("", "X-HTTP-Method-Override: DELETE\r\n"),
    ("", "x-http-method-override: delete\r\n"),
    ("", "X_HTTP_METHOD_OVERRIDE: PUT\r\n"),
    ("", "X-HTTP-Method: MERGE\r\n"),
    ("", "X-Method-Override: PATCH\r\n"),
    ("", "X-Method: POST\r\n"),
    (
        "",
        "X-HTTP-Method-Override: GET\r\nX-HTTP-Method-Override: DELETE\r\n",
    ),
    ("", "X-HTTP-Method-Override:\r\n"),
    ("?_method=DELETE", ""),
    ("?a=1&_METHOD=put", ""),
    ("?a=1;%5Fmethod=PUT", ""),
    ("?_method[]=PUT", ""),
    ("?$httpMethod=PATCH", ""),
    ("?X-HTTP-Method-Override=DELETE", ""),
];

/// Everything that may change state, openly or in disguise.
fn writes() -> Vec<String> {
    let mut requests: Vec<String> = METHODS
        .iter()
        .map(|method| full(method, "/write/method", "", "a=1"))
        .collect();
    requests.extend(
        DISGUISED
            .iter()
            .map(|(query, fields)| bare("GET", &format!("/write/get{query}"), fields)),
    );
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let parts = "Content-Type: multipart/form-data; boundary=b\r\n";
    let part = "--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nPUT\r\n--b--\r\n";
    requests.extend([
        full("GET", "/write/form", form, "a=1&_method=DELETE"),
        full("GET", "/write/parts", parts, part),
        full("POST", "/write/form", form, "_method=GET"),
        full("POST", "/write/override", "X-HTTP-Method-Override: GET\r\n", ""),
        full(
            "POST",
            "/write/graphql",
            "Content-Type: application/json\r\n",
            r#"{"query":"{ a }"}"#,
        ),
    ]);
    requests
}

#[test]
fn no_write_reaches_the_shadow_system_by_default() {
    need!(Root);
    let stage = Stage::new("");
    let mut requests = writes();
    let writes = requests.len() as u64;
    requests.push(full(
        "POST",
        "/write/grpc",
        "Content-Type: application/grpc+proto\r\n",
        "abc",
    ));
    requests.extend([
        bare("GET", "/read/get?method=DELETE&my_method=PUT", ""),
        bare("HEAD", "/read/head", ""),
        bare(
            "OPTIONS",
            "/read/options",
            "Access-Control-Request-Method: DELETE\r\n",
        ),
        bare("TRACE", "/read/trace", ""),
        bare("GET", "/read/override", "X-HTTP-Method-Override: GET\r\n"),
    ]);
    stage.send(&requests);
    let report = stage.agent.settled(requests.len() as u64);
    assert_laws(&report);
    let reached = stage.reached();
    assert_eq!(
        reached.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "/read/get?method=DELETE&my_method=PUT",
            "/read/head",
            "/read/options",
            "/read/override",
            "/read/trace"
        ]
    );
    assert_eq!(report.funnel.skipped["write"], writes, "{:#?}", report.funnel);
    assert_eq!(report.funnel.skipped["grpc_write"], 1, "{:#?}", report.funnel);
    assert_eq!(report.funnel.unverified["write"], writes);
    let text = String::from_utf8_lossy(&stage.agent.ask(&["report"]).stdout).into_owned();
    assert!(
        text.contains("of all exchanges: write 89.286 %, grpc_write 1.786 %"),
        "{text}"
    );
}

#[test]
fn each_route_has_its_own_rule_for_writes() {
    need!(Root);
    let stage = Stage::new(
        "writes:
  default: skip
  header: 'X-Dry-Run: yes'
  graphql: /graphql
  routes:
  - {match: {method: POST, path: /search}, writes: replay}
  - {match: {path: '/cart/**'}, writes: dry_run}
  - {match: {path: '/orders/**'}, writes: record_only}",
    );
    let json = "Content-Type: application/json\r\n";
    let secret = "hunter2-hunter2";
    let requests = [
        full("POST", "/search", "", "q=1"),
        full("PUT", "/search", "", "q=2"),
        full("POST", "/search", "X-HTTP-Method-Override: DELETE\r\n", "q=3"),
        full("POST", "/cart/../search/all", "", "q=4"),
        full("DELETE", "/cart/7", "X-Dry-Run: no\r\n", ""),
        full(
            "POST",
            "/orders/1",
            json,
            &format!(r#"{{"password":"{secret}","amount":42}}"#),
        ),
        full("POST", "/graphql", json, r#"{"query":"query A { a }"}"#),
        full("POST", "/graphql", json, r#"{"query":"mutation { a }"}"#),
        full(
            "POST",
            "/%67raphql",
            json,
            r#"{"query":"query B { a } subscription { b }"}"#,
        ),
        bare("GET", "/graphql?query=mutation+%7Ba%7D", ""),
        bare("GET", "/graphql?query=%7Bb%7D", ""),
    ];
    stage.send(&requests);
    let report = stage.agent.settled(requests.len() as u64);
    assert_laws(&report);
    let starts: BTreeSet<String> = stage.shadow.received().into_iter().map(|got| got.start).collect();
    assert_eq!(
        starts.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "DELETE /cart/7",
            "GET /graphql?query=%7Bb%7D",
            "POST /graphql",
            "POST /search"
        ]
    );
    for got in stage.shadow.received() {
        let dry = (got.start == "DELETE /cart/7").then_some("yes");
        assert_eq!(got.header("x-dry-run"), dry, "{}", got.start);
        assert!(
            !got.body.windows(8).any(|text| text == b"mutation"),
            "{}",
            got.start
        );
    }
    let skipped = &report.funnel.skipped;
    assert_eq!(
        (skipped["write"], skipped["graphql_write"], skipped["record_only"]),
        (3, 3, 1),
        "{skipped:?}"
    );
    let mut agent = stage.agent;
    agent.stop();
    let journal =
        shadow_agent::journal::Reader::open(&agent.state().join("journal.sqlite")).expect("a journal");
    let cases = journal.cases_of("record_only", 10).expect("it is read");
    assert_eq!(cases.len(), 1, "{cases:?}");
    let kept = serde_json::to_string(&cases[0]).expect("serialises");
    assert!(kept.contains("/orders/1") && kept.contains("42"), "{kept}");
    assert!(!kept.contains(secret), "{kept}");
}
