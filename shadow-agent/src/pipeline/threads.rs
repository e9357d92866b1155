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
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use shadow_core::gate::{Gate, SkipPolicy};
use shadow_proto::{engine::Engine, time::Timestamp};
use tokio::runtime;

use super::{
    Hooks, StartError,
    capture::{Capture, Entry, FanOut},
    dispatch::{Dispatcher, Policy},
    feed::{Feed, Play},
    handover::Ownership,
    idle_cpu::IdleCpuGate,
    lane::{Lane, Lanes},
    pairs::Pairs,
    pending::Pending,
    priority,
    settings::{PairSettings, Role},
    snapshot::{CaptureCounters, Ended, Snapshot},
};
use crate::{capture::Source, replay::Shadow};

const CAPTURE: &str = "shadow-capture";
const REPLAY: &str = "shadow-replay";
const PANICKED: &str = "the capture thread panicked";

/// How often a wait for the end checks again.
const LOOK: Duration = Duration::from_millis(5);

/// Threads that compare large bodies.
const COMPARERS: usize = 2;

/// The running threads and what they share.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) lanes: Lanes,
    /// Per cent of the node's CPU time that replays leave idle.
    pub(super) idle_cpu: Arc<AtomicU8>,
    /// Which exchanges another agent reports.
    pub(super) ownership: Arc<Ownership>,
    published: Arc<ArcSwap<CaptureCounters>>,
    stop: Arc<AtomicBool>,
    /// In a mutex, so that the kill switch works while the pipeline is being stopped.
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

/// The source of exchanges.
pub(super) enum Work {
    Capture(Box<dyn Source>, Hooks, Box<Engine>),
    Feed(Box<dyn Feed>),
}

/// One lane before it starts: with a shadow system and replay policy, unless it only observes.
pub(super) struct Made<S> {
    pub(super) lane: Arc<Lane>,
    pub(super) replays: Option<(Gate, S, Policy)>,
}

impl Threads {
    /// Starts the capture thread, and the replay thread when there is something to replay.
    pub(super) fn start<S: Shadow>(
        work: Work,
        (idle_cpu, nice): (u8, Option<u8>),
        ownership: Arc<Ownership>,
        made: Vec<Made<S>>,
    ) -> Result<Self, StartError> {
        let mut entries = Vec::with_capacity(made.len());
        let mut dispatchers = Vec::with_capacity(made.len());
        // The differences of a control target are background for every other target.
        let others = made.iter().map(|made| &made.lane);
        let others: Vec<_> = others
            .filter(|lane| lane.role() == Role::Shadow)
            .cloned()
            .collect();
        for Made { lane, replays } in made {
            let gate = replays.map(|(gate, shadow, policy)| {
                let pairs = match lane.role() {
                    Role::Shadow => Pairs::new(policy.pairs, Vec::new()),
                    Role::Control => Pairs::new(PairSettings::default(), others.clone()),
                };
                dispatchers.push(Dispatcher::new(Arc::clone(&lane), shadow, policy, pairs));
                gate
            });
            entries.push(Entry::new(lane, gate));
        }
        let threads = Self {
            lanes: entries.iter().map(|entry| Arc::clone(&entry.lane)).collect(),
            idle_cpu: Arc::new(AtomicU8::new(idle_cpu)),
            ownership: Arc::clone(&ownership),
            published: Arc::default(),
            stop: Arc::default(),
            handles: Mutex::default(),
            alive: Arc::default(),
            ended: Arc::default(),
        };
        if !dispatchers.is_empty() {
            threads.start_replay(dispatchers, nice)?;
        }
        let courtesy = IdleCpuGate::new(Arc::clone(&threads.idle_cpu));
        let desk = FanOut {
            entries,
            ownership,
            courtesy,
        };
        threads.start_capture(work, desk)?;
        Ok(threads)
    }

    fn start_capture(&self, work: Work, desk: FanOut) -> Result<(), StartError> {
        let published = Arc::clone(&self.published);
        let stop = Arc::clone(&self.stop);
        let ended = Arc::clone(&self.ended);
        let work = move || match work {
            Work::Capture(source, hooks, engine) => Capture {
                source,
                hooks,
                engine: *engine,
                desk,
                newest: Timestamp::default(),
                published,
                stop,
            }
            .run(),
            Work::Feed(feed) => Play {
                feed,
                desk,
                published,
                stop,
            }
            .run(),
        };
        let run = move || {
            let how = panic::catch_unwind(AssertUnwindSafe(work));
            // There is no other writer.
            ended.get_or_init(|| how.unwrap_or_else(|_panic| Ended::Failed(PANICKED.to_owned())));
        };
        let capture = self.spawn(CAPTURE, run)?;
        self.handles().capture = Some(capture);
        Ok(())
    }

    /// One runtime for all lanes: a lane mostly waits, and its computations are short.
    fn start_replay<S: Shadow>(
        &self,
        dispatchers: Vec<Arc<Dispatcher<S>>>,
        nice: Option<u8>,
    ) -> Result<(), StartError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(COMPARERS)
            .thread_name("shadow-compare")
            .build()
            .map_err(|source| failed(REPLAY, source))?;
        let run = move || {
            if let Some(nice) = nice {
                priority::lower(nice);
            }
            runtime.block_on(async {
                let lanes: Vec<_> = dispatchers
                    .into_iter()
                    .map(|lane| tokio::spawn(lane.run()))
                    .collect();
                for lane in lanes {
                    if let Err(error) = lane.await {
                        tracing::error!(%error, "a lane ended early");
                    }
                }
            });
        };
        let replay = self.spawn(REPLAY, run)?;
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
        // The capture thread closes the queues; if it did not start, they are still open.
        for lane in &*self.lanes {
            lane.queue.close();
        }
        let Some(replay) = replay else {
            return;
        };
        let deadline = Instant::now() + patience;
        while !replay.is_finished() && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        for lane in &*self.lanes {
            lane.switch.end();
        }
        joined(REPLAY, replay);
        // Empty, unless something panicked.
        for lane in &*self.lanes {
            if let Some(causal) = &lane.causal {
                causal.expire(Some(SkipPolicy::Shutdown));
                while causal.ready().is_some() {}
            }
            while Pending::next(lane, None).is_some() {}
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let lanes: Vec<_> = self.lanes.iter().map(|lane| lane.snapshot()).collect();
        Snapshot {
            capture: CaptureCounters::clone(&self.published.load()),
            killed: lanes.iter().any(|lane| lane.killed),
            lanes,
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
