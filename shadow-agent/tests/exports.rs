//! Round trips: an exported case that is sent again by another tool or by Shadow arrives as it was captured, byte by
//! byte. Needs no root; everything runs on loopback.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::Value;
use shadow_agent::export::{Bundle, To, curl, har, httpie};
use shadow_core::{
    case::{Answered, Case, CaseRequest, Field},
    redact::RedactedBody,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Programs from Python's package index.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin");

/// A request as the server received it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Received {
    line: String,
    /// In order, with names in lower case.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Answers every request with 204 on a connection of its own, and passes on the received request.
fn server() -> (SocketAddr, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let (received_tx, received_rx) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(received) = receive(stream) else { continue };
            if received_tx.send(received).is_err() {
                return;
            }
        }
    });
    (address, received_rx)
}

fn receive(stream: TcpStream) -> Option<Received> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).ok()?;
        String::from_utf8(line)
            .ok()?
            .strip_suffix("\r\n")
            .map(str::to_owned)
    };
    let line = next()?;
    let mut fields = Vec::new();
    while let Some((name, value)) = next()?.split_once(':') {
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).ok()?;
    Some(Received { line, fields, body })
}

fn fields(pairs: &[(&str, &str)]) -> Vec<Field> {
    let field = |(name, value): &(&str, &str)| Field {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    pairs.iter().map(field).collect()
}

fn case(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Case {
    let text = |text: &str| RedactedBody {
        len: text.len() as u64,
        text: (!text.is_empty()).then(|| text.to_owned()),
        ..RedactedBody::default()
    };
    Case {
        id: "00".repeat(8),
        at_ms: 1_700_000_000_000,
        target: "shadow".to_owned(),
        client: "10.0.0.1:40000".to_owned(),
        server: "192.0.2.7:80".to_owned(),
        request: CaseRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: fields(headers),
            body: text(body),
        },
        production: Answered {
            status: 204,
            ..Answered::default()
        },
        failure: Some("timeout".to_owned()),
        ..Case::default()
    }
}

/// The request that must arrive.
fn captured(case: &Case) -> Received {
    let CaseRequest {
        method,
        target,
        version,
        headers,
        body,
    } = &case.request;
    let field = |field: &Field| (field.name.to_ascii_lowercase(), field.value.clone());
    Received {
        line: format!("{method} {target} {version}"),
        fields: headers.iter().map(field).collect(),
        body: body.text.clone().unwrap_or_default().into_bytes(),
    }
}

fn cases() -> Vec<Case> {
    let host = ("Host", "shop.example");
    let plain = ("Content-Type", "text/plain");
    let large = format!("{}'\\n%s\\x41\0é", "x".repeat(200_000));
    let length = large.len().to_string();
    vec![
        case(
            "GET",
            "/search?q=it's&a[0]=%2F&to=http://elsewhere.example/",
            &[host, ("Accept", "*/*")],
            "",
        ),
        case(
            "GET",
            "/a/../b/./c?x=\"1\"|{2}",
            &[host, ("User-Agent", "x y"), ("X-Empty", "")],
            "",
        ),
        case(
            "GET",
            "/with-a-body",
            &[host, ("Content-Length", "5"), plain],
            "a\nb'c",
        ),
        case("HEAD", "/head", &[host], ""),
        case("DELETE", "/things/1", &[host], ""),
        case("POST", "/nothing", &[host, ("Content-Length", "0")], ""),
        case(
            "POST",
            "/no-type",
            &[host, ("Content-Length", "16")],
            "@file; $(true) `",
        ),
        case(
            "PUT",
            "/control",
            &[host, ("Content-Length", "6"), plain],
            "\u{1b}[2J\u{9b}",
        ),
        case(
            "POST",
            "/large",
            &[host, ("Content-Length", &length), plain],
            &large,
        ),
        case("GET", "http://shop.example/absolute?x", &[host], ""),
        case("OPTIONS", "*", &[host], ""),
        case(
            "GET",
            "/",
            &[
                host,
                ("Cookie", "a=b; c=\"d\""),
                ("X-Twice", "1"),
                ("X-Twice", "2"),
            ],
            "",
        ),
    ]
}

fn bash(command: &str, url: Option<&str>) -> Output {
    let mut bash = Command::new("bash");
    // Proxies and configuration files are not part of the command.
    bash.env_clear().env(
        "PATH",
        format!("{PYTHON}:{}", std::env::var("PATH").unwrap_or_default()),
    );
    bash.env("HOME", "/nonexistent")
        .envs(url.map(|url| ("SHADOW_URL", url)));
    let mut script = tempfile::NamedTempFile::new().expect("a file");
    script.write_all(command.as_bytes()).expect("writes");
    bash.arg(script.path()).output().expect("bash is here")
}

/// Runs a command that was made for the case, in each of the ways to say where it goes.
fn assert_sent(case: &Case, expected: &Received, command: impl Fn(&Case, To<'_>) -> String) {
    let (address, received_rx) = server();
    let base = format!("http://{address}");
    let mut here = case.clone();
    here.server = address.to_string();
    let unsaid = command(case, To::Unsaid);
    let given = command(case, To::Url(&base));
    for (command, url) in [
        (&given, None),
        (&command(&here, To::Production), None),
        (&unsaid, Some(base.as_str())),
    ] {
        let output = bash(command, url);
        assert!(output.status.success(), "{command:.400}\n{output:?}");
        let mut received = received_rx.recv_timeout(PATIENCE).expect("a request");
        received.fields.sort();
        assert_eq!(received, *expected, "{command:.400}");
        assert!(!command.contains('\u{1b}') && !command.contains('\u{9b}'));
    }
    // Without a destination nothing is sent, and the command holds no address.
    let output = bash(&unsaid, None);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("SHADOW_URL"), "{said}");
    for command in [unsaid, given] {
        assert!(!command.contains("192.0.2.7"), "{command:.400}");
    }
    let production = command(case, To::Production);
    assert!(
        production.starts_with("# goes to 192.0.2.7:80, which is PRODUCTION"),
        "{production:.400}"
    );
    assert_eq!(received_rx.try_recv().ok(), None, "nothing else was sent");
}

#[test]
fn a_curl_command_sends_what_was_captured_and_only_where_it_was_told() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("SKIPPED: no curl");
        return;
    }
    for case in cases() {
        let mut expected = captured(&case);
        expected.fields.sort();
        assert_sent(&case, &expected, curl::command);
    }
}

#[test]
fn a_command_of_httpie_sends_what_was_captured_or_is_refused() {
    if !Path::new(PYTHON).join("http").exists() {
        println!("SKIPPED: no HTTPie (cargo xtask setup)");
        return;
    }
    let mut all = cases();
    let values = [
        ("Host", "shop.example"),
        ("X-File", "@/etc/hostname"),
        ("X-Json", "=1"),
        ("X-Path", r"a\\b"),
    ];
    all.push(case("GET", "/~a?q=it's&b=%2F;c=@d", &values, ""));
    let mut refused = Vec::new();
    for case in all {
        if let Err(why) = httpie::command(&case, To::Unsaid) {
            assert!(why.ends_with("; use --format curl"), "{why}");
            refused.push(case.request.target);
            continue;
        }
        let mut expected = captured(&case);
        let is_empty = expected.body.is_empty() && !["GET", "HEAD"].contains(&&*case.request.method);
        let length = ("content-length".to_owned(), "0".to_owned());
        if is_empty && !expected.fields.contains(&length) {
            // The only field that it cannot be kept from adding.
            expected.fields.push(length);
        }
        expected.fields.sort();
        assert_sent(&case, &expected, |case, to| {
            httpie::command(case, to).expect("as before")
        });
    }
    let expected = [
        "/search?q=it's&a[0]=%2F&to=http://elsewhere.example/",
        "/a/../b/./c?x=\"1\"|{2}",
        "http://shop.example/absolute?x",
        "*",
    ];
    assert_eq!(refused, expected);
    for (method, target, field) in [
        ("M-SEARCH", "/", ("A", "b")),
        ("GET", "/%7Ea", ("A", "b")),
        ("GET", "/%2f", ("A", "b")),
        ("GET", "/", ("A", r"b\=c")),
    ] {
        let case = case(method, target, &[field], "");
        httpie::command(&case, To::Unsaid).expect_err(target);
    }
}

/// The requests that `shadow replay` sends for a file, without the fields that it adds.
fn replayed(name: &str, text: &str) -> (Output, Vec<Received>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, received_rx) = server();
    let file = folder.path().join(name);
    fs::write(&file, text).expect("writes");
    let output = Command::new(env!("CARGO_BIN_EXE_shadow"))
        .arg("replay")
        .arg(&file)
        .args([
            "--shadow",
            &format!("http://{address}"),
            "--writes",
            "replay",
            "--speed",
            "max",
        ])
        .env("SHADOW_STATE_DIR", folder.path().join("state"))
        .output()
        .expect("starts");
    (output, received_rx.try_iter().collect())
}

fn without_additions(mut received: Received) -> Received {
    let is_added = |name: &str| name.contains("shadow") || name == "host" || name == "content-length";
    received.fields.retain(|(name, _)| !is_added(name));
    received.fields.sort();
    received
}

/// Whether a replay sends this request unchanged.
fn is_replayable(case: &Case) -> bool {
    let CaseRequest {
        method, target, body, ..
    } = &case.request;
    // The body of a HAR entry must fit the default configuration.
    target.starts_with('/') && method != "OPTIONS" && body.len < 100_000
}

#[test]
fn an_archive_and_a_bundle_are_replayed_as_they_were_captured() {
    for case in cases().iter().filter(|case| is_replayable(case)) {
        let archive = serde_json::to_string(&har::archive(case)).expect("serialises");
        let bundle = Bundle::new(case.clone(), Vec::new(), Value::Null, 0).expect("is made");
        let bundle = serde_json::to_string(&bundle).expect("serialises");
        for (name, text) in [("case.har", &archive), ("case.json", &bundle)] {
            let (output, received) = replayed(name, text);
            let said = format!("{name} {} {output:?}", case.request.target);
            assert!(!received.is_empty(), "{said}");
            let expected = without_additions(captured(case));
            for received in received {
                assert_eq!(without_additions(received), expected, "{said}");
            }
        }
    }
}
