//! The journal: every exchange as counts over time, and redacted cases of differences.
//!
//! Owns: the entries ([`Entry`]), the way to the writer ([`Sink`]), the thread that writes ([`Journal`]) and the file
//! ([`store`]). Bounds: [`QUEUE`] entries and [`QUEUE_BYTES`] bytes wait, the file is kept below its size and age.
//! Drops: entries above these limits, with a name and a counter. Bias: the pipeline never waits, and a journal that
//! cannot be written never ends the agent, which continues to count and reports it.

pub mod buckets;
mod room;
pub mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use shadow_core::{case::Case, evidence::report::Report};

pub use buckets::Buckets;
pub use room::{QUEUE, QUEUE_BYTES};
pub use store::{OpenError, Reader, Retention};
pub use writer::{Journal, Lost, Offers, State};

/// Something that is written to the journal.
#[derive(Clone, Debug)]
pub enum Entry {
    /// One exchange that differed.
    Case(Box<Case>),
    /// Counts of one interval, for each route.
    Windows(Vec<Window>),
    /// An action of a user or of the agent itself.
    Event(Event),
    /// The present report; it replaces the previous one of this run.
    Report(Box<Report>),
}

impl Entry {
    /// Its approximate size in bytes.
    fn weight(&self) -> usize {
        match self {
            Self::Case(case) => case.weight(),
            Self::Windows(windows) => windows.len() * 1024,
            Self::Event(_) => 1024,
            Self::Report(report) => (report.groups.len() + report.routes.len()) * 1024,
        }
    }
}

/// Counts of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// Its length.
    pub span_ms: u64,
    /// The name of the shadow target.
    pub target: String,
    /// Method and path template; empty for all routes together.
    pub route: String,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Of these, noise.
    pub noise: u64,
    /// Of these, those that a skipped write explains.
    pub explained: u64,
    /// Not replayed.
    pub skipped: u64,
    /// Verdict shadow error.
    pub errors: u64,
    /// Production's time to the first byte.
    pub production: Buckets,
    /// The shadow system's.
    pub shadow: Buckets,
    /// Further counts for the gates of a rollout; none in entries of an older version.
    pub gated: Option<Gated>,
}

/// Counts that the gates of a rollout need from a [`Window`], besides its verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gated {
    /// The share of connections that was copied at the end of the window, 0 to 1.
    pub sample: f64,
    /// Mismatches that were undecided at the end of the window; none in entries of an older version, where they count
    /// as wrong.
    pub undecided: u64,
    /// Skipped, though meant to be compared.
    pub missed: u64,
    /// Verdicts shadow error that the agent did not cause itself.
    pub failed: u64,
    /// Answers of production with a 5xx status.
    pub production_5xx: u64,
    /// Answers of the shadow system with a 5xx status.
    pub shadow_5xx: u64,
}

/// An action of a user or of the agent itself: a kill, a rollout phase, a breaker that opened.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// The kind: `kill`, `resume`, `sample`, `rollout`, `trip`, `start`, `end`.
    pub kind: String,
    /// The user, or the part of the agent that decided.
    pub who: String,
    /// The reason, in words.
    pub why: String,
    /// The figures used for the decision, as a JSON object.
    pub evidence: serde_json::Value,
}

/// The destination of entries. Never waits: an entry that cannot be taken at once is dropped and counted by the sink.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Takes an entry, or drops it.
    fn offer(&self, entry: Entry);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Sink for Nowhere {
    fn offer(&self, _entry: Entry) {}
}

/// Keeps everything in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Vec<Entry>>);

impl MemoryJournal {
    /// The entries offered so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for MemoryJournal {
    fn offer(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}
