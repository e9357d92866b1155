//! Decides when missing bytes are declared lost.
//!
//! Bias: a hole that the receiver acknowledged was lost by the capture, and only reordering between CPUs could still
//! fill it. Any other hole may be filled by a retransmission and waits much longer.

use super::track::{Fate, Half, Track};
use crate::{
    limits::Limits,
    protocol::{Abandon, Context},
    stream::Assembler,
    time::Timestamp,
    wire::Direction,
};

impl Track {
    /// When the first hole must be declared lost.
    pub(crate) fn gap_deadline(&self, limits: &Limits) -> Option<Timestamp> {
        let deadline = |half: &Half| {
            let (_, since) = half.hole?;
            let acked = half.stream.as_ref()?.hole()?.acked;
            Some(since + if acked { limits.acked_gap } else { limits.open_gap })
        };
        [deadline(&self.to_server), deadline(&self.to_client)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Keeps the bytes that wait in each direction under their cap.
    pub(super) fn relieve(&mut self, ctx: &mut Context<'_>) {
        let cap = ctx.settings.limits.out_of_order;
        let over = |half: &Half| half.stream.as_ref().is_some_and(|stream| stream.buffered() > cap);
        while over(&self.to_server) || over(&self.to_client) {
            if !self.declare_gap(ctx) {
                // Nothing is missing: bytes accumulate while the response they wait for does not arrive.
                self.conn.abandon(Abandon::OutOfStep, ctx);
                self.pump(ctx);
                return;
            }
        }
    }

    /// Declares the most certain hole lost and continues after it. `false` when there is none.
    fn declare_gap(&mut self, ctx: &mut Context<'_>) -> bool {
        let hole = |half: &Half| half.stream.as_ref().and_then(Assembler::hole);
        let (to_server, to_client) = (hole(&self.to_server), hole(&self.to_client));
        let direction = match (to_server, to_client) {
            (None, None) => return false,
            (None, Some(_)) => Direction::ToClient,
            (Some(request), Some(response)) if response.acked && !request.acked => Direction::ToClient,
            (Some(_), _) => Direction::ToServer,
        };
        self.skip_hole(direction, ctx);
        true
    }

    fn skip_hole(&mut self, direction: Direction, ctx: &mut Context<'_>) {
        let half = self.half_mut(direction);
        half.hole = None;
        let Some((stream, hole)) = half.stream.as_mut().and_then(|stream| {
            let hole = stream.hole()?;
            Some((stream, hole))
        }) else {
            return;
        };
        stream.advance(hole.len);
        self.conn.gap(direction, hole.len, ctx);
        self.pump(ctx);
    }

    /// Declares every hole whose deadline has passed.
    pub(crate) fn expire_gaps(&mut self, now: Timestamp, ctx: &mut Context<'_>) -> Fate {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let limits = &ctx.settings.limits;
            let half = self.half(direction);
            let due = half
                .hole
                .zip(half.stream.as_ref().and_then(Assembler::hole))
                .is_some_and(|((_, since), hole)| {
                    now >= since
                        + if hole.acked {
                            limits.acked_gap
                        } else {
                            limits.open_gap
                        }
                });
            if due {
                self.skip_hole(direction, ctx);
            }
        }
        self.note_holes(now);
        self.fate(ctx)
    }

    /// Resolves a deadlock in which each side waits for bytes that the other acknowledged. The only copy of some
    /// bytes was a retransmission, which acknowledges later bytes; its sender is not known, so the count is lost.
    pub(super) fn untie(&mut self, ctx: &mut Context<'_>) -> bool {
        let Self {
            conn,
            to_server,
            to_client,
            ..
        } = self;
        let front = |half: &mut Half| half.stream.as_mut()?.front().map(|stored| stored.ack);
        let (Some(asked), Some(answered)) = (front(to_server), front(to_client)) else {
            return false;
        };
        if !conn.waits(Direction::ToServer, asked) || !conn.waits(Direction::ToClient, answered) {
            return false;
        }
        if let Some(stored) = to_server.stream.as_mut().and_then(Assembler::front) {
            // The server had these bytes before it sent the next of its own.
            stored.ack = Some(conn.read_to(Direction::ToClient));
        }
        conn.lose_step(ctx);
        true
    }

    /// Records since when each stream has been waiting.
    pub(super) fn note_holes(&mut self, now: Timestamp) {
        for half in [&mut self.to_server, &mut self.to_client] {
            let Some(stream) = &half.stream else { continue };
            if stream.hole().is_none() {
                half.hole = None;
            } else if half.hole.is_none_or(|(at, _)| at != stream.next()) {
                half.hole = Some((stream.next(), now));
            }
        }
    }

    /// Reads everything that was captured, with or without holes.
    pub(super) fn flush(&mut self, ctx: &mut Context<'_>) {
        self.pump(ctx);
        while self.declare_gap(ctx) {}
    }
}
