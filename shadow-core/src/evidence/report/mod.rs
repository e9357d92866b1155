//! The model of a report, used for text, for JSON, and for saving it to disk and reading it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shadow_common::stat::Stat;
use shadow_proto::engine::Counters;

mod causes;
mod fields;
mod groups;
mod input;
mod kernel;
mod origin;
mod power;
mod scope;
mod verified;

use super::{coverage::CoverageWindows, ruling::Judgement, stats::Proportion, unread::Unread};
use crate::{compare::RuleUsage, values::KnownValues};

pub use super::latency::Quantiles;
pub use causes::{CAUSE, Cause, CauseRoute, FeatureKind, Harm, Separates};
pub use fields::{FieldShare, Fields};
pub use groups::{
    Background, Compared, Group, Pairs, Sample, Shift, Standing, Third, Trend, TrendDirection, Writes,
};
pub use input::{Input, InputFile, InputNote};
pub use kernel::KernelCounters;
pub use origin::{Origin, SourceShare};
pub use power::{Missed, Power, PowerOf};
pub(crate) use scope::the_production;
pub use scope::{Reach, Scope};
pub use verified::{Share, Verified};

/// Version of this model. It changes when a reader of the previous one would misread this one.
pub const FORMAT: u32 = 4;

/// Everything known at one moment. All of it is redacted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the target.
    #[serde(default)]
    pub target: String,
    /// Where its counts are from, unless it is merged evidence.
    #[serde(default, skip_serializing_if = "Origin::is_unknown")]
    pub origin: Origin,
    /// The sources of merged evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceShare>,
    /// The traffic covered by the report, and which of the two systems is the new one.
    #[serde(default)]
    pub scope: Scope,
    /// When counting began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: u64,
    /// When this report was made.
    pub ended_ms: u64,
    /// From the first packet to the last verdict.
    pub funnel: Funnel,
    /// The sources of recorded traffic, and the parts of it that were not used.
    #[serde(default, skip_serializing_if = "Input::is_empty")]
    pub input: Input,
    /// Exchanges with a verdict, among those meant to be compared: all except those skipped on purpose (`write`,
    /// `already_a_replay`, `upgrade`, `observe_only`). A replay that the agent itself gave up (`cancelled`,
    /// `response_over_limit`) counts as one without a verdict. The interval is that of `unread`; without unread
    /// exchanges the share is exact.
    pub coverage: Proportion,
    /// The same for each protocol that occurred: `http1`, `http2` and `grpc`.
    #[serde(default)]
    pub protocols: BTreeMap<String, ProtocolCoverage>,
    /// Connections that were open before the capture: their first exchanges cannot be read.
    #[serde(default)]
    pub joined: Joined,
    /// The same over time: a missed burst does not lower the coverage of the whole run.
    #[serde(default)]
    pub coverage_windows: CoverageWindows,
    /// Exchanges that passed on connections whose messages could not be separated, of those meant to be compared.
    #[serde(default)]
    pub unread: Unread,
    /// Share of right answers among those that can be decided: `(matched + noise) / (matched + mismatched -
    /// after_skipped_write)`.
    pub match_rate: Proportion,
    /// Latency of all routes together.
    pub latency: Latency,
    /// Answers of production with a 5xx status, among all exchanges with a verdict.
    pub production_errors: Proportion,
    /// Replays that failed or got a 5xx, among the same exchanges.
    pub shadow_errors: Proportion,
    /// Exchanges with an answer other than a 5xx.
    pub availability: Availability,
    /// Evidence on differences between two answers of the same system.
    pub background: Background,
    /// Evidence on writes that the shadow system did not see.
    pub writes: Writes,
    /// Routes, the one with the most exchanges first.
    pub routes: Vec<Route>,
    /// Causes of the differences that nothing excuses, the most harmful first.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// Number of further causes.
    #[serde(default)]
    pub causes_more: u64,
    /// Groups of equal discrepancies and failures, the most harmful first.
    pub groups: Vec<Group>,
    /// Discrepancies that were not stored in a group.
    pub groups_overflow: u64,
    /// Problems that the rates alone do not show: slow routes, failing routes.
    pub findings: Vec<Finding>,
    /// How many planted faults would have been found.
    #[serde(default)]
    pub power: Power,
    /// Values of the two systems that correspond; none where nothing is learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<KnownValues>,
    /// Use of each comparison rule: a rule that never matched, or that hides a whole body, is a mistake.
    #[serde(default)]
    pub rules: Vec<RuleUsage>,
    /// Header fields of both systems' answers that were not compared.
    #[serde(default)]
    pub fields: Fields,
    /// The resulting judgement.
    pub judgement: Judgement,
    /// Reports of the further targets; empty in each of those.
    #[serde(default)]
    pub also: Vec<Self>,
}

/// Counters from the first packet to the last verdict, with a name for everything that was lost in between.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// The kernel program's counters; none for recorded traffic.
    pub kernel: KernelCounters,
    /// Counters of capture, reassembly and HTTP.
    pub engine: Counters,
    /// Exchanges produced by the engine.
    pub exchanges: u64,
    /// Exchanges not replayed, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Their sum.
    pub skipped_total: u64,
    /// Of these, exchanges of a kind for which nothing is verified, by reason.
    #[serde(default)]
    pub unverified: BTreeMap<String, u64>,
    /// Exchanges waiting for their turn or for their answer.
    pub in_flight: u64,
    /// Replays with a verdict: `matched + mismatched + shadow_errors`.
    pub replayed: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch: `regressions + undecided + noise + after_skipped_write`.
    pub mismatched: u64,
    /// Mismatches with a difference that is known to be neither noise nor explained by a skipped write.
    pub regressions: u64,
    /// Mismatches with a difference about which too little is known yet.
    #[serde(default)]
    pub undecided: u64,
    /// Mismatches whose differences all occur between two answers of the same system as well.
    pub noise: u64,
    /// Mismatches explained by a write that the shadow system did not see.
    pub after_skipped_write: u64,
    /// Verdict shadow error.
    pub shadow_errors: u64,
    /// Shadow errors by failure.
    pub failures: BTreeMap<String, u64>,
    /// Replays sent or read in another way than the traffic says, by [`ReplayNote`]. Maintained by the sender.
    #[serde(default)]
    pub notes: BTreeMap<String, u64>,
}

impl Funnel {
    /// One counter of the kernel program.
    pub fn kernel(&self, stat: Stat) -> u64 {
        self.kernel.get(stat)
    }
}

shadow_proto::catalogue! {
    /// How a replay was sent or read in another way than the traffic says.
    ReplayNote {
        /// Sent once more: its reused connection had ended without an answer.
        Reconnected = "reconnected",
        /// Sent once more: HTTP/2's REFUSED_STREAM or GOAWAY said that it had not been processed.
        Unprocessed = "unprocessed",
        /// Sent without production's validators.
        WithoutValidators = "without_validators",
        /// Sent without its offer of another protocol.
        WithoutUpgrade = "without_upgrade",
        /// Answered with a head that breaks a rule of RFC 9112, and read all the same.
        ReadLeniently = "read_leniently",
        /// The first byte came in less than the round trip of the path, and counts as zero.
        UnderPath = "under_path_rtt",
    }
}

/// Exchanges of one protocol.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ProtocolCoverage {
    /// All that were seen.
    pub exchanges: u64,
    /// Those with a verdict, among those meant to be compared.
    pub coverage: Proportion,
}

/// Connections that were joined in the middle.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Joined {
    /// Among all connections.
    pub connections: Proportion,
    /// Among connections of HTTP/2, whose fields are known only as far as they were sent since then.
    pub http2: Proportion,
}

/// The latency of both systems.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Latency {
    /// As measured on the wire.
    pub production: Spans,
    /// As measured at the client socket.
    pub shadow: Spans,
    /// Shadow's median time to the first byte over production's.
    pub p50_ratio: Option<f64>,
    /// Lower end of its 95 % interval.
    pub p50_ratio_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub p50_ratio_high: Option<f64>,
}

/// Exchanges with an answer other than a 5xx, among those with a verdict.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Availability {
    /// Of the production system.
    pub production: Proportion,
    /// Of the shadow system.
    pub shadow: Proportion,
}

/// Quantiles of the two measured spans.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Spans {
    /// Last request byte to first response byte.
    pub first_byte: Quantiles,
    /// Last request byte to last response byte.
    pub whole: Quantiles,
}

/// One route.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Route {
    /// Method and path template, such as `GET /users/{id}`.
    pub route: String,
    /// Exchanges that were skipped or judged.
    pub exchanges: u64,
    /// Exchanges that were not replayed.
    pub skipped: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Mismatches with a difference that is a regression.
    pub regressions: u64,
    /// Mismatches with a difference about which too little is known yet.
    #[serde(default)]
    pub undecided: u64,
    /// Mismatches that are noise.
    pub noise: u64,
    /// Mismatches explained by a skipped write.
    pub after_skipped_write: u64,
    /// Verdict shadow error.
    pub shadow_errors: u64,
    /// Compared pairs of answers of the same system, from all sources together.
    pub background_pairs: u64,
    /// How much of its answers is compared; `None` if they have no content.
    #[serde(default)]
    pub verified: Option<Verified>,
    /// Latency of both systems.
    pub latency: Latency,
}

/// A problem of one route that the match rate does not show.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of problem.
    pub kind: FindingKind,
    /// Method and path template.
    pub route: String,
    /// Description, with the figures.
    pub text: String,
}

/// The kind of a [`Finding`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The shadow system's median is far above production's.
    Slow,
    /// The shadow system's 99th percentile is far above production's.
    SlowTail,
    /// Replays timed out.
    TimesOut,
    /// Replays failed for another reason.
    Fails,
    /// Production did not answer requests.
    NotAnswered,
    /// A field of its answers breaks a rule of HTTP.
    OddField,
}

/// Inputs that the ledger does not count itself.
#[derive(Clone, Debug, Default)]
pub struct ReportInputs {
    /// When counting began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: u64,
    /// The current time, in the same unit.
    pub now_ms: u64,
    /// The kernel program's counters; none for recorded traffic.
    pub kernel: KernelCounters,
    /// The counters of capture, reassembly and HTTP.
    pub engine: Counters,
    /// Input read from files.
    pub input: Input,
    /// Share of connections that are captured; `None` for recorded traffic.
    pub sample: Option<f64>,
}
