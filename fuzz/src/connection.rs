//! One connection as a transcript, in the format of `shadow-proto/tests/transcripts`: nothing is held at the end, and
//! a conversation without gaps gives the same result in one piece and byte by byte.

use bytes::Bytes;
use shadow_proto::{
    engine::{Engine, Event, Settings},
    exchange::Flow,
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

/// Most bytes of all lines together; repeats are cut there.
const LONGEST: usize = 1 << 16;

/// Input: a transcript; invalid lines are skipped.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    same(&lines(&text));
}

/// Compares the results in one piece and byte by byte.
pub fn same(lines: &[Line]) {
    let whole = drive(lines, usize::MAX);
    let bytes = drive(lines, 1);
    // After a gap the reader starts again at a segment boundary, so the boundaries may matter there.
    if lines.iter().all(|line| matches!(line, Line::Data(..))) {
        assert_eq!(whole, bytes, "in one piece and byte by byte");
    }
}

/// One line of the conversation: its sender (0 is the client), and its content.
pub enum Line {
    Data(usize, Bytes),
    Lost(usize, u32),
    End(usize, Flags),
    Wait(u64),
}

pub fn lines(text: &str) -> Vec<Line> {
    let mut room = LONGEST;
    let mut lines = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut data = |from| {
            let mut bytes = unescape(rest, room);
            bytes.truncate(room);
            room -= bytes.len();
            Line::Data(from, bytes.into())
        };
        lines.push(match word {
            ">>>" | ">~>" | ">->" => data(0),
            "<<<" | "<~<" | "<-<" => data(1),
            "><>" | "<><" => match rest.trim().parse() {
                Ok(lost) => Line::Lost(usize::from(word == "<><"), lost),
                Err(_) => continue,
            },
            ">|" => Line::End(0, Flags::FIN),
            "<|" => Line::End(1, Flags::FIN),
            ">!" => Line::End(0, Flags::RST),
            "<!" => Line::End(1, Flags::RST),
            "..." => match rest.trim().trim_end_matches('s').parse::<u16>() {
                Ok(seconds) => Line::Wait(u64::from(seconds)),
                Err(_) => continue,
            },
            _ => continue,
        });
    }
    lines
}

/// Resolves escapes, leaving invalid ones unchanged; at most about `most` bytes.
fn unescape(text: &str, most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(place) = rest.find('\\').filter(|_| out.len() < most) {
        out.extend_from_slice(&rest.as_bytes()[..place]);
        let escape = &rest[place + 1..];
        let Some(kind) = escape.chars().next() else { break };
        rest = &escape[kind.len_utf8()..];
        match kind {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'x' => {
                let byte = rest
                    .get(..2)
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                out.push(byte.unwrap_or(b'x'));
                rest = rest.get(2..).unwrap_or_default();
            }
            '{' => {
                let (inner, behind) = rest.split_once('}').unwrap_or((rest, ""));
                let (piece, times) = inner.rsplit_once('*').unwrap_or((inner, "1"));
                let times: usize = times.parse().unwrap_or(1);
                out.extend(piece.as_bytes().repeat(times.min(most / piece.len().max(1))));
                rest = behind;
            }
            _ => out.push(b'\\'),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The complete exchanges as text, with segments of at most `size` bytes.
fn drive(lines: &[Line], size: usize) -> Vec<String> {
    let limits = Limits {
        body: 1 << 10,
        head: 4 << 10,
        ..Limits::default()
    };
    let memory = limits.memory;
    let mut wire = Wire::new(Engine::new(Settings {
        limits,
        digest: true,
        fields: true,
    }));
    for line in lines {
        wire.now += 1_000_000;
        match line {
            Line::Data(from, bytes) => {
                for piece in bytes.chunks(size.min(bytes.len()).max(1)) {
                    wire.say(*from, Flags::ACK, piece);
                }
            }
            Line::Lost(from, lost) => wire.next[*from] = wire.next[*from].wrapping_add(*lost),
            Line::End(from, flags) => wire.say(*from, flags.union(Flags::ACK), &[]),
            Line::Wait(seconds) => wire.wait(*seconds),
        }
        assert!(wire.engine.usage().buffered <= memory);
    }
    wire.engine.finish();
    wire.take();
    assert_eq!(wire.engine.usage().buffered, 0, "after the end");
    wire.said
}

/// The two ends and the resulting events.
struct Wire {
    engine: Engine,
    flow: Flow,
    next: [u32; 2],
    now: u64,
    said: Vec<String>,
}

impl Wire {
    fn new(engine: Engine) -> Self {
        let mut wire = Self {
            engine,
            flow: super::engine::flow(0),
            // The wrap is in the first heads.
            next: [u32::MAX - 9, 4_000],
            now: 0,
            said: Vec::new(),
        };
        wire.say(0, Flags::SYN, &[]);
        wire.say(1, Flags::SYN.union(Flags::ACK), &[]);
        wire
    }

    fn say(&mut self, from: usize, flags: Flags, payload: &[u8]) {
        let Flow { client, server } = self.flow;
        let ends = [client, server];
        self.engine.push(&Segment {
            at: Timestamp::from_nanos(self.now),
            src: ends[from],
            dst: ends[1 - from],
            direction: Some(if from == 0 {
                Direction::ToServer
            } else {
                Direction::ToClient
            }),
            ifindex: 0,
            seq: SeqNum(self.next[from]),
            ack: SeqNum(self.next[1 - from]),
            flags,
            payload,
            missing: 0,
            multipath: None,
        });
        let len = u32::try_from(payload.len()).expect("short");
        let control = u32::from(flags.contains(Flags::SYN) || flags.contains(Flags::FIN));
        self.next[from] = self.next[from].wrapping_add(len).wrapping_add(control);
        self.take();
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds * 1_000_000_000;
        let until = Timestamp::from_nanos(self.now);
        let mut last = None;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            assert!(
                last.is_none_or(|last| last < due),
                "a timeout that was handled stays due: {due:?}"
            );
            last = Some(due);
            self.engine.handle_timeout(due);
            self.take();
        }
    }

    fn take(&mut self) {
        while let Some(event) = self.engine.poll() {
            if let Event::Exchange(exchange) = event
                && exchange.is_complete()
            {
                let status = exchange.response.as_ref().map(|response| response.status);
                let body = exchange.response.as_ref().map(|response| response.body.blake3());
                let request = &exchange.request;
                self.said.push(format!(
                    "{:?} {:?} {status:?} {body:?}",
                    request.method, request.target
                ));
            }
        }
    }
}
