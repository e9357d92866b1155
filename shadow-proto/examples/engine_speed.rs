//! Measures the speed of the engine alone: one thread, segments in memory, small and large bodies.
//!
//! `cargo run --release -p shadow-core --example engine_speed [-- --json]`

use std::{hint::black_box, time::Instant};

use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Engine, Event, Settings},
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

/// One request and its response on each of `FLOWS` connections in turn.
const FLOWS: u16 = 64;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    for (body, keep, rounds) in [
        (1_024, true, 400_000),
        (1_024, false, 400_000),
        (1 << 20, true, 1_000),
    ] {
        let (exchanges, bytes, seconds) = run(body, keep, rounds);
        let (rate, gigabytes) = (exchanges / seconds, bytes / seconds / 1e9);
        if json {
            println!(
                "{{\"body\":{body},\"bodies_kept\":{keep},\"exchanges_per_second\":{rate:.0},\
                 \"gigabytes_per_second\":{gigabytes:.3}}}"
            );
        } else {
            let kept = if keep { "kept" } else { "counted" };
            println!("{body:>8} byte bodies {kept:<8} {rate:>9.0} exchanges/s {gigabytes:>6.2} GB/s");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn run(body: usize, keep: bool, rounds: u32) -> (f64, f64, f64) {
    let limits = Limits {
        body: if keep { 8 << 20 } else { 0 },
        ..Limits::default()
    };
    let mut engine = Engine::new(Settings {
        limits,
        digest: false,
        fields: true,
    });
    let request = b"GET /items/4711?page=2 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\n\
        Accept: application/json\r\nAccept-Encoding: gzip\r\n\r\n";
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\n\
         Content-Length: {body}\r\nConnection: keep-alive\r\nETag: \"abc\"\r\nAccept-Ranges: bytes\r\n\r\n"
    )
    .into_bytes();
    response.resize(response.len() + body, b'x');
    let mut flows: Vec<_> = (0..FLOWS).map(|n| Connection::open(n, &mut engine)).collect();
    let started = Instant::now();
    let mut done = 0_u32;
    let mut bytes = 0_u64;
    let mut now = 0;
    for round in 0..rounds {
        let flow = &mut flows[usize::try_from(round).unwrap_or(0) % usize::from(FLOWS)];
        now += 1_000;
        flow.send(&mut engine, now, Direction::ToServer, request);
        for part in response.chunks(16 << 10) {
            flow.send(&mut engine, now, Direction::ToClient, part);
        }
        bytes += (request.len() + response.len()) as u64;
        while let Some(event) = engine.poll() {
            if let Event::Exchange(exchange) = black_box(event) {
                assert!(exchange.is_complete(), "{:?}", exchange.incomplete);
                done += 1;
            }
        }
    }
    assert_eq!(done, rounds);
    (f64::from(done), bytes as f64, started.elapsed().as_secs_f64())
}

struct Connection {
    client: Endpoint,
    server: Endpoint,
    next: [SeqNum; 2],
}

impl Connection {
    fn open(n: u16, engine: &mut Engine) -> Self {
        let client = Endpoint::v4([10, 0, 0, 1], 20_000 + n);
        let server = Endpoint::v4([10, 0, 0, 2], 80);
        let mut flow = Self {
            client,
            server,
            next: [SeqNum(1); 2],
        };
        flow.segment(engine, 0, Direction::ToServer, Flags::SYN, &[]);
        flow.next[0] = SeqNum(2);
        flow.segment(engine, 0, Direction::ToClient, Flags::SYN.union(Flags::ACK), &[]);
        flow.next[1] = SeqNum(2);
        flow
    }

    fn send(&mut self, engine: &mut Engine, now: u64, direction: Direction, payload: &[u8]) {
        self.segment(engine, now, direction, Flags::ACK, payload);
    }

    fn segment(&mut self, engine: &mut Engine, now: u64, direction: Direction, flags: Flags, payload: &[u8]) {
        let side = usize::from(direction == Direction::ToClient);
        let (src, dst) = if side == 0 {
            (self.client, self.server)
        } else {
            (self.server, self.client)
        };
        let segment = Segment {
            at: Timestamp::from_nanos(now),
            src,
            dst,
            direction: Some(direction),
            ifindex: 0,
            seq: self.next[side],
            ack: self.next[1 - side],
            flags,
            payload,
            missing: 0,
            multipath: None,
        };
        engine.push(&segment);
        self.next[side] = self.next[side].after(payload.len() as u64);
    }
}
