//! Secrets out of what is recorded, byte for byte, so that every length stays what it was.
//!
//! Owns: the place of each segment in its stream, and the messages in it ([`stream`]). What is kept is known not to be
//! secret; what cannot be placed (the capture began later, bytes were lost, the framing has two readings, it is no
//! HTTP/1) is recorded as headers and a length, without its bytes, until the next message that begins for certain.
//! Bounds: [`FLOWS`] connections (all are forgotten together when there are more, which costs bytes and shows none),
//! [`HELD`] segments that came early. Does not cover: secrets in the path of a request, and with `headers` secrets in
//! bodies, in fields with harmless names, and in parameters with harmless names.

mod stream;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use shadow_common::flow::FlowKey;
use shadow_core::redact::Redactor;
use shadow_proto::{
    http1::is_request_line,
    seq::SeqNum,
    wire::{Direction, Flags, Segment},
};

use stream::{Found, Side, Stream};

/// Connections that are followed at once.
const FLOWS: usize = 65_536;
/// Segments of one direction that wait for bytes in front of them.
const HELD: usize = 64;
/// Bytes of all of them together.
const HELD_BYTES: usize = 32 << 20;
/// Requests of one connection whose answer was not seen yet.
const ASKED: usize = 1024;

/// What is masked in a recording.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// Bodies, query values, and header fields except those about framing, types and caching
    #[default]
    All,
    /// Header fields and query parameters whose names say that they are secret; bodies are kept
    Headers,
    /// Nothing: as tcpdump does
    None,
}

impl Redact {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Headers => "headers",
            Self::None => "none",
        }
    }
}

/// What is masked, and the names behind which secrets are.
#[derive(Debug)]
pub(super) struct Masks {
    pub(super) redact: Redact,
    pub(super) redactor: Redactor,
}

/// A segment with a payload of its own.
#[derive(Debug)]
struct Held {
    facts: Segment<'static>,
    payload: Vec<u8>,
}

/// Masks the segments of all connections.
#[derive(Debug)]
pub(super) struct Mask {
    masks: Masks,
    flows: HashMap<FlowKey, Flow>,
    held_bytes: usize,
}

#[derive(Debug, Default)]
struct Flow {
    to_server: Half,
    to_client: Half,
    /// Requests without an answer yet: where they end, and whether they are HEAD.
    asked: VecDeque<(SeqNum, bool)>,
    /// Not HTTP/1 any more.
    over: bool,
}

#[derive(Debug, Default)]
struct Half {
    next: Option<SeqNum>,
    stream: Stream,
    early: Vec<Held>,
    fin: bool,
}

impl Mask {
    pub(super) fn new(masks: Masks) -> Self {
        Self {
            masks,
            flows: HashMap::new(),
            held_bytes: 0,
        }
    }

    /// Masks a segment, and gives it and those that waited for it to `write`.
    pub(super) fn take(&mut self, segment: &Segment<'_>, write: &mut dyn FnMut(&Segment<'_>)) {
        let key = FlowKey::new(segment.src, segment.dst);
        if self.flows.len() >= FLOWS && !self.flows.contains_key(&key) {
            self.flush(write);
        }
        let direction = segment.direction.unwrap_or(Direction::ToServer);
        let Self {
            masks,
            flows,
            held_bytes,
        } = self;
        let flow = flows.entry(key).or_default();
        if segment.flags.contains(Flags::SYN) {
            flow.opens(direction, segment, held_bytes, write);
        }
        if flow.must_wait(direction, segment, *held_bytes) {
            *held_bytes += segment.payload.len();
            flow.half(direction).early.push(Held {
                facts: Segment {
                    payload: &[],
                    ..*segment
                },
                payload: segment.payload.to_vec(),
            });
            return;
        }
        flow.place(direction, segment, masks, write);
        flow.release(direction, masks, held_bytes, write);
        if segment.flags.contains(Flags::RST) || flow.to_server.fin && flow.to_client.fin {
            flow.give_up(held_bytes, write);
            flows.remove(&key);
        }
    }

    /// Writes what waits, without its bytes.
    pub(super) fn flush_early(&mut self, write: &mut dyn FnMut(&Segment<'_>)) {
        for flow in self.flows.values_mut() {
            flow.give_up(&mut self.held_bytes, write);
        }
    }

    /// The same, and forgets everything.
    fn flush(&mut self, write: &mut dyn FnMut(&Segment<'_>)) {
        self.flush_early(write);
        self.flows.clear();
    }
}

impl Flow {
    fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    /// A connection begins: both directions will be in step.
    fn opens(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        held_bytes: &mut usize,
        write: &mut dyn FnMut(&Segment<'_>),
    ) {
        if direction == Direction::ToServer && self.to_server.next != Some(segment.seq + 1) {
            self.give_up(held_bytes, write);
            *self = Self::default();
        }
        let half = self.half(direction);
        if half.next.is_none() {
            half.next = Some(segment.seq + 1);
            half.stream.begin();
        }
    }

    /// Whether bytes in front of these may still come.
    fn must_wait(&mut self, direction: Direction, segment: &Segment<'_>, held_bytes: usize) -> bool {
        let half = self.half(direction);
        let ahead = half.next.is_some_and(|next| segment.seq.distance_from(next) > 0);
        ahead
            && !segment.payload.is_empty()
            && !half.stream.is_lost()
            && half.early.len() < HELD
            && held_bytes + segment.payload.len() <= HELD_BYTES
    }

    /// Writes a segment that need not wait.
    fn place(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        masks: &Masks,
        write: &mut dyn FnMut(&Segment<'_>),
    ) {
        let half = self.half(direction);
        half.fin |= segment.flags.contains(Flags::FIN);
        if segment.payload.is_empty() {
            return write(segment);
        }
        let start = segment.seq + u32::from(segment.flags.contains(Flags::SYN));
        let distance = half.next.map_or(1, |next| start.distance_from(next));
        if distance < 0 {
            // A copy of what was recorded, or bytes in front of the beginning.
            return write(&without_bytes(segment));
        }
        if distance > 0 {
            half.stream.lose();
        }
        let length = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        half.next = Some(start + length + segment.missing);
        if half.stream.is_lost() {
            let begins = match direction {
                Direction::ToServer => is_request_line(segment.payload),
                Direction::ToClient => segment.payload.starts_with(b"HTTP/1."),
            };
            if !begins || self.over {
                return write(&without_bytes(segment));
            }
            if direction == Direction::ToServer {
                // Whose answers come next is not known.
                self.asked.clear();
            }
            self.half(direction).stream.begin();
        }
        self.mask(direction, start, segment, masks, write);
    }

    fn mask(
        &mut self,
        direction: Direction,
        start: SeqNum,
        segment: &Segment<'_>,
        masks: &Masks,
        write: &mut dyn FnMut(&Segment<'_>),
    ) {
        let side = match direction {
            Direction::ToServer => Side::Requests,
            Direction::ToClient => Side::Responses,
        };
        let mut payload = segment.payload.to_vec();
        let mut at = 0;
        while let Some((place, found)) = self.half(direction).stream.read(side, &mut payload, at, masks) {
            at = place;
            match found {
                Found::Request { head } if self.asked.len() < ASKED => {
                    let end = start + u32::try_from(place).unwrap_or(u32::MAX);
                    self.asked.push_back((end, head));
                }
                Found::Request { .. } | Found::Over => self.over = true,
                Found::Response => {
                    let answers = self
                        .asked
                        .front()
                        .filter(|(end, _)| segment.ack.distance_from(*end) >= 0)
                        .map(|(_, head)| *head);
                    self.to_client.stream.answers(answers);
                }
                Found::Answered => drop(self.asked.pop_front()),
            }
        }
        if self.over {
            self.to_server.stream.lose();
            self.to_client.stream.lose();
        }
        if segment.missing > 0 {
            self.half(direction).stream.lose();
        }
        write(&Segment {
            payload: &payload,
            ..*segment
        });
    }

    /// Those that waited, as far as their turn has come.
    fn release(
        &mut self,
        direction: Direction,
        masks: &Masks,
        held_bytes: &mut usize,
        write: &mut dyn FnMut(&Segment<'_>),
    ) {
        loop {
            let half = self.half(direction);
            let lost = half.stream.is_lost();
            let next = half.next;
            let due = |held: &Held| lost || next.is_none_or(|next| held.facts.seq.distance_from(next) <= 0);
            let Some(place) = half.early.iter().position(due) else {
                return;
            };
            let held = half.early.remove(place);
            *held_bytes = held_bytes.saturating_sub(held.payload.len());
            let segment = Segment {
                payload: &held.payload,
                ..held.facts
            };
            self.place(direction, &segment, masks, write);
        }
    }

    fn give_up(&mut self, held_bytes: &mut usize, write: &mut dyn FnMut(&Segment<'_>)) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for held in self.half(direction).early.drain(..) {
                *held_bytes = held_bytes.saturating_sub(held.payload.len());
                let segment = Segment {
                    payload: &held.payload,
                    ..held.facts
                };
                write(&without_bytes(&segment));
            }
        }
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
