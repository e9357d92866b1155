//! Cost per exchange of the modules after the engine: `cargo run --release -p shadow-core --example cost`.
//!
//! Prints nanoseconds per call: the minimum of many short rounds, which on a shared machine is the one least disturbed
//! by others. `compare_speed` measures the comparison in detail.

use core::{hint::black_box, time::Duration};
use std::time::Instant;

use bytes::Bytes;
use shadow_common::flow::Endpoint;
use shadow_core::{
    compare::{Comparator, Outcome, Rules, ShadowResponse, Verdict},
    evidence::{GateConfig, Ledger, LedgerLimits},
    gate::{Absent, Gate, Key, Match, Selection, Selector, Share, WritePolicy, WriteRules},
    redact::{RedactConfig, Redactor},
    rewrite::{HostPolicy, Marker, RewritePolicy, rewrite},
};
use shadow_proto::{
    exchange::{Body, Exchange, Flow, Headers, Request, Response, Timing, Version},
    time::Timestamp,
};

/// Nanoseconds per call.
fn measure(name: &str, mut call: impl FnMut()) {
    let mut calls = 1u32;
    while time(calls, &mut call) < Duration::from_micros(500) {
        calls *= 2;
    }
    let least = (0..40)
        .map(|_| time(calls, &mut call).as_nanos() / u128::from(calls))
        .min()
        .unwrap_or_default();
    println!("{name:<48} {least:>12} ns");
}

fn time(calls: u32, call: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}

/// A list of records of about `size` bytes; every `every`th price is `price`.
fn json(size: usize, every: usize, price: &str) -> String {
    let mut items = Vec::new();
    let mut len = 0;
    while len < size {
        let id = items.len();
        let price = if id % every == every / 2 { price } else { "12.50" };
        let item = format!(
            r#"{{"id":{id},"name":"item number {id}","price":{price},"tags":["a","b"],"stock":{{"here":true,"count":{id}}}}}"#
        );
        len += item.len() + 1;
        items.push(item);
    }
    format!(r#"{{"items":[{}]}}"#, items.join(","))
}

fn response_headers() -> Headers {
    Headers::from_pairs([
        ("Server", "nginx/1.22.1"),
        ("Date", "Sun, 22 Nov 2026 21:00:00 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "1024"),
        ("Connection", "keep-alive"),
        ("ETag", "\"65a-400\""),
        ("Accept-Ranges", "bytes"),
    ])
}

fn exchange() -> Exchange {
    let at = |nanos| Some(Timestamp::from_nanos(nanos));
    Exchange {
        flow: Flow {
            client: Endpoint::v4([10, 0, 0, 1], 40_000),
            server: Endpoint::v4([10, 0, 0, 2], 80),
        },
        index: 0,
        place: shadow_proto::exchange::Place::default(),
        request: Request {
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(b"/api/v2/users/12345/orders?page=2"),
            version: Version::Http11,
            headers: Headers::from_pairs([
                ("Host", "shop.example"),
                ("User-Agent", "wrk/4.2.0"),
                ("Accept", "*/*"),
                ("Accept-Encoding", "gzip, br"),
                ("Authorization", "Bearer abcdef"),
                ("Connection", "keep-alive"),
            ]),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: Some(Response {
            status: 200,
            version: Version::Http11,
            reason: Bytes::from_static(b"OK"),
            headers: response_headers(),
            body: Body::whole(json(1024, 1000, "12.50")),
            trailers: Headers::default(),
        }),
        timing: Timing {
            request_first: at(0),
            request_last: at(1000),
            response_first: at(300_000),
            response_last: at(310_000),
        },
        incomplete: None,
    }
}

/// The gate with rules of each kind: the cost of an exchange on the capture thread of a busy node.
fn gates(exchange: &Exchange) {
    let rule = |path: &str| Match {
        path: vec![path.to_owned()],
        ..Match::default()
    };
    let selections = [
        (
            "gate: ten excluded paths",
            Selection {
                exclude: (0..10).map(|n| rule(&format!("/internal/{n}/**"))).collect(),
                ..Selection::default()
            },
        ),
        (
            "gate: include, exclude, 50 % by a field",
            Selection {
                include: vec![rule("/api/**")],
                exclude: vec![Match {
                    header: [("X-Probe".to_owned(), "*".to_owned())].into(),
                    ..Match::default()
                }],
                share: Share {
                    fraction: 0.5,
                    key: Key::Header("Authorization".to_owned()),
                    absent: Absent::Skip,
                },
                ..Selection::default()
            },
        ),
    ];
    for (name, selection) in selections {
        let gate = Gate::new(
            Selector::new(&selection).expect("the rules work"),
            WritePolicy::default(),
            vec![Marker::default()],
        );
        measure(name, || {
            black_box(gate.decide(black_box(exchange)));
        });
    }
    let rules = WriteRules {
        graphql: vec!["/graphql".to_owned()],
        ..WriteRules::default()
    };
    let gate = Gate::new(
        Selector::default(),
        WritePolicy::new(&rules).expect("the rules work"),
        vec![Marker::default()],
    );
    let mut post = exchange.clone();
    post.request.method = Bytes::from_static(b"POST");
    post.request.target = Bytes::from_static(b"/graphql");
    post.request.headers = Headers::from_pairs([("Host", "a"), ("Content-Type", "application/json")]);
    let fields = "id name price ".repeat(70);
    post.request.body = Body::whole(format!(r#"{{"query":"query Q {{ items {{ {fields} }} }}"}}"#));
    measure("gate: a GraphQL query of 1 KiB", || {
        black_box(gate.decide(black_box(&post)));
    });
}

fn main() {
    let exchange = exchange();
    let gate = Gate::new(
        Selector::default(),
        WritePolicy::default(),
        vec![Marker::default()],
    );
    measure("gate: decide", || {
        black_box(gate.decide(black_box(&exchange)));
    });
    gates(&exchange);
    let policy = RewritePolicy::plain(HostPolicy::Preserve, "shadow:80", &Marker::default());
    measure("rewrite", || {
        black_box(rewrite(black_box(&exchange), &policy)).ok();
    });
    let redactor = Redactor::new([3; 32], &RedactConfig::default());
    let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
    let outcome = Outcome::Response(ShadowResponse {
        status: 200,
        headers: response_headers(),
        trailers: Headers::default(),
        body: Body::default(),
        first_byte: Duration::from_micros(300),
        total: Duration::from_micros(310),
    });
    measure("ledger: a match", || {
        ledger.seen(&exchange);
        ledger.judged(&exchange, &outcome, &Verdict::Match, Timestamp::default());
    });
    let comparator = Comparator::new(Rules::default()).expect("the defaults work");
    let verdict = comparator.verdict(&exchange, &outcome);
    measure("ledger: a mismatch", || {
        ledger.seen(&exchange);
        ledger.judged(&exchange, &outcome, &verdict, Timestamp::default());
    });
}
