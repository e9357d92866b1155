//! The section `journal`: what is kept, for how long, and how much of it.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::case::CaseLimits;

use super::problem::Problem;
use crate::{journal::Retention, state::StateDir};
use shadow_proto::units::{Size, Span};

/// The journal's settings.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Whether a journal is kept.
    pub enabled: bool,
    /// The file; null means `journal.sqlite` in the state folder.
    pub path: Option<PathBuf>,
    /// Older entries are removed.
    pub max_age: Span,
    /// Above this size the oldest cases are removed.
    pub max_size: Size,
    /// Bytes kept of one body of a case.
    pub body: Size,
}

const AGE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24 * 366));
const SIZE: (Size, Size) = (Size::mib(32), Size::mib(64 << 10));
const BODY: Size = Size::mib(1);

impl Default for Journal {
    fn default() -> Self {
        Self {
            enabled: true,
            path: None,
            max_age: Span(Duration::from_hours(24 * 7)),
            max_size: Size::mib(256),
            body: CaseLimits::default().body.into(),
        }
    }
}

impl Journal {
    /// The path of the file.
    pub fn path(&self, state: &StateDir) -> PathBuf {
        self.path.clone().unwrap_or_else(|| state.journal_path())
    }

    /// The limits of the file.
    pub fn retention(&self) -> Retention {
        Retention {
            age: self.max_age.0,
            size: self.max_size.as_u64(),
        }
    }

    /// The limits of one case.
    pub fn case(&self) -> CaseLimits {
        CaseLimits {
            body: self.body.as_usize(),
            ..CaseLimits::default()
        }
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let problem = |at: &str, what: String, fix: &str| Problem {
            at: at.to_owned(),
            what,
            fix: fix.to_owned(),
        };
        let Self {
            enabled: _,
            path,
            max_age,
            max_size,
            body,
        } = self;
        let relative = path.as_ref().filter(|path| !path.is_absolute());
        [
            relative.map(|path| {
                let what = format!("{} depends on the folder the agent is started in", path.display());
                problem("journal.path", what, "give a path that begins with /")
            }),
            (max_age.0 < AGE.0 || max_age.0 > AGE.1).then(|| {
                let what = format!("{max_age} is not between a minute and a year");
                problem("journal.max_age", what, "give for example 7d")
            }),
            (*max_size < SIZE.0 || *max_size > SIZE.1).then(|| {
                let what = format!("{max_size} is not between {} and {}", SIZE.0, SIZE.1);
                problem("journal.max_size", what, "give for example 256MiB")
            }),
            (*body > BODY).then(|| {
                let what = format!("{body} is more than {BODY}, which nobody reads");
                problem("journal.body", what, "give for example 64KiB")
            }),
        ]
        .into_iter()
        .flatten()
    }
}
