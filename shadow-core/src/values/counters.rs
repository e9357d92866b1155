//! Counts of everything that is done with learned values.

use serde::{Deserialize, Serialize};

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counters {
    /// Correspondences that were learned.
    pub learned: u64,
    /// Pairs of which one value had another partner.
    pub conflicts: u64,
    /// Values of production without a partner: their exchange was not replayed, or its answer had none.
    pub lost: u64,
    /// Entries that were forgotten: too old, or to make room.
    pub forgotten: u64,
    /// Values that were not learned, because there are too many kinds of things.
    pub unnamed: u64,
    /// Requests in which values were replaced.
    pub rewritten: u64,
    /// Values that were replaced in them.
    pub replaced: u64,
    /// Answers in which values were mapped back.
    pub mapped: u64,
}

impl Counters {
    /// Each count with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self {
            learned,
            conflicts,
            lost,
            forgotten,
            unnamed,
            rewritten,
            replaced,
            mapped,
        } = *self;
        [
            ("learned", learned),
            ("conflicts", conflicts),
            ("lost", lost),
            ("forgotten", forgotten),
            ("unnamed", unnamed),
            ("rewritten", rewritten),
            ("replaced", replaced),
            ("mapped", mapped),
        ]
        .into_iter()
    }
}
