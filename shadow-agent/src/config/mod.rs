//! The configuration: one typed struct, from a file, from flags, or both (flags win).
//!
//! Owns: the notation ([`units`](crate::units), [`place`]), reading the file ([`load`]), the checks ([`check`]) and
//! the documented example ([`example`]). Bounds: a file of 1 MiB. Bias: an unknown key, an ambiguous value or a
//! combination that cannot work is refused before anything is attached, with one line that gives the place and how to
//! fix it.

pub mod agent;
mod alias_limit;
pub mod brakes;
pub mod budget;
pub mod check;
pub mod compare;
pub mod example;
pub mod extra_targets;
pub mod faults;
pub mod gates;
pub mod journal;
pub mod load;
pub mod mark;
pub mod place;
pub mod record;
pub mod rewrite;
pub mod rollout;
pub mod select;
pub mod target;
pub mod text;
pub mod trips;
pub mod writes;

use serde::{Deserialize, Serialize};
use shadow_core::{evidence::LedgerLimits, redact::RedactConfig, rewrite::HostPolicy};
use shadow_proto::limits::Limits;

pub use agent::{Agent, LogLevel, LogStyle};

use crate::units::{Rate, Size, Span};
use crate::{
    capture::load::{LoadOptions, Requests},
    replay::{ReplaySettings, TlsSettings},
};
use brakes::Breaker;
use budget::Budget;
use compare::Compare;
use extra_targets::ExtraTarget;
use gates::{Gates, Noise};
use journal::Journal;
use mark::Mark;
use place::{ShadowUrl, Target};
use record::Record;
use rewrite::{Credentials, Rewrite};
use rollout::Rollout;
use select::Select;
use target::Mode;
use text::Words;
use trips::Trips;
use writes::Writes;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The traffic that is mirrored.
    pub capture: Capture,
    /// The shadow system and the replays to it.
    pub shadow: Shadow,
    /// Further targets.
    pub also: Vec<ExtraTarget>,
    /// The rules of comparison.
    pub compare: Compare,
    /// The conditions for a cut-over.
    pub gates: Gates,
    /// How differences between two answers of one system are found.
    pub noise: Noise,
    /// The phases of a rollout.
    pub rollout: Rollout,
    /// Values that are secret, besides those found by their form.
    pub redact: RedactConfig,
    /// The limits of the report.
    pub evidence: LedgerLimits,
    /// The journal's settings.
    pub journal: Journal,
    /// The recording's settings.
    pub record: Record,
    /// The agent's limits on the node's resources.
    pub budget: Budget,
    /// Conditions that stop mirroring automatically.
    pub trips: Trips,
    /// The agent itself: socket, state, metrics, log.
    pub agent: Agent,
    /// The agent's limits on memory.
    pub limits: Caps,
}

/// The traffic that is mirrored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// Interface names or globs.
    pub interfaces: Vec<String>,
    /// Server endpoints: a port on any address, or an address and a port.
    pub targets: Vec<Target>,
    /// Share of connections that are copied.
    pub sample: Rate,
    /// Bytes of the ring between kernel and agent; a power of two.
    pub ring_size: Size,
    /// The kernel program stops copying when it has seen no heartbeat of the agent for this long.
    pub heartbeat: Span,
    /// The hook of an interface at which requests are copied.
    pub requests: Requests,
    /// The mark of the agent's own sockets.
    pub mark: Words<Mark>,
}

/// The shadow system and the replays to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shadow {
    /// The address of the shadow system.
    pub url: Option<ShadowUrl>,
    /// Whom to trust, and which certificate to show, where the URL is one of https.
    pub tls: TlsSettings,
    /// Count and describe exchanges only; no shadow system.
    pub observe: bool,
    /// Which of the two systems is the new one.
    pub mode: Mode,
    /// Which exchanges are replayed.
    pub select: Select,
    /// The treatment of requests whose method is not safe.
    pub writes: Writes,
    /// The Host field: as the client sent it, or rewritten.
    pub host: Words<HostPolicy>,
    /// Other changes to a request.
    pub rewrite: Rewrite,
    /// The treatment of credentials.
    pub credentials: Credentials,
    /// The longest wait for a whole shadow response.
    pub timeout: Span,
    /// Requests in flight to the shadow system.
    pub concurrency: usize,
    /// Requests a second; null for no limit.
    pub requests_per_second: Option<f64>,
    /// Bytes a second, of requests and answers together; null for no limit.
    pub bytes_per_second: Option<Size>,
    /// Exchanges that wait for a free slot; above this the newest is skipped and counted.
    pub queue: usize,
    /// The bytes those exchanges may hold together.
    pub queue_bytes: Size,
    /// An exchange that waited longer is no longer replayed.
    pub max_wait: Span,
    /// The longest wait for a connection.
    pub connect_timeout: Span,
    /// The longest wait for the first byte of a response; null for no limit but `timeout`.
    pub first_byte_timeout: Option<Span>,
    /// A connection that was idle for this long is closed.
    pub idle_timeout: Span,
    /// A longer response body is abandoned.
    pub max_response: Size,
    /// How often an idempotent request is sent again when its connection failed before an answer.
    pub retries: u32,
    /// When replays to a failing target are suspended.
    pub breaker: Breaker,
}

/// The limits of the core: [`Limits`] in the notation of the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Connections tracked at once.
    pub flows: usize,
    /// Bytes buffered over all connections.
    pub memory: Size,
    /// Out-of-order bytes held for one direction of a connection.
    pub out_of_order: Size,
    /// One request or response head.
    pub head: Size,
    /// Fields in one head.
    pub fields: usize,
    /// Bytes of one body that are kept; of the rest only length and digest.
    pub body: Size,
    /// Requests of one connection that wait for their response.
    pub pipeline: usize,
    /// Wait before a hole that the receiver acknowledged is declared lost.
    pub acked_gap: Span,
    /// Wait before any other hole is declared lost.
    pub open_gap: Span,
    /// A connection without a segment for this long is forgotten.
    pub idle: Span,
    /// The same after a FIN from one side.
    pub half_closed: Span,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            targets: Vec::new(),
            sample: Rate::FULL,
            ring_size: Size::bytes(LoadOptions::default().ring_bytes.into()),
            heartbeat: Span(LoadOptions::default().heartbeat),
            requests: Requests::default(),
            mark: Words::default(),
        }
    }
}

impl Default for Shadow {
    fn default() -> Self {
        // Destructured, so that a new setting fails to compile here.
        let ReplaySettings {
            concurrency,
            queue,
            queue_bytes,
            max_wait,
            connect_timeout,
            timeout,
            idle_timeout,
            max_response,
            requests_per_second,
            bytes_per_second,
            first_byte_timeout,
            retries,
            breaker: _,
        } = ReplaySettings::default();
        Self {
            url: None,
            tls: TlsSettings::default(),
            observe: false,
            mode: Mode::Mirror,
            select: Select::default(),
            writes: Writes::default(),
            host: Words::default(),
            rewrite: Rewrite::default(),
            credentials: Credentials::default(),
            timeout: Span(timeout),
            concurrency,
            queue,
            queue_bytes: queue_bytes.into(),
            max_wait: Span(max_wait),
            connect_timeout: Span(connect_timeout),
            idle_timeout: Span(idle_timeout),
            max_response: Size::bytes(max_response),
            requests_per_second,
            bytes_per_second: bytes_per_second.map(Size::bytes),
            first_byte_timeout: first_byte_timeout.map(Span),
            retries,
            breaker: Breaker::default(),
        }
    }
}

impl Shadow {
    /// Keys that identify the system: they cannot change while the agent runs.
    pub(crate) const FIXED: [&str; 4] = ["url", "tls", "observe", "mode"];
}

impl From<&Shadow> for ReplaySettings {
    fn from(shadow: &Shadow) -> Self {
        Self {
            concurrency: shadow.concurrency,
            queue: shadow.queue,
            queue_bytes: shadow.queue_bytes.as_usize(),
            max_wait: shadow.max_wait.0,
            connect_timeout: shadow.connect_timeout.0,
            timeout: shadow.timeout.0,
            idle_timeout: shadow.idle_timeout.0,
            max_response: shadow.max_response.as_u64(),
            requests_per_second: shadow.requests_per_second,
            bytes_per_second: shadow.bytes_per_second.map(Size::as_u64),
            first_byte_timeout: shadow.first_byte_timeout.map(|span| span.0),
            retries: shadow.retries,
            breaker: shadow.breaker.into(),
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        // Destructured, so that a new limit fails to compile here.
        let Limits {
            flows,
            memory,
            out_of_order,
            head,
            fields,
            body,
            pipeline,
            acked_gap,
            open_gap,
            idle,
            half_closed,
        } = Limits::default();
        Self {
            flows,
            memory: memory.into(),
            out_of_order: out_of_order.into(),
            head: head.into(),
            fields,
            body: body.into(),
            pipeline,
            acked_gap: Span(acked_gap),
            open_gap: Span(open_gap),
            idle: Span(idle),
            half_closed: Span(half_closed),
        }
    }
}

impl From<&Caps> for Limits {
    fn from(caps: &Caps) -> Self {
        Self {
            flows: caps.flows,
            memory: caps.memory.as_usize(),
            out_of_order: caps.out_of_order.as_usize(),
            head: caps.head.as_usize(),
            fields: caps.fields,
            body: caps.body.as_usize(),
            pipeline: caps.pipeline,
            acked_gap: caps.acked_gap.0,
            open_gap: caps.open_gap.0,
            idle: caps.idle.0,
            half_closed: caps.half_closed.0,
        }
    }
}

#[cfg(test)]
mod hint_tests;
#[cfg(test)]
mod tests;
