//! Expected contents of the captures of `pcaps/make.sh`, written manually: every exchange in order of completion.

use std::{fs::File, path::Path};

use crate::row::{Row, rows};

/// Port, method, target, status, length of both bodies, reason why it is incomplete.
type Expected = (
    u16,
    &'static str,
    &'static str,
    u16,
    u64,
    u64,
    Option<&'static str>,
);

const SMALL: u64 = 6;
/// `rows.json`, plain and as nginx compresses it.
const ROWS: u64 = 19_092;
const ROWS_GZIP: u64 = 3_086;

const fn ok(
    port: u16,
    method: &'static str,
    target: &'static str,
    status: u16,
    sent: u64,
    got: u64,
) -> Expected {
    (port, method, target, status, sent, got, None)
}

const TWO: [Expected; 2] = [
    ok(8080, "GET", "/small.txt", 200, 0, SMALL),
    ok(8080, "GET", "/rows.json", 200, 0, ROWS),
];

const FILES: &[(&str, &[Expected])] = &[
    (
        "nginx-keep-alive.pcapng",
        &[
            ok(8080, "HEAD", "/small.txt", 200, 0, 0),
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
            ok(8080, "GET", "/rows.json", 200, 0, ROWS_GZIP),
            ok(8080, "HEAD", "/rows.json", 200, 0, 0),
            ok(8080, "GET", "/small.txt", 304, 0, 0),
            ok(8080, "GET", "/missing", 404, 0, 153),
            ok(8080, "GET", "/gone", 410, 0, 143),
            ok(8080, "GET", "/empty", 204, 0, 0),
            ok(8000, "POST", "/echo/form", 201, 11, 11),
            ok(8080, "POST", "/echo/form", 201, 11, 11),
            ok(8080, "GET", "/small.txt", 206, 0, 3),
        ],
    ),
    (
        "nginx-large.pcapng.gz",
        &[
            ok(8080, "GET", "/large.bin", 200, 0, 200_000),
            ok(8000, "POST", "/echo/large", 201, 200_000, 200_000),
            ok(8080, "POST", "/echo/large", 201, 200_000, 200_000),
        ],
    ),
    (
        "curl-expect-continue.pcapng.gz",
        &[
            ok(8000, "POST", "/echo/expected", 201, ROWS, ROWS),
            ok(8080, "POST", "/echo/expected", 201, ROWS, ROWS),
            ok(8000, "PUT", "/echo/chunked", 201, ROWS, ROWS),
            ok(8080, "PUT", "/echo/chunked", 201, ROWS, ROWS),
            ok(8080, "PUT", "/answer", 200, ROWS, 25),
        ],
    ),
    (
        "nginx-until-close.pcapng.gz",
        &[
            ok(8080, "GET", "/close/rows.json", 200, 0, ROWS_GZIP),
            // nginx does not compress for HTTP/1.0.
            ok(8080, "GET", "/close/rows.json", 200, 0, ROWS),
        ],
    ),
    (
        "python-http10.pcap",
        &[
            ok(8001, "GET", "/", 200, 0, 316),
            ok(8001, "GET", "/small.txt", 200, 0, SMALL),
            ok(8001, "HEAD", "/rows.json", 200, 0, 0),
            ok(8001, "POST", "/echo", 201, 3, 3),
            ok(8001, "BREW", "/", 501, 0, 357),
        ],
    ),
    (
        "python-pipelined.pcapng.gz",
        &[
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
            ok(8080, "HEAD", "/rows.json", 200, 0, 0),
            ok(8000, "POST", "/echo/1", 201, 5, 5),
            ok(8080, "POST", "/echo/1", 201, 5, 5),
            ok(8080, "GET", "/missing", 404, 0, 153),
            ok(8080, "GET", "/rows.json", 200, 0, ROWS),
            ok(8000, "POST", "/echo/2", 201, 5, 5),
            ok(8080, "POST", "/echo/2", 201, 5, 5),
            ok(8080, "GET", "/empty", 204, 0, 0),
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
            ok(8000, "POST", "/echo/slow", 201, 10, 10),
            ok(8080, "POST", "/echo/slow", 201, 10, 10),
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
            ok(8080, "GET", "/gone", 410, 0, 143),
        ],
    ),
    (
        "nginx-midstream.pcap.gz",
        &[
            // The head of its request was cut in two by the start of the capture.
            (8080, "-", "-", 200, 0, SMALL, Some("midstream")),
            // Three rounds without a deviation prove that both directions are in step.
            (8080, "GET", "/gone", 410, 0, 143, Some("midstream")),
            (8080, "GET", "/rows.json", 200, 0, ROWS, Some("midstream")),
            (8080, "GET", "/small.txt", 200, 0, SMALL, Some("midstream")),
            ok(8080, "GET", "/rows.json", 200, 0, ROWS),
            ok(8080, "GET", "/gone", 410, 0, 143),
        ],
    ),
    (
        "nginx-snapped.pcap",
        &[
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
            (8080, "GET", "/rows.json", 200, 0, ROWS, Some("response_gap")),
            ok(8080, "GET", "/small.txt", 200, 0, SMALL),
        ],
    ),
    ("curl-http2.pcapng", &[ok(8082, "GET", "/", 403, 0, 153)]),
    ("nginx-ipv6.pcap.gz", &TWO),
    ("nginx-cooked.pcapng.gz", &TWO),
    ("nginx-veth.pcapng.gz", &TWO),
    ("nginx-raw-ip.pcapng.gz", &TWO),
];

#[test]
fn what_was_done_is_found() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    for (name, expected) in FILES {
        let file = File::open(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (rows, summary) = rows(Box::new(file)).expect("a capture");
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.flow.server.rsplit(':').next().unwrap_or_default(),
                    row.method.as_deref().unwrap_or("-"),
                    row.target.as_deref().unwrap_or("-"),
                    row.status.unwrap_or_default(),
                    row.request_body_len.unwrap_or_default(),
                    row.response_body_len.unwrap_or_default(),
                    row.incomplete_reason.as_deref(),
                )
            })
            .collect();
        let ports: Vec<String> = expected.iter().map(|row| row.0.to_string()).collect();
        let expected: Vec<_> = ports
            .iter()
            .zip(*expected)
            .map(|(port, (_, method, target, status, sent, got, why))| {
                (&**port, *method, *target, *status, *sent, *got, *why)
            })
            .collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(summary.damage, None, "{name}");
    }
}

#[test]
fn both_sides_of_a_proxy_carry_the_same_bytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/nginx-large.pcapng.gz");
    let (rows, _) = rows(Box::new(File::open(path).expect("an own capture"))).expect("a capture");
    let large: Vec<u8> = (0..200_000_u32)
        .map(|n| u8::try_from(n / 1_024 % 251).expect("a byte"))
        .collect();
    let digest = Some(blake3::hash(&large).to_hex().to_string());
    let [get, upstream, post] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(get.response_body_blake3, digest);
    for row in [upstream, post] {
        assert_eq!(
            (&row.request_body_blake3, &row.response_body_blake3),
            (&digest, &digest)
        );
    }
}

#[test]
fn http2_is_read_with_prior_knowledge_and_after_an_upgrade() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/asgi.pcapng.gz");
    let (rows, summary) = rows(Box::new(File::open(path).expect("an own capture"))).expect("a capture");
    let http2: Vec<_> = rows.iter().filter(|row| row.version == "HTTP/2").collect();
    let targets: Vec<_> = http2
        .iter()
        .map(|row| row.target.as_deref().unwrap_or("-"))
        .collect();
    assert_eq!(targets, ["/a", "/b"]);
    // The request that asked for the upgrade has its response in HTTP/2.
    let upgraded = rows
        .iter()
        .find(|row| row.flow == http2[1].flow)
        .expect("a request");
    assert_eq!(
        (&*upgraded.version, upgraded.status, upgraded.complete),
        ("HTTP/1.1", Some(200), true)
    );
    assert_eq!(summary.engine.get("h2_connections"), Some(&2));
    assert_eq!(summary.abandoned.get("http2").copied().unwrap_or_default(), 0);
}

#[test]
fn grpc_and_other_http2_is_whole() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    for (name, exchanges) in [
        ("http2-nginx.pcap.gz", 16),
        ("http2-python.pcap.gz", 16),
        ("http2-servers.pcap.gz", 171),
    ] {
        let file = File::open(directory.join(name)).expect("an own capture");
        let (rows, summary) = rows(Box::new(file)).expect("a capture");
        assert_eq!(summary.complete, exchanges, "{name}: {summary:?}");
        assert_eq!(rows.len() as u64, exchanges, "{name}");
        assert!(rows.iter().all(|row| row.version == "HTTP/2"), "{name}");
        if name.contains("python") {
            let call = |row: &&Row| row.target.as_deref() == Some("/pkg.S/UU");
            let lengths: Vec<_> = rows
                .iter()
                .filter(call)
                .map(|row| row.response_body_len)
                .collect();
            // Five bytes before each message; the last call ends with an error and no content.
            assert_eq!(lengths, [Some(9), Some(9), Some(9), Some(9), Some(0)]);
        }
    }
}

#[test]
fn the_next_request_is_never_the_body_that_was_not_sent() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/asgi.pcapng.gz");
    let (rows, summary) = rows(Box::new(File::open(path).expect("an own capture"))).expect("a capture");
    let found: Vec<_> = rows
        .iter()
        .filter(|row| row.target.as_deref() == Some("/early"))
        .map(|row| {
            (
                &row.flow.server[10..],
                row.request_body_len,
                row.incomplete_reason.as_deref(),
            )
        })
        .collect();
    // uvicorn answers without mentioning the body; Hypercorn still asks for it.
    let unasked = |port| (port, Some(0), Some("ambiguous_framing"));
    let expected = [
        unasked("8300"),
        unasked("8300"),
        unasked("8301"),
        unasked("8301"),
        ("8302", Some(3), None),
        ("8302", Some(2_981), None),
    ];
    assert_eq!(found, expected, "{summary:?}");
}

#[test]
fn a_packet_that_passes_three_interfaces_is_one_packet() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/bridge.pcapng.gz");
    let (rows, summary) = rows(Box::new(File::open(path).expect("an own capture"))).expect("a capture");
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.method.as_deref(),
                row.target.as_deref(),
                row.status,
                row.complete,
            )
        })
        .collect();
    let ok = |method, target, status| (Some(method), Some(target), Some(status), true);
    let expected = [
        ok("GET", "/small.txt", 200),
        ok("GET", "/rows.json", 200),
        ok("HEAD", "/rows.json", 200),
        ok("GET", "/missing", 404),
    ];
    assert_eq!(found, expected, "{summary:?}");
}
