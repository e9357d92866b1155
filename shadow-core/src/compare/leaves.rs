//! Counts of the leaves of an answer by how they are compared.

use serde::{Deserialize, Serialize};

/// Leaves and their bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Leaves {
    /// Values without parts: scalars, texts, attributes, lines.
    pub leaves: u64,
    /// Bytes of these values as they are written.
    pub bytes: u64,
}

/// The leaves of the content of one answer, or of several, by how they are compared.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Checked {
    /// They must be equal.
    pub exact: Leaves,
    /// They may differ as far as a rule says: a tolerance, a span of time, a mask.
    pub by_rule: Leaves,
    /// They must have the format that a rule says.
    pub by_format: Leaves,
    /// In content without structure, of which only length and digest are compared.
    pub by_digest: Leaves,
    /// They are not compared.
    pub not: Leaves,
}

impl Leaves {
    pub(super) fn add(&mut self, bytes: usize) {
        self.leaves = self.leaves.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            leaves: self.leaves.saturating_add(other.leaves),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// The difference to an earlier state.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            leaves: self.leaves.saturating_sub(other.leaves),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

impl Checked {
    /// Content of so many bytes that is not compared.
    pub(super) fn not(bytes: usize) -> Self {
        let mut checked = Self::default();
        checked.not.add(bytes);
        checked
    }

    /// Content of so many bytes in place of an answer that has none: no leaf of production's is left uncompared.
    pub(super) fn in_place_of_none(bytes: usize) -> Self {
        let mut checked = Self::default();
        checked.not.bytes = bytes as u64;
        checked
    }

    /// The difference to an earlier state.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            exact: self.exact.minus(other.exact),
            by_rule: self.by_rule.minus(other.by_rule),
            by_format: self.by_format.minus(other.by_format),
            by_digest: self.by_digest.minus(other.by_digest),
            not: self.not.minus(other.not),
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            exact: self.exact.plus(other.exact),
            by_rule: self.by_rule.plus(other.by_rule),
            by_format: self.by_format.plus(other.by_format),
            by_digest: self.by_digest.plus(other.by_digest),
            not: self.not.plus(other.not),
        }
    }

    /// All leaves.
    pub fn all(&self) -> Leaves {
        [self.by_rule, self.by_format, self.by_digest, self.not]
            .into_iter()
            .fold(self.exact, Leaves::plus)
    }
}
