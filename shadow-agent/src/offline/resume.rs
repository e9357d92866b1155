//! The position of a run, for the next run.
//!
//! The position is the number of exchanges, in the order of the replay, before which every one is done: judged or
//! skipped. It is written every second and at the end. A run that ends in an orderly way (also by Ctrl-C) waits for
//! requests in flight, so that the next run neither repeats nor omits any. After a crash the next run repeats exchanges
//! that were in flight or done out of order since the last write: at-least-once delivery.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::whole;

/// The content of the position file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Position {
    /// The version of this structure.
    pub version: u32,
    /// The files, by name and size.
    pub files: Vec<(PathBuf, u64)>,
    /// Exchanges that are done, in the order of the replay, over all loops.
    pub done: u64,
    /// Whether all exchanges are done.
    pub finished: bool,
}

const VERSION: u32 = 1;

/// Reasons why a position cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// An error of the operating system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Not a position file.
    #[error("{0} is no position of `shadow replay`; remove it to begin anew")]
    Foreign(PathBuf),
    /// The position of another recording.
    #[error("{0} belongs to other files, or to these before they changed; remove it to begin anew")]
    Other(PathBuf),
}

impl Position {
    /// The beginning of these files.
    pub fn start(files: Vec<(PathBuf, u64)>) -> Self {
        Self {
            version: VERSION,
            files,
            done: 0,
            finished: false,
        }
    }

    /// Reads the position of a previous run, or starts at the beginning.
    pub fn read(path: &Path, files: Vec<(PathBuf, u64)>) -> Result<Self, ResumeError> {
        let text = match whole::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::start(files)),
            Err(source) => {
                return Err(ResumeError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let foreign = |_error: serde_json::Error| ResumeError::Foreign(path.to_owned());
        let position: Self = serde_json::from_slice(&text).map_err(foreign)?;
        if position.version != VERSION {
            return Err(ResumeError::Foreign(path.to_owned()));
        }
        if position.files != files {
            return Err(ResumeError::Other(path.to_owned()));
        }
        Ok(position)
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), ResumeError> {
        let failed = |source| ResumeError::Io {
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_vec(self).map_err(|error| failed(io::Error::other(error)))?;
        whole::write(path, &text).map_err(failed)
    }
}
