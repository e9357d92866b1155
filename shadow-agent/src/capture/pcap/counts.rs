//! Counts of the frames of a file.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use shadow_proto::wire::frame::Skip;

/// Frames so far. `packets = segments + skipped`.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Frames in the file.
    pub packets: u64,
    /// TCP segments among them.
    pub segments: u64,
    /// The others.
    pub skipped: Tally<Skip>,
    /// Of these, frames of link types that are not supported, by their number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub link_types: BTreeMap<u16, u64>,
    /// Frames of interfaces other than the selected one; they are not among the packets.
    #[serde(skip)]
    pub not_selected: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            packets: 0,
            segments: 0,
            skipped: Tally::new(Skip::ALL),
            link_types: BTreeMap::new(),
            not_selected: 0,
        }
    }
}

/// A count per reason; all reasons are listed, so that a reader sees what could have happened and did not.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Tally<R: Ord>(BTreeMap<R, u64>);

impl<R: Copy + Ord> Tally<R> {
    /// Zero for each of `all`.
    pub fn new(all: &[R]) -> Self {
        Self(all.iter().map(|reason| (*reason, 0)).collect())
    }

    /// One more.
    pub fn add(&mut self, reason: R) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// Adds the counts of another tally.
    pub fn append(&mut self, other: Self) {
        for (reason, count) in other.0 {
            *self.0.entry(reason).or_default() += count;
        }
    }

    /// Over all reasons.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// With this reason.
    pub fn get(&self, reason: R) -> u64 {
        self.0.get(&reason).copied().unwrap_or_default()
    }
}

impl<R: fmt::Display + Ord> fmt::Display for Tally<R> {
    /// ` (3 reason, 1 other)`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = " (";
        for (reason, count) in self.0.iter().filter(|(_, count)| **count > 0) {
            write!(f, "{before}{count} {reason}")?;
            before = ", ";
        }
        if before == ", " { f.write_str(")") } else { Ok(()) }
    }
}
