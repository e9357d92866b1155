//! The queue between the capture thread and the replays.
//!
//! One for each lane: capture thread --[`Queue::push`]--> queue --[`Queue::pop`]--> replays. Owns: exchanges that wait,
//! and the byte count of those that wait or are being replayed. Bounds: both. Drops: the newest, by returning it to the
//! capture thread, which counts it. Lock-free: the capture thread never waits for a replay.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
};

use crossbeam_queue::SegQueue;
use shadow_proto::exchange::{Body, Exchange};
use tokio::{sync::Notify, time::Instant};

/// The bounded queue.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: SegQueue<Queued>,
    room: AtomicUsize,
    bytes: AtomicUsize,
    max_bytes: AtomicUsize,
    closed: AtomicBool,
    wake: Notify,
}

/// An exchange on its way to the shadow system.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) exchange: Arc<Exchange>,
    /// When it was queued.
    pub(super) since: Instant,
    /// Its bytes, to be released with [`Queue::release`] when nothing holds the exchange any more.
    pub(super) bytes: usize,
}

impl Queue {
    pub(super) fn new(exchanges: usize, max_bytes: usize) -> Self {
        Self {
            waiting: SegQueue::new(),
            room: AtomicUsize::new(exchanges.max(1)),
            bytes: AtomicUsize::new(0),
            max_bytes: AtomicUsize::new(max_bytes),
            closed: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// Sets the capacity. Exchanges over it that already wait stay.
    pub(super) fn set_bounds(&self, exchanges: usize, max_bytes: usize) {
        self.room.store(exchanges.max(1), Relaxed);
        self.max_bytes.store(max_bytes, Relaxed);
    }

    /// Takes an exchange, or returns it when it does not fit. Wakes no replay: see [`Queue::flush`].
    pub(super) fn push(&self, exchange: Arc<Exchange>) -> Result<(), Arc<Exchange>> {
        let bytes = held_by(&exchange);
        // Only the capture thread adds, so an exchange that fits now still fits below.
        let is_heavy = self.bytes.load(Relaxed).saturating_add(bytes) > self.max_bytes.load(Relaxed);
        if is_heavy || self.waiting.len() >= self.room() {
            return Err(exchange);
        }
        self.bytes.fetch_add(bytes, Relaxed);
        let since = Instant::now();
        self.waiting.push(Queued {
            exchange,
            since,
            bytes,
        });
        Ok(())
    }

    /// Wakes the replays. Called once for a batch: a wake-up costs the capture thread a system call.
    pub(super) fn flush(&self) {
        self.wake.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Queued> {
        self.waiting.pop()
    }

    /// Releases the bytes of an exchange that is done.
    pub(super) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// Nothing will be pushed any more.
    pub(super) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.flush();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Waits for [`Queue::flush`]; one that came before counts.
    pub(super) async fn flushed(&self) {
        self.wake.notified().await;
    }

    /// The capacity.
    pub(super) fn room(&self) -> usize {
        self.room.load(Relaxed)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of every exchange that waits or is being replayed.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

/// The bytes that an exchange keeps in memory.
pub(super) fn held_by(exchange: &Exchange) -> usize {
    let content = |body: &Body| body.kept.len();
    let request = &exchange.request;
    let mut bytes = size_of::<Exchange>()
        .saturating_add(request.headers.allocated())
        .saturating_add(content(&request.body));
    if let Some(response) = &exchange.response {
        bytes = bytes
            .saturating_add(response.headers.allocated())
            .saturating_add(content(&response.body));
    }
    bytes
}
