//! Captures: several files merged by time, processed by one engine.

use std::sync::Arc;

use shadow_proto::{
    engine::{Engine, Event, Settings},
    exchange::Exchange,
    time::Timestamp,
    wire::{Segment, frame::Skip},
};

use super::{FeedState, Reader, hops::Hops};
use crate::{
    capture::{
        SourceError,
        pcap::{Counts, Next, PcapFile},
    },
    pipeline::CaptureCounters,
};

/// Segments read at once.
const BATCH: usize = 256;

/// Capture files.
#[derive(Debug)]
pub(super) struct Captures {
    files: Vec<Ahead>,
    engine: Engine,
    counters: CaptureCounters,
    latest: Timestamp,
    ended: bool,
    hops: Hops,
    state: Arc<FeedState>,
}

/// A file and its next segment.
#[derive(Debug)]
struct Ahead {
    name: String,
    file: PcapFile,
    facts: Option<Segment<'static>>,
    payload: Vec<u8>,
    /// Whether any segment could be read.
    begun: bool,
    /// Skipped segments of other hops.
    passed_over: u64,
    state: Arc<FeedState>,
}

impl Ahead {
    /// Reads the next segment. Damage ends a file; the segments before it are used.
    fn advance(&mut self) -> Result<(), SourceError> {
        self.facts = loop {
            match self.file.next_segment() {
                Ok(Next::Segment(segment)) => {
                    self.begun = true;
                    if !self.state.select.wants(&segment) {
                        self.passed_over += 1;
                        continue;
                    }
                    self.payload.clear();
                    self.payload.extend_from_slice(segment.payload);
                    break Some(Segment {
                        payload: &[],
                        ..segment
                    });
                }
                Ok(Next::Skipped(_)) => self.begun = true,
                Ok(Next::End) => break None,
                Err(damage) if !self.begun => {
                    return Err(SourceError::File(format!("{}: {damage}", self.name)));
                }
                // A file that is cut off because the run was ended is not damaged.
                Err(_) if self.state.is_ending() => break None,
                Err(damage) => {
                    tracing::warn!(%damage, "{}: what comes before the damage is used", self.name);
                    let what = "files are damaged; what comes before the damage is used";
                    let place = || format!("{}: {damage}", self.name);
                    self.state.notes.add("damaged", 1, what, place);
                    break None;
                }
            }
        };
        Ok(())
    }
}

impl Drop for Ahead {
    /// Reports the frames that could not be used, for the part of the file that was read.
    fn drop(&mut self) {
        let notes = &self.state.notes;
        let Counts {
            packets,
            segments,
            skipped,
            link_types,
            not_selected,
        } = self.file.counts();
        notes.records(&self.name, *packets);
        for (code, count) in link_types {
            let what = format!("frames of link type {code} could not be read");
            notes.add(&format!("link_type_{code}"), *count, &what, || self.name.clone());
        }
        for reason in [Skip::Fragment, Skip::CutHeaders, Skip::Malformed, Skip::TooDeep] {
            let what = "frames could not be read for this reason";
            notes.add(reason.as_str(), skipped.get(reason), what, || self.name.clone());
        }
        // Some frames of other protocols are in every capture. A layer that cannot be read is in most frames.
        for reason in [Skip::NotIp, Skip::NotTcp] {
            let count = skipped.get(reason);
            if count > *segments {
                let what = "frames hold no TCP that can be read, more than those that do";
                notes.add(reason.as_str(), count, what, || self.name.clone());
            }
        }
        let what = "frames are of another hop than --interface, --port and --target ask for";
        notes.add("not_selected", not_selected + self.passed_over, what, || {
            self.name.clone()
        });
    }
}

impl Captures {
    pub(super) fn new(
        files: Vec<(String, PcapFile)>,
        settings: Settings,
        state: Arc<FeedState>,
    ) -> Result<Self, SourceError> {
        let mut ahead = Vec::with_capacity(files.len());
        for (name, mut file) in files {
            state.notes.file(&name, file.format());
            if let Some(interface) = &state.select.interface {
                file.only_interface(interface);
            }
            let mut file = Ahead {
                name,
                file,
                facts: None,
                payload: Vec::new(),
                begun: false,
                passed_over: 0,
                state: Arc::clone(&state),
            };
            file.advance()?;
            ahead.push(file);
        }
        Ok(Self {
            files: ahead,
            engine: Engine::new(settings),
            counters: CaptureCounters::default(),
            latest: Timestamp::default(),
            ended: false,
            hops: Hops::default(),
            state,
        })
    }

    /// Returns `false` when every file has ended.
    fn step(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<bool, SourceError> {
        let earliest = self
            .files
            .iter_mut()
            .filter_map(|file| Some((file.facts?.at, file)))
            .min_by_key(|(at, _)| *at);
        let Some((_, file)) = earliest else {
            return Ok(false);
        };
        let Some(facts) = file.facts else {
            return Ok(false);
        };
        let segment = Segment {
            payload: &file.payload,
            ..facts
        };
        self.counters.segments += 1;
        self.latest = self.latest.max(segment.at);
        if self.engine.poll_timeout().is_some_and(|due| due <= segment.at) {
            self.engine.handle_timeout(segment.at);
        }
        self.engine.push(&segment);
        file.advance()?;
        self.drain(sink);
        Ok(true)
    }

    fn drain(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) {
        while let Some(event) = self.engine.poll() {
            match event {
                Event::Exchange(exchange) if self.state.select.wants_exchange(&exchange) => {
                    self.counters.exchanges += 1;
                    self.hops.see(&exchange);
                    sink(exchange);
                }
                // Only its client has the requested port or address.
                Event::Exchange(_) => {
                    let what = "exchanges have another server than --port and --target ask for";
                    self.state
                        .notes
                        .add("other_server", 1, what, || "captures".to_owned());
                }
                Event::Orphan(_) => self.counters.orphans += 1,
                Event::Abandoned(..) => self.counters.abandoned += 1,
            }
        }
    }
}

impl Reader for Captures {
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError> {
        for _ in 0..BATCH {
            if self.step(sink)? {
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            self.ended = true;
            self.engine.finish();
            self.drain(sink);
            self.hops
                .warnings()
                .for_each(|warning| self.state.notes.warn(warning));
            break;
        }
        Ok(Some(self.latest))
    }

    fn count(&self, into: &mut CaptureCounters) {
        let CaptureCounters {
            segments,
            exchanges,
            orphans,
            abandoned,
            ..
        } = self.counters;
        into.segments += segments;
        into.exchanges += exchanges;
        into.orphans += orphans;
        into.abandoned += abandoned;
        into.engine = self.engine.counters().clone();
        into.usage = self.engine.usage();
    }
}
