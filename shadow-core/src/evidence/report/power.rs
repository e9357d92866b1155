//! The part of a report about planted faults.

use serde::{Deserialize, Serialize};

use crate::evidence::stats::Proportion;

/// How many faults that were planted into copies of answers would have been found.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Power {
    /// Faults that were planted.
    pub planted: u64,
    /// The share that would have been found, among a bounded sample of them. Its interval holds at any time.
    pub caught: Proportion,
    /// The same by route and kind, the weakest first.
    pub by_kind: Vec<PowerOf>,
    /// The same by route, the weakest first.
    #[serde(default)]
    pub by_route: Vec<PowerOf>,
    /// Where faults would have been missed, the most frequent first.
    pub missed: Vec<Missed>,
}

/// Planted faults of one kind, or of all kinds, on one route.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PowerOf {
    /// Method and path template.
    pub route: String,
    /// The kind of fault; empty for all kinds together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The share that would have been found.
    pub caught: Proportion,
}

/// A place where faults would have been missed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Missed {
    /// Method and path template.
    pub route: String,
    /// The generalised place.
    pub place: String,
    /// Missed faults.
    pub count: u64,
    /// `noise` if the difference is excused, `not_compared` if the comparison shows none.
    pub why: String,
}
