mod conditional;
mod rules;

use proptest::prelude::*;

use super::*;
use shadow_proto::exchange::Headers;
use shadow_proto::testing;

#[test]
fn a_marker_is_a_field_without_another_meaning() {
    assert!(Marker::new("X-Mirrored", "yes").is_ok());
    for name in [
        "",
        "two words",
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "TE",
    ] {
        assert!(Marker::new(name, "1").is_err(), "{name:?}");
    }
    for value in ["", "a b", "a\r\nb", "é"] {
        assert_eq!(Marker::new("X-M", value), Err(MarkerError::Value), "{value:?}");
    }
}

fn rewritten(method: &str, target: &str, headers: &[(&str, &str)], policy: &RewritePolicy) -> ShadowRequest {
    unpacked(rewrite(&testing::exchange_with(method, target, headers), policy))
}

fn unpacked(made: Result<Rewritten, SkipPolicy>) -> ShadowRequest {
    match made {
        Ok(Rewritten::Send(request)) => request,
        other => panic!("{other:?} is not sent"),
    }
}

fn preserve() -> RewritePolicy {
    RewritePolicy::plain(HostPolicy::Preserve, "shadow:9090", &Marker::default())
}

fn lines(request: &ShadowRequest) -> Vec<String> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    request
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {}", text(name), text(value)))
        .collect()
}

#[test]
fn order_and_letter_case_stay_and_a_marker_is_added() {
    let headers = [
        ("hOST", "a.example"),
        ("X-B", "2"),
        ("x-a", "1"),
        ("X-B", "3"),
        ("Authorization", "Basic x"),
    ];
    let request = rewritten("GET", "/p?q=1", &headers, &preserve());
    assert_eq!(request.target, "/p?q=1");
    assert_eq!(
        lines(&request),
        [
            "hOST: a.example",
            "X-B: 2",
            "x-a: 1",
            "X-B: 3",
            "Authorization: Basic x",
            "Shadow-Replay: 1"
        ]
    );
}

#[test]
fn what_concerned_one_connection_goes() {
    let headers = [
        ("Host", "a"),
        ("Connection", "close, X-Hop"),
        ("connection", "X-Other,, Host, Content-Length"),
        ("Keep-Alive", "5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("x-hop", "1"),
        ("X-OTHER", "2"),
        ("Expect", "100-Continue"),
        ("X-Stays", "3"),
    ];
    assert_eq!(
        lines(&rewritten("GET", "/", &headers, &preserve())),
        ["Host: a", "X-Stays: 3", "Shadow-Replay: 1"]
    );
}

#[test]
fn the_framing_stays_where_and_what_it_was() {
    let mut exchange = testing::exchange_with(
        "POST",
        "/",
        &[("Content-Length", "5"), ("Host", "a"), ("content-length", "5")],
    );
    exchange.request.body = shadow_proto::exchange::Body::whole(&b"hello"[..]);
    exchange.request.trailers = Headers::from_pairs([("X-T", "1")]);
    let sized = unpacked(rewrite(&exchange, &preserve()));
    assert_eq!(
        lines(&sized),
        ["Content-Length: 5", "Host: a", "Shadow-Replay: 1"]
    );
    assert!(!sized.is_chunked() && sized.trailers.is_empty() && sized.body == "hello");

    exchange.request.headers = Headers::from_pairs([
        ("Host", "a"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "9"),
        ("Trailer", "X-T"),
    ]);
    let chunked = unpacked(rewrite(&exchange, &preserve()));
    assert_eq!(
        lines(&chunked),
        [
            "Host: a",
            "Transfer-Encoding: chunked",
            "Trailer: X-T",
            "Shadow-Replay: 1"
        ]
    );
    assert!(chunked.is_chunked());
    exchange.request.headers =
        Headers::from_pairs([("Transfer-Encoding", "gzip"), ("transfer-encoding", "chunked")]);
    let both = unpacked(rewrite(&exchange, &preserve()));
    assert_eq!(
        lines(&both),
        ["Transfer-Encoding: gzip, chunked", "Shadow-Replay: 1"]
    );
    assert_eq!(chunked.trailers, [(Bytes::from("X-T"), Bytes::from("1"))]);
}

/// The target and the Host fields sent for a method, a target and a Host.
fn sent(policy: &RewritePolicy, method: &str, target: &str, host: Option<&str>) -> (String, String) {
    let fields: Vec<(&str, &str)> = host.map(|host| ("Host", host)).into_iter().collect();
    let request = rewritten(method, target, &fields, policy);
    let hosts: Vec<String> = lines(&request)
        .into_iter()
        .filter_map(|line| line.strip_prefix("Host: ").map(str::to_owned))
        .collect();
    (
        String::from_utf8_lossy(&request.target).into_owned(),
        hosts.join(", "),
    )
}

#[test]
fn targets_and_hosts() {
    for (method, target, host, expected, expected_host) in [
        ("GET", "/a", Some("x"), "/a", "x"),
        ("GET", "/a", None, "/a", ""),
        ("GET", "http://y:81/a?b", Some("x"), "/a?b", "y:81"),
        ("GET", "HTTP://y", Some("x"), "/", "y"),
        ("GET", "https://me:pw@y?b", Some("x"), "/?b", "y"),
        ("GET", "http://y/a", None, "/a", "y"),
        ("OPTIONS", "http://y", Some("x"), "*", "y"),
        ("OPTIONS", "*", Some("x"), "*", "x"),
        ("GET", "/http://z/", Some("x"), "/http://z/", "x"),
    ] {
        let got = sent(&preserve(), method, target, host);
        assert_eq!(got, (expected.to_owned(), expected_host.to_owned()), "{target}");
        let shadow = RewritePolicy::plain(HostPolicy::Shadow, "shadow:9090", &Marker::default());
        let got = sent(&shadow, method, target, host);
        assert_eq!(got, (expected.to_owned(), "shadow:9090".to_owned()), "{target}");
    }
}

#[test]
fn values_are_not_copied() {
    let exchange = testing::exchange_with("GET", "/", &[("X-Long", "some value")]);
    let captured = exchange.request.headers.get("x-long").expect("there").as_ptr();
    assert_eq!(
        unpacked(rewrite(&exchange, &preserve())).headers[0].1.as_ptr(),
        captured
    );
}

#[test]
fn debug_output_holds_no_value() {
    let text = format!(
        "{:?}",
        rewritten("GET", "/t0ken", &[("Authorization", "s3cret")], &preserve())
    );
    assert!(!text.contains("t0ken") && !text.contains("s3cret"), "{text}");
}

proptest! {
    #[test]
    fn one_framing_at_most_whatever_was_captured(
        picks in prop::collection::vec((0..9usize, "[a-z, ]{0,12}"), 0..12),
        shadow_host in any::<bool>(),
    ) {
        let names = ["Host", "Content-Length", "Transfer-Encoding", "transfer-encoding", "CONTENT-LENGTH", "Connection", "X-A", "Expect", "TE"];
        let headers: Vec<(&str, &str)> = picks
            .iter()
            .map(|(pick, value)| match names[*pick] {
                name @ "Connection" if value.len() % 2 == 0 => (name, "content-length, transfer-encoding, host"),
                name => (name, value.as_str()),
            })
            .collect();
        let host = if shadow_host { HostPolicy::Shadow } else { HostPolicy::Preserve };
        let policy = RewritePolicy::plain(host, "s:1", &Marker::default());
        let request = rewritten("POST", "/", &headers, &policy);
        let count = |wanted: &str| request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes())).count();
        prop_assert!(count("content-length") + count("transfer-encoding") <= 1, "{:?}", lines(&request));
        prop_assert!(count("host") <= 1, "{:?}", lines(&request));
        prop_assert_eq!(count("shadow-replay"), 1);
        prop_assert_eq!(count("connection") + count("te"), 0);
        let framed = headers.iter().any(|(name, _)| name.len() > 12 && name.contains('-'));
        prop_assert_eq!(count("content-length") + count("transfer-encoding") == 1, framed, "a framing is not lost: {:?}", headers);
    }
}
