//! One connection: two streams and the HTTP between them.

use super::reader::Reader;
use crate::{
    exchange::{Flow, Incomplete},
    limits::Limits,
    protocol::{Abandon, Chunk, Context, End},
    seq::SeqNum,
    stream::{Assembler, Stored},
    time::Timestamp,
    wire::{Direction, Flags, Segment, multipath::Multipath},
};

/// Largest distance of a sequence number from the expected one. The largest window is 1 GiB (RFC 7323), but no window
/// in use comes near this; a number farther away belongs to a part of the connection that was not captured.
pub(super) const WINDOW: i32 = 64 << 20;

/// Largest distance by which a SYN-ACK acknowledges past the SYN: the data of one segment (RFC 7413).
const MOST_WITH_SYN: i32 = 1 << 16;

/// Whether a segment acknowledges the SYN with this number, and no more than the data in it.
pub(super) fn acknowledges_syn(segment: &Segment<'_>, isn: SeqNum) -> bool {
    segment.flags.contains(Flags::ACK) && (1..=MOST_WITH_SYN).contains(&segment.ack.distance_from(isn))
}

/// How a connection came into view.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opening {
    /// With its SYN. The SYN-ACK alone does not show where the client began: it may acknowledge data, too (RFC 7413).
    Beginning,
    /// In the middle.
    Middle,
}

/// Result of [`Track::push`] for the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// It continues.
    Open,
    /// It has ended.
    Closed,
    /// It is not read any further.
    Abandoned(Abandon),
    /// Its sequence numbers jumped: what follows is treated as a new start in the middle.
    Jumped,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) isn: Option<SeqNum>,
    pub(super) stream: Option<Assembler>,
    pub(super) fin: bool,
    pub(super) ended: bool,
    /// Difference between the data sequence numbers of Multipath TCP and those of this connection, from its beginning.
    mapped: Option<u32>,
    /// Position of the hole before known bytes, and since when it has existed.
    pub(super) hole: Option<(u64, Timestamp)>,
}

/// One connection that is being read.
#[derive(Debug)]
pub(crate) struct Track {
    flow: Flow,
    pub(super) conn: Reader,
    opening: Opening,
    pub(super) to_server: Half,
    pub(super) to_client: Half,
    /// Whether anything but a handshake was seen.
    has_data: bool,
    /// Whether a reset was seen.
    reset: bool,
    pub(crate) last_seen: Timestamp,
    /// Whether a gap deadline is queued.
    pub(crate) gap_queued: bool,
    /// Bytes that the engine charges for it against the memory limit.
    pub(crate) charged: usize,
    /// Payload bytes of the client since the latest exchange.
    pub(crate) request_bytes: u64,
}

impl Track {
    pub(crate) fn new(flow: Flow, opening: Opening, at: Timestamp) -> Self {
        Self {
            flow,
            conn: Reader::new(opening == Opening::Beginning),
            opening,
            to_server: Half::default(),
            to_client: Half::default(),
            has_data: false,
            reset: false,
            last_seen: at,
            gap_queued: false,
            charged: 0,
            request_bytes: 0,
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    pub(crate) fn direction(&self, segment: &Segment<'_>) -> Direction {
        if segment.src == self.flow.client {
            Direction::ToServer
        } else {
            Direction::ToClient
        }
    }

    /// Whether the client's side was only guessed and is still unconfirmed.
    pub(crate) fn is_a_guess(&self) -> bool {
        self.opening == Opening::Middle && self.conn.is_fresh()
    }

    /// Whether a SYN belongs to a later connection between the same endpoints.
    pub(crate) fn is_reopened_by(&self, segment: &Segment<'_>) -> bool {
        let direction = self.direction(segment);
        match self.half(direction).isn {
            // A SYN that is captured after its answer still shows the beginning. The answer itself, again, does not.
            Some(isn) => {
                let late = self.opening == Opening::Middle && !self.has_data;
                isn != segment.seq || late && !segment.flags.contains(Flags::ACK)
            }
            None => {
                !self.is_answered_by(direction, segment) && (self.opening == Opening::Middle || self.has_data)
            }
        }
    }

    /// Whether a SYN-ACK acknowledges the SYN that was seen, and no more than the data in it.
    fn is_answered_by(&self, direction: Direction, segment: &Segment<'_>) -> bool {
        let isn = self.half(direction.reverse()).isn;
        isn.is_some_and(|isn| acknowledges_syn(segment, isn))
    }

    /// How much is known of it: its beginning, the other side's beginning, then the bytes that were read.
    pub(crate) fn weight(&self) -> (bool, bool, u64) {
        let Self {
            to_server, to_client, ..
        } = self;
        let both = to_server.isn.is_some() && to_client.isn.is_some();
        let read = |half: &Half| half.stream.as_ref().map_or(0, Assembler::next);
        (
            self.opening == Opening::Beginning,
            both,
            read(to_server).saturating_add(read(to_client)),
        )
    }

    /// Whether it was seen from its beginning and ended without any payload in either direction.
    pub(crate) fn ended_empty(&self) -> bool {
        let established = self.to_server.isn.is_some() && self.to_client.isn.is_some();
        established && !self.has_data && (self.to_server.fin || self.to_client.fin || self.reset)
    }

    /// Bytes held.
    pub(crate) fn buffered(&self) -> usize {
        let half = |half: &Half| half.stream.as_ref().map_or(0, Assembler::buffered);
        half(&self.to_server) + half(&self.to_client) + self.conn.buffered()
    }

    /// When this connection is removed if no more segments arrive.
    pub(crate) fn idle_deadline(&self, limits: &Limits) -> Timestamp {
        let ending = self.to_server.fin || self.to_client.fin || !self.has_data;
        self.last_seen + if ending { limits.half_closed } else { limits.idle }
    }

    /// Processes one segment.
    pub(crate) fn push(&mut self, segment: &Segment<'_>, ctx: &mut Context<'_>) -> Fate {
        self.last_seen = self.last_seen.max(segment.at);
        let direction = self.direction(segment);
        self.place(direction, segment, ctx);
        let Some(stream) = &mut self.half_mut(direction).stream else {
            return self.check_spread(direction, segment, ctx).unwrap_or(Fate::Open);
        };
        let seq = segment.seq + u32::from(segment.flags.contains(Flags::SYN));
        let distance = stream.distance(seq);
        if !(-WINDOW..=WINDOW).contains(&distance) {
            return if segment.payload.is_empty() {
                Fate::Open
            } else {
                Fate::Jumped
            };
        }
        if let (Some(ranges), Ok(next)) = (&mut ctx.out.ranges, i64::try_from(stream.next())) {
            ranges.placed(direction, next.saturating_add(distance.into()));
        }
        if let Some(fate) = self.check_spread(direction, segment, ctx) {
            return fate;
        }
        let ack = self.acknowledge(direction, segment);
        if segment.is_bare() {
            self.note_holes(segment.at);
            return self.fate(ctx);
        }
        self.take_payload(direction, distance, segment, ack, ctx);
        if segment.flags.contains(Flags::FIN) {
            self.finish_stream(direction, distance, segment);
        }
        self.pump(ctx);
        self.relieve(ctx);
        self.note_holes(segment.at);
        if segment.flags.contains(Flags::RST) {
            self.reset = true;
            self.flush(ctx);
            self.conn.close(End::Reset, ctx);
            return Fate::Closed;
        }
        self.fate(ctx)
    }

    /// Gives the connection up when another one carries parts of the same stream, or may have done so.
    fn check_spread(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        ctx: &mut Context<'_>,
    ) -> Option<Fate> {
        if !self.is_spread(direction, segment.multipath?) {
            return None;
        }
        self.conn.distrust(Incomplete::Multipath, Abandon::Multipath, ctx);
        Some(self.fate(ctx))
    }

    fn is_spread(&mut self, direction: Direction, multipath: Multipath) -> bool {
        match multipath {
            Multipath::Join => true,
            Multipath::First { own, peer } => {
                let other = self.half_mut(direction.reverse());
                let differs = peer.is_some_and(|peer| *other.mapped.get_or_insert(peer) != peer);
                *self.half_mut(direction).mapped.get_or_insert(own) != own || differs
            }
            // Data carried by other connections is missing before this segment. Without the number of the first byte it
            // is not known whether it is.
            Multipath::Mapped(ahead) => self.half(direction).mapped != Some(ahead),
        }
    }

    /// Sets where the streams begin, unless already known.
    fn place(&mut self, direction: Direction, segment: &Segment<'_>, ctx: &mut Context<'_>) {
        let has_ack = segment.flags.contains(Flags::ACK);
        let syn = segment.flags.contains(Flags::SYN);
        self.has_data |= !segment.payload.is_empty();
        let beginning = self.opening == Opening::Beginning;
        let half = self.half_mut(direction);
        let mut at_start = false;
        if syn {
            if half.isn.is_none() {
                half.isn = Some(segment.seq);
                // Captured after its successors: what was read stays read, or a copy would be read as new.
                if half.stream.as_ref().is_none_or(Assembler::is_untouched) {
                    half.stream = Some(Assembler::new(segment.seq + 1));
                }
            }
            at_start = true;
        } else if let Some(stream) = &half.stream {
            at_start = stream.next() == 0 && stream.distance(segment.seq) == 0;
        } else if !segment.payload.is_empty() {
            half.stream = Some(Assembler::new(segment.seq));
            if beginning {
                // Where this stream began was not seen, so what came before these bytes is unknown.
                self.opening = Opening::Middle;
                if self.conn.is_fresh() {
                    self.conn = Reader::new(false);
                } else {
                    // Requests came with the SYN, and its answer was lost.
                    self.conn.gap(direction, 0, ctx);
                }
            }
        }
        let certain = at_start || self.opening == Opening::Middle;
        let other = self.half_mut(direction.reverse());
        if has_ack && certain && other.stream.is_none() {
            // The first bytes of one side acknowledge everything that the other side had sent: only its handshake.
            other.isn = syn.then(|| SeqNum(segment.ack.0.wrapping_sub(1)));
            other.stream = Some(Assembler::new(segment.ack));
        }
    }

    /// Records what the sender has received; returns that offset.
    fn acknowledge(&mut self, direction: Direction, segment: &Segment<'_>) -> Option<u64> {
        if !segment.flags.contains(Flags::ACK) {
            return None;
        }
        let other = self.half_mut(direction.reverse()).stream.as_mut()?;
        if !(-WINDOW..=WINDOW).contains(&other.distance(segment.ack)) {
            return None;
        }
        let ack = other.offset(segment.ack)?;
        other.acknowledge(ack);
        Some(ack)
    }

    /// Reads everything that is in order, in both directions, until neither advances.
    pub(super) fn pump(&mut self, ctx: &mut Context<'_>) {
        while self.pump_one(Direction::ToServer, ctx) | self.pump_one(Direction::ToClient, ctx)
            || self.untie(ctx)
        {}
    }

    fn pump_one(&mut self, direction: Direction, ctx: &mut Context<'_>) -> bool {
        let half = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        let Some(stream) = &mut half.stream else {
            return false;
        };
        let mut moved = false;
        while let Some((offset, stored)) = stream.take() {
            if stored.lost > 0 {
                self.conn.gap(direction, stored.lost, ctx);
                moved = true;
                continue;
            }
            let Stored {
                at,
                ack,
                starts_segment,
                conflict,
                ref bytes,
                ..
            } = stored;
            let chunk = Chunk {
                at,
                offset,
                seq: stream.seq(offset),
                ack,
                starts_segment,
                conflict,
                bytes,
            };
            let used = self.conn.read(direction, &chunk, ctx).min(bytes.len());
            moved |= used > 0;
            if used < bytes.len() {
                stream.put_back(stored.part(used as u64, (bytes.len() - used) as u64));
                break;
            }
        }
        if stream.is_ended() && !half.ended {
            half.ended = true;
            // A connection may end before the stream that it carries parts of.
            let end = if half.mapped.is_some() && direction == Direction::ToClient {
                End::Forgotten(Incomplete::Multipath)
            } else {
                End::Fin
            };
            self.conn.end(direction, end, ctx);
            moved = true;
        }
        moved
    }

    /// Reports everything that is open and removes it.
    pub(crate) fn forget(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        self.flush(ctx);
        self.conn.close(End::Forgotten(reason), ctx);
    }

    /// Ends the connection because a new one replaced it.
    pub(crate) fn supersede(&mut self, ctx: &mut Context<'_>) {
        self.flush(ctx);
        self.conn.close(End::Reset, ctx);
    }

    pub(super) fn fate(&mut self, ctx: &mut Context<'_>) -> Fate {
        if let Some(reason) = self.conn.abandoned() {
            return Fate::Abandoned(reason);
        }
        if self.to_server.ended && self.to_client.ended {
            self.conn.close(End::Fin, ctx);
            return Fate::Closed;
        }
        Fate::Open
    }

    pub(super) fn half(&self, direction: Direction) -> &Half {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    pub(super) fn half_mut(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}
