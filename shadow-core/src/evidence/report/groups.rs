//! The parts of a report about groups of discrepancies and what excuses them.

use serde::{Deserialize, Serialize};

use crate::evidence::stats::Proportion;

/// Discrepancies that differ only in the exchange.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Group {
    /// A stable id: the same route, category and place have the same id in every run.
    pub id: String,
    /// Method and path template.
    pub route: String,
    /// The category of the discrepancy, or the name of the failure.
    pub category: String,
    /// The generalised place: `$.items[*].price`.
    pub place: String,
    /// The standing of the whole group.
    pub standing: Standing,
    /// Exchanges with a discrepancy of this group.
    pub exchanges: u64,
    /// Of these, exchanges that a skipped write explains.
    pub after_skipped_write: u64,
    /// Share of the route's exchanges with a verdict that have a discrepancy of this group.
    pub rate: Proportion,
    /// Whether it becomes more frequent.
    pub trend: Trend,
    /// Number of discrepancies; one exchange may have several.
    pub discrepancies: u64,
    /// First seen, in nanoseconds of the capture's clock.
    pub first_ns: u64,
    /// Last seen.
    pub last_ns: u64,
    /// The shifts of the group, the most frequent first. Empty for failures.
    pub shifts: Vec<Shift>,
    /// Some redacted samples; those that are not noise first.
    pub samples: Vec<Sample>,
}

/// One redacted example of a group.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Time in nanoseconds of the capture's clock.
    pub at_ns: u64,
    /// The request target.
    pub target: String,
    /// The place, with its indices.
    pub place: String,
    /// The [`Shift`] it belongs to, such as `uuid -> null`.
    pub shift: String,
    /// Production's value.
    pub production: String,
    /// The shadow system's value.
    pub shadow: String,
}

/// The standing of a difference.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The two systems differ in it more than a system differs from itself, or nothing is known about the latter.
    #[default]
    Regression,
    /// Too few answers of one system were compared to decide: counts neither for nor against the shadow system.
    Undecided,
    /// A system differs from itself in it just as often.
    Noise,
    /// All occurrences are explained by writes that the shadow system did not see.
    AfterSkippedWrite,
}

impl Standing {
    /// Whether it says nothing against the shadow system.
    pub const fn is_excused(self) -> bool {
        matches!(self, Self::Noise | Self::AfterSkippedWrite)
    }

    /// The stable name in JSON, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Undecided => "undecided",
            Self::Noise => "noise",
            Self::AfterSkippedWrite => "after_skipped_write",
        }
    }
}

/// Differences of one group that have the same shapes: production's value was a `uuid`, the shadow system's `null`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Shift {
    /// The shape of production's value.
    pub production: String,
    /// The shape of the shadow system's value.
    pub shadow: String,
    /// The distance between two numbers: `within 1 %`, `within 10 %`, `within 2x`, `within 10x`, `over 10x`, `sign`;
    /// empty for anything else.
    pub apart: String,
    /// The standing of this shift.
    pub standing: Standing,
    /// Exchanges with it, among the route's compared ones that no skipped write explains.
    pub observed: Proportion,
    /// Pairs of answers of one system with it, from the source that decided, or the best available one.
    pub background: Option<Compared>,
    /// The evidence that decided: `rate`, `repeats` (third answers of the shadow system), `production` (third answers
    /// of production), `one_sided`, `nearer` (than a number that is noise), `place`, `name`, `rest` (with similar
    /// ones), `moves` (both systems change it by themselves), `unknown`; empty while undecided.
    #[serde(default)]
    pub why: String,
    /// Production's later answers to requests whose answers had it.
    #[serde(default)]
    pub production_again: Third,
    /// The shadow system's second answers to such requests.
    #[serde(default)]
    pub shadow_again: Third,
}

/// Third answers to requests whose first two answers differ: which of the three is the odd one. Without a fault the
/// difference stays as often as it reverts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Third {
    /// The system that was asked again repeats itself.
    pub stays: u64,
    /// It answers as the other system did.
    pub reverts: u64,
    /// It answers differently again.
    pub varies: u64,
}

/// An observed rate compared with a background rate.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Compared {
    /// Source of the pairs: `control`, `recurring` or `twice`.
    pub source: String,
    /// Pairs with the difference, among the route's pairs.
    pub pairs: Proportion,
    /// Lower end of the interval of the observed rate minus the background rate; holds at any time.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Pairs of answers of the same system, by source.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Background {
    /// The shadow system's two answers to one request.
    pub twice: Pairs,
    /// Production's own answers to identical requests.
    pub recurring: Pairs,
    /// A control target's answers and production's.
    pub control: Pairs,
    /// Differences in pairs that were not stored because a table was full; they excuse nothing.
    pub overflow: u64,
    /// Mismatches whose set of differences was not stored because the table was full; judged once, when they arrived.
    pub sets_overflow: u64,
    /// Mismatches for which production answered the same request again.
    #[serde(default)]
    pub production_again: u64,
    /// Mismatches for which the shadow system was asked again.
    #[serde(default)]
    pub shadow_again: u64,
    /// Whether pairs are collected. If not, nothing is known about noise and every difference counts.
    #[serde(default)]
    pub expected: bool,
}

/// Pairs of answers of the same system.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pairs {
    /// Pairs that were compared.
    pub compared: u64,
    /// How many of these differed.
    pub differed: u64,
}

/// Writes that the shadow system did not see.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Writes {
    /// Skipped writes that may have changed something.
    pub seen: u64,
    /// Paths currently remembered.
    pub paths: u64,
    /// Paths that were forgotten to limit memory; differences there count as regressions again.
    pub evicted: u64,
}

/// Whether a group becomes more frequent: its recent share of the route's exchanges compared with its earlier share.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Trend {
    /// The direction shown by the interval.
    pub direction: TrendDirection,
    /// The share in the latest quarter of the observed time.
    pub recent: Proportion,
    /// The share in the time before.
    pub before: Proportion,
    /// Length of `recent` in seconds.
    pub recent_s: u64,
    /// Lower end of Newcombe's interval for the recent rate minus the earlier one, if both are known.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

/// Direction of a rate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrendDirection {
    /// The whole interval is above zero.
    Rising,
    /// No known change.
    #[default]
    Steady,
    /// The whole interval is below zero.
    Falling,
}
