//! Both directions of one connection, kept synchronised.
//!
//! The directions depend on each other: a response to HEAD has no body, CONNECT and Upgrade end HTTP, and a response
//! is only read after the request that it may answer. Each `read` may therefore consume less than it is given; the
//! rest is offered again after the other direction has advanced.

use super::pair::{Pair, Pending};
use super::{requests::Requests, responses::Responses};
use crate::{
    exchange::Incomplete,
    protocol::{Abandon, Chunk, Context, End, Event},
    seq::SeqNum,
    wire::Direction,
};

/// HTTP/1 on one connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(super) client: Requests,
    pub(super) server: Responses,
    pub(super) pair: Pair,
    /// No more requests are read; the connection is abandoned once the last one is answered.
    pub(super) leaving: Option<Abandon>,
    abandoned: Option<Abandon>,
    /// The connection has changed to HTTP/2; nothing more is read here.
    pub(super) switch: Option<Switch>,
}

/// How a connection changed to HTTP/2.
#[derive(Debug)]
pub(crate) enum Switch {
    /// The client's preface began.
    Preface,
    /// A response with status 101 accepted the upgrade (h2c) that this request asked for.
    Upgraded(Box<Pending>),
}

impl Conn {
    /// `in_step` when the connection was seen from its beginning.
    pub(crate) fn new(in_step: bool) -> Self {
        Self {
            client: Requests::new(in_step),
            server: Responses::new(),
            pair: Pair::new(in_step),
            leaving: None,
            abandoned: None,
            switch: None,
        }
    }

    /// As [`Conn::new`] for the middle of a connection, of which both directions were read up to `positions`.
    pub(crate) fn resumed([client, server]: [u64; 2]) -> Self {
        let mut conn = Self::new(false);
        conn.client.pos = client;
        conn.server.pos = server;
        conn
    }

    /// The change to HTTP/2, once the bytes before it were read.
    pub(crate) fn take_switch(&mut self) -> Option<Switch> {
        self.switch.take()
    }

    /// Whether every message since the beginning of the connection was seen.
    pub(crate) fn is_in_step(&self) -> bool {
        self.pair.is_in_step()
    }

    /// The sequence number of the first request that is not done.
    pub(crate) fn unfinished(&self) -> Option<SeqNum> {
        let begun = self.client.begun();
        self.pair
            .first()
            .and_then(|first| first.exchange.place.begins)
            .or(begun)
    }

    /// Why nothing more needs to be read.
    pub(crate) fn abandoned(&self) -> Option<Abandon> {
        self.abandoned
    }

    /// Whether no request was seen yet, so that the guess which side is the client may still be wrong.
    pub(crate) fn is_fresh(&self) -> bool {
        self.pair.is_fresh()
    }

    /// Bytes held.
    pub(crate) fn buffered(&self) -> usize {
        self.client.buffered() + self.server.buffered() + self.pair.held()
    }

    /// Reads bytes; returns how many were used. If fewer than given, offer the rest again after the other direction.
    pub(crate) fn read(&mut self, direction: Direction, chunk: &Chunk<'_>, ctx: &mut Context<'_>) -> usize {
        if self.abandoned.is_some() {
            return chunk.bytes.len();
        }
        match direction {
            Direction::ToServer => self.read_requests(chunk, ctx),
            Direction::ToClient => self.read_responses(chunk, ctx),
        }
    }

    /// Offset up to which one stream was read.
    pub(crate) fn read_to(&self, direction: Direction) -> u64 {
        match direction {
            Direction::ToServer => self.client.pos(),
            Direction::ToClient => self.server.pos(),
        }
    }

    /// Whether bytes with this acknowledgement must wait until the other stream was read up to it.
    pub(crate) fn waits(&self, direction: Direction, ack: Option<u64>) -> bool {
        ack > Some(self.read_to(direction.reverse()))
    }

    /// Skips `lost` bytes that were not captured.
    pub(crate) fn gap(&mut self, direction: Direction, lost: u64, ctx: &mut Context<'_>) {
        if self.abandoned.is_some() {
            return;
        }
        ctx.out.counters.gaps += 1;
        ctx.out.counters.gap_bytes += lost;
        match direction {
            Direction::ToServer => self.request_gap(lost, ctx),
            Direction::ToClient => self.response_gap(lost, ctx),
        }
    }

    /// Ends one stream.
    pub(crate) fn end(&mut self, direction: Direction, end: End, ctx: &mut Context<'_>) {
        if self.abandoned.is_some() {
            return;
        }
        match direction {
            Direction::ToServer => self.end_requests(end, ctx),
            Direction::ToClient => self.end_responses(end, ctx),
        }
    }

    /// Ends the connection, or drops its state.
    pub(crate) fn close(&mut self, end: End, ctx: &mut Context<'_>) {
        // The client's side first: a cut request is reported as cut, not as unanswered.
        self.end(Direction::ToServer, end, ctx);
        self.end(Direction::ToClient, end, ctx);
        self.give_up_pending(end.reason(Incomplete::NoResponse), ctx);
    }

    /// Reports the front exchange once both messages were read. `response_end` is the offset after its response.
    pub(super) fn finish_front(&mut self, response_end: Option<u64>, ctx: &mut Context<'_>) {
        if let Some(done) = self.pair.pop_answered(response_end) {
            report(done, ctx);
        }
        if self.pair.is_hopeless() {
            self.leave(Abandon::OutOfStep, ctx);
        }
        self.settle(ctx);
    }

    /// Message boundaries were lost in one direction: nothing that follows can be counted.
    pub(crate) fn lose_step(&mut self, ctx: &mut Context<'_>) {
        ctx.out.counters.out_of_step += 1;
        self.pair.lose_step();
        if self.pair.is_hopeless() {
            self.leave(Abandon::OutOfStep, ctx);
        }
    }

    /// Stops reading requests; those that wait for a response still get it.
    pub(super) fn leave(&mut self, reason: Abandon, ctx: &mut Context<'_>) {
        self.leaving.get_or_insert(reason);
        self.stop_requests(ctx);
        for pending in self.pair.give_up(Incomplete::Midstream, Pending::is_unsure) {
            report(pending, ctx);
        }
        self.settle(ctx);
    }

    /// Gives up every request that waits for a response.
    pub(super) fn give_up_pending(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        for pending in self.pair.give_up(reason, |_| true) {
            report(pending, ctx);
        }
        self.settle(ctx);
    }

    /// Stops reading both sides.
    pub(crate) fn abandon(&mut self, reason: Abandon, ctx: &mut Context<'_>) {
        self.abandoned.get_or_insert(reason);
        self.stop_requests(ctx);
        self.server.close();
        for pending in self.pair.give_up(Incomplete::NoResponse, |_| true) {
            report(pending, ctx);
        }
    }

    /// From here on, the captured stream may differ from what the application reads.
    pub(crate) fn distrust(&mut self, reason: Incomplete, abandon: Abandon, ctx: &mut Context<'_>) {
        self.give_up_pending(reason, ctx);
        self.abandon(abandon, ctx);
    }

    pub(super) fn settle(&mut self, ctx: &mut Context<'_>) {
        if let Some(reason) = self.leaving
            && self.abandoned.is_none()
            && self.pair.is_empty()
        {
            self.abandon(reason, ctx);
        }
    }
}

/// Emits one exchange.
pub(super) fn report(pending: Pending, ctx: &mut Context<'_>) {
    let incomplete = pending.incomplete();
    let mut exchange = pending.exchange;
    exchange.incomplete = incomplete;
    ctx.out.counters.count_exchange(incomplete);
    ctx.out.events.push_back(Event::Exchange(exchange));
}
