//! All files of a run as one feed: in order, at the configured pace, from a position on.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use shadow_common::flow::Endpoint;
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{AHEAD, HELD, HELD_BYTES, LogSettings, Pace, Reader, Selection, notes::Notes};
use crate::{
    capture::SourceError,
    pipeline::{CaptureCounters, Fed, Feed},
};

/// Sleeping ends slightly late; the rest of the wait is a busy loop.
const AWAKE: Duration = Duration::from_micros(120);

/// Opens the files again for each loop.
type Open = Box<dyn FnMut() -> Result<Vec<Box<dyn Reader>>, SourceError> + Send>;

/// State shared by the feed and its observers.
#[derive(Debug, Default)]
pub struct FeedState {
    /// Set to end in an orderly way: nothing more is fed.
    pub end: AtomicBool,
    /// Bytes of the files that were read.
    pub bytes: AtomicU64,
    /// Exchanges that were passed on.
    pub exchanges: AtomicU64,
    /// Exchanges that were read.
    read: AtomicU64,
    /// Of these, the ones that were passed on or skipped.
    passed: AtomicU64,
    /// Whether everything was passed on.
    pub complete: AtomicBool,
    /// Servers that must not be replayed to.
    refused: Mutex<Vec<SocketAddr>>,
    under_way: Mutex<UnderWay>,
    /// The formats of the files, and records that could not be used.
    pub notes: Notes,
    /// The hop of a capture that is replayed.
    pub(super) select: Selection,
    /// How access logs are read.
    pub(super) logs: LogSettings,
}

/// Exchanges that are still referenced.
#[derive(Debug, Default)]
struct UnderWay {
    held: VecDeque<(u64, Weak<Exchange>)>,
    next: u64,
}

impl FeedState {
    /// For a run that replays one hop of a capture, or access logs that are read in this way.
    pub fn asked(select: Selection, logs: LogSettings) -> Self {
        Self {
            select,
            logs,
            ..Self::default()
        }
    }

    /// A recording of one of these servers ends the run: it would be replayed to production.
    pub fn refuse(&self, servers: &[SocketAddr]) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.extend(
            servers
                .iter()
                .map(|server| SocketAddr::new(server.ip().to_canonical(), server.port())),
        );
    }

    /// Whether the run is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.end.load(Relaxed)
    }

    fn refused(&self, exchange: &Exchange) -> Option<SocketAddr> {
        let Endpoint { addr, port } = exchange.flow.server;
        let server = SocketAddr::new(IpAddr::V6(Ipv6Addr::from(addr)).to_canonical(), port);
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.contains(&server).then_some(server)
    }

    /// The progress of the run, in bytes of the files: data read ahead counts when its exchanges are passed on.
    pub fn position(&self) -> u64 {
        let [bytes, passed, read] =
            [&self.bytes, &self.passed, &self.read].map(|number| u128::from(number.load(Relaxed)));
        u64::try_from(bytes * passed.min(read) / read.max(1)).unwrap_or(u64::MAX)
    }

    /// The number of exchanges that are done, up to the first one that is not.
    pub fn done(&self) -> u64 {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while under_way
            .held
            .front()
            .is_some_and(|(_, exchange)| exchange.strong_count() == 0)
        {
            under_way.held.pop_front();
        }
        under_way.held.front().map_or(under_way.next, |(index, _)| *index)
    }

    fn hand_on(&self, index: u64, exchange: &Arc<Exchange>) {
        self.exchanges.fetch_add(1, Relaxed);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.held.push_back((index, Arc::downgrade(exchange)));
        under_way.next = index + 1;
        // Bounded by the size of the pipeline: finished exchanges at the front are forgotten at once.
        while under_way
            .held
            .front()
            .is_some_and(|(_, exchange)| exchange.strong_count() == 0)
        {
            under_way.held.pop_front();
        }
    }

    fn start_at(&self, index: u64) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).next = index;
    }
}

/// An exchange that waits for its turn.
pub(super) struct Waiting {
    pub(super) at: Timestamp,
    /// The order of completion, for exchanges of the same time.
    pub(super) number: u64,
    pub(super) bytes: usize,
    pub(super) exchange: Box<Exchange>,
}

impl Waiting {
    fn key(&self) -> (Timestamp, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The files of a run.
pub struct Files {
    open: Open,
    readers: Vec<(Timestamp, Box<dyn Reader>)>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    waiting_bytes: usize,
    number: u64,
    loops: u64,
    pace: Pace,
    /// The index of the next exchange in the order of the replay.
    index: u64,
    /// Exchanges below this index were done by a previous run.
    skip: u64,
    state: Arc<FeedState>,
    /// Counts of finished loops.
    counted: CaptureCounters,
    opened: bool,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("waiting", &self.waiting.len())
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// A feed of the files of `open`, repeated `loops` times, that starts at exchange number `skip`.
    pub(crate) fn new(open: Open, loops: u64, pace: Pace, skip: u64, state: Arc<FeedState>) -> Self {
        state.start_at(skip);
        Self {
            open,
            readers: Vec::new(),
            waiting: BinaryHeap::new(),
            waiting_bytes: 0,
            number: 0,
            loops,
            pace,
            index: 0,
            skip,
            state,
            counted: CaptureCounters::default(),
            opened: false,
        }
    }

    /// Reads until the next exchange is known; `false` when there are no more.
    fn ready(&mut self) -> Result<bool, SourceError> {
        loop {
            if !self.opened {
                if self.loops == 0 {
                    return Ok(false);
                }
                self.loops -= 1;
                self.opened = true;
                self.pace.restart();
                self.readers = (self.open)()?
                    .into_iter()
                    .map(|reader| (Timestamp::default(), reader))
                    .collect();
            }
            let reached = self.readers.iter().map(|(at, _)| *at).min();
            let full = self.waiting.len() >= HELD || self.waiting_bytes >= HELD_BYTES;
            let next = self.waiting.peek().map(|Reverse(next)| next.at);
            match (next, reached) {
                (Some(_), None) => return Ok(true),
                (Some(at), Some(reached)) if full || at + AHEAD <= reached => return Ok(true),
                (None, None) => self.opened = false,
                (_, Some(_)) => self.read_on()?,
            }
        }
    }

    /// Reads more of the file with the earliest time.
    fn read_on(&mut self) -> Result<(), SourceError> {
        let Self {
            readers,
            waiting,
            waiting_bytes,
            number,
            counted,
            state,
            ..
        } = self;
        let earliest = (0..readers.len()).min_by_key(|place| readers.get(*place).map(|(at, _)| *at));
        let Some((place, (at, reader))) = earliest.and_then(|place| Some((place, readers.get_mut(place)?)))
        else {
            return Ok(());
        };
        let read = reader.read(&mut |exchange| {
            let bytes = weight(&exchange);
            *waiting_bytes += bytes;
            *number += 1;
            waiting.push(Reverse(Waiting {
                at: exchange.timing.request_first.unwrap_or_default(),
                number: *number,
                bytes,
                exchange,
            }));
        })?;
        state.read.store(*number, Relaxed);
        if let Some(reached) = read {
            *at = reached;
        } else {
            reader.count(counted);
            drop(readers.remove(place));
        }
        Ok(())
    }
}

/// The bytes that an exchange keeps in memory.
pub(super) fn weight(exchange: &Exchange) -> usize {
    let response = exchange.response.as_ref().map_or(0, |response| {
        response.body.kept.len() + response.headers.allocated()
    });
    1024 + exchange.request.body.kept.len() + exchange.request.headers.allocated() + response
}

impl Feed for Files {
    fn next(&mut self, wait: Duration) -> Result<Fed, SourceError> {
        loop {
            if self.state.end.load(Relaxed) {
                return Ok(Fed::End);
            }
            if !self.ready()? {
                self.state.complete.store(true, Relaxed);
                return Ok(Fed::End);
            }
            let Some(Reverse(next)) = self.waiting.peek() else {
                return Ok(Fed::End);
            };
            if self.index >= self.skip {
                let now = Instant::now();
                let due = self.pace.due(next.at, now).unwrap_or(now);
                let left = due.saturating_duration_since(now);
                if left > wait {
                    thread::sleep(wait);
                    return Ok(Fed::Idle);
                }
                thread::sleep(left.saturating_sub(AWAKE));
                while Instant::now() < due {
                    std::hint::spin_loop();
                }
            }
            let Some(Reverse(Waiting { bytes, exchange, .. })) = self.waiting.pop() else {
                return Ok(Fed::End);
            };
            self.waiting_bytes -= bytes;
            let index = self.index;
            self.index += 1;
            self.state.passed.store(self.index, Relaxed);
            if index < self.skip {
                continue;
            }
            if let Some(server) = self.state.refused(&exchange) {
                return Err(SourceError::Refused(format!(
                    "the shadow system {server} is the server that answered in the recording: this would be a replay to \
                     production; give the address of the new system, or --same-server if it stands there now"
                )));
            }
            let exchange: Arc<Exchange> = exchange.into();
            self.state.hand_on(index, &exchange);
            return Ok(Fed::Exchange(exchange));
        }
    }

    fn handed_on(&mut self, replays: usize) {
        self.pace.replayed(u64::from(replays > 0));
    }

    fn count(&self, into: &mut CaptureCounters) {
        *into = self.counted.clone();
        for (_, reader) in &self.readers {
            reader.count(into);
        }
        into.exchanges = self.state.exchanges.load(Relaxed);
    }
}
