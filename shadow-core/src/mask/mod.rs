//! Masks secrets in recordings, byte for byte, so that every length is preserved.
//!
//! Owns: an engine that reads the recorded segments and gives the role of each byte ([`shadow_proto::engine::Role`]),
//! and the segments that wait until the roles of their bytes are known. A byte is kept only when its role says that it
//! is not secret; bytes without a known role (another protocol, bytes around messages or after a loss, the first
//! messages of a connection that began before the recording) are masked, and unread bytes are cut off. Every copy of a
//! byte is masked alike, and a copy that differs from the one that was read is masked. Bounds: [`Bounds`]; segments
//! that wait longer, or do not fit, are written as far as they are known. Does not cover: secrets in the path of a
//! request and in the names of fields, and with [`Hide::Named`] secrets in bodies, in fields with harmless names, and
//! in parameters with harmless names.

mod text;
mod window;

#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use shadow_common::flow::FlowKey;

use crate::redact::Redactor;
use shadow_proto::{
    engine::{Engine, RangeLog, Record, Settings},
    limits::Limits,
    time::Timestamp,
    wire::{Direction, Segment},
};

use text::Renderer;
use window::Window;

/// The byte that replaces a masked one.
pub const MASK: u8 = b'*';

/// Memory of a waiting segment in addition to its payload, in bytes.
const OVERHEAD: usize = 256;

/// Which bytes are masked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hide {
    /// Content, query values, and header fields except those about framing, types and caching.
    All,
    /// Header fields and query parameters with secret names; content is kept.
    Named,
}

/// Limits on waiting segments: amount and time.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of all waiting segments.
    pub held: usize,
    /// Longest wait of a segment, in the time of the segments.
    pub wait: Duration,
    /// Bytes that are kept for later copies.
    pub window: usize,
    /// Limits of the engine that reads.
    pub limits: Limits,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            held: 32 << 20,
            wait: Duration::from_secs(2),
            window: 64 << 20,
            limits: Limits {
                memory: 64 << 20,
                // No content is kept: only its position is needed.
                body: 0,
                open_gap: Duration::from_secs(2),
                ..Limits::default()
            },
        }
    }
}

/// Masks the segments of all connections.
#[derive(Debug)]
pub struct Mask {
    engine: Engine,
    log: RangeLog,
    renderer: Renderer,
    bounds: Bounds,
    flows: HashMap<FlowKey, Flow>,
    /// The order in which segments began to wait.
    waiting: VecDeque<(Timestamp, FlowKey)>,
    amounts: Amounts,
}

/// Bytes of all connections.
#[derive(Debug, Default)]
struct Amounts {
    /// Bytes of waiting segments.
    held: usize,
    /// Bytes in windows.
    kept: usize,
}

/// One connection, while the engine reads it.
#[derive(Debug, Default)]
struct Flow {
    to_server: Window,
    to_client: Window,
    queue: VecDeque<Held>,
}

/// A segment that owns its payload.
#[derive(Debug)]
struct Held {
    facts: Segment<'static>,
    payload: Vec<u8>,
    place: StreamPosition,
}

/// A place in a stream.
#[derive(Clone, Copy, Debug)]
struct StreamPosition {
    direction: Direction,
    /// The offset of the first byte.
    at: i64,
}

impl Held {
    fn cost(&self) -> usize {
        self.payload.len() + OVERHEAD
    }

    fn segment(&self) -> Segment<'_> {
        Segment {
            payload: &self.payload,
            ..self.facts
        }
    }
}

/// Receives the masked segments.
type Write<'a> = dyn FnMut(&Segment<'_>) + 'a;

impl Mask {
    /// A masker for the bytes selected by `hide`; `redactor` has the names of secrets.
    pub fn new(hide: Hide, redactor: Redactor, bounds: Bounds) -> Self {
        let settings = Settings {
            limits: bounds.limits.clone(),
            digest: false,
            fields: false,
        };
        Self {
            engine: Engine::new(settings).report_ranges(),
            log: RangeLog::default(),
            renderer: Renderer::new(hide, redactor),
            bounds,
            flows: HashMap::new(),
            waiting: VecDeque::new(),
            amounts: Amounts::default(),
        }
    }

    /// Takes a segment, and passes it and those that waited for it to `write`, each once.
    pub fn take(&mut self, segment: &Segment<'_>, write: &mut Write<'_>) {
        self.tick(segment.at, write);
        self.engine.push(segment);
        let key = FlowKey::new(segment.src, segment.dst);
        if let Some((segment, place)) = self.follow(Some((key, segment)), write) {
            self.place(key, segment, place, write);
        }
        // Only after the segment is written: it needs the bytes that were read last.
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.trim(&mut self.amounts);
        }
        while self.amounts.held > self.bounds.held && self.give_up_oldest(write) {}
    }

    /// Advances the time: segments that have waited long enough are written as far as they are known.
    pub fn tick(&mut self, now: Timestamp, write: &mut Write<'_>) {
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
            self.follow(None, write);
        }
        let wait = self.bounds.wait;
        while self
            .waiting
            .front()
            .is_some_and(|(since, _)| *since + wait <= now)
        {
            self.give_up_oldest(write);
        }
    }

    /// Writes all waiting segments, as far as they are known.
    pub fn flush(&mut self, write: &mut Write<'_>) {
        self.waiting.clear();
        for flow in self.flows.values_mut() {
            flow.release(&mut self.amounts, true, write);
        }
    }

    /// Processes the output of the engine. Returns the pushed segment, if it is not yet written, with its place in its
    /// stream.
    fn follow<'a>(
        &mut self,
        pushed: Option<(FlowKey, &'a Segment<'a>)>,
        write: &mut Write<'_>,
    ) -> Option<(&'a Segment<'a>, Option<StreamPosition>)> {
        self.log.clear();
        self.engine.swap_ranges(&mut self.log);
        let (mut pushed, mut placed, mut last) = (pushed, None, None);
        for record in self.log.iter() {
            match record {
                Record::Placed { direction, at } => placed = Some(StreamPosition { direction, at }),
                Record::Read {
                    flow,
                    direction,
                    offset,
                    role,
                    bytes,
                } => {
                    if let Some(done) = last.replace(flow).filter(|last| *last != flow) {
                        release(&mut self.flows, done, &mut self.amounts, write);
                    }
                    let window = self.flows.entry(flow).or_default().window(direction);
                    self.amounts.kept += window.push(direction, offset, role, bytes, &self.renderer);
                }
                Record::Over(key) => {
                    let mut flow = self.flows.remove(&key).unwrap_or_default();
                    flow.release(&mut self.amounts, true, write);
                    if let Some(place) = placed.take_if(|_| pushed.is_some_and(|(own, _)| own == key))
                        && let Some((_, segment)) = pushed.take()
                    {
                        flow.window(place.direction).paint(segment, place.at, write);
                    }
                    self.amounts.kept = self.amounts.kept.saturating_sub(flow.kept());
                }
            }
        }
        if let Some(key) = last {
            release(&mut self.flows, key, &mut self.amounts, write);
        }
        self.shed();
        pushed.map(|(_, segment)| (segment, placed))
    }

    /// Writes a segment, or keeps it until its bytes are read and those before it are written.
    fn place(
        &mut self,
        key: FlowKey,
        segment: &Segment<'_>,
        place: Option<StreamPosition>,
        write: &mut Write<'_>,
    ) {
        let empty = segment.payload.is_empty();
        let waits = self.flows.get(&key).is_some_and(|flow| !flow.queue.is_empty());
        if !waits && (empty || place.is_none()) {
            return write(&without_bytes(segment));
        }
        // In a segment without a place no byte has a known role.
        let place = place.unwrap_or(StreamPosition {
            direction: Direction::ToServer,
            at: i64::MIN,
        });
        let flow = self.flows.entry(key).or_default();
        if !waits
            && flow
                .window(place.direction)
                .is_read(place.at, segment.payload.len())
        {
            flow.window(place.direction).paint(segment, place.at, write);
            return;
        }
        let held = Held {
            facts: Segment {
                payload: &[],
                ..*segment
            },
            payload: segment.payload.to_vec(),
            place,
        };
        self.amounts.held += held.cost();
        self.waiting.push_back((segment.at, key));
        flow.queue.push_back(held);
    }

    /// Writes the waiting segments of the connection that has waited longest. `false` when none waits.
    fn give_up_oldest(&mut self, write: &mut Write<'_>) -> bool {
        let Some((since, key)) = self.waiting.pop_front() else {
            return false;
        };
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.give_up(since, &mut self.amounts, write);
        }
        true
    }

    /// Drops bytes kept for later copies when there are too many: the copies are then written without their bytes.
    fn shed(&mut self) {
        if self.amounts.kept <= self.bounds.window {
            return;
        }
        self.amounts.kept = 0;
        for flow in self.flows.values_mut() {
            for direction in [Direction::ToServer, Direction::ToClient] {
                let waits = flow.queue.iter().map(|held| held.place);
                let from = waits
                    .filter(|place| place.direction == direction)
                    .map(|place| place.at)
                    .min();
                flow.window(direction).forget(from);
            }
            self.amounts.kept += flow.kept();
        }
    }
}

impl Flow {
    fn window(&mut self, direction: Direction) -> &mut Window {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn kept(&self) -> usize {
        self.to_server.kept() + self.to_client.kept()
    }

    /// Writes waiting segments in the order of capture: up to the first that is not yet read, or `all`.
    fn release(&mut self, amounts: &mut Amounts, all: bool, write: &mut Write<'_>) {
        while let Some(first) = self.queue.front() {
            let (place, len) = (first.place, first.payload.len());
            if !all && !self.window(place.direction).is_read(place.at, len) {
                return;
            }
            self.write_first(amounts, write);
        }
    }

    /// Writes the segments that have waited since that time or longer.
    fn give_up(&mut self, since: Timestamp, amounts: &mut Amounts, write: &mut Write<'_>) {
        while self.queue.front().is_some_and(|first| first.facts.at <= since) {
            self.write_first(amounts, write);
        }
        self.release(amounts, false, write);
        self.trim(amounts);
    }

    fn write_first(&mut self, amounts: &mut Amounts, write: &mut Write<'_>) {
        if let Some(first) = self.queue.pop_front() {
            amounts.held = amounts.held.saturating_sub(first.cost());
            let place = first.place;
            self.window(place.direction)
                .paint(&first.segment(), place.at, write);
        }
    }

    /// When nothing waits, keeps only the newest bytes, for copies of them.
    fn trim(&mut self, amounts: &mut Amounts) {
        if self.queue.is_empty() {
            let freed = self.to_server.trim() + self.to_client.trim();
            amounts.kept = amounts.kept.saturating_sub(freed);
        }
    }
}

fn release(flows: &mut HashMap<FlowKey, Flow>, key: FlowKey, amounts: &mut Amounts, write: &mut Write<'_>) {
    if let Some(flow) = flows.get_mut(&key) {
        flow.release(amounts, false, write);
    }
}

/// The segment as if a snap length had cut its payload off.
fn without_bytes<'a>(segment: &Segment<'a>) -> Segment<'a> {
    let length = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
    Segment {
        payload: &[],
        missing: segment.missing.saturating_add(length),
        ..*segment
    }
}
