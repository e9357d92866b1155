//! Caution has a cost, and these tests bound it: what an engine must still complete when little was lost. An engine
//! that calls everything incomplete passes every test of correctness and fails here.

use proptest::{prelude::*, sample::Index};

use shadow_proto::engine::Event;

use crate::support::{
    capture::Losses,
    cases, check,
    drive::{drive, settings},
    encode::{CLIENT, SERVER},
    scene::{self, Line, Scene},
    spec::{Connection, End, Exchange, Expect, Framing},
    strategy,
    wire::{Captured, Plan},
};

/// Exchanges that a gap or a late start may cost: three strict rounds prove that both directions are synchronised.
/// Bodies that look like messages, or answers to HEAD without a known request, may hide a few more.
const ROUNDS: usize = 12;

/// A connection with one request at a time, as nearly all real clients make them.
fn ping_pong(exchanges: core::ops::Range<usize>) -> impl Strategy<Value = Line> {
    let exchange = strategy::small_exchange().prop_map(|exchange| Exchange {
        expect: Expect::No,
        interim: Vec::new(),
        early: false,
        stray_line: false,
        ..exchange
    });
    (
        prop::collection::vec(exchange, exchanges),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(exchanges, seed, no_bare_acks)| Line {
            connections: vec![(
                Connection {
                    exchanges,
                    batches: vec![1],
                    end: End::ClientFin,
                },
                Plan {
                    seed,
                    ..Plan::plain(1_460)
                },
            )],
            losses: Losses {
                no_bare_acks,
                ..Losses::none()
            },
            start: 0,
        })
}

/// The numbers of the complete exchanges, counted from the first that was sent.
fn completed(events: &[Event]) -> Vec<usize> {
    let uid = |event: &Event| match event {
        Event::Exchange(exchange) if exchange.is_complete() => {
            let uid = exchange.request.headers.get("x-uid").expect("checked before");
            Some(
                core::str::from_utf8(uid)
                    .expect("digits")
                    .parse::<usize>()
                    .expect("digits")
                    - 1_000,
            )
        }
        _ => None,
    };
    events.iter().filter_map(uid).collect()
}

/// Checks that the reports are true and passes on what is complete.
fn judged(scene: &Scene, judge: impl FnOnce(Vec<usize>)) {
    let settings = settings();
    let events = drive(&scene.segments, &settings);
    check::truthfully(scene, &events, &settings);
    let _dump = check::Dump(scene, &events);
    judge(completed(&events));
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn a_late_start_costs_a_few_rounds(line in ping_pong(20..30), skip in 0_usize..12) {
        let mut line = line;
        line.losses.skip = skip;
        let scene = scene::play(&[line]);
        let said = scene.lines[0].conversations[0].said.len();
        // Every exchange has at least two segments, and a response may be long.
        let begun = skip.div_ceil(2);
        let expected: Vec<usize> = (begun + ROUNDS..said).collect();
        judged(&scene, |completed| {
            assert!(expected.iter().all(|n| completed.contains(n)), "of {said}, from {begun}: {completed:?}");
        });
    }

    #[test]
    fn a_lost_segment_costs_a_few_rounds(line in ping_pong(24..30), place: Index) {
        let mut scene = scene::play(&[line]);
        let lost = 2 + place.index(scene.segments.len() / 2 - 2);
        let segment = scene.segments.remove(lost);
        let line = &scene.lines[0];
        let offset = segment.seq.wrapping_sub(line.origins[0][segment.from]) as usize;
        let said = &line.conversations[0].said;
        let hit = said
            .iter()
            .position(|said| [&said.request, &said.response][segment.from].bytes.end > offset)
            .unwrap_or(said.len());
        let before: Vec<usize> = (0..hit).collect();
        let behind: Vec<usize> = (hit + ROUNDS..said.len()).collect();
        judged(&scene, |completed| {
            assert!(before.iter().all(|n| completed.contains(n)), "hit {hit}: {completed:?}");
            assert!(behind.iter().all(|n| completed.contains(n)), "hit {hit}: {completed:?}");
        });
    }

    /// The only copy of a request is a retransmission, which acknowledges the response to it: each direction appears
    /// to come after the other.
    #[test]
    fn a_knot_of_acknowledgements_costs_a_few_rounds(line in ping_pong(24..30), chosen in 0_usize..10) {
        let mut scene = scene::play(&[line]);
        let said = &scene.lines[0].conversations[0].said;
        let origin = scene.lines[0].origins[0];
        let number = |base: u32, offset: usize| base.wrapping_add(u32::try_from(offset).expect("short"));
        let asked = &said[chosen].request.bytes;
        let begins = number(origin[CLIENT], asked.start);
        let ends = number(origin[SERVER], said[chosen].response.bytes.end);
        let len = asked.len();
        let everything = said.len();
        // The request is held back until the segment that acknowledges the whole response.
        let (late, mut rest): (Vec<_>, Vec<_>) = scene.segments.drain(..).partition(|segment| {
            segment.from == CLIENT && (segment.seq.wrapping_sub(begins) as usize) < len && !segment.payload.is_empty()
        });
        let place = rest.iter().position(|segment| segment.from == CLIENT && segment.ack == ends).expect("it goes on");
        let at = rest[place].at;
        rest.splice(place..place, late.into_iter().map(|segment| Captured { ack: ends, at, ..segment }));
        scene.segments = rest;
        let expected: Vec<usize> = (0..chosen).chain(chosen + ROUNDS..everything).collect();
        judged(&scene, |completed| {
            assert!(expected.iter().all(|n| completed.contains(n)), "tied at {chosen}: {completed:?}");
        });
    }

    /// The framing determines where the next message starts, regardless of how much of the body is missing.
    #[test]
    fn a_hole_in_a_body_of_known_length_costs_that_exchange_alone(
        line in ping_pong(8..12),
        chosen: Index,
        server: bool,
        cut: (Index, Index),
    ) {
        let mut line = line;
        let exchanges = &mut line.connections[0].0.exchanges;
        let hit = chosen.index(exchanges.len());
        let exchange = &mut exchanges[hit];
        exchange.method = "POST";
        exchange.status = 200;
        exchange.request = Framing::Length;
        exchange.response = Framing::Length;
        exchange.request_body.len = 400;
        exchange.response_body.len = 400;
        let mut scene = scene::play(&[line]);
        let side = if server { SERVER } else { CLIENT };
        let said = &scene.lines[0].conversations[0].said;
        let coded = [&said[hit].request.coded, &said[hit].response.coded][side].clone();
        let a = coded.start + cut.0.index(coded.len());
        let b = coded.start + cut.1.index(coded.len());
        let hole = a.min(b)..a.max(b) + 1;
        let everything = said.len();
        dig(&mut scene, side, &hole);
        let expected: Vec<usize> = (0..everything).filter(|n| *n != hit).collect();
        judged(&scene, |completed| assert_eq!(completed, expected));
    }
}

/// Removes a range of one stream from the capture.
fn dig(scene: &mut Scene, side: usize, hole: &core::ops::Range<usize>) {
    let origin = scene.lines[0].origins[0][side];
    let mut kept = Vec::new();
    for segment in scene.segments.drain(..) {
        let start = segment.seq.wrapping_sub(origin) as usize;
        let end = start.saturating_add(segment.payload.len());
        if segment.from != side || segment.payload.is_empty() || end <= hole.start || start >= hole.end {
            kept.push(segment);
            continue;
        }
        let before = hole.start.saturating_sub(start);
        let behind = end.saturating_sub(hole.end);
        let len = segment.payload.len();
        if before > 0 {
            let mut piece = segment.clone();
            piece.payload.truncate(before);
            kept.push(piece);
        }
        if behind > 0 {
            let mut piece = segment;
            let skipped = len - behind;
            piece.seq = piece.seq.wrapping_add(u32::try_from(skipped).expect("short"));
            piece.payload = piece.payload.slice(skipped..);
            kept.push(piece);
        }
    }
    scene.segments = kept;
}
