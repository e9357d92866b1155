//! Exchanges from files instead of a capture.
//!
//! The feeding thread takes the place of the capture thread. Nothing is dropped because the queue is full: a file can
//! wait, so the feed is held up until a replay has ended (backpressure), and a replay until the target's rates allow
//! it. Two kinds are dropped all the same: an exchange that is larger than the whole queue (`queue_full`), and all
//! exchanges while the breaker is open, because a target that is gone would hold up the run forever (`breaker_open`).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use shadow_core::gate::{Skip, SkipPolicy};
use shadow_proto::exchange::Exchange;

use super::{
    capture::{CloseOnDrop, Entry, FanOut, PUBLISH, WAIT},
    snapshot::{CaptureCounters, Ended},
};
use crate::capture::SourceError;

/// How long to wait when the queue is full.
const RETRY: Duration = Duration::from_micros(200);

/// Result of [`Feed::next`].
#[derive(Debug)]
pub enum Fed {
    /// An exchange whose time has come.
    Exchange(Arc<Exchange>),
    /// None within the wait.
    Idle,
    /// Nothing will follow.
    End,
}

/// Yields exchanges in the order and at the time of their replay.
pub trait Feed: Send + fmt::Debug {
    /// The next exchange, after `wait` at the latest.
    fn next(&mut self, wait: Duration) -> Result<Fed, SourceError>;

    /// Reports how many replays the last exchange caused: none when it was skipped.
    fn handed_on(&mut self, replays: usize);

    /// Adds the counts of the input read so far.
    fn count(&self, into: &mut CaptureCounters);
}

/// Everything the feeding thread needs.
pub(super) struct Play {
    pub(super) feed: Box<dyn Feed>,
    pub(super) desk: FanOut,
    pub(super) published: Arc<ArcSwap<CaptureCounters>>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Play {
    /// Runs until the feed ends, fails or is stopped.
    pub(super) fn run(mut self) -> Ended {
        let lanes: Vec<_> = self.desk.lanes();
        let _close = CloseOnDrop(&lanes);
        let mut publish_at = Instant::now();
        let ended = loop {
            if self.stop.load(Relaxed) {
                break Ended::Stopped;
            }
            match self.feed.next(WAIT) {
                Ok(Fed::Exchange(exchange)) => {
                    let replays = self.desk.admit_patiently(&exchange, &self.stop);
                    drop(exchange);
                    self.feed.handed_on(replays);
                }
                Ok(Fed::Idle) => {}
                Ok(Fed::End) => break Ended::Source,
                Err(error) => break Ended::Failed(error.to_string()),
            }
            if Instant::now() >= publish_at {
                self.publish();
                publish_at = Instant::now() + PUBLISH;
            }
        };
        self.publish();
        ended
    }

    fn publish(&self) {
        let mut counters = CaptureCounters::default();
        self.feed.count(&mut counters);
        for entry in &self.desk.entries {
            entry.lane.books.unread((&counters.engine).into());
        }
        self.published.store(Arc::new(counters));
    }
}

impl FanOut {
    fn admit_patiently(&mut self, exchange: &Arc<Exchange>, stop: &AtomicBool) -> usize {
        let Self {
            entries,
            ownership: _,
            courtesy,
        } = self;
        entries
            .iter_mut()
            .map(|entry| {
                let open = || entry.lane.brakes.open().map(Skip::Policy);
                if let Some(skip) = entry.forbidden(exchange, courtesy).or_else(open) {
                    entry.lane.not_replayed(exchange);
                    entry.lane.books.skipped(exchange, skip);
                    return 0;
                }
                entry.lane.books.seen(exchange);
                usize::from(entry.push_patiently(exchange, stop))
            })
            .sum()
    }
}

impl Entry {
    /// Whether it was queued.
    fn push_patiently(&mut self, exchange: &Arc<Exchange>, stop: &AtomicBool) -> bool {
        let queue = &self.lane.queue;
        let mut waiting = Arc::clone(exchange);
        let reason = loop {
            // Read first: a queue that is full although it held nothing stays full.
            let held = queue.bytes();
            match queue.push(waiting) {
                Ok(()) => {
                    queue.flush();
                    return true;
                }
                Err(_) if held == 0 => break SkipPolicy::QueueFull,
                Err(_) if stop.load(Relaxed) => break SkipPolicy::Shutdown,
                Err(back) => waiting = back,
            }
            thread::sleep(RETRY);
        };
        self.lane.not_replayed(exchange);
        self.lane.books.dropped(exchange, Skip::Policy(reason));
        false
    }
}
