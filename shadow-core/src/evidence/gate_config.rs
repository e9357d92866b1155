//! The conditions of the gates.

use core::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::units::{As, AsOption, Rate, Span};

use super::latency::micros;

/// Conditions that must hold before cut-over.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// The lower bound of the match rate must be above this.
    #[serde(with = "As::<Rate>")]
    pub match_rate: f64,
    /// The shadow system's median time to the first byte may be at most this multiple of production's.
    pub latency_ratio: f64,
    /// The shadow system's 99th percentile may be at most this multiple of production's. `None` for no limit.
    pub latency_p99: Option<f64>,
    /// A median that is slower by less than this is ignored, whatever the ratio: for short answers it measures the
    /// network.
    #[serde(with = "As::<Span>")]
    pub latency_floor: Duration,
    /// Required share of exchanges with a verdict, among those meant to be compared.
    #[serde(with = "As::<Rate>")]
    pub coverage: f64,
    /// Answers needed before a median can be called slow.
    pub latency_samples: u64,
    /// Share of a route's comparisons that skipped writes may explain. A route above it is not verified.
    #[serde(with = "As::<Rate>")]
    pub excused: f64,
    /// Required share of the leaves of each route with at least 1 % of the traffic that is compared exactly, by rule
    /// or by format.
    #[serde(with = "As::<Rate>")]
    pub verified: f64,
    /// Required share of planted faults that would have been found, by the lower end of its interval. `None` for no
    /// requirement.
    #[serde(with = "AsOption::<Rate>")]
    pub power: Option<f64>,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            match_rate: 0.999,
            latency_ratio: 2.0,
            latency_p99: None,
            latency_floor: Duration::from_millis(1),
            coverage: 0.95,
            latency_samples: 20,
            excused: 0.2,
            verified: 0.9,
            power: None,
        }
    }
}

/// A gate that could never pass, or never fail.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("gates.{name} must be {wanted}, not {given}")]
pub struct GateConfigError {
    /// The configuration key.
    pub name: &'static str,
    /// The accepted values.
    pub wanted: &'static str,
    /// The given value.
    pub given: f64,
}

/// The largest detection power that can be asked for: the lower bound for `KEPT` of as many
/// faults is just above it.
const MOST_POWER: f64 = 0.997;

impl GateConfig {
    /// Rejects values that make a gate meaningless.
    pub fn validate(&self) -> Result<(), GateConfigError> {
        let share = |given: f64| (0.0..1.0).contains(&given);
        let whole = |given: f64| (0.0..=1.0).contains(&given);
        let ratio = |given: f64| given.is_finite() && given >= 1.0;
        let wrong = [
            (
                "match_rate",
                self.match_rate,
                share(self.match_rate),
                "at least 0 and below 1",
            ),
            ("coverage", self.coverage, whole(self.coverage), "between 0 and 1"),
            ("excused", self.excused, whole(self.excused), "between 0 and 1"),
            ("verified", self.verified, whole(self.verified), "between 0 and 1"),
            (
                "power",
                self.power.unwrap_or_default(),
                (0.0..=MOST_POWER).contains(&self.power.unwrap_or_default()),
                "between 0 and 0.997: of the faults that are kept no larger share can be shown",
            ),
            (
                "latency_ratio",
                self.latency_ratio,
                ratio(self.latency_ratio),
                "at least 1",
            ),
            (
                "latency_p99",
                self.latency_p99.unwrap_or(1.0),
                self.latency_p99.is_none_or(ratio),
                "at least 1",
            ),
        ]
        .into_iter()
        .find(|(.., right, _)| !right);
        match wrong {
            Some((name, given, _, wanted)) => Err(GateConfigError { name, wanted, given }),
            None => Ok(()),
        }
    }

    /// The end of a text: a difference up to the floor is allowed at any ratio.
    pub(super) fn allowance(&self, times: f64) -> String {
        match self.floor_us() {
            0 => format!("; allowed is {times} times"),
            more => format!("; allowed is {times} times, or {} more", micros(more)),
        }
    }

    /// The difference that is allowed at any ratio, in microseconds.
    pub(super) fn floor_us(&self) -> u64 {
        u64::try_from(self.latency_floor.as_micros()).unwrap_or(u64::MAX)
    }
}
