//! The rules that are in force for one exchange.
//!
//! Every content kind is handed a [`Scope`] and asks it, never the configuration: which entries of the rules apply to
//! this method and path was decided once, when it was made.

use super::{Rules, paths::PathSet};

/// The rules in force for one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'r> {
    pub(super) rules: &'r Rules,
    pub(super) ignore: &'r PathSet,
}

impl Scope<'_> {
    /// Whether the whole content is ignored.
    pub(super) fn ignores_all(&self) -> bool {
        self.ignore.whole()
    }
}
