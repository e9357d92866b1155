//! From frames to exchanges: one stream is one exchange.

use super::{
    conn::Conn,
    frame::FrameHead,
    hpack::Fields,
    message::Sorted,
    side::Block,
    stream::{Ended, Phase, Stream},
};
use crate::{
    exchange::Incomplete,
    protocol::{Context, Event},
    time::Timestamp,
    wire::Direction,
};

/// Streams of one connection for each request that HTTP/1 may have waiting (`Limits::pipeline`).
const STREAMS: usize = 8;

/// Streams whose late frames are recognised after they ended early.
const MOST_GONE: usize = 256;

/// The error code REFUSED_STREAM: nothing of the request was processed (RFC 9113 section 8.7).
const REFUSED: u32 = 7;

impl Conn {
    /// Handles a complete field block, of which `bytes` are all fragments.
    pub(super) fn block(&mut self, direction: Direction, block: &Block, bytes: &[u8], ctx: &mut Context<'_>) {
        let side = self.side(direction);
        let fields = if block.fault.is_some() {
            side.hpack.lose();
            Fields {
                unknown: true,
                ..Fields::default()
            }
        } else {
            match side.hpack.decode(bytes, &ctx.settings.limits) {
                Ok(fields) => fields,
                Err(_broken) => {
                    if let Some(stream) = self.streams.get_mut(&block.stream) {
                        stream.blame(Some(Incomplete::Malformed));
                    }
                    return self.refuse(direction, ctx);
                }
            }
        };
        if block.promise {
            ctx.out.counters.h2_pushes += 1;
            return;
        }
        if block.stream.is_multiple_of(2) {
            // A pushed response (section 8.4): nobody asked for it here.
            return;
        }
        let mut sorted = Sorted::of(fields);
        sorted.fault = block.fault.or(sorted.fault);
        match direction {
            Direction::ToServer => self.request_block(block, sorted, ctx),
            Direction::ToClient => self.response_block(block, sorted, ctx),
        }
        self.settle(block.stream, ctx);
    }

    fn request_block(&mut self, block: &Block, sorted: Sorted, ctx: &mut Context<'_>) {
        let id = block.stream;
        if let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.asked) {
            if stream.request.phase == Phase::Open && block.ends && !sorted.has_pseudo() {
                let (trailers, fault) = sorted.into_trailers(ctx.settings.fields);
                stream.request.trailers = trailers;
                stream.blame(fault);
                stream.request.end(self.client.last);
            } else {
                stream.blame(Some(Incomplete::Malformed));
                if self.client.doubt.is_some() {
                    self.refuse(Direction::ToServer, ctx);
                }
            }
            return;
        }
        let doubt = self.client.doubt;
        let highest = if doubt.is_some() {
            self.highest.max(self.highest_unsure)
        } else {
            self.highest
        };
        if id <= highest {
            // The trailers of a stream that is not followed any more; a request would have a higher number.
            if sorted.has_pseudo() {
                self.refuse(Direction::ToServer, ctx);
            }
            return;
        }
        if !sorted.may_be_request() {
            return;
        }
        if self.streams.contains_key(&id) {
            // A response was read before: it is not known to answer this.
            self.finish(id, None, ctx);
        }
        match doubt {
            Some(_) => self.highest_unsure = id,
            None => self.highest = id,
        }
        self.open(block, sorted, ctx);
    }

    /// Begins an exchange.
    fn open(&mut self, block: &Block, sorted: Sorted, ctx: &mut Context<'_>) {
        ctx.out.counters.requests += 1;
        let mut stream = Stream::new(ctx.flow);
        stream.asked = true;
        let start = block.start.at;
        (stream.head_end, stream.ack) = (self.client.frame_end, start.ack);
        stream.exchange.index = self.next_index;
        self.next_index += 1;
        stream.exchange.timing.request_first = Some(start.at);
        stream.request.length = sorted.length;
        let tunnel = sorted.is_connect().then_some(Incomplete::H2Tunnel);
        let (request, fault) = sorted.into_request(ctx.settings.fields);
        stream.exchange.request = request;
        stream.blame(tunnel.or(self.client.doubt).or(fault));
        stream.request.strict = block.start.segment && start.ack.is_some();
        stream.request.phase = Phase::Open;
        stream.request.last = Some(self.client.last);
        if block.ends {
            stream.request.end(self.client.last);
        }
        self.insert(block.stream, stream);
        self.bound(ctx);
    }

    /// Gives up the oldest streams when there are too many.
    fn bound(&mut self, ctx: &mut Context<'_>) {
        while self.streams.len() > ctx.settings.limits.pipeline.saturating_mul(STREAMS)
            && let Some((&oldest, _)) = self.streams.first_key_value()
        {
            self.finish(oldest, Some(Incomplete::PipelineFull), ctx);
        }
    }

    fn response_block(&mut self, block: &Block, sorted: Sorted, ctx: &mut Context<'_>) {
        let id = block.stream;
        let interim = sorted
            .status()
            .is_some_and(|status| (101..200).contains(&status) || status == 100);
        let missed = self.server.missed.unwrap_or(Incomplete::Malformed);
        let last = self.server.last;
        if !self.streams.contains_key(&id) {
            if interim || sorted.status().is_none() || self.gone.contains(&id) {
                return;
            }
            let mut orphan = Stream::new(ctx.flow);
            orphan.blame(
                self.server
                    .doubt
                    .or(self.client.missed)
                    .or(Some(Incomplete::Unrequested)),
            );
            self.insert(id, orphan);
            self.bound(ctx);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match stream.response.phase {
            Phase::Before if interim && !block.ends => ctx.out.counters.interim_responses += 1,
            Phase::Before if !sorted.has_pseudo() && !sorted.has_unknown() => {
                // Trailers: the head was missed.
                stream.blame(Some(missed));
                if block.ends {
                    stream.response.end(last);
                }
            }
            Phase::Before => self.begin_response(block, sorted, ctx),
            Phase::Open if block.ends && !sorted.has_pseudo() => {
                let (trailers, fault) = sorted.into_trailers(ctx.settings.fields);
                stream.response.trailers = trailers;
                stream.blame(fault);
                stream.response.end(last);
            }
            Phase::Open | Phase::Done => {
                stream.blame(Some(Incomplete::Malformed));
                if block.ends {
                    stream.response.end(last);
                }
            }
        }
    }

    fn begin_response(&mut self, block: &Block, sorted: Sorted, ctx: &mut Context<'_>) {
        let (doubt, last) = (self.server.doubt, self.server.last);
        let Some(stream) = self.streams.get_mut(&block.stream) else {
            return;
        };
        ctx.out.counters.responses += 1;
        let start = block.start.at;
        stream.response.length = sorted.length;
        let (response, fault) = sorted.into_response(ctx.settings.fields);
        stream.exchange.response = response;
        stream.exchange.timing.response_first = Some(start.at);
        // It was sent after the head of the request had arrived, and the request before any of it had.
        let early = start.ack.is_some_and(|ack| ack < stream.head_end);
        let late = stream.ack.is_some_and(|ack| ack > start.offset);
        let impossible = stream.asked && (early || late);
        stream.blame(doubt.or(fault).or(impossible.then_some(Incomplete::Midstream)));
        stream.response.strict = block.start.segment && start.ack.is_some() && !impossible;
        stream.response.phase = Phase::Open;
        stream.response.last = Some(last);
        if block.ends {
            stream.response.end(last);
        }
    }

    /// Handles content.
    pub(super) fn data(
        &mut self,
        direction: Direction,
        id: u32,
        bytes: &[u8],
        (fault, at): (Option<Incomplete>, Timestamp),
        ctx: &mut Context<'_>,
    ) {
        let missed = self.side(direction).missed.unwrap_or(Incomplete::Malformed);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.blame(fault);
        let tunnel = stream.fault == Some(Incomplete::H2Tunnel);
        let half = stream.half(direction);
        match half.phase {
            Phase::Open if tunnel => {}
            Phase::Open => half.push(bytes, ctx.settings),
            Phase::Before => stream.blame(Some(missed)),
            Phase::Done => stream.blame(Some(Incomplete::Malformed)),
        }
        let half = stream.half(direction);
        half.last = half.last.max(Some(at));
        self.charge(id);
    }

    /// Handles content that was not captured, in a frame whose end is known, or other bytes of such a frame.
    pub(super) fn lose_data(
        &mut self,
        direction: Direction,
        head: &FrameHead,
        content: u32,
        reason: Incomplete,
        ctx: &mut Context<'_>,
    ) {
        if head.kind == super::frame::Kind::Data
            && let Some(stream) = self.streams.get_mut(&head.stream)
        {
            stream.half(direction).lose(content.into(), ctx.settings);
            stream.blame(Some(reason));
        }
    }

    /// Handles the end of a message without trailers.
    pub(super) fn end_message(
        &mut self,
        direction: Direction,
        id: u32,
        fault: Option<Incomplete>,
        ctx: &mut Context<'_>,
    ) {
        let last = self.side(direction).last;
        let missed = self.side(direction).missed.unwrap_or(Incomplete::Malformed);
        if let Some(stream) = self.streams.get_mut(&id) {
            let before = stream.half(direction).phase == Phase::Before;
            stream.blame(fault.or(before.then_some(missed)));
            stream.half(direction).end(last);
        }
        self.settle(id, ctx);
    }

    /// Handles RST_STREAM.
    pub(super) fn reset(&mut self, direction: Direction, id: u32, code: Option<u32>, ctx: &mut Context<'_>) {
        ctx.out.counters.h2_resets += 1;
        let refused = direction == Direction::ToClient && code == Some(REFUSED);
        let reason = if refused {
            Incomplete::H2Unprocessed
        } else {
            Incomplete::H2Reset
        };
        self.finish(id, Some(reason), ctx);
    }

    /// Handles GOAWAY: a server processes no stream above the one it names (section 6.8).
    pub(super) fn go_away(&mut self, direction: Direction, last: Option<u32>, ctx: &mut Context<'_>) {
        let (Direction::ToClient, Some(last)) = (direction, last) else {
            return;
        };
        let above = (last & 0x7fff_ffff).saturating_add(1);
        let unprocessed: Vec<u32> = self
            .streams
            .range(above..)
            .filter(|(_, stream)| stream.response.phase == Phase::Before)
            .map(|(id, _)| *id)
            .collect();
        for id in unprocessed {
            self.finish(id, Some(Incomplete::H2Unprocessed), ctx);
        }
    }

    /// Adds a stream.
    pub(super) fn insert(&mut self, id: u32, stream: Stream) {
        self.streams.insert(id, stream);
        self.charge(id);
    }

    /// Counts the bytes that a stream holds.
    fn charge(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            let held = stream.held();
            self.held = (self.held + held).saturating_sub(stream.charged);
            stream.charged = held;
        }
    }

    /// Reports an exchange whose messages both ended.
    fn settle(&mut self, id: u32, ctx: &mut Context<'_>) {
        match self.streams.get(&id).map(Stream::is_done) {
            Some(true) => self.finish(id, None, ctx),
            Some(false) => self.charge(id),
            None => {}
        }
    }

    /// Ends a stream and reports it.
    pub(super) fn finish(&mut self, id: u32, reason: Option<Incomplete>, ctx: &mut Context<'_>) {
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        self.held = self.held.saturating_sub(stream.charged);
        if !stream.is_done() {
            self.gone.push_back(id);
            if self.gone.len() > MOST_GONE {
                self.gone.pop_front();
            }
        }
        let (client, server) = stream.proves();
        let (proves, ended) = (reason.is_none(), stream.finish(reason));
        match ended {
            Ended::Exchange(exchange) => {
                if proves
                    && !matches!(
                        exchange.incomplete,
                        Some(Incomplete::Malformed | Incomplete::Midstream)
                    )
                {
                    if client {
                        self.client.prove();
                    }
                    if server {
                        self.server.prove();
                    }
                    if self.client.doubt.is_none() {
                        self.highest = self.highest.max(self.highest_unsure);
                    }
                }
                ctx.out.counters.count_exchange(exchange.incomplete);
                ctx.out.events.push_back(Event::Exchange(exchange));
            }
            Ended::Orphan(orphan) => {
                ctx.out.counters.orphans += 1;
                ctx.out.events.push_back(Event::Orphan(orphan));
            }
            Ended::Nothing => {}
        }
    }

    /// Ends every stream.
    pub(super) fn finish_all(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        while let Some((&id, _)) = self.streams.first_key_value() {
            self.finish(id, Some(reason), ctx);
        }
    }
}
