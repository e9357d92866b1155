//! Recording: captured segments into pcapng files, beside the mirroring or alone.
//!
//! capture thread --[`Tap`]--> bounded buffer --> writer thread --> [`shadow_core::mask`] --> pcapng --> file. Owns:
//! the copy of captured segments, the thread that writes it, the files. Bounds: [`Settings::buffer`] bytes wait,
//! [`Settings::max_size`] times [`Settings::files`] bytes are on the disk. Drops: a whole batch when the buffer is
//! full, everything once the disk or the last file is full: counted, and logged once. The capture thread never waits:
//! it copies, and hands on what fits.

mod files;
mod redact;
mod tap;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use shadow_core::redact::Redactor;

pub use redact::{MASKED, Redact};
pub use tap::{Recorded, Tap};

/// Bytes that are handed to the writer at once.
const BATCH: usize = 256 << 10;

/// Settings of a recording.
#[derive(Debug)]
pub struct Settings {
    /// The file; with several, `-0001` and so on go before its extension.
    pub file: PathBuf,
    /// Bytes of one file.
    pub max_size: u64,
    /// Files that are kept; with one, recording ends when it is full.
    pub files: usize,
    /// A new file begins after this long.
    pub every: Option<Duration>,
    /// Compress with zstd.
    pub zstd: bool,
    /// Bytes that wait for the disk.
    pub buffer: usize,
    /// The data to mask.
    pub redact: Redact,
    /// Knows the names of fields that hold secrets.
    pub redactor: Redactor,
    /// The interface names by their index.
    pub interfaces: Arc<dyn Interfaces>,
    /// The kernel program's losses.
    pub losses: Arc<dyn Losses>,
}

/// Names of interfaces.
pub trait Interfaces: Send + Sync + std::fmt::Debug {
    /// The name of the interface with this index.
    fn name(&self, index: u32) -> Option<String>;
}

/// Losses before the recorder.
pub trait Losses: Send + Sync + std::fmt::Debug {
    /// Segments that the kernel program could not hand over since it was loaded.
    fn lost(&self) -> u64;
}

/// The reason why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file already exists.
    #[error("{0} is there already; choose another name, or remove it")]
    Exists(PathBuf),
    /// A numbered set already exists.
    #[error("{0} of a former recording is there; choose another name, or move that set away")]
    Set(PathBuf),
    /// The file cannot be made.
    #[error("cannot create {path}: {source}")]
    Create {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The oldest file cannot be removed.
    #[error("cannot remove {path}, the oldest file of the recording: {source}")]
    Remove {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The thread could not be started.
    #[error("cannot start the recorder's thread: {0}; check the limits on threads")]
    Thread(#[source] io::Error),
}

/// Counters of a recorder. They only grow.
#[derive(Debug, Default)]
pub struct Counters {
    segments: AtomicU64,
    bytes: AtomicU64,
    written: AtomicU64,
    file_bytes: AtomicU64,
    files: AtomicU64,
    dropped: AtomicU64,
    unplaced: AtomicU64,
    removed: AtomicU64,
    ended: AtomicBool,
    failure: OnceLock<String>,
}

/// [`Counters`] of one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recording {
    /// Segments offered.
    pub segments: u64,
    /// Payload bytes in them.
    pub bytes: u64,
    /// Segments written.
    pub written: u64,
    /// Bytes of all files, before compression.
    pub file_bytes: u64,
    /// Files begun.
    pub files: u64,
    /// Of these, files that were removed in favour of later ones.
    pub removed: u64,
    /// Segments that were dropped: the buffer was full, or recording had ended.
    pub dropped: u64,
    /// Segments written without some or all of their bytes: their place in a message was not known, and so it is not
    /// known whether they are secret.
    pub unplaced: u64,
    /// Whether recording has ended by itself: the disk, or the last file, is full.
    pub ended: bool,
}

impl Counters {
    /// The counters now.
    pub fn now(&self) -> Recording {
        let ended = self.ended.load(Relaxed);
        let segments = self.segments.load(Relaxed);
        let written = self.written.load(Relaxed);
        let dropped = if ended {
            // Anything not written by now never will be.
            segments.saturating_sub(written)
        } else {
            self.dropped.load(Relaxed)
        };
        Recording {
            segments,
            bytes: self.bytes.load(Relaxed),
            written,
            file_bytes: self.file_bytes.load(Relaxed),
            files: self.files.load(Relaxed),
            removed: self.removed.load(Relaxed),
            dropped,
            unplaced: self.unplaced.load(Relaxed),
            ended,
        }
    }

    /// The write error, if recording ended because of one.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}

/// A recorder at work. Dropping it ends it: waiting data is written, the file is closed and gets its final name.
#[derive(Debug)]
pub struct Recorder {
    counters: Arc<Counters>,
    stop: mpsc::SyncSender<tap::Batch>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Creates the first file and starts the thread that writes. The tap is for the capture thread.
    pub fn start(settings: Settings) -> Result<(Self, Tap), RecordError> {
        let counters = Arc::new(Counters::default());
        let room = (settings.buffer / BATCH).max(2);
        let (to_writer, batches) = mpsc::sync_channel(room);
        let (give_back, empty) = mpsc::sync_channel(room);
        let writer = writer::Writer::new(settings, Arc::clone(&counters))?;
        let thread = std::thread::Builder::new()
            .name("shadow-record".to_owned())
            .spawn(move || writer.run(&batches, &give_back))
            .map_err(RecordError::Thread)?;
        let recorder = Self {
            counters: Arc::clone(&counters),
            stop: to_writer.clone(),
            thread: Some(thread),
        };
        Ok((recorder, Tap::new(to_writer, empty, counters)))
    }

    /// Its counters.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Ends it before anything was recorded: the file is removed.
    pub fn discard(self) {
        // Fails only when the writer is gone already.
        drop(self.stop.send(tap::Batch::nothing()));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Fails only when the writer is gone already.
        drop(self.stop.send(tap::Batch::end()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the recorder's thread panicked; its last file may be cut off");
        }
    }
}
