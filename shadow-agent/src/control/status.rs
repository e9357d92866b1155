//! The status of an agent at one moment.

use serde::{Deserialize, Serialize};
use shadow_core::{
    evidence::{
        Proportion, Reason, Ruling,
        report::{Background, Cause, Funnel, Latency},
    },
    rollout::PhasePosition,
    values::Counters,
};

use crate::state::Killed;
use crate::{capture::namespaces::Seen, journal::State, pipeline::Role, replay::BreakerState, trips::Trip};

/// The version of [`Status`] in JSON. It changes when a reader of the previous version would misread this one.
pub const FORMAT: u32 = 1;

/// The status of an agent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// [`FORMAT`].
    pub format: u32,
    /// The agent's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Whether the kernel program copies packets, read from its map.
    pub armed: bool,
    /// Who killed it, when and for what reason, as far as it is known.
    pub killed: Option<Killed>,
    /// Share of connections that are mirrored, from 0 to 1, read from the kernel program's map.
    pub sample: f64,
    /// `full`; or one or more of `sampled`, `selective`, `replayed` and `reversed`.
    #[serde(default)]
    pub modes: Vec<String>,
    /// The shadow system; none when observing.
    pub shadow: Option<String>,
    /// The mirrored endpoints.
    pub targets: Vec<String>,
    /// Interfaces with the kernel program on them.
    pub interfaces: Vec<Attached>,
    /// Other network namespaces that are mirrored.
    #[serde(default)]
    pub namespaces: Vec<Inside>,
    /// The ring between the kernel program and the agent.
    pub ring: Ring,
    /// The queue of the first target.
    pub queue: Queue,
    /// Events per second, over the last few.
    pub rates: Rates,
    /// Every target, the first one first. The fields below concern that one.
    #[serde(default)]
    pub lanes: Vec<Lane>,
    /// Actions the agent took by itself, oldest first.
    #[serde(default)]
    pub trips: Vec<Trip>,
    /// Their total number.
    #[serde(default)]
    pub trips_total: u64,
    /// The part of the sample that the budget allows, 0 to 1.
    #[serde(default)]
    pub budget_share: f64,
    /// From the first packet to the last verdict.
    pub funnel: Funnel,
    /// Matches of compared exchanges.
    pub match_rate: Proportion,
    /// Of all routes together.
    pub latency: Latency,
    /// The ruling on the evidence so far.
    pub ruling: Ruling,
    /// The reasons of the ruling.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// The first causes, the most harmful first.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// Number of further causes.
    #[serde(default)]
    pub causes_more: u64,
    /// The journal; none when none is kept.
    #[serde(default)]
    pub journal: Option<State>,
    /// The place of the rollout.
    #[serde(default)]
    pub rollout: PhasePosition,
    /// Things that do not work as they should.
    pub warnings: Vec<String>,
}

/// An interface with the kernel program on it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// The method: `tcx` or `clsact`.
    pub method: String,
    /// Programs that run before it at ingress and may hide packets from it; `null` when the kernel does not tell.
    #[serde(default)]
    pub before_ingress: Option<Vec<String>>,
    /// The same at egress.
    #[serde(default)]
    pub before_egress: Option<Vec<String>>,
}

/// A network namespace that is mirrored, or is to be.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Inside {
    /// Its name: that of the configuration.
    pub name: String,
    /// The interfaces with the kernel program on them; none when it is not attached.
    pub interfaces: Vec<String>,
    /// Why nothing, or not everything, was seen of it within the last minute: `not_attached`, `no_traffic`,
    /// `one_direction`, `no_payload`, `tls` or `not_http`.
    pub blind: Option<String>,
    /// Details of that.
    pub text: Option<String>,
}

impl From<Seen> for Inside {
    fn from(seen: Seen) -> Self {
        let Seen {
            name,
            interfaces,
            blind,
            text,
        } = seen;
        Self {
            name,
            interfaces,
            blind: blind.map(|blind| blind.as_str().to_owned()),
            text,
        }
    }
}

/// The ring between the kernel program and the agent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ring {
    /// Its size.
    pub bytes: u64,
    /// The most bytes that waited in it at once within the last second.
    #[serde(default)]
    pub waiting: u64,
    /// Packets lost because it was full.
    pub full: u64,
    /// Records read from it.
    pub records: u64,
    /// Of these not understood: agent and kernel program do not match.
    pub undecodable: u64,
}

/// Exchanges that wait for the shadow system.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Queue {
    /// Exchanges that wait for a replay.
    pub waiting: u64,
    /// The capacity of the queue.
    pub room: u64,
    /// The bytes of those that wait or are being replayed.
    pub bytes: u64,
    /// Replays under way.
    pub in_flight: u64,
}

/// One target.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Its role in the comparison.
    pub role: Role,
    /// Its URL; none when observing.
    pub url: Option<String>,
    /// Its queue.
    pub queue: Queue,
    /// The reason why nothing is replayed to it, when a rule has stopped that.
    #[serde(default)]
    pub paused: Option<Trip>,
    /// Whether it gets no requests because it fails.
    #[serde(default)]
    pub breaker: BreakerState,
    /// How often the breaker opened.
    #[serde(default)]
    pub breaker_opened: u64,
    /// Requests that were sent to it a second time, to measure its own nondeterminism.
    #[serde(default)]
    pub second: u64,
    /// Requests that were sent to it again.
    #[serde(default)]
    pub retries: u64,
    /// `full`; or one or more of `sampled`, `selective`, `replayed` and `reversed`.
    #[serde(default)]
    pub modes: Vec<String>,
    /// From the exchange to the verdict.
    pub funnel: Funnel,
    /// Exchanges with a verdict, of those that were to be compared.
    #[serde(default)]
    pub coverage: Proportion,
    /// Matches of compared exchanges.
    pub match_rate: Proportion,
    /// Its routes, the one with the most exchanges first.
    #[serde(default)]
    pub routes: Vec<RouteChecked>,
    /// Planted faults that would have been found. Its interval holds at any time.
    #[serde(default)]
    pub power: Proportion,
    /// Pairs of answers of the same system that were compared.
    #[serde(default)]
    pub background: Background,
    /// Learned values; none where nothing is learned.
    #[serde(default)]
    pub values: Option<LearnedValues>,
    /// Of all routes together.
    pub latency: Latency,
    /// The ruling on the evidence so far.
    pub ruling: Ruling,
    /// The reasons of the ruling.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// The first causes, the most harmful first.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// Number of further causes.
    #[serde(default)]
    pub causes_more: u64,
}

/// How much of one route is verified.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RouteChecked {
    /// Method and path template.
    pub route: String,
    /// Exchanges that were skipped or judged.
    pub exchanges: u64,
    /// Share of the values of its answers that are compared exactly, by rule or by format; none without content.
    pub verified: Option<f64>,
    /// Planted faults that would have been found; none if none was planted, or if more than 64 routes have missed more.
    pub caught: Option<Proportion>,
}

/// Rates per second.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Rates {
    /// Packets the kernel program looked at.
    pub packets: f64,
    /// Packets it copied.
    pub emitted: f64,
    /// Exchanges that came out of the engine.
    pub exchanges: f64,
    /// Replays with a verdict.
    pub replayed: f64,
}

/// Values of the shadow system in place of production's, in numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LearnedValues {
    /// Counts since the start.
    pub counters: Counters,
    /// Pairs that are remembered now.
    pub entries: u64,
    /// The bytes that they hold.
    pub bytes: u64,
}
