//! Captures: several files merged by time, through one engine.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use shadow_proto::{
    engine::{Engine, Event, Settings},
    exchange::Exchange,
    time::Timestamp,
    wire::Segment,
};

use super::{Reader, Told};
use crate::{
    capture::{
        SourceError,
        pcap::{Next, PcapFile},
    },
    pipeline::CaptureCounters,
};

/// Segments that are read at once.
const BATCH: usize = 256;

/// Capture files.
#[derive(Debug)]
pub(super) struct Captures {
    files: Vec<Ahead>,
    engine: Engine,
    counters: CaptureCounters,
    latest: Timestamp,
    ended: bool,
    told: Arc<Told>,
}

/// A file and its next segment.
#[derive(Debug)]
struct Ahead {
    name: String,
    file: PcapFile,
    facts: Option<Segment<'static>>,
    payload: Vec<u8>,
    /// Whether anything could be read.
    begun: bool,
}

impl Ahead {
    /// Reads the next segment. Damage ends a file; what came before it is used.
    fn advance(&mut self, told: &Told) -> Result<(), SourceError> {
        self.facts = loop {
            match self.file.next_segment() {
                Ok(Next::Segment(segment)) => {
                    self.begun = true;
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
                // Cut off where the run was ended is no damage.
                Err(_) if told.end.load(Relaxed) => break None,
                Err(damage) => {
                    tracing::warn!(%damage, "{}: what comes before the damage is used", self.name);
                    break None;
                }
            }
        };
        Ok(())
    }
}

impl Captures {
    pub(super) fn new(
        files: Vec<(String, PcapFile)>,
        settings: Settings,
        told: Arc<Told>,
    ) -> Result<Self, SourceError> {
        let mut ahead = Vec::with_capacity(files.len());
        for (name, file) in files {
            let mut file = Ahead {
                name,
                file,
                facts: None,
                payload: Vec::new(),
                begun: false,
            };
            file.advance(&told)?;
            ahead.push(file);
        }
        Ok(Self {
            files: ahead,
            engine: Engine::new(settings),
            counters: CaptureCounters::default(),
            latest: Timestamp::default(),
            ended: false,
            told,
        })
    }

    /// `false` when every file has ended.
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
        file.advance(&self.told)?;
        self.drain(sink);
        Ok(true)
    }

    fn drain(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) {
        while let Some(event) = self.engine.poll() {
            match event {
                Event::Exchange(exchange) => {
                    self.counters.exchanges += 1;
                    sink(exchange);
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
