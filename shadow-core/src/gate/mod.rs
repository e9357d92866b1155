//! Replay it or skip it, and why.
//!
//! Owns: the decision for one exchange, from the exchange alone. Bias: when in doubt, skip and say so.

mod select;

use crate::{
    exchange::{Exchange, Incomplete, Request, reasons},
    rewrite::Marker,
};

pub use select::{Selection, Writes};

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

    /// Whether this was asked for: such an exchange was never meant to be compared, so it is no loss of coverage.
    pub const fn is_intended(self) -> bool {
        match self {
            Self::Incomplete(_) => false,
            Self::Policy(reason) => reason.is_intended(),
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
        /// It was over the target's limit of requests or bytes a second.
        RateLimited = "rate_limited",
        /// Too many replays to the target had failed: it is left alone for a while.
        BreakerOpen = "breaker_open",
        /// The target is paused: a trip rule stopped its replays.
        Paused = "paused",
        /// It waited for its replay longer than the limit.
        Expired = "expired",
        /// The request cannot be sent byte for byte as it was captured.
        Unsendable = "unsendable",
        /// The node had no idle CPU: production goes first.
        NodeBusy = "node_busy",
        /// Mirroring was stopped by the kill switch.
        Killed = "killed",
        /// The agent was shutting down.
        Shutdown = "shutdown",
        /// No shadow system is configured.
        Observed = "observe_only",
    }
}

impl SkipPolicy {
    /// Whether this was asked for. The others were to be replayed, and were not.
    pub const fn is_intended(self) -> bool {
        match self {
            Self::Write | Self::Replayed | Self::Upgrade | Self::Observed => true,
            Self::BodyOverLimit
            | Self::QueueFull
            | Self::RateLimited
            | Self::BreakerOpen
            | Self::Paused
            | Self::NodeBusy
            | Self::Expired
            | Self::Unsendable
            | Self::Killed
            | Self::Shutdown => false,
        }
    }
}

/// Decides for each exchange. Immutable: one serves every thread.
#[derive(Clone, Debug)]
pub struct Gate {
    selection: Selection,
    marker: Marker,
}

impl Gate {
    /// A gate that lets `selection` through, except what carries `marker`.
    pub fn new(selection: Selection, marker: Marker) -> Self {
        Self { selection, marker }
    }

    /// What happens to this exchange, as far as it alone decides it: queues and switches come later.
    ///
    /// The marker is looked at first: a replay that was captured is one, whole or not.
    pub fn decide(&self, exchange: &Exchange) -> Decision {
        let request = &exchange.request;
        let policy = if request.headers.get(self.marker.name()).is_some() {
            SkipPolicy::Replayed
        } else if let Some(reason) = exchange.incomplete {
            return Decision::Skip(Skip::Incomplete(reason));
        } else if select::changes_protocol(exchange) {
            SkipPolicy::Upgrade
        } else if self.selection.writes == Writes::Skip && select::is_write(request) {
            SkipPolicy::Write
        } else if !request.body.is_whole() {
            SkipPolicy::BodyOverLimit
        } else {
            return Decision::Replay;
        };
        Decision::Skip(Skip::Policy(policy))
    }
}

/// Whether a request only asks: its method is safe (RFC 9110 section 9.2.1), and so is any it asks to be treated as.
pub fn is_safe(request: &Request) -> bool {
    !select::is_write(request)
}

/// Whether sending a request twice leaves the same state as sending it once (RFC 9110 section 9.2.2).
pub fn is_idempotent(request: &Request) -> bool {
    select::is_idempotent(request)
}

#[cfg(test)]
mod tests;
