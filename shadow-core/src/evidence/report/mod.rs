//! The one model of a report: shown as text or JSON, saved to disk and read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod groups;
mod input;
mod scope;

use super::{gates::Judgement, stats::Proportion};
use crate::compare::RuleUsage;

pub use super::latency::Quantiles;
pub use groups::{
    Background, Compared, Group, Pairs, Sample, Shift, Standing, Third, Trend, TrendDirection, Writes,
};
pub use input::{Input, InputFile, InputNote};
pub(crate) use scope::the_production;
pub use scope::{Reach, Scope};

/// The version of this model. It changes when a reader of the former one would misread this one.
pub const FORMAT: u32 = 3;

/// Everything that is known at one moment. Holds nothing that was not redacted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the target it is about.
    #[serde(default)]
    pub target: String,
    /// Which traffic it is about, and which of the two systems is the new one.
    #[serde(default)]
    pub scope: Scope,
    /// When counting began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: u64,
    /// When this report was made.
    pub ended_ms: u64,
    /// From the first packet to the last verdict.
    pub funnel: Funnel,
    /// What recorded traffic was read from, and what of it could not be used.
    #[serde(default, skip_serializing_if = "Input::is_empty")]
    pub input: Input,
    /// Exchanges with a verdict, of those that were meant to be compared: all but the ones skipped on purpose
    /// (`write`, `already_a_replay`, `upgrade`, `observe_only`). A replay that the agent gave up itself (`cancelled`,
    /// `response_over_limit`) counts as one without.
    pub coverage: Proportion,
    /// What is as it should be, of what can be told: `(matched + noise) / (matched + mismatched -
    /// after_skipped_write)`.
    pub match_rate: Proportion,
    /// Of all routes together.
    pub latency: Latency,
    /// Answers of production with a 5xx status, of all exchanges with a verdict.
    pub production_errors: Proportion,
    /// Replays that failed or got a 5xx, of the same.
    pub shadow_errors: Proportion,
    /// Exchanges with an answer that was no 5xx.
    pub availability: Availability,
    /// What is known of the differences between two answers of the same system.
    pub background: Background,
    /// What is known of writes that the shadow system did not see.
    pub writes: Writes,
    /// Routes, the one with the most exchanges first.
    pub routes: Vec<Route>,
    /// Groups of equal discrepancies and failures, the largest first.
    pub groups: Vec<Group>,
    /// Discrepancies that found no place among the groups.
    pub groups_overflow: u64,
    /// What the rates alone do not show: slow routes, routes that fail.
    pub findings: Vec<Finding>,
    /// What became of each rule of the comparison: one that never matched, or hides a whole body, is a mistake.
    #[serde(default)]
    pub rules: Vec<RuleUsage>,
    /// What follows from it.
    pub judgement: Judgement,
    /// The reports of the further targets; empty in each of them.
    #[serde(default)]
    pub also: Vec<Self>,
}

/// From the first packet to the last verdict, with a name for everything that was lost on the way.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// The kernel program's counters, summed over processors.
    pub kernel: BTreeMap<String, u64>,
    /// The counters of capture, reassembly and HTTP.
    pub engine: BTreeMap<String, u64>,
    /// Exchanges that came out of the engine.
    pub exchanges: u64,
    /// Exchanges not replayed, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Their sum.
    pub skipped_total: u64,
    /// Of these, exchanges of a kind that nothing is verified about, by reason.
    #[serde(default)]
    pub unverified: BTreeMap<String, u64>,
    /// Exchanges that wait for their turn or their answer.
    pub in_flight: u64,
    /// Replays with a verdict: `matched + mismatched + shadow_errors`.
    pub replayed: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch: `regressions + undecided + noise + after_skipped_write`.
    pub mismatched: u64,
    /// Mismatches with a difference that is known to be none of the others.
    pub regressions: u64,
    /// Mismatches with a difference of which too little is known yet.
    #[serde(default)]
    pub undecided: u64,
    /// Mismatches in which every difference is one that two answers of the same system have as well.
    pub noise: u64,
    /// Mismatches that a write explains which the shadow system did not see.
    pub after_skipped_write: u64,
    /// Verdict shadow error.
    pub shadow_errors: u64,
    /// Shadow errors by failure.
    pub failures: BTreeMap<String, u64>,
    /// Replays that were sent or read in another way than the traffic says, by [`ReplayNote`]. Kept by whoever sends.
    #[serde(default)]
    pub notes: BTreeMap<String, u64>,
}

shadow_proto::catalogue! {
    /// How a replay was sent or read in another way than the traffic says.
    ReplayNote {
        /// Sent once more: its reused connection had ended without an answer.
        Reconnected = "reconnected",
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

/// Exchanges with an answer that was no 5xx, of those with a verdict.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Availability {
    /// Of the production system.
    pub production: Proportion,
    /// Of the shadow system.
    pub shadow: Proportion,
}

/// Quantiles of the two spans that are measured.
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
    /// Not replayed.
    pub skipped: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Mismatches with a difference that is a regression.
    pub regressions: u64,
    /// Mismatches with a difference of which too little is known yet.
    #[serde(default)]
    pub undecided: u64,
    /// Mismatches that are noise.
    pub noise: u64,
    /// Mismatches that a skipped write explains.
    pub after_skipped_write: u64,
    /// Verdict shadow error.
    pub shadow_errors: u64,
    /// Pairs of answers of the same system that were compared, of every source together.
    pub background_pairs: u64,
    /// Latency of both systems.
    pub latency: Latency,
}

/// Something about one route that the match rate does not show.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// Method and path template.
    pub route: String,
    /// In words, with the figures.
    pub text: String,
}

/// What kind of [`Finding`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The shadow system's median is far above production's.
    Slow,
    /// The shadow system's 99th percentile is far above production's.
    SlowTail,
    /// Replays timed out.
    TimesOut,
    /// Replays failed otherwise.
    Fails,
    /// A field of its answers breaks a rule of HTTP.
    OddField,
}

/// What the ledger does not count itself.
#[derive(Clone, Debug, Default)]
pub struct ReportInputs {
    /// When counting began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: u64,
    /// Now, likewise.
    pub now_ms: u64,
    /// The kernel program's counters.
    pub kernel: BTreeMap<String, u64>,
    /// The counters of capture, reassembly and HTTP.
    pub engine: BTreeMap<String, u64>,
    /// What was read from files.
    pub input: Input,
    /// Share of connections that are captured; `None` when the traffic was recorded before.
    pub sample: Option<f64>,
}
