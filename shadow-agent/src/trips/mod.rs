//! Automatic actions that keep the agent harmless, and their record.
//!
//! Owns: the rules for them ([`rules`]), the record of one ([`Trip`]) and the last few ([`Log`]). Bounds: [`KEPT`]
//! records.

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

/// An action that the agent took by itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trip {
    /// The deciding rule: `breaker`, `budget`, or a rule of the section `trips`.
    pub rule: String,
    /// The target it concerns; none when it concerns all.
    #[serde(default)]
    pub target: Option<String>,
    /// The action, and the figures that led to it.
    pub reason: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// When it is revoked by itself, likewise; `None` when a person has to do so, or it is over already.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

impl Trip {
    /// A trip at the present time.
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
    /// Keeps one, and logs it.
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

    /// Their total number.
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
