//! What the agent does by itself to stay harmless, and says so.
//!
//! Owns: when something is bad enough ([`rules`]), the record of it ([`Trip`]) and the last few of them ([`Log`]). Bounds: [`KEPT`] records.

pub mod rules;

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};

use crate::clock::now_ms;

/// Records that are kept; older ones are in the log and in the journal.
const KEPT: usize = 32;

/// Something that the agent did by itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trip {
    /// What decided: `breaker`, `budget`, or a rule of the section `trips`.
    pub rule: String,
    /// The target it concerns; none when it concerns all.
    #[serde(default)]
    pub target: Option<String>,
    /// What was done, and on which figures.
    pub reason: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// When it is taken back by itself, likewise; `None` when somebody has to say so, or it is over already.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

impl Trip {
    /// Now.
    pub fn now(rule: &str, target: Option<&str>, reason: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            target: target.map(str::to_owned),
            reason: reason.into(),
            at_ms: now_ms(),
            until_ms: None,
        }
    }
}

/// The last trips, oldest first.
#[derive(Debug, Default)]
pub struct Log(Mutex<VecDeque<Trip>>, AtomicU64);

impl Log {
    /// Keeps one, and says it in the log.
    pub fn keep(&self, trip: Trip) {
        let Trip {
            rule, target, reason, ..
        } = &trip;
        tracing::warn!(rule, target, "{reason}");
        self.1.fetch_add(1, Relaxed);
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(trip);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.1.load(Relaxed)
    }

    /// All that are kept.
    pub fn all(&self) -> Vec<Trip> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Trip>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_are_kept() {
        let log = Log::default();
        for number in 0..100 {
            log.keep(Trip::now("breaker", Some("next"), number.to_string()));
        }
        let kept = log.all();
        assert_eq!(
            (kept.len(), &*kept[0].reason, &*kept[KEPT - 1].reason),
            (KEPT, "68", "99")
        );
    }
}
