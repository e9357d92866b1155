//! Bounds that the parts of the report share.

use std::fmt::Write as _;

use crate::figures::count;

/// Characters of a route, and of a value, that are shown.
pub(super) const WIDE: usize = 100;

/// The number of entries that are not shown.
pub(super) fn more(out: &mut String, all: usize, shown: usize, what: &str) -> std::fmt::Result {
    match all.checked_sub(shown) {
        None | Some(0) => Ok(()),
        Some(hidden) => writeln!(
            out,
            "  and {} more {what}; --json shows all",
            count(hidden as u64)
        ),
    }
}
