//! The connections of a file, dealt out to lanes that do not know of each other.
//!
//! Each lane has an engine with its share of the limits, and sees only its own connections, but the time of all: so the
//! lanes can be read by one thread or by several, and what they find, put in order by its [`Place`], is the same.

use core::{array, iter::zip, mem};

use shadow_proto::{
    engine::{Counters, Engine, Event},
    time::Timestamp,
    wire::Segment,
};

use super::{Filter, Format, settings, summary::Seen};
use crate::capture::pcap::Key;

/// As many whatever the machine: their number decides what is given up when the limits are reached.
pub(super) const LANES: usize = 4;

/// Where in the file something happened: at which segment, because of the time or of what is in it, in which lane.
pub(super) type Place = (usize, bool, usize);

/// An event to be written.
pub(super) type Done = (Place, Event);

/// Those lanes that one thread reads.
pub(super) struct Lanes<'f> {
    engines: [Option<Engine>; LANES],
    /// When one of them wants to be called, at the earliest.
    due: Option<Timestamp>,
    filter: &'f Filter,
    format: Format,
    seen: Seen,
}

impl<'f> Lanes<'f> {
    /// Every lane of which `mine` says so.
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

    /// The segment that is number `index` and has this key: `segment` is asked for it when its connection is in a lane of
    /// these.
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

    /// The file is over. What is still open comes by the time that it began at.
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
