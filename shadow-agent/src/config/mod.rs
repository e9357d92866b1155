//! The configuration: one typed struct, from a file, from flags, or both (flags win).
//!
//! Owns: the notation of addresses ([`place`]) and words ([`text`]), reading the file ([`load`]), the checks
//! ([`check`]), the documented example ([`example`]) and the schema ([`schema`]). Bounds: a file of 1 MiB. Bias: an
//! unknown key, an ambiguous value or a combination that cannot work is refused before anything is attached, with one
//! line that gives the place and how to fix it.

pub mod agent;
mod alias_limit;
mod budget;
pub mod check;
pub mod crd;
pub mod example;
pub mod extra_targets;
pub mod faults;
pub mod journal;
pub mod kubernetes;
pub mod load;
pub mod mark;
pub mod noise;
pub mod place;
pub mod problem;
pub mod record;
pub mod rewrite;
pub mod rollout;
pub mod schema;
pub mod select;
pub mod shadow_test;
pub mod target;
pub mod test_status;
pub mod text;
pub mod trips;
pub mod values;
pub mod writes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::{
    compare::Rules,
    evidence::{GateConfig, LedgerLimits},
    redact::RedactConfig,
    rewrite::HostPolicy,
};
use shadow_proto::limits::Limits;

pub use agent::{AfterHandover, Agent, LogLevel, LogStyle};

use crate::{
    budget::BudgetSettings,
    capture::{
        load::{LoadOptions, Requests},
        namespaces::Namespace,
    },
    replay::{BreakerSettings, Protocol, ReplaySettings, TlsSettings},
};
use extra_targets::ExtraTarget;
use journal::Journal;
use kubernetes::Kubernetes;
use mark::Mark;
use noise::Noise;
use place::{ShadowUrl, Target};
use record::Record;
use rewrite::{Credentials, Rewrite};
use rollout::Rollout;
use select::Select;
use shadow_proto::units::{Rate, Size, Span};
use target::Mode;
use text::Words;
use trips::Trips;
use values::Values;
use writes::Writes;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The traffic that is mirrored.
    pub capture: Capture,
    /// The shadow system and the replays to it.
    pub shadow: Shadow,
    /// Further targets.
    pub also: Vec<ExtraTarget>,
    /// The rules of comparison.
    pub compare: Rules,
    /// The conditions for a cut-over.
    pub gates: GateConfig,
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
    pub budget: BudgetSettings,
    /// Conditions that stop mirroring automatically.
    pub trips: Trips,
    /// The agent itself: socket, state, metrics, log.
    pub agent: Agent,
    /// The agent's limits on memory.
    pub limits: Limits,
}

/// The traffic that is mirrored.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// Interface names or globs.
    pub interfaces: Vec<String>,
    /// Network namespaces of containers: a path, a name of `ip netns`, or `pid:N`.
    pub namespaces: Vec<Words<Namespace>>,
    /// The interfaces in these namespaces, by name or glob.
    pub namespace_interfaces: Vec<String>,
    /// Pods of this node, in place of names of their namespaces.
    pub kubernetes: Option<Kubernetes>,
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
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shadow {
    /// The address of the shadow system.
    pub url: Option<ShadowUrl>,
    /// The version of HTTP that is spoken to it.
    pub protocol: Protocol,
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
    /// Values that the shadow system gives in place of production's.
    pub values: Values,
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
    pub breaker: BreakerSettings,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            namespaces: Vec::new(),
            namespace_interfaces: vec!["eth0".to_owned()],
            kubernetes: None,
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
            protocol,
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
            breaker,
        } = ReplaySettings::default();
        Self {
            url: None,
            protocol,
            tls: TlsSettings::default(),
            observe: false,
            mode: Mode::Mirror,
            select: Select::default(),
            writes: Writes::default(),
            values: Values::default(),
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
            breaker,
        }
    }
}

impl Shadow {
    /// Keys that identify the system: they cannot change while the agent runs.
    pub(crate) const FIXED: [&str; 5] = ["url", "tls", "observe", "mode", "values"];
}

impl From<&Shadow> for ReplaySettings {
    fn from(shadow: &Shadow) -> Self {
        Self {
            protocol: shadow.protocol,
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
            breaker: shadow.breaker,
        }
    }
}

#[cfg(test)]
mod compare_tests;
#[cfg(test)]
mod hint_tests;
#[cfg(test)]
mod tests;
