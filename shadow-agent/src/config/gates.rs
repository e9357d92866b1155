//! The sections that decide how evidence is judged: `gates`, `noise`, `redact` and `evidence`.
//!
//! Each mirrors a struct of the core in the notation of the file. They are destructured one way and built field by
//! field the other way, so that a new field of the core fails to compile here.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shadow_core::evidence::GateConfig;

use crate::units::{Rate, Span};

/// The conditions for a cut-over.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The match rate's lower bound must be above this.
    pub match_rate: Rate,
    /// The largest ratio of the shadow system's median time to the first byte to production's.
    pub latency_ratio: f64,
    /// The largest ratio of the shadow system's 99th percentile to production's; null for no limit.
    pub latency_p99: Option<f64>,
    /// A median that is slower by less than this is accepted.
    pub latency_floor: Span,
    /// Share of the exchanges meant to be compared that must have a verdict.
    pub coverage: Rate,
    /// Answers needed before a median is called slow.
    pub latency_samples: u64,
    /// Share of a route's comparisons that skipped writes may explain; a route above it is not verified, and there is
    /// no GO.
    pub excused: Rate,
    /// Share of the leaves of each route with 1 % of the traffic that must be compared exactly, by rule or by format;
    /// a route below it is not verified, and there is no GO.
    pub verified: Rate,
    /// Share of planted faults that would have to be found, by the lower end of its interval; null for no requirement.
    pub power: Option<Rate>,
}

/// How differences between two answers of one system are found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Share of the replayed safe requests that are sent to the shadow system a second time.
    pub twice: Rate,
    /// Production's own answers to identical safe requests are compared when they are at most this far apart; 0s means
    /// never.
    pub twins: Span,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            twice: Rate::from_percent(5),
            twins: Span(Duration::from_secs(2)),
        }
    }
}

impl Default for Gates {
    fn default() -> Self {
        let GateConfig {
            match_rate,
            latency_ratio,
            latency_p99,
            latency_floor,
            coverage,
            latency_samples,
            excused,
            verified,
            power,
        } = GateConfig::default();
        Self {
            match_rate: Rate::from_fraction(match_rate),
            latency_ratio,
            latency_p99,
            latency_floor: Span(latency_floor),
            coverage: Rate::from_fraction(coverage),
            latency_samples,
            excused: Rate::from_fraction(excused),
            verified: Rate::from_fraction(verified),
            power: power.map(Rate::from_fraction),
        }
    }
}

impl From<&Gates> for GateConfig {
    fn from(gates: &Gates) -> Self {
        Self {
            match_rate: gates.match_rate.fraction(),
            latency_ratio: gates.latency_ratio,
            latency_p99: gates.latency_p99,
            latency_floor: gates.latency_floor.0,
            coverage: gates.coverage.fraction(),
            latency_samples: gates.latency_samples,
            excused: gates.excused.fraction(),
            verified: gates.verified.fraction(),
            power: gates.power.map(Rate::fraction),
        }
    }
}
