//! The section `record`: captured segments written to files.

use core::time::Duration;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::record::Redact;
use shadow_proto::units::{Size, Span};

/// How captured segments are recorded.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// The pcapng file.
    pub file: Option<PathBuf>,
    /// Bytes of one file, before compression.
    pub max_size: Size,
    /// Files that are kept.
    pub files: usize,
    /// A new file begins after this long.
    pub every: Option<Span>,
    /// Compress with zstd.
    pub compress: bool,
    /// Bytes that may wait for the disk.
    pub buffer: Size,
    /// The data that is masked.
    pub redact: Redact,
}

const LEAST_SIZE: Size = Size::bytes(64 << 10);
const LEAST_EVERY: Duration = Duration::from_secs(1);
const BUFFER: (Size, Size) = (Size::mib(1), Size::mib(1024));

impl Default for Record {
    fn default() -> Self {
        Self {
            file: None,
            max_size: Size::mib(1024),
            files: 1,
            every: None,
            compress: false,
            buffer: Size::mib(16),
            redact: Redact::All,
        }
    }
}

impl Record {
    /// Settings that cannot work.
    pub fn problems(&self) -> Vec<Problem> {
        let problem = |at: &str, what: String, fix: String| Problem {
            at: at.to_owned(),
            what,
            fix,
        };
        let mut found = Vec::new();
        if self.max_size < LEAST_SIZE {
            found.push(problem(
                "record.max_size (--max-size)",
                format!("{} holds hardly a connection", self.max_size),
                format!("give at least {LEAST_SIZE}"),
            ));
        }
        if self.files == 0 {
            found.push(problem(
                "record.files (--files)",
                "no file is kept".to_owned(),
                "give 1 for a single file, or more to keep the newest so many".to_owned(),
            ));
        }
        if self.every.is_some_and(|span| span.0 < LEAST_EVERY) {
            found.push(problem(
                "record.every (--every)",
                "makes more than a file a second".to_owned(),
                "give at least 1s".to_owned(),
            ));
        }
        if self.every.is_some() && self.files == 1 {
            found.push(problem(
                "record.every (--every)",
                "only the newest file is kept, so each one takes the place of all before".to_owned(),
                "say how many to keep with record.files (--files)".to_owned(),
            ));
        }
        let (least, most) = BUFFER;
        if self.buffer < least || self.buffer > most {
            found.push(problem(
                "record.buffer",
                format!("{} is out of bounds", self.buffer),
                format!("give between {least} and {most}"),
            ));
        }
        found
    }
}
