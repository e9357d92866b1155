//! The section `trips`: conditions that stop mirroring automatically.

use core::{fmt, str::FromStr as _, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::problem::Problem;
use crate::trips::rules::Limit;
use shadow_proto::units::{Rate, Span};

/// Conditions that stop mirroring automatically; null for never.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trips {
    /// Replays without an answer.
    pub shadow_errors: Option<TargetTrip>,
    /// Answers that differ, without noise and without those that a skipped write explains.
    pub mismatches: Option<TargetTrip>,
    /// Packets lost because the ring was full.
    pub ring_loss: Option<NodeTrip>,
    /// The budget is exceeded even at the lowest sample.
    pub budget: Option<BudgetTrip>,
}

/// A condition checked for each target.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TargetTrip {
    /// Trips above this share.
    pub above: Rate,
    /// The least number of events.
    #[serde(default = "minimum")]
    pub minimum: u64,
    /// The length of the window.
    #[serde(default = "within")]
    pub within: Span,
    /// The effect.
    #[serde(default)]
    pub then: Action,
    /// When the trip ends.
    #[serde(default)]
    pub resume: Resume,
}

/// A condition checked for the whole agent; its effect is a kill.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeTrip {
    /// Trips above this share.
    pub above: Rate,
    /// The least number of events.
    #[serde(default = "minimum")]
    pub minimum: u64,
    /// The length of the window.
    #[serde(default = "within")]
    pub within: Span,
    /// When the trip ends.
    #[serde(default)]
    pub resume: Resume,
}

/// The budget cannot be kept; the effect is a kill.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetTrip {
    /// After this time at the lowest sample.
    pub within: Span,
    /// When the trip ends.
    #[serde(default)]
    pub resume: Resume,
}

/// The effect of a trip.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Replays to this target stop.
    #[default]
    Pause,
    /// All copying stops.
    Kill,
}

/// When a trip ends: `manual`, or after a time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Resume {
    /// When a user runs `shadow resume`.
    #[default]
    Manual,
    /// After this time.
    After(Span),
}

impl Resume {
    /// The duration, if it ends after a time.
    pub fn after(self) -> Option<Duration> {
        match self {
            Self::Manual => None,
            Self::After(span) => Some(span.0),
        }
    }
}

fn minimum() -> u64 {
    200
}

fn within() -> Span {
    Span(Duration::from_mins(1))
}

impl Default for Trips {
    fn default() -> Self {
        Self {
            shadow_errors: None,
            mismatches: None,
            ring_loss: None,
            budget: Some(BudgetTrip {
                within: Span(Duration::from_secs(30)),
                resume: Resume::After(Span(Duration::from_mins(10))),
            }),
        }
    }
}

impl TargetTrip {
    /// The limit that is checked.
    pub fn limit(&self) -> Limit {
        limit(self.above, self.minimum, self.within)
    }
}

impl NodeTrip {
    /// The limit that is checked.
    pub fn limit(&self) -> Limit {
        limit(self.above, self.minimum, self.within)
    }
}

fn limit(above: Rate, minimum: u64, within: Span) -> Limit {
    Limit {
        above: above.fraction(),
        minimum: minimum.max(1),
        within: within.0,
    }
}

impl Trips {
    /// Reports faults that single values do not show.
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        let target = |trip: &Option<TargetTrip>| trip.as_ref().map(|trip| (trip.within, trip.resume));
        let rules = [
            ("shadow_errors", target(&self.shadow_errors)),
            ("mismatches", target(&self.mismatches)),
            (
                "ring_loss",
                self.ring_loss.as_ref().map(|trip| (trip.within, trip.resume)),
            ),
            (
                "budget",
                self.budget.as_ref().map(|trip| (trip.within, trip.resume)),
            ),
        ];
        let (least, most) = (Duration::from_secs(1), Duration::from_hours(24));
        for (name, rule) in rules {
            let Some((within, resume)) = rule else {
                continue;
            };
            let spans = [("within", Some(within.0)), ("resume", resume.after())];
            for (key, span) in spans {
                if let Some(span) = span
                    && !(least..=most).contains(&span)
                {
                    found.push(Problem {
                        at: format!("trips.{name}.{key}"),
                        what: format!("{span:?} is not between {least:?} and {most:?}"),
                        fix: "give for example 1m".to_owned(),
                    });
                }
            }
        }
    }
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => f.write_str("manual"),
            Self::After(span) => span.fmt(f),
        }
    }
}

impl Serialize for Resume {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl de::Visitor<'_> for Written {
            type Value = Resume;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("manual, or a duration such as 10m")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Resume, E> {
                match text {
                    "manual" => Ok(Resume::Manual),
                    text => Span::from_str(text)
                        .map(Resume::After)
                        .map_err(|error| E::custom(format!("{error}, or manual"))),
                }
            }
        }
        deserializer.deserialize_str(Written)
    }
}
