//! The two threads of a pipeline, from start to end.
//!
//! `shadow-capture` owns source and engine; `shadow-replay` runs a single-threaded runtime with everything that
//! waits for the shadow system. Order of the end: capture stops and closes the queue, replays finish or are
//! cancelled, both threads are joined.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use shadow_core::{
    engine::Engine,
    evidence::Ledger,
    gate::{Gate, Selection, SkipPolicy},
    rewrite::Marker,
};
use tokio::runtime;

use super::{
    Hooks, Replay, StartError,
    books::Books,
    capture::{Capture, Desk},
    dispatch::{Dispatcher, Policy},
    pending::{Pending, Shared},
    queue::Queue,
    snapshot::{CaptureCounters, Ended, Snapshot},
    switch::Switch,
};
use crate::{capture::Source, replay::Shadow};

const CAPTURE: &str = "shadow-capture";
const REPLAY: &str = "shadow-replay";
const PANICKED: &str = "the capture thread panicked";

/// How often a wait for the end looks again.
const LOOK: Duration = Duration::from_millis(5);

/// Threads that compare large bodies.
const COMPARERS: usize = 2;

/// The running threads and what they share.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) shared: Arc<Shared>,
    published: Arc<ArcSwap<CaptureCounters>>,
    stop: Arc<AtomicBool>,
    capture: Option<JoinHandle<()>>,
    replay: Option<JoinHandle<()>>,
    ended: Arc<OnceLock<Ended>>,
}

impl Threads {
    /// Only the capture thread.
    pub(super) fn observe(
        source: Box<dyn Source>,
        hooks: Hooks,
        engine: Engine,
        ledger: Ledger,
    ) -> Result<Self, StartError> {
        let mut threads = Self::new(ledger, Queue::new(1, 0));
        let gate = Gate::new(Selection::default(), Marker::default());
        threads.start_capture(source, hooks, engine, gate, true)?;
        Ok(threads)
    }

    /// Both threads.
    pub(super) fn replay<S: Shadow>(
        source: Box<dyn Source>,
        hooks: Hooks,
        engine: Engine,
        ledger: Ledger,
        replay: Replay,
        shadow: S,
    ) -> Result<Self, StartError> {
        let Replay {
            target: _,
            settings,
            mark: _,
            gate,
            rewrite,
            comparator,
        } = replay;
        let mut threads = Self::new(ledger, Queue::new(settings.queue, settings.queue_bytes));
        let policy = Policy {
            settings,
            rewrite,
            comparator: Arc::new(comparator),
            now: hooks.now.clone(),
        };
        threads.start_replay(Dispatcher::new(Arc::clone(&threads.shared), shadow, policy))?;
        threads.start_capture(source, hooks, engine, gate, false)?;
        Ok(threads)
    }

    fn new(ledger: Ledger, queue: Queue) -> Self {
        Self {
            shared: Arc::new(Shared {
                books: Books::new(ledger),
                queue,
                switch: Switch::new(),
                in_flight: AtomicUsize::new(0),
            }),
            published: Arc::default(),
            stop: Arc::default(),
            capture: None,
            replay: None,
            ended: Arc::default(),
        }
    }

    fn start_capture(
        &mut self,
        source: Box<dyn Source>,
        hooks: Hooks,
        engine: Engine,
        gate: Gate,
        observe: bool,
    ) -> Result<(), StartError> {
        let capture = Capture {
            source,
            hooks,
            engine,
            desk: Desk {
                shared: Arc::clone(&self.shared),
                gate,
                observe,
                unflushed: 0,
            },
            published: Arc::clone(&self.published),
            stop: Arc::clone(&self.stop),
        };
        let ended = Arc::clone(&self.ended);
        let run = move || {
            let how = panic::catch_unwind(AssertUnwindSafe(|| capture.run()));
            // Nobody else writes it.
            ended.get_or_init(|| how.unwrap_or_else(|_panic| Ended::Failed(PANICKED.to_owned())));
        };
        self.capture = Some(spawn(CAPTURE, run)?);
        Ok(())
    }

    fn start_replay<S: Shadow>(&mut self, dispatcher: Arc<Dispatcher<S>>) -> Result<(), StartError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(COMPARERS)
            .thread_name("shadow-compare")
            .build()
            .map_err(|source| failed(REPLAY, source))?;
        self.replay = Some(spawn(REPLAY, move || runtime.block_on(dispatcher.run()))?);
        Ok(())
    }

    pub(super) fn is_finished(&self) -> bool {
        let running = |is_finished: Option<bool>| is_finished == Some(false);
        !running(self.capture.as_ref().map(JoinHandle::is_finished))
            && !running(self.replay.as_ref().map(JoinHandle::is_finished))
    }

    /// See [`super::Pipeline::stop`].
    pub(super) fn stop(&mut self, patience: Duration) {
        self.stop.store(true, Relaxed);
        if let Some(capture) = self.capture.take() {
            // It notices within one wait, and drains for a bounded time.
            joined(CAPTURE, capture);
        }
        // The capture thread closes the queue; when there was none, nobody has.
        self.shared.queue.close();
        let Some(replay) = self.replay.take() else {
            return;
        };
        let deadline = Instant::now() + patience;
        while !replay.is_finished() && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        self.shared.switch.end();
        joined(REPLAY, replay);
        // Empty, unless that thread panicked.
        while let Some(left) = self.shared.queue.pop() {
            drop(Pending::new(Arc::clone(&self.shared), left, None));
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let Shared {
            books: _,
            queue,
            switch,
            in_flight,
        } = &*self.shared;
        Snapshot {
            capture: CaptureCounters::clone(&self.published.load()),
            queued: queue.len(),
            queued_bytes: queue.bytes(),
            in_flight: in_flight.load(SeqCst),
            killed: switch.refusal() == Some(SkipPolicy::Killed),
            ended: self.ended.get().cloned(),
            finished: self.is_finished(),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(run).map_err(|source| failed(name, source))
}

fn joined(thread: &'static str, handle: JoinHandle<()>) {
    if handle.join().is_err() {
        tracing::error!(thread, "a thread panicked");
    }
}

fn failed(thread: &'static str, source: io::Error) -> StartError {
    StartError::Thread { thread, source }
}
