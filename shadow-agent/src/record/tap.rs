//! The capture thread's end: copies segments, hands batches on, never waits.

use std::{
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, SyncSender},
    },
    time::{Duration, Instant},
};

use shadow_proto::wire::Segment;

use super::{BATCH, Counters};
use crate::capture::{Polled, Source, SourceError};

/// The size charged for a segment without payload, so that a flood of them is bounded, too.
const FACTS: usize = size_of::<Fact>();

/// A batch that is not full is handed on after this long.
const LINGER: Duration = Duration::from_millis(200);

/// Consecutive segments, their payloads in one buffer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    facts: Vec<Fact>,
    payloads: Vec<u8>,
    /// Nothing follows.
    pub(super) is_end: bool,
    /// There were no earlier batches either, and no file is to stay.
    pub(super) is_nothing: bool,
}

#[derive(Debug)]
struct Fact {
    segment: Segment<'static>,
    payload: usize,
}

impl Batch {
    pub(super) fn end() -> Self {
        Self {
            is_end: true,
            ..Self::default()
        }
    }

    pub(super) fn nothing() -> Self {
        Self {
            is_nothing: true,
            ..Self::end()
        }
    }

    fn push(&mut self, segment: &Segment<'_>) {
        self.payloads.extend_from_slice(segment.payload);
        self.facts.push(Fact {
            segment: Segment {
                payload: &[],
                ..*segment
            },
            payload: segment.payload.len(),
        });
    }

    fn size(&self) -> usize {
        self.payloads.len() + self.facts.len() * FACTS
    }

    pub(super) fn clear(&mut self) {
        self.facts.clear();
        self.payloads.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    /// Each segment with its payload.
    pub(super) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut rest = &self.payloads[..];
        self.facts.iter().map(move |fact| {
            let (payload, behind) = rest.split_at(fact.payload.min(rest.len()));
            rest = behind;
            Segment {
                payload,
                ..fact.segment
            }
        })
    }
}

/// Copies segments.
#[derive(Debug)]
pub struct Tap {
    to_writer: SyncSender<Batch>,
    empty: Receiver<Batch>,
    counters: Arc<Counters>,
    batch: Batch,
    since: Option<Instant>,
}

impl Tap {
    pub(super) fn new(to_writer: SyncSender<Batch>, empty: Receiver<Batch>, counters: Arc<Counters>) -> Self {
        Self {
            to_writer,
            empty,
            counters,
            batch: Batch::default(),
            since: None,
        }
    }

    /// Copies a segment.
    pub fn take(&mut self, segment: &Segment<'_>) {
        if self.counters.ended.load(Relaxed) {
            self.counters.segments.fetch_add(1, Relaxed);
            return;
        }
        self.batch.push(segment);
        if self.batch.size() >= BATCH {
            self.hand_on();
        }
    }

    /// Hands on a batch that has waited long enough. Called once a round, with the time.
    pub fn tick(&mut self, now: Instant) {
        if self.batch.len() == 0 {
            self.since = None;
        } else if *self.since.get_or_insert(now) + LINGER <= now {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        self.since = None;
        let next = self.empty.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        let (segments, bytes) = (batch.len() as u64, batch.payloads.len() as u64);
        let Counters {
            segments: offered,
            bytes: offered_bytes,
            dropped,
            ..
        } = &*self.counters;
        offered.fetch_add(segments, Relaxed);
        offered_bytes.fetch_add(bytes, Relaxed);
        if let Err(refused) = self.to_writer.try_send(batch) {
            dropped.fetch_add(segments, Relaxed);
            let (std::sync::mpsc::TrySendError::Full(mut batch)
            | std::sync::mpsc::TrySendError::Disconnected(mut batch)) = refused;
            // The next one is allocated already.
            batch.clear();
            if self.batch.size() == 0 {
                self.batch = batch;
            }
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if self.batch.len() > 0 {
            self.hand_on();
        }
    }
}

/// A source whose segments are recorded as they pass.
#[derive(Debug)]
pub struct Recorded<S> {
    source: S,
    tap: Tap,
}

impl<S> Recorded<S> {
    /// Records what `source` yields.
    pub fn new(source: S, tap: Tap) -> Self {
        Self { source, tap }
    }
}

impl<S: Source> Source for Recorded<S> {
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        let Self { source, tap } = self;
        let polled = source.poll(wait, &mut |segment| {
            tap.take(segment);
            sink(segment);
        });
        tap.tick(Instant::now());
        polled
    }
}
