//! The two threads of a pipeline, from start to end.
//!
//! `shadow-capture` owns source and engine; `shadow-replay` runs a single-threaded runtime with everything that
//! waits for the shadow system. Order of the end: capture stops and closes the queue, replays finish or are
//! cancelled, both threads are joined.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
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
    courtesy::Courtesy,
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
    /// Behind a lock, so that the kill switch works while the pipeline is being stopped.
    handles: Mutex<Handles>,
    /// Threads that have not ended.
    alive: Arc<AtomicUsize>,
    ended: Arc<OnceLock<Ended>>,
}

#[derive(Debug, Default)]
struct Handles {
    capture: Option<JoinHandle<()>>,
    replay: Option<JoinHandle<()>>,
}

impl Threads {
    /// Only the capture thread.
    pub(super) fn observe(
        source: Box<dyn Source>,
        hooks: Hooks,
        engine: Engine,
        ledger: Ledger,
    ) -> Result<Self, StartError> {
        let threads = Self::new(ledger, Queue::new(1, 0));
        let gate = Gate::new(Selection::default(), Marker::default());
        threads.start_capture(source, hooks, engine, gate, None)?;
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
        let threads = Self::new(ledger, Queue::new(settings.queue, settings.queue_bytes));
        let courtesy = Courtesy::new(settings.idle_cpu);
        let policy = Policy {
            settings,
            rewrite,
            comparator: Arc::new(comparator),
            now: hooks.now.clone(),
        };
        threads.start_replay(Dispatcher::new(Arc::clone(&threads.shared), shadow, policy))?;
        threads.start_capture(source, hooks, engine, gate, Some(courtesy))?;
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
            handles: Mutex::default(),
            alive: Arc::default(),
            ended: Arc::default(),
        }
    }

    fn start_capture(
        &self,
        source: Box<dyn Source>,
        hooks: Hooks,
        engine: Engine,
        gate: Gate,
        replays: Option<Courtesy>,
    ) -> Result<(), StartError> {
        let capture = Capture {
            source,
            hooks,
            engine,
            desk: Desk {
                shared: Arc::clone(&self.shared),
                gate,
                replays,
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
        let capture = self.spawn(CAPTURE, run)?;
        self.handles().capture = Some(capture);
        Ok(())
    }

    fn start_replay<S: Shadow>(&self, dispatcher: Arc<Dispatcher<S>>) -> Result<(), StartError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(COMPARERS)
            .thread_name("shadow-compare")
            .build()
            .map_err(|source| failed(REPLAY, source))?;
        let replay = self.spawn(REPLAY, move || runtime.block_on(dispatcher.run()))?;
        self.handles().replay = Some(replay);
        Ok(())
    }

    fn spawn(
        &self,
        thread: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, StartError> {
        self.alive.fetch_add(1, SeqCst);
        // Dropped with the closure also when the thread does not start.
        let alive = Alive(Arc::clone(&self.alive));
        thread::Builder::new()
            .name(thread.to_owned())
            .spawn(move || {
                let _alive = alive;
                run();
            })
            .map_err(|source| failed(thread, source))
    }

    fn handles(&self) -> MutexGuard<'_, Handles> {
        // Only ever replaced as a whole.
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.alive.load(SeqCst) == 0
    }

    /// See [`super::Pipeline::stop`].
    pub(super) fn stop(&self, patience: Duration) {
        self.stop.store(true, Relaxed);
        let Handles { capture, replay } = std::mem::take(&mut *self.handles());
        if let Some(capture) = capture {
            // It notices within one wait, and drains for a bounded time.
            joined(CAPTURE, capture);
        }
        // The capture thread closes the queue; when it did not start, nobody has.
        self.shared.queue.close();
        let Some(replay) = replay else {
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

/// Counts a thread while it runs, also when it panics.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn joined(thread: &'static str, handle: JoinHandle<()>) {
    if handle.join().is_err() {
        tracing::error!(thread, "a thread panicked");
    }
}

fn failed(thread: &'static str, source: io::Error) -> StartError {
    StartError::Thread { thread, source }
}
