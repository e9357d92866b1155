use super::*;
use crate::compare::{Comparator, Rules, Side, findings::stated};
use shadow_proto::exchange::Body;
use shadow_proto::testing;

fn found_between(a: (&str, &[u8]), b: (&str, &[u8])) -> Vec<String> {
    let comparator = Comparator::new(Rules::default()).unwrap_or_else(|error| panic!("{error}"));
    let headers = |kind: &str| Headers::from_pairs([("Content-Type", kind)]);
    let (left, right) = (headers(a.0), headers(b.0));
    let (one, two) = (Body::whole(a.1.to_vec()), Body::whole(b.1.to_vec()));
    let side = |headers, body| Side {
        status: 200,
        headers,
        trailers: Headers::none(),
        body,
    };
    stated(comparator.compare(
        &testing::exchange("GET", "/").request,
        side(&left, &one),
        side(&right, &two),
    ))
}

fn found(kind: &str, a: &str, b: &str) -> Vec<String> {
    found_between((kind, a.as_bytes()), (kind, b.as_bytes()))
}

const NONE: [&str; 0] = [];

#[test]
fn lines_of_json_are_compared_by_event() {
    let kind = "application/x-ndjson";
    assert_eq!(
        found(kind, "{\"a\":1,\"b\":2}\n[1.0]\n", "{\"b\":2, \"a\":1}\r\n\n[1]"),
        NONE
    );
    assert_eq!(
        found(kind, "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":3}\n"),
        ["value event 2 $.a: 2 | 3"]
    );
    assert_eq!(
        found(
            kind,
            "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n",
            "{\"a\":1}\n{\"a\":3.0}\n"
        ),
        ["missing event 2: {\"a\":2} | (absent)"]
    );
    assert_eq!(found(kind, "1\n", "1\n2\n"), ["added event 2: (absent) | 2"]);
    assert_eq!(
        found(kind, "{\"a\":1}\n", "{\"a\":\n"),
        ["decode event 1: JSON, 7 bytes | no JSON from byte 5: {\"a\":"]
    );
    assert_eq!(
        found("application/json-seq", "\x1e{\"a\":1}\n", "\x1e{\"a\": 1}\n"),
        NONE
    );
}

#[test]
fn server_sent_events_are_compared_by_event() {
    let kind = "text/event-stream";
    let a = ": hello\n\nevent: add\nid: 7\ndata: {\"a\":1,\ndata: \"b\":2}\n\ndata: done\n\n";
    let b = "event:add\r\ndata:{\"b\":2,\"a\":1}\r\nid: x9\r\n\r\n: ping\r\n\r\ndata: done\r\n\r\n";
    assert_eq!(found(kind, a, b), NONE);
    assert_eq!(
        found(kind, a, &b.replace("\"a\":1", "\"a\":2")),
        ["value event 1 $.a: 1 | 2"]
    );
    assert_eq!(
        found(kind, a, &b.replace("add", "del")),
        ["value event 1 name: add | del"]
    );
    assert_eq!(
        found(kind, a, &b.replace("done", "over")),
        ["value event 2: done | over"]
    );
    assert_eq!(
        found(kind, a, &b.replace("id: x9\r\n", "")),
        ["missing event 1 id: (present) | (absent)"]
    );
    assert_eq!(
        found(kind, "data: a\ndata: b\n\n", "data: a\ndata: c\n\n"),
        ["value event 1 line 2: b | c"]
    );
    assert_eq!(
        found(kind, "data: a\n\n", "data: a\n\ndata: cut"),
        ["added event 2: (absent) | cut"]
    );
}

#[test]
fn a_page_and_a_json_document_differ_as_a_whole() {
    let (page, json) = (
        "<html><body><pre>boom</pre></body></html>",
        "{\"error\":\"boom\"}",
    );
    let between = |a: &str, b: &str| found_between(("text/html", a.as_bytes()), ("text/html", b.as_bytes()));
    assert_eq!(
        between(page, json),
        ["decode body: HTML, 41 bytes | JSON, 16 bytes"]
    );
    assert_eq!(
        between(json, page),
        ["decode body: JSON, 16 bytes | HTML, 41 bytes"]
    );
    assert_eq!(
        between(json, "{\"error\":\"bang\"}"),
        ["value $.error: \"boom\" | \"bang\""]
    );
}

#[test]
fn a_metric_is_a_name_however_many_series_it_has() {
    assert_eq!(
        found(
            "text/plain; version=0.0.4",
            "# TYPE up gauge\nup{a=\"1\",b=\"2\"} 1\nload 2\n",
            "# TYPE up untyped\nup{b=\"2\",a=\"1\"} 3\n",
        ),
        [
            "missing $.load: {\"{}\":2} | (absent)",
            "value $.up.TYPE: \"gauge\" | \"untyped\"",
            "value $.up['{a=\"1\",b=\"2\"}']: 1 | 3",
        ]
    );
}

#[test]
fn forms_are_compared_by_field() {
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(found(kind, "a=1&b=x+y&a=2", "b=x%20y&a=1&a=2&"), NONE);
    assert_eq!(found(kind, "a=1&b=2", "b=3&a=1"), ["value field b: 2 | 3"]);
    assert_eq!(found(kind, "a=1&b=2", "a=1"), ["missing field b: 2 | (absent)"]);
    assert_eq!(
        found(kind, "a=1&a=2", "a=2&a=1").len(),
        2,
        "the order of one field's values counts"
    );
    assert_eq!(found(kind, "a%20b=1", "a+b=%zz"), ["value field 'a b': 1 | %zz"]);
    assert_eq!(found(kind, "u[x]=1", "u%5Bx%5D=2"), ["value field u[x]: 1 | 2"]);
}

fn parts(boundary: &str, parts: &[(&str, &str)]) -> (String, Vec<u8>) {
    let mut body = "preamble\r\n".to_owned();
    for (head, content) in parts {
        body.extend(["--", boundary, "\r\n", head, "\r\n\r\n", content, "\r\n"]);
    }
    body.extend(["--", boundary, "--\r\nepilogue"]);
    (
        format!("multipart/form-data; boundary=\"{boundary}\""),
        body.into_bytes(),
    )
}

fn found_parts(a: &(String, Vec<u8>), b: &(String, Vec<u8>)) -> Vec<String> {
    found_between((&a.0, &a.1), (&b.0, &b.1))
}

const NAME: &str = "Content-Disposition: form-data; name=\"user\"";
const JSON: &str = "content-disposition: form-data; name=meta\r\nContent-Type: application/json";

#[test]
fn multipart_content_is_compared_by_part() {
    let a = parts("AAA", &[(NAME, "ann"), (JSON, "{\"a\":1,\"b\":[]}")]);
    let b = parts("b-b.b", &[(JSON, "{\"b\":[], \"a\":1.0}"), (NAME, "ann")]);
    assert_eq!(found_parts(&a, &b), NONE);
    let b = parts("b", &[(JSON, "{\"b\":[],\"a\":2}"), (NAME, "ann")]);
    assert_eq!(found_parts(&a, &b), ["value part meta $.a: 1 | 2"]);
    let b = parts("b", &[(JSON, "{\"b\":[],\"a\":1}")]);
    assert_eq!(found_parts(&a, &b), ["missing part user: ann | (absent)"]);
    let other = JSON.replace("application/json", "application/json;v=2");
    let b = parts("b", &[(&other, "{\"b\":[],\"a\":1}"), (NAME, "ann")]);
    assert_eq!(
        found_parts(&a, &b),
        ["header part meta header content-type: application/json | application/json;v=2"]
    );
    let plain = |content: &str| parts("x", &[("Content-Type: text/plain", content)]);
    assert_eq!(
        found_parts(&plain("a\nb"), &plain("a\nc")),
        ["value part 1 line 2: b | c"]
    );
    let nested = |content| parts("x", &[("Content-Type: multipart/mixed; boundary=i", content)]);
    assert_eq!(
        found_parts(&nested("--i\n\none\n--i--"), &nested("--i\n\ntwo\n--i--")),
        ["value part 1 part 1 line 1: one | two"]
    );
}

#[test]
fn broken_multipart_content_is_named() {
    let whole = parts("AAA", &[(NAME, "ann")]);
    let mut cut = whole.clone();
    cut.1.truncate(50);
    let broken = found_parts(&whole, &cut);
    assert!(
        matches!(&broken[..], [one] if one.starts_with("decode body: 1 parts")),
        "{broken:?}"
    );
    let mut shorter = whole;
    shorter.1.truncate(40);
    let broken = found_parts(&cut, &shorter);
    assert!(
        matches!(&broken[..], [one] if one.starts_with("length body")),
        "{broken:?}"
    );
    let kind = "multipart/form-data";
    assert_eq!(
        found(kind, "--a--", "--b--").len(),
        1,
        "without a boundary they are bytes"
    );
}

#[test]
fn hostile_content_costs_one_pass() {
    let long = |unit: &str| unit.repeat(60_000);
    for kind in [
        "application/x-ndjson",
        "text/event-stream",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=a",
        "text/xml",
        "text/html",
    ] {
        for unit in [
            "\n",
            "a\n",
            "data\n",
            "data:\n\n",
            "&",
            "a=&",
            "--a\n",
            "--a\n\n",
            "--a",
            "<a>",
            "</a>",
            "<a b='c'/>",
            "<a xmlns:b='c'>",
            "&a;",
            "&#1;",
            "<!",
            "<![CDATA[",
            "<a ",
            "b ",
            "<p>",
            "<script>",
            "{",
            "\u{0}",
        ] {
            let (a, b) = (long(unit), format!("x{}", long(unit)));
            // No panic; and quadratic, each of these would take minutes.
            let _ = found(kind, &a, &b);
            let wrapped = |inner: &str| format!("<r>{}</r>{inner}", long(unit));
            let _ = found(kind, &wrapped("x"), &wrapped("y"));
        }
    }
}
