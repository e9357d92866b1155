//! The evidence in the state folder: of the present run, and of those that have ended.
//!
//! Bounds: [`ENDED`] runs that have ended.

use std::{fs, io, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    clock::now_ms,
    state::{StateDir, StateError},
    whole,
};

/// Runs that have ended, of which the evidence is kept.
const ENDED: usize = 8;

impl StateDir {
    /// Keeps the counts of a run that has ended for `shadow report --merge`, beside those of the present one. Only the
    /// latest [`ENDED`] are kept.
    pub(super) fn retire_evidence(&self) {
        let name = self.ended_evidence(now_ms());
        match fs::rename(self.path().join("evidence.json"), &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => tracing::warn!(%error, "the evidence of the former run is not kept"),
            Ok(()) => {}
        }
        let kept = self.evidence_files();
        for old in kept.iter().take(kept.len().saturating_sub(ENDED)) {
            // One too many costs its room only.
            drop(fs::remove_file(old));
        }
    }

    fn ended_evidence(&self, at_ms: u64) -> PathBuf {
        // As wide as any moment is, so that their order is that of time.
        self.path().join(format!("evidence-{at_ms:020}.json"))
    }

    /// Keeps the counts of this run while the folder is another agent's.
    pub fn save_ended_evidence<T: Serialize>(&self, evidence: &T) -> Result<(), StateError> {
        let path = self.ended_evidence(now_ms());
        serde_json::to_vec_pretty(evidence)
            .map_err(io::Error::from)
            .and_then(|text| whole::place(&path, &text))
            .map_err(|source| StateError::Write { path, source })
    }

    /// The files with the evidence of runs that have ended, oldest first.
    pub fn evidence_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path()).into_iter().flatten().flatten();
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("evidence-") && name.ends_with(".json")
        };
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
        found.sort();
        found
    }

    /// Keeps the counts that a report is made of.
    pub fn save_evidence<T: Serialize>(&self, evidence: &T) -> Result<(), StateError> {
        self.replace("evidence.json", evidence)
    }

    /// The counts that were kept last, if any.
    pub fn evidence<T: DeserializeOwned>(&self) -> Result<Option<T>, StateError> {
        self.load("evidence.json")
    }
}
