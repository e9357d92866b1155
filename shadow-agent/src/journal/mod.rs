//! What a person needs afterwards: every exchange as counts over time, and redacted cases of what differed.
//!
//! Owns: what is written down ([`Entry`]) and the way there ([`Sink`]). Bias: the pipeline is never kept waiting, so
//! what cannot be taken at once is dropped and counted.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use shadow_core::case::Case;

/// Something to be written down.
#[derive(Clone, Debug)]
pub enum Entry {
    /// One exchange that differed.
    Case(Box<Case>),
    /// Something that somebody, or the agent itself, did.
    Event(Event),
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
