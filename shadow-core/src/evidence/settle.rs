//! Obstacles to a ruling, by route: what is undecided, and what is excused too often.

use serde::{Deserialize, Serialize};

use super::gates::{GateConfig, Judgement, Ruling, percent, reason, ruling};

/// A route with undecided differences.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Settle {
    /// Method and path template.
    pub route: String,
    /// Mismatches with an undecided difference.
    pub undecided: u64,
    /// Minimum number of requests that must be sent a second time to decide them.
    pub pairs: u64,
}

impl Judgement {
    /// Adds the gate on what skipped writes explain. `unverified` are the routes where it is too much, each with its
    /// number of mismatches and of comparisons.
    pub(crate) fn verified(mut self, config: &GateConfig, unverified: &[(&str, u64, u64)]) -> Self {
        let reason = match unverified {
            [] => reason(
                "excused",
                Ruling::Go,
                format!(
                    "skipped writes explain at most {} of each route with 1 % of the traffic",
                    percent(config.excused)
                ),
            ),
            [(route, explained, compared), further @ ..] => {
                let further = match further.len() {
                    0 => String::new(),
                    further => format!("; and so on {further} more routes"),
                };
                reason(
                    "excused",
                    Ruling::InsufficientEvidence,
                    format!(
                        "{route} is not verified: skipped writes explain {explained} of its {compared} comparisons, \
                         allowed is {}{further}; replay the writes, or raise gates.excused",
                        percent(config.excused)
                    ),
                )
            }
        };
        self.reasons.push(reason);
        self.ruling = ruling(&self.reasons);
        self
    }
}
