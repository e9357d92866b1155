//! The thread that writes, and its bounded queue.
//!
//! Entries are collected briefly and written in one transaction. A full disk, or any other failure, costs the entries
//! of that transaction and of the next few seconds; then the writer tries again, until it succeeds.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Entry, Sink,
    room::{Kind, QUEUE, Room},
    store::{self, OpenError, Retention, Store},
};

/// Entries, and bytes, of one transaction.
const BATCH: usize = 256;
pub(super) const BATCH_BYTES: usize = 2 << 20;

/// How long entries are collected.
const COLLECT: Duration = Duration::from_millis(200);

/// How often retention runs.
const RETAIN: Duration = Duration::from_secs(10);

/// Pause after a failure.
const REST: Duration = Duration::from_secs(2);

/// Time limit for the end; a disk that hangs must not keep the agent running.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reasons why an entry was not written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// The writer is too slow.
    Busy,
    /// The disk, or the quota, is full.
    Full,
    /// The file cannot be written for another reason.
    Failed,
}

impl Lost {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Busy, Self::Full, Self::Failed];

    /// The stable name in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "disk_full",
            Self::Failed => "failed",
        }
    }
}

/// The state of the journal at one moment.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct State {
    /// The file.
    pub path: String,
    /// Bytes in use in it.
    pub bytes: u64,
    /// Entries that were written.
    pub written: u64,
    /// Entries dropped because the writer was too slow.
    pub dropped_busy: u64,
    /// Entries dropped because the disk was full.
    pub dropped_full: u64,
    /// Entries dropped because of another failure.
    pub dropped_failed: u64,
    /// The reason why nothing is written at present.
    pub failing: Option<String>,
}

/// A journal that is being written. Dropping it writes the waiting entries.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    sender: SyncSender<Entry>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    path: String,
    /// Capacity for waiting entries.
    room: Room,
    bytes: AtomicU64,
    written: AtomicU64,
    dropped: [AtomicU64; Lost::ALL.len()],
    ending: AtomicBool,
    failing: Mutex<Option<String>>,
}

/// The pipeline's handle.
#[derive(Clone, Debug)]
pub struct Offers {
    shared: Arc<Shared>,
    sender: SyncSender<Entry>,
}

impl Sink for Offers {
    fn offer(&self, entry: Entry) {
        let Self { shared, sender } = self;
        let (kind, weight) = (Kind::of(&entry), entry.weight());
        if !shared.room.take(kind, weight) {
            return shared.dropped(Lost::Busy, 1);
        }
        if sender.try_send(entry).is_err() {
            shared.room.give_back(kind, weight);
            shared.dropped(Lost::Busy, 1);
        }
    }
}

impl Shared {
    fn dropped(&self, why: Lost, count: usize) {
        self.dropped[why as usize].fetch_add(count as u64, Relaxed);
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Opens the file and starts the thread.
    pub fn open(path: &Path, retention: Retention) -> Result<Self, OpenError> {
        let store = Store::open(path, retention)?;
        let shared = Arc::new(Shared {
            path: path.display().to_string(),
            room: Room::default(),
            bytes: AtomicU64::new(store.used().unwrap_or(0)),
            written: AtomicU64::new(0),
            dropped: Default::default(),
            ending: AtomicBool::new(false),
            failing: Mutex::default(),
        });
        let (sender, entries) = sync_channel(QUEUE);
        let writer = Writer {
            shared: Arc::clone(&shared),
            store,
            entries,
            rest: None,
            retained: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("shadow-journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|source: io::Error| OpenError::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            shared,
            sender,
            thread: Some(thread),
        })
    }

    /// The pipeline's handle; any number may exist.
    pub fn sink(&self) -> Offers {
        Offers {
            shared: Arc::clone(&self.shared),
            sender: self.sender.clone(),
        }
    }

    /// The present state.
    pub fn state(&self) -> State {
        let Shared {
            path,
            room: _,
            bytes,
            written,
            dropped: [busy, full, failed],
            ending: _,
            failing,
        } = &*self.shared;
        State {
            path: path.clone(),
            bytes: bytes.load(Relaxed),
            written: written.load(Relaxed),
            dropped_busy: busy.load(Relaxed),
            dropped_full: full.load(Relaxed),
            dropped_failed: failed.load(Relaxed),
            failing: failing.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Writes the waiting entries and closes the file.
    pub fn close(&mut self) {
        self.shared.ending.store(true, Relaxed);
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + PATIENCE;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                tracing::warn!("the journal's disk does not answer; what was not written is lost");
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        if thread.join().is_err() {
            tracing::error!("the journal's thread panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    shared: Arc<Shared>,
    store: Store,
    entries: Receiver<Entry>,
    /// After a failure: the end of the pause.
    rest: Option<Instant>,
    retained: Instant,
}

impl Writer {
    fn run(mut self) {
        loop {
            // Read first: entries offered before the end was requested are then certainly among those received.
            let ending = self.shared.ending.load(Relaxed);
            let batch = self.collect(if ending { Duration::ZERO } else { COLLECT });
            if !batch.is_empty() {
                self.write(&batch);
            } else if ending {
                break;
            }
            if self.retained.elapsed() >= RETAIN {
                self.retain();
            }
        }
        self.retain();
        if let Err(error) = self.store.close() {
            tracing::warn!(%error, "the journal was not closed in order; the next start reads its log");
        }
    }

    fn collect(&self, wait: Duration) -> Vec<Entry> {
        let deadline = Instant::now() + wait;
        let mut batch = Vec::new();
        let mut weight = 0;
        while batch.len() < BATCH && weight < BATCH_BYTES {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.entries.recv_timeout(left) {
                Ok(entry) => {
                    let one = entry.weight();
                    self.shared.room.give_back(Kind::of(&entry), one);
                    weight += one;
                    batch.push(entry);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        batch
    }

    fn write(&mut self, batch: &[Entry]) {
        if self.rest.is_some_and(|until| Instant::now() < until) {
            self.shared.dropped(self.why(), batch.len());
            return;
        }
        match self.store.write(batch) {
            Ok(()) => {
                self.shared.written.fetch_add(batch.len() as u64, Relaxed);
                self.rest = None;
                if self.shared.failing().take().is_some() {
                    tracing::info!("the journal is written again");
                }
            }
            Err(error) => {
                self.failed(&error);
                self.shared.dropped(self.why(), batch.len());
            }
        }
    }

    fn retain(&mut self) {
        self.retained = Instant::now();
        if let Err(error) = self.store.retain() {
            self.failed(&error);
        }
        if let Ok(used) = self.store.used() {
            self.shared.bytes.store(used, Relaxed);
        }
    }

    /// Logged once for each series of failures.
    fn failed(&mut self, error: &rusqlite::Error) {
        self.rest = Some(Instant::now() + REST);
        let path = self.store.path().display();
        let what = if store::is_full(error) {
            format!("{FULL}: the journal {path} is not written until there is room; the counters go on")
        } else {
            format!("the journal {path} cannot be written ({error}); the counters go on")
        };
        let mut failing = self.shared.failing();
        if failing.is_none() {
            tracing::warn!("{what}");
        }
        *failing = Some(what);
    }

    fn why(&self) -> Lost {
        match self.shared.failing().as_deref() {
            Some(what) if what.starts_with(FULL) => Lost::Full,
            _ => Lost::Failed,
        }
    }
}

const FULL: &str = "the disk is full";
