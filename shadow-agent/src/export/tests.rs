use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use shadow_core::{
    case::{Answered, CaseRequest},
    redact::RedactedBody,
};
use shadow_proto::{
    engine::{Engine, Event, Settings},
    limits::Limits,
};

use super::*;
use crate::capture::{Polled, Source as _, pcap::PcapFile};

fn body(text: &str) -> RedactedBody {
    RedactedBody {
        len: text.len() as u64,
        text: Some(text.to_owned()),
        ..RedactedBody::default()
    }
}

fn fields(pairs: &[(&str, &str)]) -> Vec<Field> {
    let field = |(name, value): &(&str, &str)| Field {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    pairs.iter().map(field).collect()
}

fn case() -> Case {
    Case {
        id: "00".repeat(8),
        at_ms: 1_700_000_000_000,
        target: "shadow".to_owned(),
        client: "10.0.0.1:40000".to_owned(),
        server: "10.0.0.2:80".to_owned(),
        request: CaseRequest {
            method: "POST".to_owned(),
            target: "/search?q=it's&token=[redacted:00112233]".to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: fields(&[
                ("Host", "shop.example"),
                ("Content-Length", "9"),
                ("X-Empty", ""),
                ("Content-Type", "text/plain"),
            ]),
            body: body("@a'\n\u{1b}[2J"),
        },
        production: Answered {
            status: 200,
            headers: fields(&[("Content-Type", "application/json"), ("Content-Length", "7")]),
            body: body("{\"a\":1}"),
            first_byte_us: Some(1500),
            total_us: Some(2000),
        },
        failure: Some("timeout".to_owned()),
        ..Case::default()
    }
}

/// The arguments of the command as bash parses them, one a line, with escapes.
fn arguments(command: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .output()
        .expect("bash is here");
    assert!(output.status.success(), "{command}: {output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    said.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn the_command_line_sends_what_was_sent() {
    let command = curl::command(&case(), To::Production);
    assert!(
        !command.contains('\u{1b}'),
        "a terminal would obey it: {command:?}"
    );
    assert!(
        command.contains("# [redacted:...] takes the place of a secret"),
        "{command}"
    );
    let expected = [
        "--globoff",
        "--include",
        "--path-as-is",
        "--http1.1",
        "--request",
        "POST",
        "--header",
        "Host: shop.example",
        "--header",
        "X-Empty;",
        "--header",
        "Content-Type: text/plain",
        "--header",
        "User-Agent:",
        "--header",
        "Accept:",
        "--header",
        "Expect:",
        "--data-raw",
        "@a'\n\u{1b}[2J",
        "http://10.0.0.2:80/search?q=it's&token=[redacted:00112233]",
    ];
    assert_eq!(arguments(&command), expected);

    let mut case = case();
    case.request.body.text = None;
    case.request.method = "$(touch /tmp/never); `id`".to_owned();
    let command = curl::command(&case, To::Url("http://10.0.0.9:1/"));
    assert!(
        command.contains("# the body of 8 bytes is no text and was not kept"),
        "{command}"
    );
    let words = arguments(&command);
    assert!(words.contains(&case.request.method), "{words:?}");
    assert_eq!(
        words.last().map(String::as_str),
        Some("http://10.0.0.9:1/search?q=it's&token=[redacted:00112233]")
    );
}

/// The members without "optional" in http://www.softwareishard.com/blog/har-12-spec/.
const MEMBERS: [(&str, &[&str]); 6] = [
    (
        "",
        &[
            "startedDateTime",
            "time",
            "request",
            "response",
            "cache",
            "timings",
        ],
    ),
    ("/timings", &["send", "wait", "receive"]),
    (
        "/request",
        &[
            "method",
            "url",
            "httpVersion",
            "cookies",
            "headers",
            "queryString",
            "headersSize",
            "bodySize",
        ],
    ),
    (
        "/response",
        &[
            "status",
            "statusText",
            "httpVersion",
            "cookies",
            "headers",
            "content",
            "redirectURL",
            "headersSize",
            "bodySize",
        ],
    ),
    ("/response/content", &["size", "mimeType"]),
    ("/request/postData", &["mimeType", "params", "text"]),
];

#[test]
fn an_archive_has_every_member_that_the_format_asks_for() {
    let har = serde_json::to_value(har::archive(&case())).expect("serialises");
    let log = &har["log"];
    assert_eq!(log["version"], "1.2");
    assert_eq!(log["creator"]["name"], "shadow");
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 2);
    for (at, members) in MEMBERS {
        for entry in entries {
            let object = entry.pointer(at).and_then(Value::as_object).expect(at);
            for member in members {
                assert!(object.contains_key(*member), "{at}/{member} in {entry}");
            }
        }
    }
    let production = &entries[0];
    assert_eq!(production["startedDateTime"], "2023-11-14T22:13:20.000Z");
    assert_eq!(production["time"], 2.0);
    assert_eq!(
        production["timings"],
        json!({"send": 0.0, "wait": 1.5, "receive": 0.5})
    );
    assert_eq!(
        production["request"]["queryString"][0],
        json!({"name": "q", "value": "it's"})
    );
    assert_eq!(production["response"]["content"]["text"], "{\"a\":1}");
    assert_eq!(entries[1]["response"]["status"], 0);
    assert_eq!(entries[1]["comment"], "shadow target shadow: no answer (timeout)");
}

#[test]
fn a_bundle_is_read_back_and_its_packets_hold_the_exchange() {
    let mut case = case();
    // Cut: 100 bytes were sent.
    case.production.body.len = 100;
    case.production.body.cut = true;
    let bundle = Bundle::new(case.clone(), Vec::new(), json!({"tolerance": 0.01}), 5).expect("is made");
    let text = serde_json::to_string_pretty(&bundle).expect("serialises");
    let read = Bundle::read(&text).expect("is one");
    assert_eq!(read.case, case);
    assert_eq!(read.rules, json!({"tolerance": 0.01}));
    for (other, said) in [
        ("{}", "no bundle"),
        ("{\"format\":\"x\",\"version\":1}", "no bundle"),
        ("{\"format\":\"shadow-bundle\",\"version\":2}", "version 2"),
    ] {
        let error = Bundle::read(other).expect_err(other).to_string();
        assert!(error.contains(said), "{other}: {error}");
    }

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("case.pcapng");
    std::fs::write(&path, bundle.capture().expect("base64")).expect("writes");
    let mut source = PcapFile::open(&path).expect("a capture");
    let mut engine = Engine::new(Settings {
        limits: Limits::default(),
        digest: false,
        fields: true,
    });
    let mut exchanges = Vec::new();
    while source
        .poll(Duration::ZERO, &mut |segment| engine.push(segment))
        .expect("reads")
        != Polled::End
    {}
    engine.finish();
    while let Some(event) = engine.poll() {
        if let Event::Exchange(exchange) = event {
            exchanges.push(exchange);
        }
    }
    assert_eq!(exchanges.len(), 1, "{exchanges:?}");
    let exchange = &exchanges[0];
    assert_eq!(exchange.request.target, case.request.target.as_bytes());
    assert_eq!(
        exchange.request.body.kept,
        case.request.body.text.expect("text").as_bytes()
    );
    let response = exchange.response.as_ref().expect("a response");
    assert_eq!(
        (response.status, response.body.len, response.body.missing),
        (200, 100, 93)
    );
    assert!(
        response.body.kept.starts_with(b"{\"a\":1}"),
        "the length is kept, the rest is missing"
    );
}
