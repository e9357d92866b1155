//! What the files of a run are, and what in them is no exchange, or not as it stands.
//!
//! Bounds: [`REASONS`] reasons, [`PLACES`] places of each, [`WARNINGS`] warnings. What has no place is counted all the same.

use std::sync::{Mutex, PoisonError};

use shadow_core::evidence::report::{Input, InputFile};

/// Different reasons.
const REASONS: usize = 64;
/// Places of one reason that are kept.
const PLACES: usize = 20;
const WARNINGS: usize = 20;

/// Filled by whoever reads, shown in the report.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Input>);

impl Notes {
    /// A file, and what it was taken for. Of a file that is opened once more, nothing new is told.
    pub(super) fn file(&self, name: &str, format: &str) {
        self.with(|input| {
            if !input.files.iter().any(|file| file.name == name) {
                input.files.push(InputFile {
                    name: name.to_owned(),
                    format: format.to_owned(),
                    records: 0,
                });
            }
        });
    }

    /// So many more records of a file were read.
    pub(super) fn records(&self, name: &str, count: u64) {
        self.with(|input| {
            if let Some(file) = input.files.iter_mut().find(|file| file.name == name) {
                file.records += count;
            }
        });
    }

    /// So many records, of which the first is at `place`, could not be used for the reason `what`.
    pub(super) fn add(&self, reason: &str, count: u64, what: &str, place: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        self.with(|input| {
            let reason = if input.notes.len() < REASONS || input.notes.contains_key(reason) {
                reason
            } else {
                "other"
            };
            let note = input.notes.entry(reason.to_owned()).or_default();
            if note.what.is_empty() {
                what.clone_into(&mut note.what);
            }
            note.count += count;
            if note.first.len() < PLACES {
                note.first.push(place());
            }
        });
    }

    /// Something that the operator should look at; each is told once.
    pub(super) fn warn(&self, text: String) {
        self.with(|input| {
            if input.warnings.len() < WARNINGS && !input.warnings.contains(&text) {
                tracing::warn!("{text}");
                input.warnings.push(text);
            }
        });
    }

    /// All of it.
    pub fn told(&self) -> Input {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn with(&self, change: impl FnOnce(&mut Input)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
