//! Errors for which the agent cannot start or continue.

use crate::state::StateError;

/// Kind of cause; the command line maps it to an exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// An argument or a variable of the environment does not follow its grammar.
    Usage,
    /// An input file has the wrong content.
    Data,
    /// The kernel, an interface, a name or another part of the host is missing.
    Unavailable,
    /// A fault of Shadow itself.
    Internal,
    /// A file, a socket or a port cannot be created.
    CannotCreate,
    /// Privileges are missing.
    NoPermission,
    /// The configuration cannot work.
    Config,
}

/// One line that names the fault, its place, and the remedy.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct RuntimeError {
    /// The kind of cause.
    pub(crate) cause: Cause,
    /// The line.
    pub(crate) what: String,
}

impl RuntimeError {
    /// An error with its line.
    pub(crate) fn new(cause: Cause, what: impl Into<String>) -> Self {
        Self {
            cause,
            what: what.into(),
        }
    }
}

/// The error of something that the host does not have or refuses.
pub(super) fn unavailable(error: &dyn std::error::Error) -> RuntimeError {
    RuntimeError::new(Cause::Unavailable, error.to_string())
}

/// The error of a file in the state folder.
pub(super) fn state_failure(error: &StateError) -> RuntimeError {
    RuntimeError::new(Cause::CannotCreate, error.to_string())
}
