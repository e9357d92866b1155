//! Segments in, exchanges out: joins the wire, flow, stream, http and pair rooms.
//!
//! Owns: every tracked connection and the buffers under [`Limits`]. Time comes with each segment and with
//! [`Engine::handle_timeout`]; the engine never reads a clock. Bounds: `Limits::flows` connections,
//! `Limits::memory` bytes. Drops: under pressure whole connections, reported as evicted and counted; never single
//! segments of a connection that is still read.

#[cfg(test)]
mod tests;

pub use crate::{
    counters::Counters,
    protocol::{Abandon, Event, Settings},
};
use shadow_common::flow::FlowKey;

use crate::{
    exchange::{Flow, Incomplete},
    flow::{Entry, Fate, Opening, Table, Timers, Track},
    http1::head::{is_request_line, looks_like_response},
    protocol::{Context, Sink},
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

/// How long late segments of a finished connection are recognised.
const LINGER: core::time::Duration = core::time::Duration::from_secs(2);

/// What an [`Engine`] holds at present.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Connections, finished ones that are still recognised included.
    pub flows: usize,
    /// Bytes buffered for them.
    pub buffered: usize,
}

/// Reassembly, HTTP and pairing for any number of connections.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    flows: Table,
    idle: Timers,
    gaps: Timers,
    buffered: usize,
    out: Sink,
}

impl Engine {
    /// An engine without connections.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            flows: Table::default(),
            idle: Timers::default(),
            gaps: Timers::default(),
            buffered: 0,
            out: Sink::default(),
        }
    }

    /// Takes one segment in. Call [`Engine::poll`] until `None` afterwards.
    pub fn push(&mut self, segment: &Segment<'_>) {
        let counters = &mut self.out.counters;
        counters.segments += 1;
        counters.payload_bytes += segment.payload.len() as u64;
        let key = FlowKey::new(segment.src, segment.dst);
        let control = Flags::SYN.union(Flags::FIN).union(Flags::RST);
        let empty = segment.payload.is_empty() && segment.flags.0 & control.0 == 0;
        counters.empty_segments += u64::from(empty);
        let syn = segment.flags.contains(Flags::SYN);
        let Some(slot) = self.flows.find(&key) else {
            if syn || !segment.payload.is_empty() {
                self.open(key, segment);
            }
            return;
        };
        match self.flows.get(slot) {
            Some(Entry::Open(track)) => {
                let swapped = track.is_a_guess()
                    && track.direction(segment) == Direction::ToClient
                    && is_request_line(segment.payload);
                if syn && track.is_reopened_by(segment) || swapped {
                    self.close(slot, Closing::Superseded);
                    self.open(key, segment);
                } else {
                    self.advance(slot, segment);
                }
            }
            Some(Entry::Closed(past)) if syn && !past.began_with(segment) => {
                self.flows.remove(slot);
                self.open(key, segment);
            }
            Some(Entry::Abandoned(past))
                if syn && !segment.flags.contains(Flags::ACK) && !past.began_with(segment) =>
            {
                self.flows.remove(slot);
                self.open(key, segment);
            }
            Some(Entry::Abandoned(_)) => {
                self.out.counters.ignored_segments += 1;
                let ends = segment.flags.0 & Flags::FIN.union(Flags::RST).0 != 0;
                let limits = &self.settings.limits;
                let wait = if ends { limits.half_closed } else { limits.idle };
                self.flows.set_deadline(slot, segment.at + wait);
            }
            Some(Entry::Closed(_)) | None => self.out.counters.ignored_segments += 1,
        }
    }

    /// The next event, in order of completion.
    pub fn poll(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// When [`Engine::handle_timeout`] wants to be called next. Changes after every other call.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.gaps.next().into_iter().chain(self.idle.next()).min()
    }

    /// Declares gaps and forgets idle flows. Extra calls do nothing and are safe.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((slot, generation)) = self.gaps.pop(now) {
            if self.flows.is_current(slot, generation) {
                self.with_track(slot, |track, ctx| {
                    track.gap_queued = false;
                    track.expire_gaps(now, ctx)
                });
            }
        }
        while let Some((slot, generation)) = self.idle.pop(now) {
            if !self.flows.is_current(slot, generation) {
                continue;
            }
            let deadline = self.flows.deadline(slot);
            if deadline > now {
                self.idle.push(deadline, slot, generation);
            } else {
                self.close(slot, Closing::Forgotten(Incomplete::Idle));
            }
        }
    }

    /// The capture is over: every open flow is closed and reported.
    pub fn finish(&mut self) {
        for slot in self.flows.occupied() {
            self.close(slot, Closing::Forgotten(Incomplete::CaptureEnd));
        }
        self.idle = Timers::default();
        self.gaps = Timers::default();
    }

    /// Everything that was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }

    /// What is held at present.
    pub fn usage(&self) -> Usage {
        Usage {
            flows: self.flows.len(),
            buffered: self.buffered,
        }
    }

    fn open(&mut self, key: FlowKey, segment: &Segment<'_>) {
        while self.flows.len() >= self.settings.limits.flows {
            if !self.evict_one() {
                break;
            }
        }
        let syn = segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK);
        let opening = if syn { Opening::Beginning } else { Opening::Middle };
        let flow = match client_side(segment) {
            Direction::ToServer => Flow {
                client: segment.src,
                server: segment.dst,
            },
            Direction::ToClient => Flow {
                client: segment.dst,
                server: segment.src,
            },
        };
        match opening {
            Opening::Beginning => self.out.counters.flows_opened += 1,
            Opening::Middle => self.out.counters.flows_midstream += 1,
        }
        let track = Track::new(flow, opening, segment.at);
        let deadline = track.idle_deadline(&self.settings.limits);
        let (slot, generation) = self.flows.insert(key, deadline, Entry::Open(Box::new(track)));
        self.idle.push(deadline, slot, generation);
        self.advance(slot, segment);
    }

    fn advance(&mut self, slot: usize, segment: &Segment<'_>) {
        let fate = self.with_track(slot, |track, ctx| track.push(segment, ctx));
        if fate == Some(Fate::Jumped) {
            self.out.counters.out_of_window += 1;
            let key = FlowKey::new(segment.src, segment.dst);
            self.close(slot, Closing::Superseded);
            self.open(key, segment);
        }
    }

    /// Runs `step` on an open flow and does what its fate asks for.
    fn with_track(
        &mut self,
        slot: usize,
        step: impl FnOnce(&mut Track, &mut Context<'_>) -> Fate,
    ) -> Option<Fate> {
        let Self {
            settings,
            flows,
            idle: _,
            gaps,
            buffered,
            out,
        } = self;
        let generation = flows.generation(slot);
        let Some(Entry::Open(track)) = flows.get(slot) else {
            return None;
        };
        let mut ctx = Context {
            settings,
            flow: track.flow(),
            out,
        };
        let fate = step(track, &mut ctx);
        let held = track.buffered();
        *buffered = (*buffered + held).saturating_sub(track.charged);
        track.charged = held;
        if fate == Fate::Open
            && !track.gap_queued
            && let Some(deadline) = track.gap_deadline(&settings.limits)
        {
            track.gap_queued = true;
            gaps.push(deadline, slot, generation);
        }
        let (deadline, last_seen) = (track.idle_deadline(&settings.limits), track.last_seen);
        flows.set_deadline(slot, deadline);
        match fate {
            Fate::Open if *buffered > settings.limits.memory => {
                self.close(slot, Closing::Forgotten(Incomplete::Evicted));
            }
            Fate::Open | Fate::Jumped => {}
            Fate::Closed => self.close(slot, Closing::Over(last_seen)),
            Fate::Abandoned(reason) => self.abandon(slot, reason),
        }
        Some(fate)
    }

    fn abandon(&mut self, slot: usize, reason: Abandon) {
        if let Some(Entry::Open(track)) = self.flows.retire(slot, Entry::Abandoned) {
            self.buffered = self.buffered.saturating_sub(track.charged);
            self.out.counters.flows_abandoned += 1;
            let Flow { client, server } = track.flow();
            self.out
                .events
                .push_back(Event::Abandoned(FlowKey::new(client, server), reason));
        }
    }

    fn close(&mut self, slot: usize, closing: Closing) {
        let entry = match closing {
            Closing::Over(at) => {
                self.flows.set_deadline(slot, at + LINGER);
                let generation = self.flows.generation(slot);
                // The entry that is queued for the idle time would come too late.
                self.idle.push(at + LINGER, slot, generation);
                self.flows.retire(slot, Entry::Closed)
            }
            Closing::Superseded | Closing::Forgotten(_) => self.flows.remove(slot).map(|(_, entry)| entry),
        };
        let Some(Entry::Open(mut track)) = entry else {
            return;
        };
        self.buffered = self.buffered.saturating_sub(track.charged);
        let mut ctx = Context {
            settings: &self.settings,
            flow: track.flow(),
            out: &mut self.out,
        };
        match closing {
            Closing::Over(_) => ctx.out.counters.flows_closed += 1,
            Closing::Superseded => {
                ctx.out.counters.flows_closed += 1;
                track.supersede(&mut ctx);
            }
            Closing::Forgotten(reason) => {
                match reason {
                    Incomplete::Idle => ctx.out.counters.flows_idle += 1,
                    Incomplete::Evicted => ctx.out.counters.flows_evicted += 1,
                    _ => ctx.out.counters.flows_closed += 1,
                }
                track.forget(reason, &mut ctx);
            }
        }
    }

    /// Makes room in a full table. `false` when there is nothing to evict.
    fn evict_one(&mut self) -> bool {
        while let Some((at, slot, generation)) = self.idle.pop_first() {
            if !self.flows.is_current(slot, generation) {
                continue;
            }
            let deadline = self.flows.deadline(slot);
            if deadline > at {
                self.idle.push(deadline, slot, generation);
                continue;
            }
            self.close(slot, Closing::Forgotten(Incomplete::Evicted));
            return true;
        }
        false
    }
}

/// Why a flow leaves the table.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// It ended at this time; it is recognised a little longer.
    Over(Timestamp),
    /// Another connection took its place.
    Superseded,
    /// It is given up.
    Forgotten(Incomplete),
}

/// Which way the first segment of a flow goes.
fn client_side(segment: &Segment<'_>) -> Direction {
    if segment.flags.contains(Flags::SYN) {
        let answer = segment.flags.contains(Flags::ACK);
        return if answer {
            Direction::ToClient
        } else {
            Direction::ToServer
        };
    }
    if let Some(direction) = segment.direction {
        return direction;
    }
    if is_request_line(segment.payload) {
        return Direction::ToServer;
    }
    // A capture that began inside a message: servers usually have the smaller port.
    if looks_like_response(segment.payload) || segment.src.port < segment.dst.port {
        Direction::ToClient
    } else {
        Direction::ToServer
    }
}
