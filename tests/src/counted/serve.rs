//! A service: it counts every id, as production and as replay.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;

use super::{CONTROL, Request, listen, lock, now_ms};

/// The port of every service, so that the port alone distinguishes none of them.
const PORT: u16 = 8080;

#[derive(Debug, Default)]
struct Counts {
    production: BTreeMap<String, u32>,
    replays: BTreeMap<String, u32>,
    /// When the last replay arrived.
    last_replay_ms: u64,
}

/// Serves as the service `name`; one price in ten is wrong where a fault is planted.
pub fn run(name: &str, is_faulty: bool) -> io::Result<()> {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let asked = Arc::clone(&counts);
    thread::spawn(move || listen(CONTROL, move |request| asked_for(request, &asked)));
    let name = name.to_owned();
    listen(PORT, move |request| {
        count(&mut lock(&counts), request);
        let number = request.number();
        let wrong = u64::from(is_faulty && number % 10 == 3);
        json!({"id": number, "price": number * 5 + wrong, "service": name}).to_string()
    })
}

fn count(counts: &mut Counts, request: &Request) {
    let of = if request.is_replay {
        counts.last_replay_ms = now_ms();
        &mut counts.replays
    } else {
        &mut counts.production
    };
    // Probes have no id.
    if !request.id.is_empty() || request.is_replay {
        *of.entry(request.id.clone()).or_default() += 1;
    }
}

fn asked_for(request: &Request, counts: &Mutex<Counts>) -> String {
    let mut counts = lock(counts);
    let answer = json!({
        "production": counts.production,
        "replays": counts.replays,
        "last_replay_ms": counts.last_replay_ms,
    });
    if request.parameter("reset").is_some() {
        *counts = Counts::default();
    }
    answer.to_string()
}
