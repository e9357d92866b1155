//! Both directions of one connection.
//!
//! A response belongs to the request on its stream, so neither direction decides what the other means. Bytes wait only
//! until the bytes that their sender had received were read: then a request comes before its response, whatever the
//! order of capture was.

use std::collections::{BTreeMap, VecDeque};

use super::{
    side::{Block, Frame, FrameStart, Side, State},
    stream::{Phase, Stream},
};
use crate::{
    exchange::{Exchange, Incomplete},
    protocol::{Abandon, Chunk, Context, End},
    wire::Direction,
};

/// HTTP/2 on one connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(super) client: Side,
    pub(super) server: Side,
    /// Streams of requests by their number. The lowest is the oldest.
    pub(super) streams: BTreeMap<u32, Stream>,
    /// The highest stream that a request was seen on, while its frames were certain.
    pub(super) highest: u32,
    /// The same while they are not.
    pub(super) highest_unsure: u32,
    /// The last streams that ended before their response did, or were given up. Their frames may still come.
    pub(super) gone: VecDeque<u32>,
    pub(super) next_index: u64,
    /// Bytes held by the streams.
    pub(super) held: usize,
    abandoned: Option<Abandon>,
}

impl Conn {
    /// At the client's preface, of which `have` bytes were read. `known`: whether the connection was seen from its
    /// beginning. `positions`: how far both directions were read.
    pub(crate) fn at_preface(have: usize, known: bool, positions: [u64; 2]) -> Self {
        let [client, server] = positions;
        let server = if known {
            Side::new(State::BETWEEN, server)
        } else {
            Side::joined(server)
        };
        Self::of(Side::new(State::Preface(have), client), server)
    }

    /// After a response with status 101. `asked`: the request, and the offset after its head; its response comes on
    /// stream 1 (RFC 7540 section 3.2).
    pub(crate) fn upgraded(asked: (Box<Exchange>, u64, Option<u64>), positions: [u64; 2]) -> Self {
        let [client, server] = positions;
        let mut conn = Self::of(
            Side::new(State::Preface(0), client),
            Side::new(State::BETWEEN, server),
        );
        // The HTTP2-Settings field counts as acknowledged SETTINGS, and is not decoded.
        conn.server.lose_settings();
        let (exchange, head_end, ack) = asked;
        let mut stream = Stream::new(exchange.flow);
        conn.next_index = exchange.index + 1;
        stream.request.last = exchange.timing.request_last;
        stream.exchange = exchange;
        stream.upgraded();
        (stream.head_end, stream.ack) = (head_end, ack);
        conn.highest = 1;
        conn.insert(1, stream);
        conn
    }

    /// In the middle of a connection.
    pub(crate) fn joined(positions: [u64; 2]) -> Self {
        let [client, server] = positions;
        Self::of(Side::joined(client), Side::joined(server))
    }

    /// Another connection on the same endpoints, of which the handshake was not captured: the client's preface begins.
    pub(super) fn restart(&mut self, pos: u64, ctx: &mut Context<'_>) {
        self.finish_all(Incomplete::H2Gap, ctx);
        self.gone.clear();
        (self.highest, self.highest_unsure) = (0, 0);
        self.client = Side::new(State::Preface(0), pos);
        self.lose(Direction::ToClient, Incomplete::H2JoinedMidway, ctx);
    }

    fn of(client: Side, server: Side) -> Self {
        Self {
            client,
            server,
            streams: BTreeMap::new(),
            highest: 0,
            highest_unsure: 0,
            gone: VecDeque::new(),
            next_index: 0,
            held: 0,
            abandoned: None,
        }
    }

    /// Why nothing more needs to be read.
    pub(crate) fn abandoned(&self) -> Option<Abandon> {
        self.abandoned
    }

    /// Whether nothing has shown yet that this is HTTP/2.
    pub(crate) fn is_unproven(&self) -> bool {
        self.client.doubt == Some(Incomplete::H2JoinedMidway)
            && self.server.doubt == Some(Incomplete::H2JoinedMidway)
    }

    /// Bytes held.
    pub(crate) fn buffered(&self) -> usize {
        self.client.held() + self.server.held() + self.held
    }

    /// Offset up to which one stream was read.
    pub(crate) fn read_to(&self, direction: Direction) -> u64 {
        match direction {
            Direction::ToServer => self.client.pos,
            Direction::ToClient => self.server.pos,
        }
    }

    pub(super) fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    /// Reads bytes; returns how many were used. If fewer than given, offer the rest again after the other direction.
    pub(crate) fn read(&mut self, direction: Direction, chunk: &Chunk<'_>, ctx: &mut Context<'_>) -> usize {
        if self.abandoned.is_none() && chunk.ack > Some(self.read_to(direction.reverse())) {
            return 0;
        }
        let side = self.side(direction);
        side.last = side.last.max(chunk.at);
        let mut used = 0;
        while let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty()) {
            if self.abandoned.is_some() {
                return chunk.bytes.len();
            }
            used += self.step(direction, chunk, rest, ctx);
        }
        self.side(direction).pos = chunk.offset + used as u64;
        used
    }

    /// Skips `lost` bytes that were not captured.
    pub(crate) fn gap(&mut self, direction: Direction, lost: u64, ctx: &mut Context<'_>) {
        if self.abandoned.is_some() {
            return;
        }
        ctx.out.counters.gaps += 1;
        ctx.out.counters.gap_bytes += lost;
        let side = self.side(direction);
        side.pos = side.pos.saturating_add(lost);
        let inside = match &side.state {
            State::Closed => return,
            State::Search => false,
            // In doubt, the length of this frame is a guess, too.
            State::Payload(frame) => side.doubt.is_none() && u64::from(frame.left) >= lost,
            State::Preface(_) | State::Head { .. } => false,
        };
        if inside {
            self.skip(direction, lost, ctx);
        } else {
            self.lose(direction, Incomplete::H2Gap, ctx);
        }
    }

    /// Ends one stream of bytes.
    pub(crate) fn end(&mut self, direction: Direction, end: End, ctx: &mut Context<'_>) {
        let side = self.side(direction);
        if matches!(side.state, State::Closed) {
            return;
        }
        side.state = State::Closed;
        side.block = None;
        let (open, cut): (fn(&Stream) -> Phase, _) = match direction {
            Direction::ToServer => (|stream| stream.request.phase, Incomplete::RequestCut),
            Direction::ToClient => (|stream| stream.response.phase, Incomplete::ResponseCut),
        };
        let reason = end.reason(cut);
        let cut: Vec<u32> = self
            .streams
            .iter()
            .filter(|(_, stream)| open(stream) == Phase::Open)
            .map(|(id, _)| *id)
            .collect();
        for id in cut {
            self.finish(id, Some(reason), ctx);
        }
    }

    /// Ends the connection, or drops its state.
    pub(crate) fn close(&mut self, end: End, ctx: &mut Context<'_>) {
        self.end(Direction::ToServer, end, ctx);
        self.end(Direction::ToClient, end, ctx);
        self.finish_all(end.reason(Incomplete::NoResponse), ctx);
    }

    /// Stops reading both sides.
    pub(crate) fn abandon(&mut self, reason: Abandon, ctx: &mut Context<'_>) {
        self.abandoned.get_or_insert(reason);
        self.client.state = State::Closed;
        self.server.state = State::Closed;
        self.finish_all(Incomplete::NoResponse, ctx);
    }

    /// From here on, the captured stream may differ from what the application reads.
    pub(crate) fn distrust(&mut self, reason: Incomplete, abandon: Abandon, ctx: &mut Context<'_>) {
        self.finish_all(reason, ctx);
        self.abandon(abandon, ctx);
    }

    /// Frames of one direction were missed, or what was read was none: a message that is open in it may lack some.
    pub(super) fn lose(&mut self, direction: Direction, reason: Incomplete, ctx: &mut Context<'_>) {
        ctx.out.counters.out_of_step += 1;
        self.side(direction).lose(reason);
        // The lost bytes may have held SETTINGS, or the acknowledgement of some.
        self.client.lose_settings();
        self.server.lose_settings();
        self.highest_unsure = self.highest;
        for stream in self.streams.values_mut() {
            let half = match direction {
                Direction::ToServer => &mut stream.request,
                Direction::ToClient => &mut stream.response,
            };
            half.strict = false;
            if half.phase == Phase::Open {
                stream.blame(Some(reason));
            }
        }
    }

    /// Handles frames that no receiver accepts. In doubt, they were none; otherwise the sender is at fault, and the
    /// receiver closes the connection.
    pub(super) fn refuse(&mut self, direction: Direction, ctx: &mut Context<'_>) {
        let side = self.side(direction);
        match side.doubt {
            Some(reason) => self.lose(direction, reason, ctx),
            None if side.began => self.abandon(Abandon::OutOfStep, ctx),
            None => self.abandon(Abandon::Http2, ctx),
        }
    }

    /// Skips lost bytes within the payload of a frame.
    fn skip(&mut self, direction: Direction, lost: u64, ctx: &mut Context<'_>) {
        let side = self.side(direction);
        let State::Payload(frame) = &mut side.state else {
            return;
        };
        let reason = match direction {
            Direction::ToServer => Incomplete::RequestGap,
            Direction::ToClient => Incomplete::ResponseGap,
        };
        frame.fault = frame.fault.or(Some(reason));
        if core::mem::take(&mut frame.pad_length_next) {
            // How much of the rest is padding is not known: some of it counts as content, which is not whole.
            frame.left = frame.left.saturating_sub(1);
        }
        let lost = u32::try_from(lost).unwrap_or(u32::MAX).min(frame.left);
        let content = lost.min(frame.left.saturating_sub(frame.padding));
        frame.left -= lost;
        let (head, done) = (frame.head, frame.left == 0);
        self.lose_data(direction, &head, content, reason, ctx);
        if done {
            self.end_frame(direction, None, ctx);
        }
    }

    /// Removes the frame that was read completely.
    pub(super) fn take_frame(&mut self, direction: Direction) -> Option<Frame> {
        let side = self.side(direction);
        match core::mem::replace(&mut side.state, State::BETWEEN) {
            State::Payload(frame) => Some(frame),
            other => {
                side.state = other;
                None
            }
        }
    }

    /// Begins a field block.
    pub(super) fn open_block(
        &mut self,
        direction: Direction,
        start: FrameStart,
        stream: u32,
        kind: (bool, bool),
    ) {
        let (ends, promise) = kind;
        self.side(direction).block = Some(Block {
            stream,
            ends,
            promise,
            start,
            bytes: Vec::new(),
            fault: None,
        });
    }
}
