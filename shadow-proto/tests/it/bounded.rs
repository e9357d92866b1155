//! Promises 4 and 6 of the core: everything is counted, and no input from the wire makes it hold more than its
//! limits. Each attack is large enough that work with quadratic growth would not finish.

use bytes::Bytes;
use proptest::prelude::*;

use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Engine, Event, Settings, Usage},
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

use crate::support::{cases, check, drive, scene, strategy};

const MIB: usize = 1 << 20;

/// One attacker: segments go directly into an engine with small limits, which are checked after each segment.
pub(crate) struct Attack {
    engine: Engine,
    limits: Limits,
    now: u64,
    events: Vec<Event>,
    most: Usage,
}

impl Attack {
    pub(crate) fn new() -> Self {
        let limits = Limits {
            flows: 500,
            memory: 4 * MIB,
            out_of_order: 64 << 10,
            head: 4 << 10,
            body: 256 << 10,
            ..Limits::default()
        };
        assert_eq!(limits.validate(), Ok(()));
        Self {
            engine: Engine::new(Settings {
                limits: limits.clone(),
                digest: true,
                fields: true,
            }),
            limits,
            now: 0,
            events: Vec::new(),
            most: Usage::default(),
        }
    }

    fn send(&mut self, client: u32, from_client: bool, (seq, ack): (u32, u32), flags: Flags, payload: &[u8]) {
        let number = client.to_be_bytes();
        let ends = (Endpoint::v4(number, 40_000), Endpoint::v4([192, 0, 2, 1], 80));
        let (src, dst) = if from_client { ends } else { (ends.1, ends.0) };
        self.now += 1_000;
        let direction = if from_client {
            Direction::ToServer
        } else {
            Direction::ToClient
        };
        let at = Timestamp::from_nanos(self.now);
        drive::wait(&mut self.engine, at, &mut self.events);
        self.engine.push(&Segment {
            at,
            src,
            dst,
            direction: Some(direction),
            ifindex: 0,
            seq: SeqNum(seq),
            ack: SeqNum(ack),
            flags,
            payload,
            missing: 0,
            multipath: None,
        });
        self.events.extend(core::iter::from_fn(|| self.engine.poll()));
        let usage = self.engine.usage();
        assert!(usage.flows <= self.limits.flows, "{usage:?}");
        assert!(usage.buffered <= self.limits.memory, "{usage:?}");
        self.most.flows = self.most.flows.max(usage.flows);
        self.most.buffered = self.most.buffered.max(usage.buffered);
    }

    /// A handshake: the next sequence numbers are 1 on both sides.
    pub(crate) fn open(&mut self, client: u32) {
        self.send(client, true, (0, 0), Flags::SYN, b"");
        self.send(client, false, (0, 1), Flags::SYN.union(Flags::ACK), b"");
    }

    pub(crate) fn client(&mut self, seq: u32, payload: &[u8]) {
        self.send(1, true, (seq, 1), Flags::ACK, payload);
    }

    /// Ends the capture; the events returned now were held until now.
    pub(crate) fn finish(mut self) -> (Vec<Event>, Usage) {
        let before = self.events.len();
        self.engine.finish();
        self.events.extend(core::iter::from_fn(|| self.engine.poll()));
        let held: usize = self.events[before..].iter().map(weight).sum();
        assert!(held <= self.limits.memory, "{held} bytes were held");
        assert_eq!(self.engine.usage(), Usage::default());
        account(&self.engine, &self.events);
        (self.events, self.most)
    }
}

/// Size of an event in bytes.
fn weight(event: &Event) -> usize {
    match event {
        Event::Exchange(exchange) => {
            let answer = exchange.response.as_ref();
            exchange.request.body.kept.len()
                + exchange.request.headers.allocated()
                + answer.map_or(0, |response| {
                    response.body.kept.len() + response.headers.allocated()
                })
        }
        Event::Orphan(orphan) => orphan.response.body.kept.len() + orphan.response.headers.allocated(),
        Event::Abandoned(..) => 0,
    }
}

/// Checks the totals once the capture has ended.
fn account(engine: &Engine, events: &[Event]) {
    let counters = engine.counters();
    let facts = format!("{counters:?}");
    assert_eq!(counters.check(), Ok(()));
    let count = |which: fn(&Event) -> bool| events.iter().filter(|event| which(event)).count() as u64;
    assert_eq!(
        counters.exchanges,
        count(|event| matches!(event, Event::Exchange(_))),
        "{facts}"
    );
    assert_eq!(
        counters.requests, counters.exchanges,
        "every request is reported once: {facts}"
    );
    assert_eq!(
        counters.orphans,
        count(|event| matches!(event, Event::Orphan(_))),
        "{facts}"
    );
    assert_eq!(
        counters.flows_abandoned,
        count(|event| matches!(event, Event::Abandoned(..))),
        "{facts}"
    );
    let ends =
        counters.flows_closed + counters.flows_idle + counters.flows_evicted + counters.flows_abandoned;
    assert_eq!(counters.flows_opened + counters.flows_midstream, ends, "{facts}");
    let complete = |event: &Event| matches!(event, Event::Exchange(exchange) if exchange.is_complete());
    let whole = events.iter().filter(|event| complete(event)).count() as u64;
    assert_eq!(counters.exchanges_complete, whole, "{facts}");
    for (reason, counted) in counters.incomplete() {
        let reported = events
            .iter()
            .filter(|event| matches!(event, Event::Exchange(exchange) if exchange.incomplete == Some(reason)))
            .count() as u64;
        assert_eq!(counted, reported, "{reason}: {facts}");
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn everything_is_counted_whatever_is_lost(
        lines in scene::lines(
            strategy::connection(strategy::exchange(), 6).boxed(),
            strategy::plan().boxed(),
            strategy::lossy().boxed(),
            3,
        ),
    ) {
        let scene = scene::play(&lines);
        let mut engine = Engine::new(drive::settings());
        let mut events = Vec::new();
        drive::feed(&mut engine, &scene.segments, &mut events);
        engine.finish();
        events.extend(core::iter::from_fn(|| engine.poll()));
        let _dump = check::Dump(&scene, &events);
        account(&engine, &events);
        prop_assert_eq!(engine.counters().segments, scene.segments.len() as u64);
        let payload: usize = scene.segments.iter().map(|segment| segment.payload.len()).sum();
        prop_assert_eq!(engine.counters().payload_bytes, payload as u64);
        prop_assert_eq!(engine.usage(), Usage::default());
        prop_assert_eq!(engine.poll_timeout(), None);
    }
}

#[test]
fn a_hundred_thousand_half_open_connections() {
    let mut attack = Attack::new();
    for client in 0..100_000 {
        attack.send(client, true, (client, 0), Flags::SYN, b"");
    }
    let (events, most) = attack.finish();
    assert!(
        events.is_empty(),
        "{} events for connections on which nothing was said",
        events.len()
    );
    assert_eq!(most.flows, 500);
}

#[test]
fn connections_that_each_begin_a_request() {
    let mut attack = Attack::new();
    for client in 0..20_000 {
        attack.open(client);
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
        attack.send(client, true, (1, 1), Flags::ACK, head);
        attack.send(client, true, (54, 1), Flags::ACK, &[b'x'; 8_000]);
    }
    let (events, most) = attack.finish();
    let reported = events
        .iter()
        .filter(|event| matches!(event, Event::Exchange(_)))
        .count();
    assert_eq!(reported, 20_000, "every one is reported, as evicted or cut");
    assert!(
        most.buffered > 2 * MIB,
        "the attack did not come near the limit: {most:?}"
    );
}

#[test]
fn a_body_in_single_bytes() {
    let mut attack = Attack::new();
    attack.open(1);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n";
    attack.client(1, head);
    let start = 1 + u32::try_from(head.len()).expect("short");
    for n in 0..300_000 {
        attack.client(start + n, b"x");
    }
    let (events, _) = attack.finish();
    assert!(matches!(&events[..], [Event::Exchange(exchange)] if exchange.request.body.len == 300_000));
}

#[test]
fn single_bytes_with_a_hole_behind_each() {
    let mut attack = Attack::new();
    attack.open(1);
    for n in (0..200_000).rev() {
        attack.client(10 + 2 * n, b"x");
    }
    attack.finish();
}

#[test]
fn the_same_byte_again_and_again() {
    let mut attack = Attack::new();
    attack.open(1);
    for n in 0..200_000_u32 {
        attack.client(10 + n % 7, if n % 2 == 0 { b"x" } else { b"y" });
    }
    attack.finish();
}

#[test]
fn a_head_that_never_ends() {
    let mut attack = Attack::new();
    attack.open(1);
    attack.client(1, b"GET / HTTP/1.1\r\n");
    for n in 0..100_000 {
        attack.client(17 + 6 * n, b"X: y\r\n");
    }
    let (_, most) = attack.finish();
    assert!(most.buffered < 64 << 10, "{most:?}");
}

#[test]
fn a_trailer_section_that_never_ends() {
    let mut attack = Attack::new();
    attack.open(1);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    attack.client(1, head);
    let start = 1 + u32::try_from(head.len()).expect("short");
    for n in 0..100_000 {
        attack.client(start + 6 * n, b"X: y\r\n");
    }
    let (_, most) = attack.finish();
    assert!(most.buffered < 64 << 10, "{most:?}");
}

#[test]
fn a_response_that_never_ends() {
    let mut attack = Attack::new();
    attack.open(1);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    attack.client(1, request);
    let ack = 1 + u32::try_from(request.len()).expect("short");
    attack.send(1, false, (1, ack), Flags::ACK, b"HTTP/1.1 200 OK\r\n\r\n");
    let block = vec![b'x'; 60_000];
    let mut seq = 20_u32;
    for _ in 0..3_000 {
        attack.send(1, false, (seq, ack), Flags::ACK, &block);
        seq = seq.wrapping_add(60_000);
    }
    let (events, most) = attack.finish();
    assert!(matches!(&events[..], [Event::Exchange(exchange)]
        if exchange.response.as_ref().is_some_and(|response| response.body.len == 180_000_000)));
    assert!(most.buffered < MIB, "{most:?}");
}

#[test]
fn requests_without_answers() {
    let mut attack = Attack::new();
    attack.open(1);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let len = u32::try_from(request.len()).expect("short");
    for n in 0..100_000 {
        attack.client(1 + len * n, request);
    }
    let (_, most) = attack.finish();
    assert!(most.buffered < MIB, "{most:?}");
}

#[test]
fn pipelined_uploads_without_answers() {
    let mut attack = Attack::new();
    attack.open(1);
    let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n".to_vec();
    request.resize(request.len() + 200_000, b'x');
    let request = Bytes::from(request);
    let mut seq = 1_u32;
    for _ in 0..100 {
        for part in request.chunks(50_000) {
            attack.client(seq, part);
            seq += u32::try_from(part.len()).expect("short");
        }
    }
    attack.finish();
}

#[test]
fn answers_to_requests_that_were_not_captured() {
    let mut attack = Attack::new();
    attack.open(1);
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let len = u32::try_from(response.len()).expect("short");
    for n in 0..50_000 {
        attack.send(1, false, (1 + len * n, 1 + 30 * (n + 1)), Flags::ACK, response);
    }
    attack.finish();
}

#[test]
fn sequence_numbers_at_random() {
    let mut attack = Attack::new();
    let mut rng = crate::support::rng::Rng::new(7);
    for _ in 0..100_000 {
        let number = |rng: &mut crate::support::rng::Rng| u32::try_from(rng.next() >> 32).expect("32 bits");
        let (seq, ack) = (number(&mut rng), number(&mut rng));
        let flags = Flags(u8::try_from(rng.below(32)).expect("five bits"));
        let client = u32::try_from(rng.below(50)).expect("small");
        let len = rng.below(40);
        let payload = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\nHTTP/1.1 200 "[..len];
        attack.send(client, rng.chance(500), (seq, ack), flags, payload);
    }
    attack.finish();
}
