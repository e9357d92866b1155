//! The engine: segments in, exchanges out. Joins the wire, flow, stream, http and pair modules.
//!
//! Owns: every tracked connection and the buffers under [`Limits`](crate::limits::Limits). Time comes with each
//! segment and with [`Engine::handle_timeout`]; the engine never reads a clock. Bounds: `Limits::flows` connections,
//! `Limits::memory` bytes. Drops: under pressure, whole connections, reported as evicted and counted; never single
//! segments of a connection that is still read.

mod followed;
mod join;
mod segment;
#[cfg(test)]
mod tests;

pub use crate::{
    protocol::{Abandon, Counters, Event, Settings, Sizes},
    ranges::{RangeLog, Record, Role},
};
use followed::EndedLog;
pub use followed::Followed;
use shadow_common::flow::FlowKey;

use crate::{
    exchange::{Flow, Incomplete},
    flow::{Entry, Fate, Key, Opening, Print, Table, Timers, Track, Views},
    http1::begins::{begins_request, is_request_line},
    protocol::{Context, Sink},
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};
use segment::{client_side, size};

/// Time for which late segments of a finished connection are recognised.
const LINGER: core::time::Duration = core::time::Duration::from_secs(2);

/// Current resource usage of an [`Engine`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Connections, including finished ones that are still recognised.
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
    /// Set when one connection may be seen under several pairs of addresses.
    views: Option<Views>,
    ended: EndedLog,
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
            views: None,
            ended: EndedLog::default(),
            out: Sink::default(),
        }
    }

    /// Enables the log that reports the role of each byte read ([`Engine::swap_ranges`]).
    #[must_use]
    pub fn report_ranges(mut self) -> Self {
        self.out.ranges.get_or_insert_default();
        self
    }

    /// Takes the log of what was read since the last call. `log` must be empty; its allocation is reused. With
    /// [`Engine::report_ranges`] it must be taken after every call, or it grows.
    pub fn swap_ranges(&mut self, log: &mut RangeLog) {
        if let Some(ranges) = &mut self.out.ranges {
            core::mem::swap(&mut **ranges, log);
        }
    }

    /// Processes one segment. Call [`Engine::poll`] until it returns `None` afterwards.
    pub fn push(&mut self, segment: &Segment<'_>) {
        let counters = &mut self.out.counters;
        counters.segments += 1;
        counters.payload_bytes += segment.payload.len() as u64;
        let key = Key::of(segment);
        let control = Flags::SYN.union(Flags::FIN).union(Flags::RST);
        let empty = segment.payload.is_empty() && segment.flags.0 & control.0 == 0;
        counters.empty_segments += u64::from(empty);
        let Some(print) = self.views.as_ref().and_then(|_| Print::of(segment)) else {
            return self.take(key, segment);
        };
        self.join(&key, segment, &print);
        self.take(key, segment);
        self.note(&key, segment, print);
    }

    fn take(&mut self, key: Key, original: &Segment<'_>) {
        let syn = original.flags.contains(Flags::SYN);
        let Some(slot) = self.flows.find(&key) else {
            if syn || !original.payload.is_empty() {
                self.open(original);
            }
            return;
        };
        let segment = &self.flows.named(slot, &key, original);
        match self.flows.get(slot) {
            Some(Entry::Open(track)) => {
                let swapped = track.is_a_guess()
                    && track.direction(segment) == Direction::ToClient
                    && is_request_line(segment.payload);
                if syn && track.is_reopened_by(segment) || swapped {
                    self.close(slot, Closing::Superseded);
                    self.open(original);
                } else {
                    self.advance(slot, segment);
                }
            }
            Some(Entry::Closed(past)) if syn && !past.began_with(segment) => {
                self.flows.remove(slot);
                self.open(original);
            }
            Some(Entry::Abandoned(past, _))
                if syn && !segment.flags.contains(Flags::ACK) && !past.began_with(segment) =>
            {
                self.flows.remove(slot);
                self.open(original);
            }
            Some(Entry::Abandoned(_, reason)) => {
                let reason = *reason;
                let counters = &mut self.out.counters;
                counters.ignored_segments += 1;
                if reason.hides_exchanges() && !segment.payload.is_empty() {
                    let is_request = self
                        .flows
                        .flow(slot)
                        .is_some_and(|flow| flow.client == segment.src);
                    counters.count_unread(size(segment), is_request, begins_request(segment.payload));
                }
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

    /// When [`Engine::handle_timeout`] must be called next. May change after every other call.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.gaps.next().into_iter().chain(self.idle.next()).min()
    }

    /// Declares gaps and removes idle flows. Extra calls have no effect and are safe.
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

    /// Ends the capture: every open flow is closed and reported.
    pub fn finish(&mut self) {
        for slot in self.flows.occupied() {
            self.close(slot, Closing::Forgotten(Incomplete::CaptureEnd));
        }
        self.idle = Timers::default();
        self.gaps = Timers::default();
    }

    /// All counters so far.
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }

    /// Current resource usage.
    pub fn usage(&self) -> Usage {
        Usage {
            flows: self.flows.len(),
            buffered: self.buffered,
        }
    }

    fn open(&mut self, segment: &Segment<'_>) {
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
        let scope = Key::of(segment).scope;
        let open = Entry::Open(Box::new(track));
        let (slot, generation) = self.flows.insert(scope, flow, deadline, open);
        self.idle.push(deadline, slot, generation);
        self.advance(slot, segment);
    }

    fn advance(&mut self, slot: usize, segment: &Segment<'_>) {
        let fate = self.with_track(slot, |track, ctx| {
            if track.direction(segment) == Direction::ToServer {
                track.request_bytes = track.request_bytes.saturating_add(size(segment));
            }
            track.push(segment, ctx)
        });
        if fate == Some(Fate::Jumped) {
            self.out.counters.out_of_window += 1;
            self.close(slot, Closing::Superseded);
            self.open(segment);
        }
    }

    /// Runs `step` on an open flow and applies the resulting fate.
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
            views: _,
            ended: _,
            out,
        } = self;
        let generation = flows.generation(slot);
        let Some(Entry::Open(track)) = flows.get(slot) else {
            return None;
        };
        let mut ctx = Context {
            settings,
            flow: track.flow(),
            opened: track.opened(),
            out,
        };
        let before = ctx.out.counters.exchanges;
        let fate = step(track, &mut ctx);
        let exchanges = ctx.out.counters.exchanges - before;
        if exchanges > 0 {
            let bytes = core::mem::take(&mut track.request_bytes);
            ctx.out.counters.sizes.count(exchanges, bytes);
        }
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
        self.note_end(slot);
        if let Some(Entry::Open(track)) = self.flows.retire(slot, |past| Entry::Abandoned(past, reason)) {
            self.report_over(track.flow());
            self.buffered = self.buffered.saturating_sub(track.charged);
            self.out.counters.count_abandoned(reason);
            let keys = self.flows.keys(slot);
            self.out
                .events
                .extend(keys.map(|key| Event::Abandoned(key, reason)));
        }
    }

    fn close(&mut self, slot: usize, closing: Closing) {
        self.note_end(slot);
        let entry = match closing {
            Closing::Over(at) => {
                self.flows.set_deadline(slot, at + LINGER);
                let generation = self.flows.generation(slot);
                // The entry queued for the idle time would be too late.
                self.idle.push(at + LINGER, slot, generation);
                self.flows.retire(slot, Entry::Closed)
            }
            Closing::Superseded | Closing::Forgotten(_) => self.flows.remove(slot).map(|(_, entry)| entry),
        };
        let Some(Entry::Open(mut track)) = entry else {
            return;
        };
        self.buffered = self.buffered.saturating_sub(track.charged);
        self.out.counters.flows_empty += u64::from(track.ended_empty());
        let mut ctx = Context {
            settings: &self.settings,
            flow: track.flow(),
            opened: track.opened(),
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
        self.report_over(track.flow());
    }

    fn report_over(&mut self, flow: Flow) {
        if let Some(ranges) = &mut self.out.ranges {
            ranges.over(FlowKey::new(flow.client, flow.server));
        }
    }

    /// Evicts one flow from a full table. `false` when there is nothing to evict.
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

/// The reason a flow leaves the table.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// It ended at this time; it is recognised for a short time after that.
    Over(Timestamp),
    /// Another connection took its place.
    Superseded,
    /// It is given up.
    Forgotten(Incomplete),
}
