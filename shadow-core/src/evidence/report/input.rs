//! Input files of a replay: how each was read, and records in them that are not exchanges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Records that a replay read from its files.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Each file.
    pub files: Vec<InputFile>,
    /// Records that were not used, or only after a change, by reason.
    pub notes: BTreeMap<String, InputNote>,
    /// Problems that need the operator's attention.
    pub warnings: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct InputFile {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: String,
    /// Records read from it: entries, lines, payloads or frames.
    pub records: u64,
}

/// Records of one kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct InputNote {
    /// How many.
    pub count: u64,
    /// Description, shown after the count.
    pub what: String,
    /// Location of the first ones.
    pub first: Vec<String>,
}

impl Input {
    /// Whether there is nothing to report, as in a live run.
    pub fn is_empty(&self) -> bool {
        let Self {
            files,
            notes,
            warnings,
        } = self;
        files.is_empty() && notes.is_empty() && warnings.is_empty()
    }
}
