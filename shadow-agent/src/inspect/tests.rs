use std::{
    io::{self, Cursor, Write},
    path::Path,
};

use globset::Glob;
use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Abandon, Event},
    exchange::{
        Body, Exchange, Flow, Headers, Incomplete, Orphan, Place, Request, Response, Timing, Version,
    },
    time::Timestamp,
};

use super::*;

fn flow() -> Flow {
    Flow {
        client: Endpoint::v4([10, 0, 0, 1], 40_000),
        server: Endpoint::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 80),
    }
}

fn response(status: u16) -> Response {
    Response {
        status,
        version: Version::Http11,
        reason: "x".into(),
        headers: Headers::from_pairs([("Server", "nginx")]),
        body: Body::whole("hello"),
        trailers: Headers::default(),
    }
}

fn exchange(method: &'static str, target: &'static [u8], status: Option<u16>) -> Exchange {
    Exchange {
        flow: flow(),
        index: 0,
        place: Place::default(),
        request: Request {
            method: method.into(),
            target: target.into(),
            version: Version::Http10,
            headers: Headers::from_pairs([(&b"X-Caf\xe9"[..], &b"\x00\xff\"\\"[..]), (b"Host", b"h")]),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: status.map(response),
        timing: Timing {
            request_first: Some(Timestamp::from_nanos(1)),
            request_last: Some(Timestamp::from_nanos(2_000_000)),
            response_first: status.map(|_| Timestamp::from_nanos(2_500_000)),
            response_last: status.map(|_| Timestamp::from_nanos(1_502_000_000)),
        },
        incomplete: status.is_none().then_some(Incomplete::CaptureEnd),
    }
}

fn orphan() -> Orphan {
    Orphan {
        flow: flow(),
        response: response(502),
        timing: Timing::default(),
        incomplete: Incomplete::Midstream,
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_of_json_holds_every_field_in_order() {
    let line = text(|out| json::exchange(&exchange("GET", b"/caf\xc3\xa9", Some(200)), out));
    let expected = concat!(
        r#"{"flow":{"client":"10.0.0.1:40000","server":"[::1]:80"},"method":"GET","target":"/cafÃ©","version":"HTTP/1.0","#,
        r#""status":200,"request_headers":[["X-Café","\u0000ÿ\"\\"],["Host","h"]],"response_headers":[["Server","nginx"]],"#,
        r#""request_body_len":0,"response_body_len":5,"#,
        r#""request_body_blake3":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","#,
        r#""response_body_blake3":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","#,
        r#""complete":true,"incomplete_reason":null,"timing":{"request_first":1,"request_last":2000000,"#,
        r#""response_first":2500000,"response_last":1502000000}}"#,
        "\n",
    );
    assert_eq!(line, expected);
}

#[test]
fn what_was_not_seen_is_null() {
    let line = text(|out| json::exchange(&exchange("GET", b"/", None), out));
    for part in [
        r#""status":null"#,
        r#""response_headers":[]"#,
        r#""response_body_len":null"#,
        r#""response_body_blake3":null"#,
        r#""complete":false,"incomplete_reason":"capture_end""#,
        r#""response_first":null,"response_last":null"#,
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let line = text(|out| json::orphan(&orphan(), out));
    for part in [
        r#""method":null,"target":null,"version":"HTTP/1.1","status":502,"request_headers":[]"#,
        r#""request_body_len":null,"response_body_len":5,"request_body_blake3":null"#,
        r#""complete":false,"incomplete_reason":"midstream""#,
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn a_body_with_a_hole_has_no_digest() {
    let mut exchange = exchange("GET", b"/", Some(200));
    let body = &mut exchange.response.as_mut().unwrap().body;
    body.missing = 2;
    exchange.incomplete = Some(Incomplete::ResponseGap);
    let line = text(|out| json::exchange(&exchange, out));
    assert!(
        line.contains(r#""response_body_len":5"#) && line.contains(r#""response_body_blake3":null"#),
        "{line}"
    );
}

#[test]
fn columns_stay_in_line_and_no_byte_reaches_the_terminal_raw() {
    let table = text(|out| {
        let mut table = table::Table::new(false);
        table.head(out)?;
        table.exchange(&exchange("GET", b"/\x1b]0;title\x07\xff", Some(200)), out)?;
        table.exchange(&exchange("PROPFIND", b"/next", None), out)?;
        table.orphan(&orphan(), out)
    });
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        table
            .bytes()
            .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)),
        "{table}"
    );
    assert!(lines[1].ends_with(r"  /\x1b]0;title\x07\xff"), "{table}");
    assert!(
        lines[1].contains(" 500 us ") && lines[1].contains(" 1.50 s "),
        "{table}"
    );
    assert!(
        lines[1].starts_with("1970-01-01T00:00:00.000Z  10.0.0.1:40000 -> [::1]:80 "),
        "{table}"
    );
    let place = lines[2].find("capture_end").expect("the reason");
    assert_eq!(lines[3].find("midstream"), Some(place), "{table}");
}

#[test]
fn colours_only_when_asked_for() {
    let row = |colour| text(|out| table::Table::new(colour).exchange(&exchange("GET", b"/", Some(500)), out));
    assert!(!row(false).contains('\x1b'));
    assert!(row(true).contains("\x1b[31m500"));
}

#[test]
fn filters_agree_on_all_their_parts() {
    let passes = |filter: &Filter, method, target, status| {
        filter.passes(&Event::Exchange(Box::new(exchange(method, target, status))))
    };
    let any = Filter::default();
    assert!(passes(&any, "GET", b"/", None));
    assert!(any.passes(&Event::Orphan(Box::new(orphan()))));

    let filter = Filter {
        methods: vec!["GET".into(), "PUT".into()],
        statuses: vec!["404".parse().unwrap(), "5xx".parse().unwrap()],
        path: Some(Glob::new("/api/**").unwrap().compile_matcher()),
        flow: None,
    };
    assert!(passes(&filter, "GET", b"/api/x/y?q=/z", Some(404)));
    assert!(passes(&filter, "PUT", b"/api/x", Some(503)));
    assert!(!passes(&filter, "get", b"/api/x", Some(404)));
    assert!(!passes(&filter, "GET", b"/other?/api/x", Some(404)));
    assert!(!passes(&filter, "GET", b"/api/x", Some(405)));
    assert!(!passes(&filter, "GET", b"/api/x", None));
    assert!(!filter.passes(&Event::Orphan(Box::new(orphan()))));
}

#[test]
fn status_ranges() {
    for good in ["404", "2xx", "5XX", "999"] {
        assert!(good.parse::<StatusRange>().is_ok(), "{good}");
    }
    for bad in ["", "xx", "0xx", "99", "1000", "40x", "-1"] {
        let error = bad.parse::<StatusRange>().unwrap_err();
        assert!(error.contains("404 or 5xx"), "{error}");
    }
}

/// Fails like a pipe whose reader has closed it.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pcap file without packets.
fn empty() -> PcapFile {
    let words = [0xa1b2_c3d4_u32, 0, 0, 0, 0, 1];
    let header: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    PcapFile::from_reader(Box::new(Cursor::new(header))).unwrap()
}

#[test]
fn a_reader_that_has_gone_is_told_as_such() {
    let error = inspect(
        &mut empty(),
        Format::Json,
        &Filter::default(),
        Pace::fast(),
        &mut Gone,
    )
    .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_summary_names_every_reason() {
    let json =
        text(|out| inspect(&mut empty(), Format::Json, &Filter::default(), Pace::fast(), out).map(drop));
    for reason in Incomplete::ALL
        .iter()
        .map(|reason| reason.as_str())
        .chain(Abandon::ALL.iter().map(|reason| reason.as_str()))
    {
        assert!(
            json.contains(&format!("\"{reason}\":0")),
            "{reason} is not in {json}"
        );
    }
    let people = text(|out| {
        inspect(
            &mut empty(),
            Format::Table { colour: false },
            &Filter::default(),
            Pace::Threads(1),
            out,
        )
        .map(drop)
    });
    assert!(
        people.ends_with("exchanges  0: 0 complete, 0 incomplete\n"),
        "{people}"
    );
}

#[test]
fn limits_for_a_file_are_workable() {
    assert_eq!(settings(Format::Json).limits.validate(), Ok(()));
}

#[test]
fn a_missing_file_is_an_error_that_says_so() {
    let error = PcapFile::open(Path::new("/nowhere/at.pcap"))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("cannot read: "), "{error}");
}

#[test]
fn a_connection_is_found_by_one_or_both_of_its_ends() {
    let shown = |ends: &str| {
        let filter = Filter {
            flow: Some(ends.parse().unwrap()),
            ..Filter::default()
        };
        filter.passes(&Event::Exchange(Box::new(exchange("GET", b"/", None))))
    };
    for ends in [
        "10.0.0.1:40000",
        "[::1]:80",
        "10.0.0.1:40000-[::1]:80",
        "[::1]:80 -> 10.0.0.1:40000",
    ] {
        assert!(shown(ends), "{ends}");
    }
    assert!(!shown("10.0.0.1:40001"));
    assert!(!shown("10.0.0.1:40000-[::1]:81"));
    let error = "10.0.0.1".parse::<Ends>().unwrap_err();
    assert!(error.contains("10.0.0.1:40000-10.0.0.2:80"), "{error}");
}

#[test]
fn an_archive_is_json_with_every_exchange() {
    let text = text(|out| {
        har::head(out)?;
        har::exchange(&exchange("GET", b"/a?b=c&d", Some(200)), true, out)?;
        har::exchange(&exchange("GET", b"/", None), false, out)?;
        har::tail(out)
    });
    let archive: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(archive["log"]["version"], "1.2");
    let entries = archive["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["request"]["url"], "http://h/a?b=c&d");
    assert_eq!(entries[0]["request"]["queryString"][0]["value"], "c");
    assert_eq!(entries[0]["response"]["content"]["size"], 5);
    assert_eq!(entries[0]["timings"]["wait"].to_string(), "0.5");
    assert_eq!(entries[1]["response"]["status"], 0);
    assert_eq!(entries[1]["comment"], "capture_end");
}
