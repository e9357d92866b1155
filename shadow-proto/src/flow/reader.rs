//! The reader of the protocol that a connection speaks.
//!
//! Every connection begins as HTTP/1. Its reader finds the client's preface of HTTP/2 and an accepted upgrade to it; on
//! a connection that was joined in the middle, whole frames do.

use crate::{
    exchange::Incomplete,
    http1::{
        self,
        conn::{Conn as Http1, Switch},
    },
    http2::{self, Conn as Http2},
    protocol::{Abandon, Chunk, Context, End},
    seq::SeqNum,
    wire::Direction,
};

/// One connection, in its protocol.
#[derive(Debug)]
pub(super) enum Reader {
    Http1(Box<Http1>),
    Http2(Box<Http2>),
}

/// Calls the method of this name on either reader.
macro_rules! either {
    ($reader:expr, $conn:ident => $call:expr) => {
        match $reader {
            Reader::Http1($conn) => $call,
            Reader::Http2($conn) => $call,
        }
    };
}

impl Reader {
    /// `in_step` when the connection was seen from its beginning.
    pub(super) fn new(in_step: bool) -> Self {
        Self::Http1(Box::new(Http1::new(in_step)))
    }

    /// Why nothing more needs to be read.
    pub(super) fn abandoned(&self) -> Option<Abandon> {
        either!(self, conn => conn.abandoned())
    }

    /// Whether no message was seen yet, so that the guess which side is the client may still be wrong.
    pub(super) fn is_fresh(&self) -> bool {
        match self {
            Self::Http1(conn) => conn.is_fresh(),
            Self::Http2(_) => false,
        }
    }

    /// Bytes held.
    pub(super) fn buffered(&self) -> usize {
        either!(self, conn => conn.buffered())
    }

    /// Offset up to which one stream was read.
    pub(super) fn read_to(&self, direction: Direction) -> u64 {
        either!(self, conn => conn.read_to(direction))
    }

    /// Whether bytes with this acknowledgement must wait until the other stream was read up to it.
    pub(super) fn waits(&self, direction: Direction, ack: Option<u64>) -> bool {
        ack > Some(self.read_to(direction.reverse()))
    }

    /// The sequence number of the first request that is not done.
    pub(super) fn unfinished(&self) -> Option<SeqNum> {
        match self {
            Self::Http1(conn) => conn.unfinished(),
            Self::Http2(_) => None,
        }
    }

    fn positions(&self) -> [u64; 2] {
        [Direction::ToServer, Direction::ToClient].map(|direction| self.read_to(direction))
    }

    /// Reads bytes; returns how many were used. If fewer than given, offer the rest again after the other direction.
    pub(super) fn read(&mut self, direction: Direction, chunk: &Chunk<'_>, ctx: &mut Context<'_>) -> usize {
        self.detect(direction, chunk, ctx);
        let conn = match self {
            Self::Http2(conn) => return conn.read(direction, chunk, ctx),
            Self::Http1(conn) => conn,
        };
        let mut first = *chunk;
        if conn.is_fresh() && conn.is_in_step() && conn.read_to(Direction::ToClient) == 0 {
            if direction == Direction::ToServer {
                // It does not depend on bytes that came before every request, and those wait for it.
                first.ack = first.ack.map(|_| 0);
            } else if http2::may_begin_server(chunk.bytes) {
                // Some HTTP/2 servers send their SETTINGS at once. The client's first bytes decide.
                return 0;
            }
        }
        let used = conn.read(direction, &first, ctx).min(chunk.bytes.len());
        let Some(switch) = conn.take_switch() else {
            return used;
        };
        let known = conn.is_in_step();
        let mut conn = match switch {
            Switch::Preface => Http2::at_preface(http1::begins::HTTP2_PREFACE.len(), known, self.positions()),
            Switch::Upgraded(asked) => {
                Http2::upgraded((asked.exchange, asked.head_end, asked.ack), self.positions())
            }
        };
        ctx.out.counters.h2_connections += 1;
        let rest = Chunk {
            offset: chunk.offset + used as u64,
            seq: chunk.seq.after(used as u64),
            starts_segment: chunk.starts_segment && used == 0,
            bytes: chunk.bytes.get(used..).unwrap_or_default(),
            ..*chunk
        };
        let more = conn.read(direction, &rest, ctx);
        *self = Self::Http2(Box::new(conn));
        used + more
    }

    /// Changes the protocol of a connection that was joined in the middle, when a segment shows it.
    fn detect(&mut self, direction: Direction, chunk: &Chunk<'_>, ctx: &mut Context<'_>) {
        if !chunk.starts_segment || chunk.conflict {
            return;
        }
        match self {
            Self::Http1(conn) if !conn.is_in_step() && conn.is_fresh() && conn.abandoned().is_none() => {
                let positions = self.positions();
                let to_server = direction == Direction::ToServer;
                let conn = if to_server && http2::begins_with_preface(chunk.bytes) {
                    Http2::at_preface(0, false, positions)
                } else if http2::are_frames(chunk.bytes, direction) {
                    ctx.out.counters.h2_joined += 1;
                    Http2::joined(positions)
                } else {
                    return;
                };
                ctx.out.counters.h2_connections += 1;
                *self = Self::Http2(Box::new(conn));
            }
            Self::Http2(conn)
                if conn.is_unproven()
                    && direction == Direction::ToServer
                    && http1::is_request_line(chunk.bytes) =>
            {
                conn.close(End::Forgotten(Incomplete::H2JoinedMidway), ctx);
                *self = Self::Http1(Box::new(Http1::resumed(self.positions())));
            }
            _ => {}
        }
    }

    /// Skips `lost` bytes that were not captured.
    pub(super) fn gap(&mut self, direction: Direction, lost: u64, ctx: &mut Context<'_>) {
        either!(self, conn => conn.gap(direction, lost, ctx));
    }

    /// Ends one stream.
    pub(super) fn end(&mut self, direction: Direction, end: End, ctx: &mut Context<'_>) {
        either!(self, conn => conn.end(direction, end, ctx));
    }

    /// Ends the connection, or drops its state.
    pub(super) fn close(&mut self, end: End, ctx: &mut Context<'_>) {
        either!(self, conn => conn.close(end, ctx));
    }

    /// Stops reading both sides.
    pub(super) fn abandon(&mut self, reason: Abandon, ctx: &mut Context<'_>) {
        either!(self, conn => conn.abandon(reason, ctx));
    }

    /// From here on, the captured stream may differ from what the application reads.
    pub(super) fn distrust(&mut self, reason: Incomplete, abandon: Abandon, ctx: &mut Context<'_>) {
        either!(self, conn => conn.distrust(reason, abandon, ctx));
    }

    /// The order of the two directions is not known any more.
    pub(super) fn lose_step(&mut self, ctx: &mut Context<'_>) {
        match self {
            Self::Http1(conn) => conn.lose_step(ctx),
            // Streams have numbers: the order does not pair anything.
            Self::Http2(_) => {}
        }
    }
}
