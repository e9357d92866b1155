//! Measurements of the cost of learning:
//! `cargo test --release -p shadow-core --test values -- --ignored --nocapture cost`.

use std::{fmt::Write as _, fs, time::Instant};

use shadow_core::compare::{Comparator, Rules};

use super::*;

/// An answer of about 4 KiB without any value that two systems make for themselves.
fn catalogue() -> String {
    let mut items = String::new();
    for number in 0..40 {
        let comma = if number > 0 { "," } else { "" };
        write!(
            items,
            r#"{comma}{{"sku":"item {number}","title":"A thing of kind {number}","price":{number}.50,"stock":{number},"tags":["a","b"]}}"#
        )
        .unwrap();
    }
    format!(r#"{{"items":[{items}],"page":1,"total":40}}"#)
}

fn fill(values: &mut Values, count: u32) {
    for number in 0..count {
        let body = |n: u32| format!(r#"{{"id":"6f9619ff-8b86-4011-b42d-0000{n:08x}"}}"#);
        let (ours, theirs) = (body(number), body(u32::MAX - number));
        let created = exchange("POST", "/orders", &[], "", Said(201, &[], &ours));
        compared(values, &created, Said(201, &[], &theirs));
    }
}

#[test]
#[ignore = "a measurement"]
fn cost_of_an_exchange_without_a_hit() {
    let mut values = values();
    fill(&mut values, 50_000);
    let body = catalogue();
    // The shadow system writes it in another order of members, so that it is compared by structure.
    let other = body.replace(r#""page":1,"total":40"#, r#""total":40,"page":1"#);
    let headers = [("Cookie", "theme=dark; lang=en"), ("Accept", "application/json")];
    let read = exchange("GET", "/catalogue?page=1", &headers, "", Said(200, &[], &body));
    let answer = shadow(Said(200, &[], &other));
    let comparator = Comparator::new(Rules::default()).unwrap();
    let (mut compare, mut learn) = (Vec::new(), Vec::new());
    let mut parts = [Duration::ZERO; 3];
    for _ in 0..2000 {
        let start = Instant::now();
        let production = read.response.as_ref().unwrap();
        let found = comparator.compare(&read.request, production.into(), (&answer).into());
        assert!(found.is_empty());
        compare.push(start.elapsed());
        let start = Instant::now();
        let carried = values.carried(&read);
        let request = start.elapsed();
        let introduced = values.introduced(&read, NOW);
        let answer_read = start.elapsed();
        let mapped = values.answered(&read, &introduced, &answer, NOW);
        let both = start.elapsed();
        for (part, spent) in parts.iter_mut().zip([
            request,
            answer_read.saturating_sub(request),
            both.saturating_sub(answer_read),
        ]) {
            *part += spent / 2000;
        }
        assert!(mapped.answer.is_none() && !carried.session.is_empty());
        learn.push(start.elapsed());
    }
    compare.sort();
    learn.sort();
    println!(
        "{} bytes: compare {:?}, learn {:?} (medians); request, answer, both answers {parts:?} (means)",
        body.len(),
        compare[1000],
        learn[1000]
    );
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_million_pairs_in_memory() {
    let rss = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap()
            .to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = rss();
    let mut values = Values::new(TableLimits {
        entries: 1_000_000,
        bytes: 256 << 20,
        ttl: Duration::from_hours(1),
    });
    for million in 1..=2 {
        fill(&mut values, 1_000_000 * million);
        let (entries, bytes) = values.size();
        println!("{entries} pairs, {bytes} bytes, {} KiB resident", rss() - before);
    }
}
