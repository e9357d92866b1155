//! Captures that lose, duplicate and reorder segments: an exchange may be lost, but never becomes another one.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use shadow_agent::{
    capture::pcap::{Next, PcapFile},
    inspect::{Format, settings},
};
use shadow_proto::{
    engine::{Engine, Event},
    exchange::{Flow, Timing, Version},
    wire::Segment,
};

use crate::{
    captures::{self, name},
    random::Random,
};

const ROUNDS: u64 = 15;

#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) facts: Segment<'static>,
    pub(crate) payload: Vec<u8>,
}

/// All parts of an exchange that could be wrong, with its time, so that no two of a connection of HTTP/1 are the same.
/// Streams of HTTP/2 may share the packets of their requests and answers: such exchanges are numbered.
type Known = (
    usize,
    Flow,
    Stamps,
    Vec<u8>,
    Vec<u8>,
    u16,
    Option<[u8; 32]>,
    Option<[u8; 32]>,
);
type Stamps = [u64; 2];

/// `None` for a capture in which copies of the same bytes differ (an injected answer): which copy is used then depends
/// on what is lost, so there is no correct result to compare with.
///
/// Copies get the time of the first one, so that the exchange is the same whichever of them arrives.
pub(crate) fn segments(path: &Path) -> Option<Vec<Owned>> {
    let mut file = PcapFile::open(path).expect("a capture");
    let mut all: Vec<Owned> = Vec::new();
    let mut firsts = HashMap::new();
    loop {
        let segment = match file.next_segment() {
            Ok(Next::Segment(segment)) => segment,
            Ok(Next::Skipped(_)) => continue,
            Ok(Next::End) | Err(_) => return Some(all),
        };
        let payload = segment.payload.to_vec();
        let place = *firsts
            .entry((segment.src, segment.dst, segment.seq))
            .or_insert(all.len());
        let first = all.get(place);
        if first.is_some_and(|first| {
            first
                .payload
                .iter()
                .zip(&payload)
                .any(|(first, now)| first != now)
        }) {
            return None;
        }
        all.push(Owned {
            facts: Segment {
                payload: &[],
                at: first.map_or(segment.at, |first| first.facts.at),
                ..segment
            },
            payload,
        });
    }
}

fn complete<'a>(segments: impl Iterator<Item = &'a Owned>) -> HashSet<Known> {
    let mut engine = Engine::new(settings(Format::Json));
    let mut found = HashSet::new();
    for Owned { facts, payload } in segments {
        if engine.poll_timeout().is_some_and(|due| due <= facts.at) {
            engine.handle_timeout(facts.at);
        }
        engine.push(&Segment { payload, ..*facts });
        drain(&mut engine, &mut found);
    }
    engine.finish();
    drain(&mut engine, &mut found);
    engine.counters().check().expect("counters add up");
    found
}

fn drain(engine: &mut Engine, found: &mut HashSet<Known>) {
    while let Some(event) = engine.poll() {
        let Event::Exchange(exchange) = event else {
            continue;
        };
        let Some(response) = exchange.response.as_ref().filter(|_| exchange.is_complete()) else {
            continue;
        };
        let Timing {
            request_first,
            response_first,
            ..
        } = exchange.timing;
        let stamps = [request_first, response_first].map(|at| at.expect("a time").as_nanos());
        let known = |number| -> Known {
            (
                number,
                exchange.flow,
                stamps,
                exchange.request.method.to_vec(),
                exchange.request.target.to_vec(),
                response.status,
                exchange.request.body.blake3(),
                response.body.blake3(),
            )
        };
        let mut number = 0;
        while !found.insert(known(number)) {
            number += 1;
        }
        assert!(
            number == 0 || exchange.request.version == Version::Http2,
            "the same exchange twice: {exchange:?}"
        );
    }
}

/// Drops, duplicates and swaps neighbours, each in `percent` of cases.
fn disturb<'a>(segments: &'a [Owned], percent: u64, random: &mut Random) -> Vec<&'a Owned> {
    let mut kept = Vec::new();
    for segment in segments {
        if random.chance(percent) {
            continue;
        }
        kept.push(segment);
        if random.chance(percent) {
            kept.push(segment);
        }
    }
    for place in 1..kept.len() {
        if random.chance(percent) {
            let other = place - random.below(place.min(4));
            kept.swap(place, other);
        }
    }
    kept
}

#[test]
fn what_a_lossy_capture_shows_as_whole_did_happen() {
    let mut kept = 0;
    for path in captures::all() {
        let Some(segments) = segments(&path) else { continue };
        let truth = complete(segments.iter());
        for percent in [1, 5, 20, 50] {
            let mut random = Random::new(percent);
            for round in 0..ROUNDS {
                let found = complete(disturb(&segments, percent, &mut random).into_iter());
                let wrong: Vec<_> = found.difference(&truth).collect();
                assert!(
                    wrong.is_empty(),
                    "{}, {percent} %, round {round}: {wrong:?}",
                    name(&path)
                );
                kept += found.len();
            }
        }
    }
    assert!(
        kept > 1_000,
        "only {kept} exchanges survived: the test proves nothing"
    );
}

#[test]
fn a_capture_that_begins_anywhere_shows_only_what_happened() {
    for path in captures::all() {
        let Some(segments) = segments(&path) else { continue };
        let truth = complete(segments.iter());
        let mut random = Random::new(3);
        for _ in 0..ROUNDS {
            let start = random.below(segments.len().max(1));
            let found = complete(segments.iter().skip(start));
            let wrong: Vec<_> = found.difference(&truth).collect();
            assert!(
                wrong.is_empty(),
                "{} from segment {start}: {wrong:?}",
                name(&path)
            );
        }
    }
}
