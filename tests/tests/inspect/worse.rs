//! Captures as they would have been under worse conditions: whatever they show as complete is also in the original.
//!
//! [`crate::loss`] changes which segments there are, and their order. This module changes their times, how much of each
//! was captured, and the other contents of the file. Where only copies and times change, nothing may be lost either.

use std::{collections::HashSet, time::Duration};

use shadow_agent::inspect::{Format, settings};
use shadow_proto::{
    engine::{Engine, Event},
    exchange::Flow,
    time::Timestamp,
    wire::{Flags, Segment},
};

use crate::{
    captures::{self, name},
    loss::{Owned, segments},
    random::Random,
};

const ROUNDS: u64 = 10;
const HOUR: Duration = Duration::from_hours(1);

/// All parts of an exchange that could be wrong, except its time, which changes.
type Known = (Flow, Vec<u8>, Vec<u8>, u16, [u64; 2], [Option<[u8; 32]>; 2]);

struct Mutation {
    name: &'static str,
    /// Whether every exchange must still be there.
    keeps: bool,
    make: fn(&[Owned], &mut Random) -> Vec<Owned>,
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "a snap length",
        keeps: false,
        make: |segments, random| {
            let snap = 1 + random.below(400);
            segments.iter().map(|segment| cut_off(segment, snap)).collect()
        },
    },
    Mutation {
        name: "some segments cut off",
        keeps: false,
        make: |segments, random| {
            let mut cut = |segment: &Owned| {
                let most = segment.payload.len();
                cut_off(
                    segment,
                    if random.chance(10) {
                        random.below(most + 1)
                    } else {
                        most
                    },
                )
            };
            segments.iter().map(&mut cut).collect()
        },
    },
    Mutation {
        name: "a clock set back",
        keeps: true,
        make: |segments, random| from_some(segments, random, |at| back(at, HOUR)),
    },
    Mutation {
        name: "a clock set forward",
        keeps: false,
        make: |segments, random| from_some(segments, random, |at| at + HOUR),
    },
    Mutation {
        name: "times in any order",
        keeps: false,
        make: |segments, random| {
            let mut all = segments.to_vec();
            for place in 1..all.len() {
                let (other, at) = (random.below(place), all[place].facts.at);
                all[place].facts.at = all[other].facts.at;
                all[other].facts.at = at;
            }
            all
        },
    },
    Mutation {
        name: "copies",
        keeps: true,
        make: |segments, random| {
            let copies = |segment: &Owned| vec![segment.clone(); 1 + random.below(3)];
            segments.iter().flat_map(copies).collect()
        },
    },
    Mutation {
        name: "all of it again, later",
        keeps: true,
        make: |segments, _| [segments.to_vec(), moved(segments, |at| at + HOUR)].concat(),
    },
    Mutation {
        name: "all of it again, at the same time",
        keeps: true,
        make: |segments, _| [segments, segments].concat(),
    },
    Mutation {
        name: "the end, and all of it",
        keeps: false,
        make: |segments, random| {
            let start = random.below(segments.len().max(1));
            [segments.get(start..).unwrap_or_default(), segments].concat()
        },
    },
    Mutation {
        name: "the same between other ends",
        keeps: true,
        make: |segments, random| {
            let mut all = Vec::new();
            let mut late = std::collections::VecDeque::new();
            for segment in segments {
                all.push(segment.clone());
                late.push_back(elsewhere(segment));
                while late.len() > random.below(9) {
                    all.extend(late.pop_front());
                }
            }
            all.extend(late);
            all
        },
    },
    Mutation {
        name: "no handshakes",
        keeps: false,
        make: |segments, _| without(segments, |facts, _| facts.flags.contains(Flags::SYN)),
    },
    Mutation {
        name: "no acknowledgements alone",
        keeps: true,
        make: |segments, _| without(segments, |facts, payload| Segment { payload, ..*facts }.is_bare()),
    },
];

fn cut_off(segment: &Owned, most: usize) -> Owned {
    let mut segment = segment.clone();
    let lost = segment.payload.len().saturating_sub(most);
    segment.facts.missing += u32::try_from(lost).expect("a segment's length");
    segment.payload.truncate(most);
    segment
}

fn moved(segments: &[Owned], time: impl Fn(Timestamp) -> Timestamp) -> Vec<Owned> {
    let mut all = segments.to_vec();
    for segment in &mut all {
        segment.facts.at = time(segment.facts.at);
    }
    all
}

fn from_some(segments: &[Owned], random: &mut Random, time: fn(Timestamp) -> Timestamp) -> Vec<Owned> {
    let (before, after) = segments.split_at(random.below(segments.len().max(1)));
    [before.to_vec(), moved(after, time)].concat()
}

fn back(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(
        at.as_nanos()
            .saturating_sub(u64::try_from(span.as_nanos()).expect("a short span")),
    )
}

fn elsewhere(segment: &Owned) -> Owned {
    let mut segment = segment.clone();
    for end in [&mut segment.facts.src, &mut segment.facts.dst] {
        end.addr[15] ^= 0x80;
    }
    segment
}

fn without(segments: &[Owned], which: impl Fn(&Segment<'_>, &[u8]) -> bool) -> Vec<Owned> {
    let kept = |segment: &&Owned| !which(&segment.facts, &segment.payload);
    segments.iter().filter(kept).cloned().collect()
}

fn complete(segments: &[Owned]) -> HashSet<Known> {
    let mut engine = Engine::new(settings(Format::Json));
    let mut found = HashSet::new();
    for Owned { facts, payload } in segments {
        if engine.poll_timeout().is_some_and(|due| due <= facts.at) {
            engine.handle_timeout(facts.at);
        }
        engine.push(&Segment { payload, ..*facts });
    }
    engine.finish();
    engine.counters().check().expect("counters add up");
    while let Some(event) = engine.poll() {
        let Event::Exchange(exchange) = event else {
            continue;
        };
        let Some(response) = exchange.response.as_ref().filter(|_| exchange.is_complete()) else {
            continue;
        };
        let bodies = [&exchange.request.body, &response.body];
        found.insert((
            exchange.flow,
            exchange.request.method.to_vec(),
            exchange.request.target.to_vec(),
            response.status,
            bodies.map(|body| body.len),
            bodies.map(shadow_proto::exchange::Body::blake3),
        ));
    }
    found
}

#[test]
fn what_a_worse_capture_shows_as_whole_is_in_the_real_one() {
    let mut kept = 0;
    for path in captures::all() {
        let Some(segments) = segments(&path) else { continue };
        let mut truth = complete(&segments);
        let real = truth.len();
        let other = segments.iter().map(elsewhere).collect::<Vec<_>>();
        truth.extend(complete(&other));
        for Mutation {
            name: how,
            keeps,
            make,
        } in MUTATIONS
        {
            let mut random = Random::new(7);
            for round in 0..ROUNDS {
                let found = complete(&make(&segments, &mut random));
                let wrong: Vec<_> = found.difference(&truth).collect();
                assert!(
                    wrong.is_empty(),
                    "{} with {how}, round {round}: {wrong:?}",
                    name(&path)
                );
                assert!(
                    !keeps || found.len() >= real,
                    "{} with {how}, round {round}: {} of {real} are left",
                    name(&path),
                    found.len()
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
