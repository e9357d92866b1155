//! How fast two answers are compared: one thread, JSON of three sizes, with `serde_json` parsing both as the reference.
//!
//! `cargo run --release -p shadow-core --example compare_speed [-- --json]`
//!
//! With `--calls N CASE` it compares the answers of one case (such as `64KiB_noisy`) N times and nothing else, for a
//! profiler or a count of instructions.
//!
//! The figure is the minimum of many short rounds: on a shared machine, the round least disturbed by others.

use core::{hint::black_box, time::Duration};
use std::time::Instant;

use bytes::Bytes;
use shadow_core::compare::{Comparator, Rules, Side};
use shadow_proto::exchange::{Body, Headers, Request, Version};

const SIZES: [(usize, &str); 3] = [(1 << 10, "1KiB"), (64 << 10, "64KiB"), (1 << 20, "1MiB")];

/// Rules as a service might have them; these answers need none of them.
const MANY_RULES: &str = r#"{
    "ignore": ["$..request_id", "$.meta", "$..trace_id", "$.items[*].updated_at"],
    "places": [
        {"path": "$..id", "format": "integer"},
        {"path": "$.items[*].price", "tolerance": {"absolute": 0.001}},
        {"path": "$..at", "within": "5s"}
    ],
    "routes": [{"route": "GET /items/**", "added": "allow"}, {"route": "PUT /**", "arrays": "set"}]
}"#;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [calls, number, case] = &args[..]
        && calls == "--calls"
    {
        return repeat(case, number.parse().expect("a number"));
    }
    let json = args.iter().any(|arg| arg == "--json");
    let report = |name: &str, bytes: usize, nanos: u128| {
        let rate = rate(bytes, nanos);
        if json {
            println!("{{\"name\":\"{name}\",\"nanoseconds\":{nanos},\"megabytes_per_second\":{rate:.1}}}");
        } else {
            println!("{name:<36} {nanos:>12} ns {rate:>9.1} MB/s of both answers");
        }
    };
    let plain = comparator("{}");
    // One comparator for all sizes: every rule walks the first answers as a whole, but not the later ones.
    let ruled = comparator(MANY_RULES);
    for (size, name) in SIZES {
        for (case, nanos, bytes) in answers(&plain, size) {
            report(&format!("{name}_{case}"), bytes, nanos);
        }
        for (case, nanos, bytes) in answers(&ruled, size).into_iter().skip(1) {
            report(&format!("{name}_rules_{case}"), bytes, nanos);
        }
    }
    for (name, rules) in [
        ("multiset", r#"{"arrays": "multiset"}"#),
        ("set", r#"{"arrays": "set"}"#),
        ("keyed", r#"{"places": [{"path": "$", "key": "id"}]}"#),
        (
            "multiset_tolerant",
            r#"{"arrays": "multiset", "tolerance": {"absolute": 0.001}}"#,
        ),
    ] {
        for count in [10_000, 100_000] {
            let (nanos, bytes) = reversed(&comparator(rules), count);
            report(&format!("{name}_{count}_elements"), bytes, nanos);
        }
    }
}

fn comparator(rules: &str) -> Comparator {
    Comparator::new(serde_json::from_str::<Rules>(rules).expect("rules")).expect("rules that work")
}

/// Compares the answers of one case, without rules.
fn repeat(name: &str, calls: u32) {
    let comparator = comparator("{}");
    let (size, case) = SIZES
        .iter()
        .find_map(|(size, begin)| Some((*size, name.strip_prefix(begin)?.strip_prefix('_')?)))
        .expect("a size");
    let (_, production, shadow, _) = cases(size)
        .into_iter()
        .find(|(name, ..)| *name == case)
        .expect("a case");
    let (production, shadow) = (Body::whole(production), Body::whole(shadow));
    for _ in 0..calls {
        black_box(compare(&comparator, black_box(&production), &shadow));
    }
}

/// Each case by name, with its time and the bytes of both answers.
fn answers(comparator: &Comparator, size: usize) -> Vec<(&'static str, u128, usize)> {
    let production = items(size, usize::MAX, "12.50");
    let reference = measure(|| {
        for _ in 0..2 {
            black_box(serde_json::from_str::<serde_json::Value>(black_box(&production)).is_ok());
        }
    });
    let mut measured = vec![("serde_json_parses_both", reference, 2 * production.len())];
    for (case, production, shadow, least) in cases(size) {
        let (production, shadow) = (Body::whole(production), Body::whole(shadow));
        let found = compare(comparator, &production, &shadow);
        assert!(
            found >= least && (least > 0 || found == 0),
            "{case}: {found} found"
        );
        let nanos = measure(|| {
            black_box(compare(comparator, black_box(&production), &shadow));
        });
        measured.push((case, nanos, production.kept.len() + shadow.kept.len()));
    }
    measured
}

/// The answers of each case, and the least number of differences.
fn cases(size: usize) -> [(&'static str, String, String, usize); 6] {
    let production = items(size, usize::MAX, "12.50");
    let noisy = |seed: u64| {
        of_items(size, |id| {
            item(id, "12.50", &format!("{:016x}", mixed(seed + id as u64)))
        })
    };
    let shuffled = {
        let count = production.matches("\"id\"").count();
        of_items(size, |at| {
            let id = at * 7919 % count;
            item(id, "12.50", &format!("item number {id}"))
        })
    };
    [
        ("same_bytes", production.clone(), production.clone(), 0),
        (
            "same_value_other_text",
            production.clone(),
            production.replace("12.50", "12.5"),
            0,
        ),
        (
            "one_difference",
            production.clone(),
            production.replacen("12.50", "13.51", 1),
            1,
        ),
        (
            "many_differences",
            production.clone(),
            production.replace("12.50", "13.51"),
            2,
        ),
        ("noisy", noisy(0), noisy(1 << 32), 2),
        ("shuffled", production, shuffled, 1),
    ]
}

/// An array against itself reversed.
fn reversed(comparator: &Comparator, count: usize) -> (u128, usize) {
    let list = |items: Vec<String>| Body::whole(format!("[{}]", items.join(",")));
    let item = |id: usize| format!("{{\"id\":{id},\"price\":{id}.25}}");
    let forward = list((0..count).map(item).collect());
    let backward = list((0..count).rev().map(item).collect());
    let nanos = measure(|| assert_eq!(compare(comparator, &forward, &backward), 0));
    (nanos, forward.kept.len() + backward.kept.len())
}

fn compare(comparator: &Comparator, production: &Body, shadow: &Body) -> usize {
    let headers = ["00", "01"].map(|second| {
        let date = format!("Mon, 23 Nov 2026 12:00:{second} GMT");
        let fields = [
            ("Content-Type", "application/json"),
            ("ETag", "\"1\""),
            ("Date", date.as_str()),
        ];
        Headers::from_pairs(fields)
    });
    let request = Request {
        method: Bytes::from_static(b"GET"),
        target: Bytes::from_static(b"/items/4711?page=2"),
        version: Version::Http11,
        headers: Headers::default(),
        body: Body::default(),
        trailers: Headers::default(),
    };
    let side = |at: usize, body| Side {
        status: 200,
        headers: &headers[at],
        trailers: Headers::none(),
        body,
    };
    comparator
        .compare(&request, side(0, production), side(1, shadow))
        .len()
}

/// A list of records of about `size` bytes; every `every`th price is `price`.
fn items(size: usize, every: usize, price: &str) -> String {
    of_items(size, |id| {
        let price = if id % every == every / 2 { price } else { "12.50" };
        item(id, price, &format!("item number {id}"))
    })
}

fn of_items(size: usize, item: impl Fn(usize) -> String) -> String {
    let mut items = Vec::new();
    let mut len = 0;
    while len < size {
        let item = item(items.len());
        len += item.len() + 1;
        items.push(item);
    }
    format!(r#"{{"items":[{}]}}"#, items.join(","))
}

fn item(id: usize, price: &str, name: &str) -> String {
    format!(
        r#"{{"id":{id},"name":"{name}","price":{price},"tags":["a","b"],"stock":{{"here":true,"count":{id}}}}}"#
    )
}

/// A number that looks random (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

/// Nanoseconds per call.
fn measure(mut call: impl FnMut()) -> u128 {
    let mut calls = 1u32;
    while time(calls, &mut call) < Duration::from_micros(500) {
        calls *= 2;
    }
    (0..30)
        .map(|_| time(calls, &mut call).as_nanos() / u128::from(calls))
        .min()
        .unwrap_or_default()
}

fn time(calls: u32, call: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(bytes: usize, nanos: u128) -> f64 {
    bytes as f64 * 1e3 / nanos.max(1) as f64
}
