//! The capture thread: segments into the engine, exchanges out of it.
//!
//! Owns: the source, the one engine, and their counters. The bytes of a segment are parsed in place and never cross a
//! thread. Drops: exchanges refused by the gate, the kill switch or the full queue, each a counted skip. Never waits
//! for a replay.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use shadow_core::gate::{Decision, Gate, Skip, SkipPolicy};
use shadow_proto::{
    engine::{Engine, Event},
    exchange::Exchange,
    time::Timestamp,
};

use super::{
    Hooks,
    handover::{CutOrder, Ownership},
    idle_cpu::IdleCpuGate,
    lane::Lane,
    snapshot::{CaptureCounters, Ended},
};
use crate::capture::{Polled, Source};

/// The longest wait for segments: the heartbeat, the stop flag and idle flows are checked this often.
pub(super) const WAIT: Duration = Duration::from_millis(100);

/// How often counters are published.
pub(super) const PUBLISH: Duration = Duration::from_millis(250);

/// Exchanges that are queued before the replays are woken, when one batch of segments holds more.
const BATCH: usize = 32;

/// The time for reading after the stop: enough for the content of the ring, but bounded.
const DRAIN: Duration = Duration::from_millis(500);

/// Everything the capture thread needs.
pub(super) struct Capture {
    pub(super) source: Box<dyn Source>,
    pub(super) hooks: Hooks,
    pub(super) engine: Engine,
    pub(super) desk: FanOut,
    /// When the latest segment was captured that was read.
    pub(super) newest: Timestamp,
    pub(super) published: Arc<ArcSwap<CaptureCounters>>,
    pub(super) stop: Arc<AtomicBool>,
}

/// The distribution of exchanges to every lane.
pub(super) struct FanOut {
    pub(super) entries: Vec<Entry>,
    /// Which exchanges another agent reports.
    pub(super) ownership: Arc<Ownership>,
    /// Whether the node has CPU time for another replay.
    pub(super) courtesy: IdleCpuGate,
}

/// The capture thread's end of one lane.
pub(super) struct Entry {
    pub(super) lane: Arc<Lane>,
    /// Decides what may be sent; `None` when nothing is.
    pub(super) gate: Option<Gate>,
    /// Queued since the replays were last woken.
    pub(super) unflushed: usize,
}

impl Capture {
    /// Runs until the source ends, fails or is stopped; then nothing is left in the engine.
    pub(super) fn run(mut self) -> Ended {
        // Also when something panics: the replays must not wait forever.
        let lanes = self.desk.lanes();
        let _close = CloseOnDrop(&lanes);
        let mut counters = CaptureCounters::default();
        let mut publish_at = Instant::now();
        let mut stop_at: Option<Instant> = None;
        let mut latest = Timestamp::default();
        let mut order = None;
        let ended = loop {
            (self.hooks.heartbeat)();
            self.desk.ownership.log(&mut self.engine);
            order = order.or_else(|| self.desk.ownership.wanted());
            let wait = if stop_at.is_some() {
                Duration::ZERO
            } else {
                self.wait(latest)
            };
            let polled = self.poll(wait, &mut counters, &mut latest);
            self.cut(&mut order, &polled);
            self.tick(&mut counters, &mut latest);
            self.desk.flush();

            let now = Instant::now();
            if now >= publish_at {
                self.publish(&counters);
                publish_at = now + PUBLISH;
            }
            if stop_at.is_none() && self.stop.load(Relaxed) {
                stop_at = Some(now + DRAIN);
            }
            match polled {
                Ok(Polled::End) => break Ended::Source,
                Err(error) => break Ended::Failed(error.to_string()),
                Ok(Polled::Idle) if stop_at.is_some() => break Ended::Stopped,
                Ok(Polled::Segments(_) | Polled::Idle) => (),
            }
            if stop_at.is_some_and(|at| now >= at) {
                break Ended::Stopped;
            }
        };
        self.engine.finish();
        self.drain(&mut counters);
        self.publish(&counters);
        ended
    }

    fn poll(
        &mut self,
        wait: Duration,
        counters: &mut CaptureCounters,
        latest: &mut Timestamp,
    ) -> Result<Polled, crate::capture::SourceError> {
        let Self {
            source,
            hooks,
            engine,
            desk,
            newest,
            ..
        } = self;
        source.poll(wait, &mut |segment| {
            counters.segments += 1;
            *newest = segment.at.max(*newest);
            *latest = segment.at.max(*latest);
            engine.push(segment);
            while let Some(event) = engine.poll() {
                desk.take(event, hooks, counters);
            }
        })
    }

    /// Makes the cut of a handover, once everything captured before the order was read.
    fn cut(&mut self, order: &mut Option<CutOrder>, polled: &Result<Polled, crate::capture::SourceError>) {
        let newest = self.newest;
        let is_read = |order: &mut CutOrder| matches!(polled, Ok(Polled::Idle)) || order.is_due(newest);
        if let Some(due) = order.take_if(is_read) {
            self.desk.ownership.cut(&mut self.engine, &due);
        }
    }

    /// Lets the engine's timers run.
    fn tick(&mut self, counters: &mut CaptureCounters, latest: &mut Timestamp) {
        if let Some(now) = &self.hooks.now {
            *latest = now();
        }
        if self.engine.poll_timeout().is_some_and(|due| due <= *latest) {
            self.engine.handle_timeout(*latest);
            self.drain(counters);
        }
    }

    fn drain(&mut self, counters: &mut CaptureCounters) {
        while let Some(event) = self.engine.poll() {
            self.desk.take(event, &mut self.hooks, counters);
        }
    }

    /// The time until the next timer, if it is before the next check. A file's time does not pass by waiting.
    fn wait(&self, latest: Timestamp) -> Duration {
        match (&self.hooks.now, self.engine.poll_timeout()) {
            (Some(_), Some(due)) => due.since(latest).clamp(Duration::from_millis(1), WAIT),
            _ => WAIT,
        }
    }

    fn publish(&mut self, counters: &CaptureCounters) {
        self.desk.ownership.count(&mut self.engine);
        let mut counters = counters.clone();
        counters.engine = self.engine.counters().clone();
        counters.usage = self.engine.usage();
        for entry in &self.desk.entries {
            entry.lane.books.unread((&counters.engine).into());
        }
        self.published.store(Arc::new(counters));
    }
}

impl FanOut {
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.entries.iter().map(|entry| Arc::clone(&entry.lane)).collect()
    }

    fn take(&mut self, event: Event, hooks: &mut Hooks, counters: &mut CaptureCounters) {
        match event {
            Event::Exchange(exchange) => {
                counters.exchanges += 1;
                self.admit(exchange);
            }
            Event::Orphan(_) => counters.orphans += 1,
            Event::Abandoned(flow, why) => {
                counters.abandoned += 1;
                // Otherwise the rest is read, to count it.
                if !why.hides_exchanges() {
                    (hooks.mute)(flow, why);
                }
            }
        }
    }

    /// Every lane decides for itself; they share the exchange.
    pub(super) fn admit(&mut self, exchange: Box<Exchange>) {
        let exchange: Arc<Exchange> = exchange.into();
        if self.ownership.is_anothers(&exchange) {
            return self.entries.iter().for_each(|entry| entry.pass(&exchange));
        }
        for entry in &mut self.entries {
            entry.admit(&exchange, &mut self.courtesy);
        }
    }

    pub(super) fn flush(&mut self) {
        self.entries.iter_mut().for_each(Entry::flush);
    }
}

impl Entry {
    pub(super) fn new(lane: Arc<Lane>, gate: Option<Gate>) -> Self {
        Self {
            lane,
            gate,
            unflushed: 0,
        }
    }

    /// Counts an exchange that another agent reports.
    fn pass(&self, exchange: &Exchange) {
        let books = &self.lane.books;
        books.skipped(exchange, Skip::Policy(SkipPolicy::HandedOver));
    }

    /// Decides everything that depends on the exchange alone, so that a skipped exchange costs other threads nothing.
    fn admit(&mut self, exchange: &Arc<Exchange>, courtesy: &mut IdleCpuGate) {
        let refusal = self.refusal(exchange, courtesy);
        let books = &self.lane.books;
        if let Some(skip) = refusal {
            self.lane.not_replayed(exchange);
            return books.skipped(exchange, skip);
        }
        books.seen(exchange);
        match self.lane.queue.push(Arc::clone(exchange)) {
            Ok(()) => {
                self.unflushed += 1;
                if self.unflushed >= BATCH {
                    self.flush();
                }
            }
            Err(exchange) => {
                self.lane.not_replayed(&exchange);
                books.dropped(&exchange, Skip::Policy(SkipPolicy::QueueFull));
            }
        }
    }

    fn refusal(&self, exchange: &Exchange, courtesy: &mut IdleCpuGate) -> Option<Skip> {
        let over = || self.lane.brakes.refusal().map(Skip::Policy);
        self.forbidden(exchange, courtesy).or_else(over)
    }

    /// The reason why it is not to be replayed, regardless of the target's limits.
    pub(super) fn forbidden(&self, exchange: &Exchange, courtesy: &mut IdleCpuGate) -> Option<Skip> {
        let Some(gate) = &self.gate else {
            let policy = Skip::Policy(SkipPolicy::Observed);
            return Some(exchange.incomplete.map_or(policy, Skip::Incomplete));
        };
        let rules = self.lane.rules.load();
        let gate = rules.as_ref().map_or(gate, |rules| &rules.gate);
        match gate.decide(exchange) {
            Decision::Skip(skip) => Some(skip),
            Decision::Replay => {
                let lane = &self.lane;
                let busy = || (!courtesy.admits()).then_some(SkipPolicy::NodeBusy);
                lane.switch.refusal().or_else(busy).map(Skip::Policy)
            }
        }
    }

    fn flush(&mut self) {
        if self.unflushed > 0 {
            self.unflushed = 0;
            self.lane.queue.flush();
        }
    }
}

pub(super) struct CloseOnDrop<'a>(pub(super) &'a [Arc<Lane>]);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        for lane in self.0 {
            lane.queue.close();
        }
    }
}
