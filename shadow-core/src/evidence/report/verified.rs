//! The part of a report about how much was compared.

use serde::{Deserialize, Serialize};

/// How the leaves of a route's answers are compared. A leaf is a value without parts: a scalar, a text, an attribute,
/// a line. The shares add up to 1.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Verified {
    /// Answers whose leaves were counted.
    pub answers: u64,
    /// Leaves of an answer on average.
    pub leaves: f64,
    /// They must be equal.
    pub exact: Share,
    /// They may differ as far as a rule says.
    pub by_rule: Share,
    /// They must have a format: by a rule, or because both systems vary within it.
    pub by_format: Share,
    /// Differences that were excused as noise.
    pub noise: Share,
    /// Only length and digest of the content are compared.
    pub by_digest: Share,
    /// Not compared at all.
    pub not: Share,
}

/// A share of the leaves, and of their bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Share {
    /// Of the leaves.
    pub leaves: f64,
    /// Of the bytes of all leaves.
    pub bytes: f64,
}
