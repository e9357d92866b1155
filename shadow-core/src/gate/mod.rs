//! Replay it or skip it, and why.
//!
//! Owns: the decision for one exchange. Bias: when in doubt, skip and say so.

use crate::exchange::{Incomplete, reasons};

/// What happens to an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Send its request to the shadow system.
    Replay,
    /// Leave it, and count why.
    Skip(Skip),
}

/// Why an exchange was not replayed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, PartialOrd, Ord)]
pub enum Skip {
    /// It was not whole; the inner reason says what was missing.
    Incomplete(Incomplete),
    /// A decision, or a full queue.
    Policy(SkipPolicy),
}

impl Skip {
    /// The stable name in JSON, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete(reason) => reason.as_str(),
            Self::Policy(reason) => reason.as_str(),
        }
    }
}

reasons! {
    /// Why a whole exchange was not replayed.
    SkipPolicy {
        /// The method is not safe (RFC 9110 section 9.2.1) and writes are skipped.
        Write = "write",
        /// It carries the marker header: it is itself a replay.
        Replayed = "already_a_replay",
        /// The request body is over the limit, so it cannot be sent as it was.
        BodyOverLimit = "request_body_over_limit",
        /// The connection changed protocol (CONNECT, Upgrade).
        Upgrade = "upgrade",
        /// The queue to the shadow system was full; the newest is dropped.
        QueueFull = "queue_full",
        /// Mirroring was stopped by the kill switch.
        Killed = "killed",
        /// The agent was shutting down.
        Shutdown = "shutdown",
        /// No shadow system is configured.
        Observed = "observe_only",
    }
}
