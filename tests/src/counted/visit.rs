//! A client: requests with an id each, on a kept connection and on new ones, to the addresses that it is given.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{CONTROL, ID, Request, listen, lock};
use crate::client::Connection;

/// How often an idle client looks whether it has something to do.
const IDLE: Duration = Duration::from_millis(50);

/// Its orders, and what came of them.
#[derive(Debug, Default)]
struct Visits {
    targets: Vec<SocketAddr>,
    /// Requests a second on a kept connection, and on new ones.
    rates: [u32; 2],
    next: u64,
    answered: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// Follows its orders; ids begin with `name`.
pub fn run(name: &str) -> io::Result<()> {
    let visits = Arc::new(Mutex::new(Visits::default()));
    for new in [false, true] {
        let (visits, name) = (Arc::clone(&visits), name.to_owned());
        thread::spawn(move || visit(&visits, &name, new));
    }
    listen(CONTROL, move |request| answer(request, &visits))
}

fn answer(request: &Request, visits: &Mutex<Visits>) -> String {
    let mut visits = lock(visits);
    if request.parameter("reset").is_some() {
        visits.answered.clear();
        visits.failed.clear();
    }
    if let Some(targets) = request.parameter("targets") {
        visits.targets = targets.split(',').filter_map(|one| one.parse().ok()).collect();
        let rate = |name| {
            let value = request.parameter(name)?;
            value.parse().ok()
        };
        visits.rates = ["kept", "new"].map(|name| rate(name).unwrap_or(10));
    }
    json!({"answered": visits.answered, "failed": visits.failed}).to_string()
}

fn visit(visits: &Mutex<Visits>, name: &str, new: bool) {
    let mut kept: Option<(SocketAddr, Connection)> = None;
    loop {
        let start = Instant::now();
        let (target, number, rate) = {
            let mut visits = lock(visits);
            let turn = usize::try_from(visits.next).unwrap_or(0) % visits.targets.len().max(1);
            visits.next += 1;
            let target = visits.targets.get(turn).copied();
            (target, visits.next, visits.rates[usize::from(new)])
        };
        let Some(target) = target.filter(|_| rate > 0) else {
            kept = None;
            thread::sleep(IDLE);
            continue;
        };
        let held = kept.take_if(|(to, _)| !new && *to == target);
        let connection = held.map_or_else(|| Connection::open(target), |(_, connection)| Ok(connection));
        let id = format!("{name}-{number}");
        let answered = connection.and_then(|mut connection| {
            let path = format!("/items/{}", number % 100);
            let answer = connection.get(&path, &format!("{ID}: {id}\r\n"))?;
            Ok((answer.status == 200).then_some(connection))
        });
        let mut seen = lock(visits);
        if let Ok(Some(connection)) = answered {
            seen.answered.insert(id);
            kept = Some((target, connection));
        } else {
            seen.failed.insert(id);
        }
        drop(seen);
        thread::sleep(
            Duration::from_secs(1)
                .checked_div(rate)
                .unwrap_or(IDLE)
                .saturating_sub(start.elapsed()),
        );
    }
}
