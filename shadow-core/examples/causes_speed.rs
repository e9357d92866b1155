//! Time and memory of finding causes: `cargo run --release -p shadow-core --example causes_speed`.
//!
//! Feeds a ledger with a million exchanges that differ in ten thousand groups, and prints the time for all causes and
//! the memory that the process used for them, beyond that of a ledger that counts the same exchanges as matches.

use core::time::Duration;
use std::{fs, time::Instant};

use shadow_common::flow::Endpoint;
use shadow_core::{
    compare::{ABSENT, Category, Discrepancy, Outcome, ShadowResponse, Verdict},
    evidence::{GateConfig, Ledger, LedgerLimits},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::{
    exchange::{Body, Exchange, Flow, Headers, Request, Response, Timing, Version},
    time::Timestamp,
};

/// Exchanges, of which half differ.
const EXCHANGES: u64 = 1_000_000;

/// Distinct differences on one route.
const PLACES: u64 = 50;

/// Routes.
const ROUTES: u64 = 200;

fn exchange(number: u64) -> Exchange {
    let route = number % ROUTES;
    let target = format!("/api/r{}x/list?page={}&sort=name", letters(route), number % 30);
    let mut fields = vec![
        ("Host", "shop.example"),
        ("User-Agent", "curl/8.5.0"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip, br"),
        ("X-Request-Start", "t=1"),
        ("Cookie", "a=b"),
    ];
    if number.is_multiple_of(3) {
        fields.push(("Authorization", "Bearer abc"));
    }
    Exchange {
        flow: Flow {
            client: Endpoint::v4([10, 0, 0, 1], 40_000),
            server: Endpoint::v4([10, 0, 0, 2], 80),
        },
        index: 0,
        place: shadow_proto::exchange::Place::default(),
        request: Request {
            method: "GET".into(),
            target: target.into(),
            version: Version::Http11,
            headers: Headers::from_pairs(fields),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: Some(Response {
            status: 200,
            version: Version::Http11,
            reason: "OK".into(),
            headers: Headers::from_pairs([("Content-Type", "application/json")]),
            body: Body::default(),
            trailers: Headers::default(),
        }),
        timing: Timing::default(),
        incomplete: None,
    }
}

fn letters(number: u64) -> String {
    let letter = |digit: u64| char::from(b'g' + u8::try_from(digit % 16).unwrap_or_default());
    [number / 16, number].map(letter).iter().collect()
}

/// Three to six of the places of a route.
fn differences(number: u64) -> Vec<Discrepancy> {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    (0..3 + spread % 4)
        .map(|at| Discrepancy {
            category: Category::Missing,
            place: format!("$.part.m{}", (spread + at) % PLACES),
            production: "\"x\"".to_owned(),
            shadow: ABSENT.to_owned(),
            leaves: 1,
        })
        .collect()
}

fn fed(differing: bool) -> (Ledger, Duration) {
    let limits = LedgerLimits {
        groups: 10_000,
        ..LedgerLimits::default()
    };
    let redactor = Redactor::new([7; 32], &RedactConfig::default());
    let mut ledger = Ledger::new(limits, GateConfig::default(), redactor);
    let outcome = Outcome::Response(ShadowResponse {
        status: 200,
        headers: Headers::from_pairs([("Server", "app/2")]),
        trailers: Headers::default(),
        body: Body::default(),
        first_byte: Duration::from_millis(1),
        total: Duration::from_millis(1),
    });
    let mut spent = Duration::ZERO;
    for number in 0..EXCHANGES {
        let exchange = exchange(number);
        let found = if differing && (number / ROUTES).is_multiple_of(2) {
            differences(number)
        } else {
            Vec::new()
        };
        let verdict = if found.is_empty() {
            Verdict::Match
        } else {
            Verdict::Mismatch(found)
        };
        let start = Instant::now();
        ledger.seen(&exchange);
        ledger.judged(
            &exchange,
            &outcome,
            &verdict,
            Timestamp::from_nanos(number * 100_000),
        );
        spent += start.elapsed();
    }
    (ledger, spent)
}

/// Kibibytes of memory that the process uses now.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

fn main() {
    let (ledger, spent) = fed(false);
    println!(
        "matches      {:>8} ns for one exchange",
        spent.as_nanos() / u128::from(EXCHANGES)
    );
    let before = resident();
    let (differing, spent) = fed(true);
    println!(
        "differences  {:>8} ns for one exchange",
        spent.as_nanos() / u128::from(EXCHANGES)
    );
    let counted = resident();
    let start = Instant::now();
    let (causes, more) = differing.causes();
    let took = start.elapsed();
    let found = causes.len() as u64 + more;
    println!("causes       {:>8} ms for {found} causes", took.as_millis());
    println!(
        "memory       {:>8} KiB in all, {} KiB for a search",
        counted - before,
        resident() - counted
    );
    drop((ledger, differing));
}
