//! GoReplay's files: one payload after the other, each with a line of its own in front.
//!
//! `1 ID TIME\n` and a request, `2 ID TIME LATENCY\n` and its response, `3 ...` a response of a replay, which is not used;
//! between two payloads a separator. Bounds: [`MAX_PAYLOAD`] bytes a payload, [`WAITING`] requests without their response
//! and [`WAITING_BYTES`] of them. A request whose response is not in the file is an exchange without one. The messages go through the same engine as those of a
//! capture, so that whatever has two readings is not replayed as if it were clear.

use std::{
    collections::{HashMap, VecDeque},
    io::Read,
};

use memchr::memmem;
use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Engine, Event, Settings},
    exchange::Exchange,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

use super::Reader;
use crate::{capture::SourceError, pipeline::CaptureCounters};

/// Between two payloads.
const SEPARATOR: &[u8] = "\n\u{1f435}\u{1f648}\u{1f649}\n".as_bytes();
/// The longest payload that is read.
const MAX_PAYLOAD: usize = 64 << 20;
/// Requests that wait for their response.
const WAITING: usize = 8_192;
/// Bytes of them: a packed file can hold far more than it looks.
const WAITING_BYTES: usize = 128 << 20;
const READ: usize = 256 << 10;

/// One file.
pub(super) struct Gor {
    name: String,
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` in which no separator begins.
    searched: usize,
    settings: Settings,
    waiting: HashMap<Vec<u8>, Message>,
    order: VecDeque<Vec<u8>>,
    /// Bytes of those that wait.
    held: usize,
    latest: Timestamp,
    read: u64,
    exchanges: u64,
    ended: bool,
}

/// A message with the time of its first byte.
struct Message {
    at: Timestamp,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Gor {
    /// Not what is in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gor({}, {} payloads)", self.name, self.read)
    }
}

/// Whether a file begins like one.
pub(super) fn looks_like(start: &[u8]) -> bool {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Head::parse(line).is_some()
}

struct Head<'a> {
    kind: u8,
    id: &'a [u8],
    at: Timestamp,
}

impl<'a> Head<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let kind = match words.next()? {
            [kind @ b'1'..=b'3'] => *kind,
            _ => return None,
        };
        let id = words.next()?;
        if id.is_empty() || id.len() > 64 || !id.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let at = str::from_utf8(words.next()?).ok()?.trim_end().parse().ok()?;
        Some(Self {
            kind,
            id,
            at: Timestamp::from_nanos(at),
        })
    }
}

impl Gor {
    pub(super) fn new(name: String, reader: Box<dyn Read + Send>, settings: Settings) -> Self {
        Self {
            name,
            reader,
            buffer: Vec::new(),
            searched: 0,
            settings,
            waiting: HashMap::new(),
            order: VecDeque::new(),
            held: 0,
            latest: Timestamp::default(),
            read: 0,
            exchanges: 0,
            ended: false,
        }
    }

    /// The next payload with its line; `None` at the end.
    fn payload(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        loop {
            let from = self.searched.saturating_sub(SEPARATOR.len());
            let found = self
                .buffer
                .get(from..)
                .and_then(|rest| memmem::find(rest, SEPARATOR));
            if let Some(place) = found {
                let mut payload: Vec<u8> = self.buffer.drain(..from + place + SEPARATOR.len()).collect();
                payload.truncate(from + place);
                self.searched = 0;
                return Ok(Some(payload));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > MAX_PAYLOAD {
                return Err(self.wrong("a payload of more than 64 MiB"));
            }
            let have = self.buffer.len();
            self.buffer.resize(have + READ, 0);
            let read = self
                .reader
                .read(self.buffer.get_mut(have..).unwrap_or_default())
                .map_err(|error| self.wrong(&error.to_string()))?;
            self.buffer.truncate(have + read);
            if read == 0 {
                let rest = std::mem::take(&mut self.buffer);
                self.searched = 0;
                let blank = rest.iter().all(u8::is_ascii_whitespace);
                return Ok((!blank).then_some(rest));
            }
        }
    }

    fn wrong(&self, what: &str) -> SourceError {
        SourceError::File(format!("{}: after {} payloads: {what}", self.name, self.read))
    }

    fn take(&mut self, payload: &[u8], sink: &mut dyn FnMut(Box<Exchange>)) -> Result<(), SourceError> {
        let end = memchr::memchr(b'\n', payload).unwrap_or(payload.len());
        let line = payload.get(..end).unwrap_or_default();
        let Some(Head { kind, id, at }) = Head::parse(line) else {
            return Err(self.wrong(
                "a payload without a line `TYPE ID TIME` in front; is it a file of GoReplay's --output-file?",
            ));
        };
        self.read += 1;
        let bytes = payload.get(end + 1..).unwrap_or_default().to_vec();
        match kind {
            b'1' => {
                self.latest = self.latest.max(at);
                self.held += bytes.len();
                while self.order.len() >= WAITING || self.held > WAITING_BYTES {
                    let Some(oldest) = self.order.pop_front() else {
                        break;
                    };
                    self.alone(&oldest, sink);
                }
                // Of two requests with one ID the first has no response that is surely its own.
                if self.waiting.contains_key(id) {
                    self.order.retain(|waiting| waiting != id);
                    self.alone(id, sink);
                }
                self.waiting.insert(id.to_vec(), Message { at, bytes });
                self.order.push_back(id.to_vec());
            }
            b'2' => {
                if let Some(request) = self.waiting.remove(id) {
                    self.held -= request.bytes.len();
                    self.order.retain(|waiting| waiting != id);
                    self.give(&request, Some(&Message { at, bytes }), sink);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A request that waits no longer.
    fn alone(&mut self, id: &[u8], sink: &mut dyn FnMut(Box<Exchange>)) {
        if let Some(request) = self.waiting.remove(id) {
            self.held -= request.bytes.len();
            self.give(&request, None, sink);
        }
    }

    /// An exchange as the engine sees it, on a connection of its own.
    fn give(&mut self, request: &Message, response: Option<&Message>, sink: &mut dyn FnMut(Box<Exchange>)) {
        let number = self.exchanges;
        self.exchanges += 1;
        let mut engine = Engine::new(self.settings.clone());
        let mut line = Line {
            engine: &mut engine,
            ends: [client(number), SERVER],
            next: [SeqNum(1000), SeqNum(2000)],
        };
        line.say(Direction::ToServer, request.at, Flags::SYN, &[]);
        line.say(Direction::ToClient, request.at, Flags::SYN.union(Flags::ACK), &[]);
        line.say(Direction::ToServer, request.at, Flags::ACK, &request.bytes);
        let mut end = request.at;
        if let Some(response) = response {
            end = end.max(response.at);
            line.say(Direction::ToClient, end, Flags::ACK, &response.bytes);
        }
        for direction in [Direction::ToClient, Direction::ToServer] {
            line.say(direction, end, Flags::FIN.union(Flags::ACK), &[]);
        }
        engine.finish();
        while let Some(event) = engine.poll() {
            if let Event::Exchange(exchange) = event {
                sink(exchange);
            }
        }
    }
}

const SERVER: Endpoint = Endpoint::v4([0, 0, 0, 0], 80);

/// The file does not say who asked: each is somebody else.
fn client(number: u64) -> Endpoint {
    let [.., first, second, third, high, low] = number.to_be_bytes();
    Endpoint::v4(
        [127, first, second, third],
        1024 + u16::from_be_bytes([high, low]) % 60_000,
    )
}

struct Line<'e> {
    engine: &'e mut Engine,
    ends: [Endpoint; 2],
    next: [SeqNum; 2],
}

impl Line<'_> {
    fn say(&mut self, direction: Direction, at: Timestamp, flags: Flags, payload: &[u8]) {
        let [client, server] = self.ends;
        let [to_server, to_client] = self.next;
        let (src, dst, seq, ack) = match direction {
            Direction::ToServer => (client, server, to_server, to_client),
            Direction::ToClient => (server, client, to_client, to_server),
        };
        self.engine.push(&Segment {
            at,
            src,
            dst,
            direction: Some(direction),
            ifindex: 0,
            seq,
            ack,
            flags,
            payload,
            missing: 0,
        });
        let control = u32::from(flags.contains(Flags::SYN)) + u32::from(flags.contains(Flags::FIN));
        // A payload is far shorter than 4 GiB.
        let end = seq + u32::try_from(payload.len()).unwrap_or(u32::MAX) + control;
        match direction {
            Direction::ToServer => self.next = [end, to_client],
            Direction::ToClient => self.next = [to_server, end],
        }
    }
}

impl Reader for Gor {
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        if let Some(payload) = self.payload()? {
            self.take(&payload, sink)?;
        } else {
            self.ended = true;
            for id in std::mem::take(&mut self.order) {
                self.alone(&id, sink);
            }
        }
        Ok(Some(self.latest))
    }

    fn count(&self, into: &mut CaptureCounters) {
        into.exchanges += self.exchanges;
    }
}
