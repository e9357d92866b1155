//! The connections of a file, distributed over independent lanes.
//!
//! Each lane has an engine with its share of the limits. It sees only its own connections, but the time of all. So the
//! lanes can be read by one thread or by several with the same result, once the events are ordered by their
//! [`EventPosition`].

use core::{array, iter::zip, mem};

use shadow_proto::{
    engine::{Counters, Engine, Event},
    time::Timestamp,
    wire::Segment,
};

use super::{Filter, Format, settings, summary::Seen};
use crate::capture::pcap::Key;

/// The same on every machine: the number decides which data is discarded when the limits are reached.
pub(super) const LANES: usize = 4;

/// The position of an event in the file: the segment, whether it is due to time or to content, and the lane.
pub(super) type EventPosition = (usize, bool, usize);

/// An event to be written.
pub(super) type Done = (EventPosition, Event);

/// The lanes that one thread reads.
pub(super) struct Lanes<'f> {
    engines: [Option<Engine>; LANES],
    /// The earliest time at which one of them must be called.
    due: Option<Timestamp>,
    filter: &'f Filter,
    format: Format,
    seen: Seen,
}

impl<'f> Lanes<'f> {
    /// Every lane for which `mine` returns true.
    pub(super) fn new(format: Format, filter: &'f Filter, mine: impl Fn(usize) -> bool) -> Self {
        let mut settings = settings(format);
        settings.limits.flows /= LANES;
        settings.limits.memory /= LANES;
        Self {
            engines: array::from_fn(|lane| mine(lane).then(|| Engine::new(settings.clone()))),
            due: None,
            filter,
            format,
            seen: Seen::default(),
        }
    }

    /// Handles segment number `index` with this key. `segment` is called only if the connection is in one of these
    /// lanes.
    #[inline]
    pub(super) fn segment<'s>(
        &mut self,
        index: usize,
        &Key { at, flow }: &Key,
        segment: impl FnOnce() -> Option<Segment<'s>>,
        done: &mut Vec<Done>,
    ) {
        if self.due.is_some_and(|due| due <= at) {
            self.time(index, at, done);
        }
        let lane = flow as usize % LANES;
        if self.engines[lane].is_some()
            && let Some(segment) = segment()
        {
            self.push(index, lane, &segment, done);
        }
    }

    fn push(&mut self, index: usize, lane: usize, segment: &Segment<'_>, done: &mut Vec<Done>) {
        let Some(engine) = &mut self.engines[lane] else {
            return;
        };
        engine.push(segment);
        self.due = earliest(self.due, engine.poll_timeout());
        while let Some(event) = engine.poll() {
            if self.seen.count(&event, self.filter, self.format) {
                done.push(((index, true, lane), event));
            }
        }
    }

    fn time(&mut self, index: usize, at: Timestamp, done: &mut Vec<Done>) {
        self.due = None;
        for (lane, engine) in self.engines.iter_mut().enumerate() {
            let Some(engine) = engine else { continue };
            if engine.poll_timeout().is_some_and(|due| due <= at) {
                engine.handle_timeout(at);
                while let Some(event) = engine.poll() {
                    if self.seen.count(&event, self.filter, self.format) {
                        done.push(((index, false, lane), event));
                    }
                }
            }
            self.due = earliest(self.due, engine.poll_timeout());
        }
    }

    /// Ends the file. Open exchanges are ordered by their start time.
    pub(super) fn finish(parts: Vec<Self>) -> (Seen, Counters, Vec<Event>) {
        let (mut seen, mut counters, mut last) = (Seen::default(), Counters::default(), Vec::new());
        for mut part in parts {
            for (lane, engine) in zip(0.., &mut part.engines) {
                let Some(engine) = engine else { continue };
                engine.finish();
                while let Some(event) = engine.poll() {
                    if part.seen.count(&event, part.filter, part.format) {
                        last.push(((began(&event), lane), event));
                    }
                }
                counters.add(engine.counters());
            }
            seen.add(mem::take(&mut part.seen));
        }
        last.sort_by_key(|(place, _)| *place);
        (seen, counters, last.into_iter().map(|(_, event)| event).collect())
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn began(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Exchange(exchange) => exchange.timing.request_first,
        Event::Orphan(orphan) => orphan.timing.response_first,
        Event::Abandoned(..) => None,
    }
}
