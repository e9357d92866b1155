//! The gate: whether an exchange is replayed or skipped, and why.
//!
//! Owns: the decision for one exchange, based on that exchange only: what kind of request it is, whether it is
//! selected, and what the operator wants done with writes. Bounds: compiled patterns, and the bytes of a GraphQL
//! document. Bias: when in doubt, skip and count the reason.

mod graphql;
mod grpc;
mod matcher;
mod methods;
mod select;
mod share;
mod unanswered;
mod writes;

use crate::marker::Marker;
use shadow_proto::exchange::{Exchange, Incomplete, Request};

pub use matcher::{Match, RuleError};
pub use select::{Selection, Selector};
pub use share::{Absent, Key, Share};
pub use writes::{WritePolicy, WriteRules, Writes};

pub(crate) use grpc::is_grpc;
pub(crate) use matcher::without_port;
pub(crate) use writes::Treatment;

/// The decision on an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Send its request to the shadow system.
    Replay,
    /// Do not replay it, and count the reason.
    Skip(Skip),
}

/// Why an exchange was not replayed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, PartialOrd, Ord)]
pub enum Skip {
    /// It was incomplete; the inner reason says what was missing.
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

    /// Whether this was requested: the exchange was never meant to be compared, so it does not reduce coverage.
    pub const fn is_intended(self) -> bool {
        match self {
            Self::Incomplete(_) => false,
            Self::Policy(reason) => reason.is_intended(),
        }
    }
}

shadow_proto::catalogue! {
    /// Why a whole exchange was not replayed.
    SkipPolicy {
        /// The method is not safe (RFC 9110 section 9.2.1) and writes are skipped.
        Write = "write",
        /// A GraphQL request that is not certainly a query, and writes are skipped.
        GraphqlWrite = "graphql_write",
        /// A gRPC call whose method is not listed as safe, and writes are skipped.
        GrpcWrite = "grpc_write",
        /// A gRPC call whose response began before its request had ended: no replay keeps the order of its messages.
        GrpcInterleaved = "grpc_interleaved",
        /// A write that is kept and not sent.
        RecordOnly = "record_only",
        /// An `exclude` rule is about it.
        Excluded = "excluded",
        /// A health probe of a load balancer or an orchestrator.
        HealthProbe = "health_probe",
        /// No `include` rule is about it.
        NotIncluded = "not_included",
        /// Its key is not in the percentage that is replayed.
        OutOfShare = "out_of_share",
        /// It has no key to take a percentage by.
        NoKey = "no_key",
        /// No token that replaces its credentials is available.
        NoCredentials = "no_credentials",
        /// It carries the marker header: it is itself a replay.
        Replayed = "already_a_replay",
        /// The request body is over the limit, so it cannot be sent as it was.
        BodyOverLimit = "request_body_over_limit",
        /// The connection changed protocol (CONNECT, or an answer with status 101).
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
        /// The agent has a fault: it panicked over this exchange before its request was sent.
        Panicked = "panicked",
        /// An agent ended without a word while it worked on an exchange like this one, so it is not tried again.
        EndedAgent = "ended_agent",
        /// It has a value of production's whose partner in the shadow system was not known in time.
        WaitingForValue = "waiting_for_value",
        /// It has a value of production's that has no partner in the shadow system: the exchange that introduced it was
        /// not replayed, or was answered otherwise.
        ValueUnknown = "value_unknown",
        /// It was sent, and the answer not compared: production's was not recorded.
        SentOnly = "sent_only",
        /// Another agent reports it: the one from which this agent took over, or the one that took over from it.
        HandedOver = "handed_over",
        /// No shadow system is configured.
        Observed = "observe_only",
    }
}

impl SkipPolicy {
    /// Whether this was requested. The others should have been replayed and were not.
    pub const fn is_intended(self) -> bool {
        match self {
            Self::Write
            | Self::GraphqlWrite
            | Self::GrpcWrite
            | Self::RecordOnly
            | Self::Excluded
            | Self::HealthProbe
            | Self::NotIncluded
            | Self::OutOfShare
            | Self::NoKey
            | Self::Replayed
            | Self::Upgrade
            | Self::SentOnly
            | Self::HandedOver
            | Self::Observed => true,
            Self::NoCredentials
            | Self::GrpcInterleaved
            | Self::BodyOverLimit
            | Self::QueueFull
            | Self::RateLimited
            | Self::BreakerOpen
            | Self::Paused
            | Self::NodeBusy
            | Self::Expired
            | Self::Unsendable
            | Self::Killed
            | Self::Shutdown
            | Self::Panicked
            | Self::WaitingForValue
            | Self::ValueUnknown
            | Self::EndedAgent => false,
        }
    }

    /// Whether it leaves a kind of traffic without any verdict, rather than some of a kind. The remaining evidence says
    /// nothing about that kind.
    pub const fn is_blind(self) -> bool {
        match self {
            Self::Write
            | Self::GraphqlWrite
            | Self::GrpcWrite
            | Self::GrpcInterleaved
            | Self::RecordOnly
            | Self::Excluded
            | Self::NotIncluded
            | Self::NoKey
            | Self::NoCredentials
            | Self::BodyOverLimit
            | Self::Upgrade
            | Self::SentOnly
            | Self::EndedAgent
            | Self::Unsendable => true,
            Self::OutOfShare
            | Self::HealthProbe
            | Self::Replayed
            | Self::QueueFull
            | Self::RateLimited
            | Self::BreakerOpen
            | Self::Paused
            | Self::NodeBusy
            | Self::Expired
            | Self::Killed
            | Self::Shutdown
            | Self::Panicked
            | Self::WaitingForValue
            | Self::ValueUnknown
            | Self::HandedOver
            | Self::Observed => false,
        }
    }

    /// Whether production's state changed, or may have, and the shadow system's did not.
    pub const fn is_skipped_write(self) -> bool {
        matches!(
            self,
            Self::Write | Self::GraphqlWrite | Self::GrpcWrite | Self::RecordOnly
        )
    }
}

/// Decides on each exchange. Immutable: all threads share one gate.
#[derive(Clone, Debug)]
pub struct Gate {
    selector: Selector,
    writes: WritePolicy,
    markers: Vec<Marker>,
    unanswered: bool,
}

impl Gate {
    /// A gate that passes selected exchanges, except writes to be skipped and requests with one of the `markers`.
    pub fn new(selector: Selector, writes: WritePolicy, markers: Vec<Marker>) -> Self {
        Self {
            selector,
            writes,
            markers,
            unanswered: false,
        }
    }

    /// Also passes whole requests without a whole recorded answer. There is nothing to compare their answers with.
    pub fn send_unanswered(&mut self) {
        self.unanswered = true;
    }

    /// Whether rules select the traffic, and which share of it passes.
    pub fn reach(&self) -> (bool, f64) {
        (self.selector.is_selective(), self.selector.fraction())
    }

    /// The decision based on the exchange only: queues and switches are applied later.
    ///
    /// The marker is checked first: a captured replay is a replay, complete or not. Writes are checked before the
    /// selection, so that their count covers all traffic. A write that is only recorded passes; it is skipped when it
    /// would have been sent. A write whose content is not known, as in an access log, is a write all the same.
    pub fn decide(&self, exchange: &Exchange) -> Decision {
        let request = &exchange.request;
        let marked = |marker: &Marker| request.headers.get(marker.name()).is_some();
        let policy = if self.markers.iter().any(marked) {
            SkipPolicy::Replayed
        } else if let Some(reason) = exchange.incomplete
            && !(self.unanswered && unanswered::is_whole(exchange, reason))
        {
            return Decision::Skip(Skip::Incomplete(reason));
        } else if self.selector.is_probe(request) {
            SkipPolicy::HealthProbe
        } else if select::changes_protocol(exchange) {
            SkipPolicy::Upgrade
        } else if let Treatment::Skip(reason) = self.writes.treat(exchange) {
            reason
        } else if let Some(reason) = self.selector.refuses(exchange) {
            reason
        } else if request.body.missing > 0 {
            return Decision::Skip(Skip::Incomplete(Incomplete::BodyNotSaved));
        } else if !request.body.is_whole() {
            SkipPolicy::BodyOverLimit
        } else if grpc::is_interleaved(exchange) {
            SkipPolicy::GrpcInterleaved
        } else {
            return Decision::Replay;
        };
        Decision::Skip(Skip::Policy(policy))
    }
}

/// Whether a request only reads: its method is safe (RFC 9110 section 9.2.1), and so is any it asks to be treated as.
pub fn is_safe(request: &Request) -> bool {
    !methods::is_write(request)
}

/// Whether sending a request twice leaves the same state as sending it once (RFC 9110 section 9.2.2).
pub fn is_idempotent(request: &Request) -> bool {
    methods::is_idempotent(request)
}

#[cfg(test)]
mod tests;
