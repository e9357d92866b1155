//! The part of a report about groups of discrepancies, and about what excuses them.

use serde::{Deserialize, Serialize};

use crate::evidence::stats::Proportion;

/// Discrepancies that are the same but for the exchange.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Group {
    /// A stable name: the same route, category and place have the same one in every run.
    pub id: String,
    /// Method and path template.
    pub route: String,
    /// The category of the discrepancy, or the name of the failure.
    pub category: String,
    /// The place, generalised: `$.items[*].price`.
    pub place: String,
    /// What it is taken for.
    pub standing: Standing,
    /// Exchanges it was found in.
    pub exchanges: u64,
    /// Of these, those that a skipped write explains.
    pub after_skipped_write: u64,
    /// Exchanges it was found in, of the route's exchanges with a verdict.
    pub rate: Proportion,
    /// Whether it becomes more frequent.
    pub trend: Trend,
    /// Discrepancies, of which one exchange may have several.
    pub discrepancies: u64,
    /// First seen, in nanoseconds of the capture's clock.
    pub first_ns: u64,
    /// Last seen.
    pub last_ns: u64,
    /// What became what, the most frequent first. Empty for failures.
    pub shifts: Vec<Shift>,
    /// Some of them, redacted; those that are no noise first.
    pub samples: Vec<Sample>,
}

/// One redacted example of a group.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When, in nanoseconds of the capture's clock.
    pub at_ns: u64,
    /// The request target.
    pub target: String,
    /// The place, with its indices.
    pub place: String,
    /// The [`Shift`] it is one of, such as `uuid -> null`.
    pub shift: String,
    /// Production's value.
    pub production: String,
    /// The shadow system's value.
    pub shadow: String,
}

/// What a difference is taken for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The two systems differ in it more than a system differs from itself, or nothing is known of the latter.
    #[default]
    Regression,
    /// Too few answers of one system were compared to tell: counts neither for nor against the shadow system.
    Undecided,
    /// A system differs from itself in it as much.
    Noise,
    /// Every one is explained by a write that the shadow system did not see.
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
    /// How far apart two numbers were: `within 1 %`, `within 10 %`, `within 2x`, `within 10x`, `over 10x`, `sign`;
    /// empty for all else.
    pub apart: String,
    /// What it is taken for.
    pub standing: Standing,
    /// Exchanges with it, of the route's compared ones that no skipped write explains.
    pub observed: Proportion,
    /// Pairs of answers of one system with it; the source that decided, or the best there is.
    pub background: Option<Compared>,
    /// What decided: `rate`, `repeats` (third answers of the shadow system), `production` (third answers of production),
    /// `one_sided`, `nearer` (than a number that is noise), `place`, `name`, `rest` (with others like it), `unknown`; empty
    /// while undecided.
    #[serde(default)]
    pub why: String,
    /// Production's next answers to requests whose answers had it.
    #[serde(default)]
    pub production_again: Third,
    /// The shadow system's second answers to such requests.
    #[serde(default)]
    pub shadow_again: Third,
}

/// A third answer to requests of which the two answers differ: which of the three is the odd one. Without a fault the
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

/// What is observed, held against a background.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Compared {
    /// Where the pairs are from: `control`, `twins` or `twice`.
    pub source: String,
    /// Pairs with the difference, of the route's pairs.
    pub pairs: Proportion,
    /// The interval for the observed rate less this one, which holds at any time.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Pairs of answers of the same system, by source.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Background {
    /// The shadow system's two answers to one request.
    pub twice: Pairs,
    /// Production's own answers to identical requests.
    pub twins: Pairs,
    /// A control target's answers and production's.
    pub control: Pairs,
    /// Differences in pairs that found no place in the tables: they excuse nothing.
    pub overflow: u64,
    /// Mismatches whose combination of differences found no place: judged once, when they came.
    pub sets_overflow: u64,
    /// Mismatches for which production was seen to answer the same request again.
    #[serde(default)]
    pub production_again: u64,
    /// Mismatches for which the shadow system was asked again.
    #[serde(default)]
    pub shadow_again: u64,
    /// Whether pairs are looked for: without, nothing is known and every difference counts.
    #[serde(default)]
    pub expected: bool,
}

/// Pairs of answers of the same system.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pairs {
    /// How many were compared.
    pub compared: u64,
    /// How many of these differed.
    pub differed: u64,
}

/// Writes that the shadow system did not see.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Writes {
    /// Skipped writes that may have changed something.
    pub seen: u64,
    /// Paths that are remembered.
    pub paths: u64,
    /// Paths that were forgotten for room: differences there count as regressions again.
    pub evicted: u64,
}

/// Whether a group becomes more frequent: its share of the route's exchanges of late, against the time before.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Trend {
    /// What follows from the interval.
    pub direction: TrendDirection,
    /// The latest quarter of the time that was looked at.
    pub recent: Proportion,
    /// The time before.
    pub before: Proportion,
    /// Seconds that `recent` spans.
    pub recent_s: u64,
    /// Newcombe's interval for the recent rate less the one before, where both are known.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
}

/// Where a rate goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrendDirection {
    /// The whole interval is above zero.
    Rising,
    /// It is not known to change.
    #[default]
    Steady,
    /// The whole interval is below zero.
    Falling,
}
