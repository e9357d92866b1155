//! Checks of what an engine may report for conversations in HTTP/2.

use std::collections::{BTreeMap, HashMap};

use shadow_proto::{
    engine::{Event, Settings},
    exchange::{Body, Exchange, Headers, Version},
};

use super::{hpack::Field, talk::PlannedExchange};

/// Totals.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) said: usize,
    pub(crate) complete: usize,
    pub(crate) incomplete: BTreeMap<&'static str, usize>,
    pub(crate) orphans: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.said += other.said;
        self.complete += other.complete;
        self.orphans += other.orphans;
        for (reason, count) in other.incomplete {
            *self.incomplete.entry(reason).or_default() += count;
        }
    }
}

/// Everything reported as complete was said, in these bytes, by this pair, and is reported once.
pub(crate) fn truthfully(said: &[PlannedExchange], events: &[Event], settings: &Settings) -> Tally {
    let by_uid: HashMap<u32, &PlannedExchange> = said.iter().map(|said| (said.uid, said)).collect();
    let mut tally = Tally {
        said: said.len(),
        ..Tally::default()
    };
    let mut seen = std::collections::HashSet::new();
    for event in events {
        let exchange = match event {
            Event::Exchange(exchange) => exchange,
            Event::Orphan(_) => {
                tally.orphans += 1;
                continue;
            }
            Event::Abandoned(..) => continue,
        };
        if let Some(reason) = exchange.incomplete {
            *tally.incomplete.entry(reason.as_str()).or_default() += 1;
            continue;
        }
        let uid = uid(&exchange.request.headers).unwrap_or_else(|| panic!("nobody said {exchange:?}"));
        assert!(seen.insert(uid), "{uid} is reported twice");
        let said = by_uid.get(&uid).unwrap_or_else(|| panic!("nobody said {uid}"));
        same(exchange, said, settings);
        tally.complete += 1;
    }
    tally
}

/// Without loss: everything that was not reset is complete, everything else is reported, and nothing more.
pub(crate) fn exactly(said: &[PlannedExchange], events: &[Event], settings: &Settings) -> Tally {
    let tally = truthfully(said, events, settings);
    let whole = said.iter().filter(|said| said.whole).count();
    let left: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event, Event::Abandoned(..)))
        .collect();
    assert!(left.is_empty(), "{tally:?} {left:?}");
    assert_eq!(tally.complete, whole, "{tally:?}");
    let incomplete: usize = tally.incomplete.values().sum();
    assert_eq!((incomplete, tally.orphans), (said.len() - whole, 0), "{tally:?}");
    tally
}

fn uid(headers: &Headers) -> Option<u32> {
    core::str::from_utf8(headers.get("x-uid")?).ok()?.parse().ok()
}

fn same(exchange: &Exchange, said: &PlannedExchange, settings: &Settings) {
    let facts = format!("exchange {}", said.uid);
    let request = &exchange.request;
    assert_eq!(request.version, Version::Http2, "{facts}");
    assert_eq!(request.method, said.method.as_bytes(), "{facts}");
    assert_eq!(request.target, said.target.as_bytes(), "{facts}");
    let host = (b"host".to_vec(), b"shop.example".to_vec());
    let fields: Vec<Field> = core::iter::once(host)
        .chain(said.request.fields.iter().cloned())
        .collect();
    assert_eq!(pairs(&request.headers), fields, "request of {facts}");
    assert_eq!(pairs(&request.trailers), said.request.trailers, "{facts}");
    body(&facts, &request.body, &said.request.body, settings);
    let response = exchange
        .response
        .as_ref()
        .expect("a complete exchange has a response");
    assert_eq!(response.status, said.status, "{facts}");
    assert_eq!(
        pairs(&response.headers),
        said.response.fields,
        "response of {facts}"
    );
    assert_eq!(pairs(&response.trailers), said.response.trailers, "{facts}");
    body(&facts, &response.body, &said.response.body, settings);
    let timing = exchange.timing;
    assert!(
        timing.request_first.is_some() && timing.request_first <= timing.request_last,
        "{facts} {timing:?}"
    );
    assert!(
        timing.response_first.is_some() && timing.response_first <= timing.response_last,
        "{facts} {timing:?}"
    );
}

fn body(facts: &str, body: &Body, sent: &[u8], settings: &Settings) {
    assert_eq!(
        (body.len, body.missing),
        (sent.len() as u64, 0),
        "body of {facts}"
    );
    assert!(
        sent.starts_with(&body.kept),
        "kept part of the body of {facts} differs"
    );
    assert!(body.is_whole() || sent.len() > settings.limits.body, "{facts}");
    assert_eq!(
        body.blake3(),
        Some(*blake3::hash(sent).as_bytes()),
        "digest of {facts}"
    );
}

fn pairs(headers: &Headers) -> Vec<Field> {
    headers
        .iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}
