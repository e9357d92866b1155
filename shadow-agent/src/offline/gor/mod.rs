//! GoReplay's files: a sequence of payloads, each preceded by a header line.
//!
//! `1 ID TIME\n` and a request, `2 ID TIME LATENCY\n` and its response, `3 ...` a response of a replay, which is not
//! used; a separator between two payloads. Messages are matched by id, in any order and over all files. Bounds:
//! `MAX_PAYLOAD` bytes a payload, [`WAITING`] unmatched messages and [`WAITING_BYTES`] of them. A request without a
//! response becomes an exchange without one; a response without a request, and an unreadable record, are counted with
//! their place. The messages go through the same engine as those of a capture, so that ambiguous ones are not replayed.

mod file;

use std::{
    collections::{HashMap, VecDeque},
    io::Read,
    sync::Arc,
};

use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Engine, Event, Settings},
    exchange::Exchange,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

use super::{FeedState, Reader, har};
use crate::{capture::SourceError, pipeline::CaptureCounters};
pub(super) use file::looks_like;
use file::{File, Head, Record};

/// Messages that wait for their counterpart.
const WAITING: usize = 8_192;
/// Limit of their bytes: a compressed file can expand far beyond its size.
const WAITING_BYTES: usize = 128 << 20;
const SKIPPED: &str = "records are not replayed for this reason";

/// All files of a run.
pub(super) struct Gor {
    files: Vec<File>,
    settings: Settings,
    state: Arc<FeedState>,
    waiting: HashMap<Vec<u8>, Waiting>,
    /// In the order of arrival. Matched messages remain until they reach the front or are too many.
    order: VecDeque<(u64, Vec<u8>)>,
    /// Bytes of the messages that wait.
    held: usize,
    latest: Timestamp,
    arrived: u64,
    exchanges: u64,
    orphans: u64,
    ended: bool,
}

/// A message without its counterpart.
struct Waiting {
    number: u64,
    is_request: bool,
    message: Message,
}

/// A message with the time of its first byte, and its place.
struct Message {
    at: Timestamp,
    bytes: Vec<u8>,
    place: String,
}

impl std::fmt::Debug for Gor {
    /// Omits the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gor({} files, {} messages)", self.files.len(), self.arrived)
    }
}

impl Gor {
    pub(super) fn new(
        files: Vec<(String, Box<dyn Read + Send>)>,
        settings: Settings,
        state: &Arc<FeedState>,
    ) -> Self {
        for (name, _) in &files {
            state.notes.file(name, "GoReplay");
        }
        Self {
            files: files
                .into_iter()
                .map(|(name, reader)| File::new(name, reader))
                .collect(),
            settings,
            state: Arc::clone(state),
            waiting: HashMap::new(),
            order: VecDeque::new(),
            held: 0,
            latest: Timestamp::default(),
            arrived: 0,
            exchanges: 0,
            orphans: 0,
            ended: false,
        }
    }

    /// Reads more of the file with the earliest time; `false` when all have ended.
    fn step(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> bool {
        let earliest = (0..self.files.len()).min_by_key(|place| self.files.get(*place).map(|file| file.at));
        let Some((place, file)) = earliest.and_then(|place| Some((place, self.files.get_mut(place)?))) else {
            return false;
        };
        match file.record() {
            Ok(Some(record)) => {
                let name = file.name.clone();
                self.state.notes.records(&name, 1);
                self.take(place, record, sink);
            }
            Ok(None) => drop(self.files.remove(place)),
            Err(error) => {
                let place_of = file.place();
                drop(self.files.remove(place));
                if !self.state.is_ending() {
                    let what = "files are damaged; what comes before the damage is used";
                    self.state
                        .notes
                        .add("damaged", 1, what, || format!("{place_of}: {error}"));
                }
            }
        }
        true
    }

    fn take(&mut self, file: usize, record: Record, sink: &mut dyn FnMut(Box<Exchange>)) {
        let Record { place, payload } = record;
        let payload = file::without_blanks(&payload);
        let end = memchr::memchr(b'\n', payload).unwrap_or(payload.len());
        let Some(Head { kind, id, at }) = payload.get(..end).and_then(Head::parse) else {
            return self.broken(self.latest, place, sink);
        };
        let message = Message {
            at,
            bytes: payload.get(end + 1..).unwrap_or_default().to_vec(),
            place,
        };
        match kind {
            b'1' | b'2' => {
                let is_request = kind == b'1';
                if is_request && let Some(file) = self.files.get_mut(file) {
                    file.at = file.at.max(at);
                }
                self.latest = self.latest.max(at);
                self.pair(id, is_request, message, sink);
            }
            _ => {
                let what = "responses of former replays were left out";
                self.state
                    .notes
                    .add("replayed_response", 1, what, || message.place);
            }
        }
    }

    fn pair(&mut self, id: &[u8], is_request: bool, message: Message, sink: &mut dyn FnMut(Box<Exchange>)) {
        if let Some(other) = self.remove(id) {
            match (is_request, other.is_request) {
                (true, false) => return self.give(&message, Some(&other.message), sink),
                (false, true) => return self.give(&other.message, Some(&message), sink),
                // Of two requests with one id, the first has no response that is certainly its own.
                _ => self.alone(other, sink),
            }
        }
        self.arrived += 1;
        let number = self.arrived;
        self.held += message.bytes.len();
        let waiting = Waiting {
            number,
            is_request,
            message,
        };
        self.waiting.insert(id.to_vec(), waiting);
        self.order.push_back((number, id.to_vec()));
        self.make_room(sink);
    }

    /// Releases the oldest messages while too many wait.
    fn make_room(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) {
        while self.waiting.len() > WAITING || self.held > WAITING_BYTES {
            let Some((number, id)) = self.order.pop_front() else {
                break;
            };
            if self.waits(number, &id)
                && let Some(oldest) = self.remove(&id)
            {
                self.alone(oldest, sink);
            }
        }
        if self.order.len() > 2 * WAITING {
            let order = std::mem::take(&mut self.order);
            self.order = order
                .into_iter()
                .filter(|(number, id)| self.waits(*number, id))
                .collect();
        }
    }

    fn waits(&self, number: u64, id: &[u8]) -> bool {
        self.waiting
            .get(id)
            .is_some_and(|waiting| waiting.number == number)
    }

    fn remove(&mut self, id: &[u8]) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        self.held -= waiting.message.bytes.len();
        Some(waiting)
    }

    /// Handles a message whose counterpart did not come.
    fn alone(&mut self, waiting: Waiting, sink: &mut dyn FnMut(Box<Exchange>)) {
        let Waiting {
            is_request, message, ..
        } = waiting;
        if is_request {
            return self.give(&message, None, sink);
        }
        self.orphans += 1;
        let what = "responses have no request in the files";
        self.state.notes.add("unrequested", 1, what, || message.place);
    }

    /// Handles a record that is not a message: it has no verdict, but is counted.
    fn broken(&mut self, at: Timestamp, place: String, sink: &mut dyn FnMut(Box<Exchange>)) {
        let exchange = har::broken(self.exchanges, at);
        self.exchanges += 1;
        self.state.notes.add("bad_record", 1, SKIPPED, || place);
        sink(Box::new(exchange));
    }

    /// Passes an exchange through the engine, on a connection of its own.
    fn give(&mut self, request: &Message, response: Option<&Message>, sink: &mut dyn FnMut(Box<Exchange>)) {
        let number = self.exchanges;
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
        let mut given = 0;
        while let Some(event) = engine.poll() {
            match event {
                Event::Exchange(exchange) => {
                    given += 1;
                    if let Some(reason) = exchange.incomplete {
                        self.state
                            .notes
                            .add(reason.as_str(), 1, SKIPPED, || request.place.clone());
                    }
                    sink(exchange);
                }
                Event::Orphan(_) => self.orphans += 1,
                Event::Abandoned(..) => {}
            }
        }
        self.exchanges += given;
        if given == 0 {
            self.broken(request.at, request.place.clone(), sink);
        }
    }
}

const SERVER: Endpoint = Endpoint::v4([0, 0, 0, 0], 80);

/// The file does not name the clients: each request gets a different one.
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
            multipath: None,
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
        if !self.step(sink) {
            self.ended = true;
            for (number, id) in std::mem::take(&mut self.order) {
                if self.waits(number, &id)
                    && let Some(waiting) = self.remove(&id)
                {
                    self.alone(waiting, sink);
                }
            }
        }
        let reached = self.files.iter().map(|file| file.at).min();
        Ok(Some(reached.unwrap_or(self.latest)))
    }

    fn count(&self, into: &mut CaptureCounters) {
        into.exchanges += self.exchanges;
        into.orphans += self.orphans;
    }
}
