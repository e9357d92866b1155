//! The files of a replay: how each was read, and what in them is no exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a replay read from its files.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Each file.
    pub files: Vec<InputFile>,
    /// What could not be used, or not as it stands, by reason.
    pub notes: BTreeMap<String, InputNote>,
    /// What the operator should look at.
    pub warnings: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct InputFile {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: String,
    /// Records that were read of it: entries, lines, payloads or frames.
    pub records: u64,
}

/// Records of one kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct InputNote {
    /// How many.
    pub count: u64,
    /// In words, to stand after the count.
    pub what: String,
    /// Where the first of them are.
    pub first: Vec<String>,
}

impl Input {
    /// Whether nothing is told, as of a live run.
    pub fn is_empty(&self) -> bool {
        let Self {
            files,
            notes,
            warnings,
        } = self;
        files.is_empty() && notes.is_empty() && warnings.is_empty()
    }
}
