//! Faults of a configuration.

use std::fmt;

/// A setting that cannot work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The key in the file, and the flag where there is one.
    pub at: String,
    /// The fault.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, what, fix } = self;
        write!(f, "{at}: {what}; {fix}")
    }
}
