//! Notes on the files of a run: their formats, and records that are not exchanges or were changed.
//!
//! Bounds: [`REASONS`] reasons, [`PLACES`] places of each, [`WARNINGS`] warnings. Records without a place are counted.

use std::sync::{Mutex, PoisonError};

use shadow_core::evidence::report::{Input, InputFile};

/// Different reasons.
const REASONS: usize = 64;
/// Places of one reason that are kept.
const PLACES: usize = 20;
const WARNINGS: usize = 20;

/// Filled by the readers, shown in the report.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Input>);

impl Notes {
    /// Adds a file and its detected format. A file that is opened again adds nothing.
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

    /// Adds this number of records to a file.
    pub(super) fn records(&self, name: &str, count: u64) {
        self.with(|input| {
            if let Some(file) = input.files.iter_mut().find(|file| file.name == name) {
                file.records += count;
            }
        });
    }

    /// Adds records that could not be used for the reason `what`; the first of them is at `place`.
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

    /// A warning for the operator; each is given once.
    pub(super) fn warn(&self, text: String) {
        self.with(|input| {
            if input.warnings.len() < WARNINGS && !input.warnings.contains(&text) {
                tracing::warn!("{text}");
                input.warnings.push(text);
            }
        });
    }

    /// A copy of all notes.
    pub fn noted(&self) -> Input {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn with(&self, change: impl FnOnce(&mut Input)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
