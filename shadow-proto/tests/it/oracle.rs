//! Tests of the oracle itself: the wire is correct, and every kind of wrong report is detected.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use shadow_proto::{
    engine::Event,
    exchange::{Body, Exchange, Headers, Request, Response, Timing, Version},
    time::Timestamp,
    wire::Flags,
};

use crate::support::{
    capture::Losses,
    cases, check,
    drive::settings,
    encode::{CLIENT, Message, PlannedExchange, SERVER},
    scene::{self, Line, Scene},
    spec::{Connection, Content, End, Framing, Kind},
    strategy,
    transcript::unescape,
    wire::Plan,
};

proptest! {
    #![proptest_config(cases(150))]

    /// Reassembles by writing every byte to its position, the simplest possible way.
    #[test]
    fn the_wire_carries_both_streams_and_acknowledges_only_what_was_sent(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 5).boxed(),
            strategy::plan().prop_map(|plan| Plan { garbage: false, ..plan }).boxed(),
            strategy::lossless().boxed(),
            2,
        ),
    ) {
        let scene = scene::play(&lines);
        for (line, source) in scene.lines.iter().zip(&lines) {
            let last = line.conversations.last().expect("at least one");
            let origins = line.origins.last().expect("one for each conversation");
            let mut streams = [CLIENT, SERVER].map(|side| vec![None; last.halves[side].bytes.len()]);
            for segment in scene.segments.iter().filter(|segment| segment.ends[0] == line.flow.client) {
                let side = segment.from;
                let shift = u32::from(segment.flags.contains(Flags::SYN));
                let start = segment.seq.wrapping_add(shift).wrapping_sub(origins[side]) as usize;
                // Segments of an earlier connection on this four-tuple have distant sequence numbers.
                for (n, byte) in segment.payload.iter().enumerate().filter(|(n, _)| start < 1 << 23 && start + n < 1 << 23) {
                    let before = streams[side][start + n].replace(*byte);
                    prop_assert!(before.is_none_or(|before| before == *byte), "two truths at {}", start + n);
                }
                if start < 1 << 23 && !segment.payload.is_empty() {
                    let acked = segment.ack.wrapping_sub(origins[1 - side]) as usize;
                    prop_assert!(source.connections.len() > 1 || segment.ack == 0 || acked <= last.halves[1 - side].bytes.len() + 1);
                }
            }
            for side in [CLIENT, SERVER] {
                let whole: Option<Vec<u8>> = streams[side].iter().copied().collect();
                prop_assert_eq!(whole.as_ref(), Some(&last.halves[side].bytes));
            }
        }
    }

    /// In wire order, the segment with the first byte of a response acknowledges the head of its request.
    #[test]
    fn no_response_starts_before_its_request_has_arrived(
        connection in strategy::connection(strategy::exchange(), 8),
        plan in strategy::plan(),
    ) {
        let line = Line { connections: vec![(connection, plan)], losses: Losses::none(), start: 0 };
        let scene = scene::play(&[line]);
        let [client, server] = scene.lines[0].origins[0];
        for said in &scene.lines[0].conversations[0].said {
            let first = server.wrapping_add(u32::try_from(said.response.bytes.start).expect("short"));
            let segment = scene
                .segments
                .iter()
                .find(|segment| {
                    segment.from == SERVER
                        && (first.wrapping_sub(segment.seq) as usize) < segment.payload.len()
                })
                .expect("every response is sent");
            let acked = segment.ack.wrapping_sub(client) as usize;
            let head = if said.request.coded.is_empty() {
                said.request.bytes.end
            } else {
                said.request.coded.start
            };
            prop_assert!(acked >= head.min(said.request.bytes.end) || said.request.coded.start > said.request.bytes.end);
        }
    }
}

fn example() -> Scene {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = || {
        use proptest::strategy::ValueTree as _;
        strategy::small_exchange()
            .new_tree(&mut runner)
            .expect("no filter")
            .current()
    };
    let body = |len| Content {
        kind: Kind::Text,
        len,
    };
    let exchanges: Vec<_> = (0..4)
        .map(|_| {
            let mut exchange = draw();
            (exchange.method, exchange.status) = ("POST", 200);
            (exchange.request, exchange.response) = (Framing::Length, Framing::Chunked);
            (exchange.request_body, exchange.response_body) = (body(50), body(60));
            exchange
        })
        .collect();
    let connection = Connection {
        exchanges,
        batches: vec![1],
        end: End::ClientFin,
    };
    scene::play(&[Line {
        connections: vec![(connection, Plan::plain(500))],
        losses: Losses::none(),
        start: 0,
    }])
}

/// The report of a perfect engine.
fn ideal(scene: &Scene) -> Vec<Event> {
    let stamp = Some(Timestamp::from_nanos(1));
    let version = |message: &Message| {
        if message.http10 {
            Version::Http10
        } else {
            Version::Http11
        }
    };
    let exchange = |(index, said): (u64, &PlannedExchange)| Exchange {
        flow: scene.lines[0].flow,
        index,
        place: shadow_proto::exchange::Place::default(),
        request: Request {
            method: said.method.into(),
            target: said.target.clone().into(),
            version: version(&said.request),
            headers: Headers::from_pairs(said.request.fields.clone()),
            body: Body::whole(said.request.body.clone()),
            trailers: Headers::from_pairs(said.request.trailers.clone()),
        },
        response: Some(Response {
            status: said.status,
            version: version(&said.response),
            reason: said.reason.into(),
            headers: Headers::from_pairs(said.response.fields.clone()),
            body: Body::whole(said.response.body.clone()),
            trailers: Headers::from_pairs(said.response.trailers.clone()),
        }),
        timing: Timing {
            request_first: stamp,
            request_last: stamp,
            response_first: stamp,
            response_last: stamp,
        },
        incomplete: None,
    };
    let said = &scene.lines[0].conversations[0].said;
    (0..)
        .zip(said)
        .map(|pair| Event::Exchange(Box::new(exchange(pair))))
        .collect()
}

fn caught(scene: &Scene, forge: impl FnOnce(&mut Vec<Event>)) -> bool {
    let mut events = ideal(scene);
    forge(&mut events);
    let judge = || check::truthfully(scene, &events, &settings());
    catch_unwind(AssertUnwindSafe(judge)).is_err()
}

fn exchange(events: &mut [Event], n: usize) -> &mut Exchange {
    match &mut events[n] {
        Event::Exchange(exchange) => exchange,
        other => panic!("{other:?} is no exchange"),
    }
}

fn answer(events: &mut [Event], n: usize) -> &mut Response {
    exchange(events, n)
        .response
        .as_mut()
        .expect("an ideal exchange has a response")
}

#[test]
fn a_true_report_passes() {
    let scene = example();
    check::exactly(&scene, &ideal(&scene), &settings());
    assert!(
        !caught(&scene, |events| drop(events.pop())),
        "a subset is still true"
    );
}

#[test]
fn a_missing_exchange_is_not_exact() {
    let scene = example();
    let mut events = ideal(&scene);
    events.pop();
    let judge = || check::exactly(&scene, &events, &settings());
    assert!(catch_unwind(AssertUnwindSafe(judge)).is_err());
}

#[test]
fn a_wrong_pair_is_caught() {
    let scene = example();
    assert!(caught(&scene, |events| {
        let other = answer(events, 1).clone();
        let mine = core::mem::replace(answer(events, 0), other);
        *answer(events, 1) = mine;
    }));
    assert!(caught(&scene, |events| exchange(events, 2).response = None));
}

#[test]
fn a_foreign_byte_is_caught() {
    let scene = example();
    let spoil = |body: &mut Body| {
        let mut bytes = body.kept.to_vec();
        bytes[7] ^= 1;
        *body = Body::whole(bytes);
    };
    assert!(caught(&scene, |events| spoil(
        &mut exchange(events, 0).request.body
    )));
    assert!(caught(&scene, |events| spoil(&mut answer(events, 3).body)));
}

#[test]
fn a_short_body_that_is_called_complete_is_caught() {
    let scene = example();
    assert!(caught(&scene, |events| {
        let body = &mut exchange(events, 1).request.body;
        *body = Body::whole(body.kept.slice(..10));
    }));
    assert!(caught(&scene, |events| answer(events, 1).body.missing = 3));
}

#[test]
fn a_changed_field_is_caught() {
    let scene = example();
    let lower = |headers: &mut Headers| {
        let pairs: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()))
            .collect();
        *headers = Headers::from_pairs(pairs);
    };
    assert!(caught(&scene, |events| lower(
        &mut exchange(events, 0).request.headers
    )));
    assert!(caught(&scene, |events| lower(&mut answer(events, 2).headers)));
    assert!(caught(&scene, |events| answer(events, 2).status = 500));
    assert!(caught(&scene, |events| exchange(events, 2).request.method = "GET".into()));
    assert!(caught(&scene, |events| exchange(events, 2).request.target =
        "/other".into()));
}

#[test]
fn a_second_report_is_caught() {
    let scene = example();
    assert!(caught(&scene, |events| {
        let copy = ideal(&scene).remove(3);
        events.push(copy);
    }));
    assert!(caught(&scene, |events| events.swap(0, 1)));
    assert!(caught(&scene, |events| exchange(events, 3).index = 4));
}

#[test]
fn an_invented_exchange_is_caught() {
    let scene = example();
    assert!(caught(&scene, |events| {
        exchange(events, 0).request.headers = Headers::from_pairs([("X-UID", "fake request 7")]);
    }));
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(unescape(r"a\r\n\x00\\\{ab*3}c"), b"a\r\n\0\\abababc");
    assert_eq!(unescape(r"\{X: y\r\n*2}"), b"X: y\r\nX: y\r\n");
}
