//! Measures the speed of the engine alone: one thread, segments in memory, small and large bodies, either version of
//! HTTP.
//!
//! HTTP/2 is as usual clients and servers send it: the first exchange of a connection inserts its fields into the
//! dynamic tables, later ones refer to them, and the path is a literal in each request.
//!
//! Time is the CPU time of the thread, so that other programs do not count. The runs of both versions alternate; the
//! figures are medians.
//!
//! `cargo run --release -p shadow-proto --example engine_speed [-- --json]`

use std::{fs, hint::black_box, time::Duration};

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

const PATH: &str = "/items/4711?page=2";
const REQUEST: [(&str, &str); 4] = [
    ("host", "shop.example"),
    ("user-agent", "bench/1.0"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip"),
];
const RESPONSE: [(&str, &str); 6] = [
    ("server", "nginx"),
    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("content-type", "application/json"),
    ("content-length", ""),
    ("etag", "\"abc\""),
    ("accept-ranges", "bytes"),
];

/// The payload of a DATA frame.
const FRAME: usize = 16 << 10;

#[derive(Clone, Copy, Eq, PartialEq)]
enum Version {
    Http1,
    Http2,
}

/// Runs of each kind.
const RUNS: usize = 5;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    for (body, keep, rounds) in [
        (1_024, true, 100_000),
        (1_024, false, 100_000),
        (1 << 20, true, 400),
    ] {
        let mut runs = [Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            for (version, runs) in [Version::Http1, Version::Http2].into_iter().zip(&mut runs) {
                runs.push(run(version, body, keep, rounds));
            }
        }
        for (runs, number) in runs.iter().zip(1..) {
            let (rate, gigabytes) = (median(runs, |run| run.0), median(runs, |run| run.1));
            if json {
                println!(
                    "{{\"http\":{number},\"body\":{body},\"bodies_kept\":{keep},\
                     \"exchanges_per_second\":{rate:.0},\"gigabytes_per_second\":{gigabytes:.3}}}"
                );
            } else {
                let kept = if keep { "kept" } else { "counted" };
                println!(
                    "HTTP/{number} {body:>8} byte bodies {kept:<8} {rate:>9.0} exchanges/s {gigabytes:>6.2} GB/s"
                );
            }
        }
    }
}

fn median(runs: &[(f64, f64)], of: fn(&(f64, f64)) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// CPU time of this thread so far.
fn spent() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds on a CPU"))
}

/// Exchanges and gigabytes per second.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn run(version: Version, body: usize, keep: bool, rounds: u32) -> (f64, f64) {
    let limits = Limits {
        body: if keep { 8 << 20 } else { 0 },
        ..Limits::default()
    };
    let mut engine = Engine::new(Settings {
        limits,
        digest: false,
        fields: true,
    });
    let [first, mut later] = match version {
        Version::Http1 => [Exchange::http1(body), Exchange::http1(body)],
        Version::Http2 => [Exchange::http2(body, true), Exchange::http2(body, false)],
    };
    let mut flows: Vec<_> = (0..FLOWS).map(|n| Connection::open(n, &mut engine)).collect();
    // Not measured: the first exchange of each connection.
    for flow in &mut flows {
        flow.exchange(&mut engine, 1, &first);
        while engine.poll().is_some() {}
    }
    let started = spent();
    let mut done = 0_u32;
    let mut bytes = 0_u64;
    for round in 0..rounds {
        let turn = round / u32::from(FLOWS);
        let flow = &mut flows[usize::try_from(round).unwrap_or(0) % usize::from(FLOWS)];
        later.set_stream(2 * turn + 3);
        bytes += flow.exchange(&mut engine, 1_000 * (u64::from(round) + 2), &later);
        while let Some(event) = engine.poll() {
            if let Event::Exchange(exchange) = black_box(event) {
                assert!(exchange.is_complete(), "{:?}", exchange.incomplete);
                done += 1;
            }
        }
    }
    assert_eq!(done, rounds);
    let seconds = spent().saturating_sub(started).as_secs_f64();
    (f64::from(done) / seconds, bytes as f64 / seconds / 1e9)
}

/// The bytes of a request and its response.
struct Exchange {
    halves: [Vec<u8>; 2],
    /// Where they name their stream.
    streams: [Vec<usize>; 2],
}

impl Exchange {
    fn http1(body: usize) -> Self {
        let fields = |list: &[(&str, &str)]| -> String {
            let line = |(name, value): &(&str, &str)| match *name {
                "content-length" => format!("{name}: {body}\r\n"),
                _ => format!("{name}: {value}\r\n"),
            };
            list.iter().map(line).collect()
        };
        let request = format!("GET {PATH} HTTP/1.1\r\n{}\r\n", fields(&REQUEST));
        let mut response = format!("HTTP/1.1 200 OK\r\n{}\r\n", fields(&RESPONSE)).into_bytes();
        response.resize(response.len() + body, b'x');
        Self {
            halves: [request.into_bytes(), response],
            streams: Default::default(),
        }
    }

    /// The first one of a connection begins with the preface and inserts its fields.
    fn http2(body: usize, is_first: bool) -> Self {
        let mut made = Self {
            halves: Default::default(),
            streams: Default::default(),
        };
        if is_first {
            made.halves[0].extend(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            // SETTINGS, and the acknowledgement of the other's.
            for half in &mut made.halves {
                half.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
            }
            made.halves[1].extend([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        }
        // :method GET and :scheme http from the static table, :path as a literal; :status 200.
        let mut request = vec![0x82, 0x86, 0x04];
        string(PATH, &mut request);
        let mut response = vec![0x88];
        for (list, block) in [(&REQUEST[..], &mut request), (&RESPONSE[..], &mut response)] {
            for (place, (name, value)) in list.iter().enumerate() {
                if is_first {
                    block.push(0x40);
                    string(if *name == "host" { ":authority" } else { name }, block);
                    let length = body.to_string();
                    string(if *name == "content-length" { &length } else { value }, block);
                } else {
                    // The newest entry has the index 62.
                    block.push(0x80 | u8::try_from(61 + list.len() - place).expect("few fields"));
                }
            }
        }
        made.frame(0, (1, 5), &request);
        made.frame(1, (1, 4), &response);
        let content = vec![b'x'; body];
        let parts = content.chunks(FRAME);
        let last = parts.len() - 1;
        for (place, part) in parts.enumerate() {
            made.frame(1, (0, u8::from(place == last)), part);
        }
        made.set_stream(1);
        made
    }

    fn frame(&mut self, side: usize, (kind, flags): (u8, u8), payload: &[u8]) {
        let half = &mut self.halves[side];
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        half.extend([length[1], length[2], length[3], kind, flags]);
        self.streams[side].push(half.len());
        half.extend([0; 4]);
        half.extend(payload);
    }

    fn set_stream(&mut self, stream: u32) {
        for (half, places) in self.halves.iter_mut().zip(&self.streams) {
            for place in places {
                half[*place..place + 4].copy_from_slice(&stream.to_be_bytes());
            }
        }
    }
}

/// A string of HPACK without Huffman coding.
fn string(text: &str, block: &mut Vec<u8>) {
    block.push(u8::try_from(text.len()).expect("a short text"));
    block.extend(text.as_bytes());
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

    /// Sends both halves, and returns their bytes.
    fn exchange(&mut self, engine: &mut Engine, now: u64, exchange: &Exchange) -> u64 {
        let [request, response] = &exchange.halves;
        self.segment(engine, now, Direction::ToServer, Flags::ACK, request);
        for part in response.chunks(16 << 10) {
            self.segment(engine, now, Direction::ToClient, Flags::ACK, part);
        }
        (request.len() + response.len()) as u64
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
