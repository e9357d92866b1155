//! What a person needs afterwards: every exchange as counts over time, and redacted cases of what differed.
//!
//! Owns: what is written down ([`Entry`]), the way there ([`Sink`]), the thread that writes ([`Journal`]) and the file
//! ([`store`]). Bounds: [`QUEUE`] entries and [`QUEUE_BYTES`] bytes wait, the file is kept under its size and age. Drops:
//! what finds no room, with a name and a counter. Bias: the pipeline is never kept waiting, and a journal that cannot
//! be written never ends the agent: it goes on with counters and says so.

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

/// Something to be written down.
#[derive(Clone, Debug)]
pub enum Entry {
    /// One exchange that differed.
    Case(Box<Case>),
    /// What was counted in one stretch of time, for each route.
    Windows(Vec<Window>),
    /// Something that somebody, or the agent itself, did.
    Event(Event),
    /// Everything that is known so far; it takes the place of the former one of this run.
    Report(Box<Report>),
}

impl Entry {
    /// About how many bytes it holds.
    fn weight(&self) -> usize {
        match self {
            Self::Case(case) => case.weight(),
            Self::Windows(windows) => windows.len() * 1024,
            Self::Event(_) => 1024,
            Self::Report(report) => (report.groups.len() + report.routes.len()) * 1024,
        }
    }
}

/// What was counted in one stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// How long it was.
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
    /// What the gates of a rollout ask for besides; none in what an older version wrote.
    pub gated: Option<Gated>,
}

/// What the gates of a rollout ask of a [`Window`], besides its verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gated {
    /// The share of connections that was copied when it ended, 0 to 1.
    pub sample: f64,
    /// Skipped, though meant to be compared.
    pub missed: u64,
    /// Verdicts shadow error that the agent did not cause itself.
    pub failed: u64,
    /// Answers of production with a 5xx status.
    pub production_5xx: u64,
    /// Answers of the shadow system with a 5xx status.
    pub shadow_5xx: u64,
}

/// Something that somebody, or the agent itself, did: a kill, a rollout phase, a breaker that opened.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// What: `kill`, `resume`, `sample`, `rollout`, `trip`, `start`, `end`.
    pub kind: String,
    /// Who: a user, or the part of the agent that decided.
    pub who: String,
    /// Why, in words.
    pub why: String,
    /// The figures it was decided on, as a JSON object.
    pub evidence: serde_json::Value,
}

/// Where entries go. Never waits: what cannot be taken at once is dropped and counted by the sink.
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
pub struct Kept(Mutex<Vec<Entry>>);

impl Kept {
    /// What was offered so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Kept {
    fn offer(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}
