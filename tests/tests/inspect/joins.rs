//! Joining a connection of HTTP/2 in the middle: how many of the requests that follow are proven, for each client.

use std::{collections::BTreeMap, path::Path};

use shadow_agent::inspect::{Format, settings};
use shadow_proto::{
    engine::{Engine, Event},
    exchange::Exchange,
    wire::Segment,
};

use crate::loss::{Owned, segments};

/// Requests that follow a join, of those the ones that are proven, and the joins after which all are.
#[derive(Debug, Default)]
struct Share {
    followed: usize,
    proven: usize,
    joins: usize,
    all_proven: usize,
}

fn complete<'a>(segments: impl Iterator<Item = &'a Owned>) -> Vec<Exchange> {
    let mut engine = Engine::new(settings(Format::Json));
    let mut found = Vec::new();
    for Owned { facts, payload } in segments {
        engine.push(&Segment { payload, ..*facts });
        while let Some(event) = engine.poll() {
            if let Event::Exchange(exchange) = event {
                found.extend(exchange.is_complete().then_some(*exchange));
            }
        }
    }
    found
}

/// The identity of a request in this capture: its first byte's time, and its target.
fn key(exchange: &Exchange) -> (u64, Vec<u8>) {
    let first = exchange.timing.request_first.expect("a request has a time");
    (first.as_nanos(), exchange.request.target.to_vec())
}

fn agent(exchange: &Exchange) -> String {
    let agent = exchange.request.headers.get("user-agent").unwrap_or(b"node");
    let agent = String::from_utf8_lossy(agent);
    agent.split(['/', ' ']).next().unwrap_or_default().to_owned()
}

#[test]
fn later_requests_of_a_joined_connection_are_proven_client_by_client() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/http2-joins.pcap.gz");
    let all = segments(&path).expect("one copy of each byte");
    let truth = complete(all.iter());
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    let mut flows: Vec<_> = truth.iter().map(|exchange| exchange.flow).collect();
    flows.dedup();
    assert_eq!(flows.len(), 4, "one connection for each client");
    for flow in flows {
        let ends = [flow.client, flow.server];
        let own: Vec<&Owned> = all
            .iter()
            .filter(|segment| ends.contains(&segment.facts.src) && ends.contains(&segment.facts.dst))
            .collect();
        let asked: Vec<&Exchange> = truth.iter().filter(|exchange| exchange.flow == flow).collect();
        assert_eq!(asked.len(), 60);
        let client = asked.first().map(|exchange| agent(exchange)).expect("requests");
        let share = shares.entry(client).or_default();
        let first = asked.first().map(|exchange| key(exchange).0).expect("requests");
        for start in 0..own.len() {
            let Some(from) = own.get(start).map(|segment| segment.facts.at.as_nanos()) else {
                continue;
            };
            if from <= first {
                continue;
            }
            let followed: Vec<_> = asked
                .iter()
                .map(|exchange| key(exchange))
                .filter(|(at, _)| *at >= from)
                .collect();
            // Few requests say little.
            if followed.len() < 10 {
                break;
            }
            let found: Vec<_> = complete(own.iter().skip(start).copied())
                .iter()
                .map(key)
                .collect();
            for wrong in &found {
                assert!(
                    asked.iter().any(|exchange| key(exchange) == *wrong),
                    "{wrong:?} did not happen"
                );
            }
            let proven = followed.iter().filter(|one| found.contains(one)).count();
            share.followed += followed.len();
            share.proven += proven;
            share.joins += 1;
            share.all_proven += usize::from(proven == followed.len());
        }
    }
    assert_eq!(shares.len(), 4, "{shares:?}");
    for (client, share) in &shares {
        assert!(share.joins > 40, "{client}: {share:?}");
        println!("{client}: of the requests after a join are proven: {share:?}");
    }
}
