//! Exit codes and failures of commands.

use std::process::ExitCode;

use crate::runtime::{Cause, RuntimeError};

use crate::shown::complain;

/// The exit codes: those of sysexits.h, besides the four that `shadow report` needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked; for `report`: GO.
    Done = 0,
    /// `report`: NO-GO.
    NoGo = 1,
    /// `report`: insufficient evidence.
    Insufficient = 2,
    /// `report`: not known, because there is no report.
    Unknown = 3,
    /// The arguments are invalid.
    Usage = 64,
    /// An input file is invalid.
    Data = 65,
    /// An input file cannot be read.
    NoInput = 66,
    /// Something required is missing: kernel feature, interface, name, running agent.
    Unavailable = 69,
    /// An internal error of Shadow.
    Internal = 70,
    /// A file, a socket or a port cannot be created.
    CannotCreate = 73,
    /// Missing privileges.
    NoPermission = 77,
    /// The configuration, from file or flags, is invalid.
    Config = 78,
}

/// Shown at the end of `shadow --help`.
pub const HELP: &str = "\
Exit codes:
  0   done as asked; `report`, `replay`: GO
  1   `report`, `replay`: NO-GO
  2   `report`, `replay`: insufficient evidence
  3   `report`: could not tell (no report)
  64  the arguments do not follow the grammar
  65  an input file is not what it should be
  66  an input file cannot be read
  69  something needed is not there (kernel feature, interface, host name, running agent)
  70  a fault of Shadow itself
  73  a file, socket or port cannot be created or written (taken, full disk)
  77  privileges are missing
  78  the configuration, by file or flags, cannot work

Examples:
  sudo shadow run --interface lo --port 8080 --shadow http://127.0.0.1:9090
  sudo shadow run --config shadow.yaml
  sudo shadow status --watch
  sudo shadow kill";

/// A failed command: a one-line message and an exit code.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The fault, its place, and how to fix it.
    pub what: String,
}

impl Failure {
    /// A failure with its message.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Cause> for Exit {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Usage => Self::Usage,
            Cause::Data => Self::Data,
            Cause::Unavailable => Self::Unavailable,
            Cause::Internal => Self::Internal,
            Cause::CannotCreate => Self::CannotCreate,
            Cause::NoPermission => Self::NoPermission,
            Cause::Config => Self::Config,
        }
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        Self::new(error.cause.into(), error.what)
    }
}

/// Prints an error as one line. Returns the exit code of the [`Failure`] or [`RuntimeError`] in it, or
/// [`Exit::Internal`].
pub fn tell(error: &anyhow::Error) -> Exit {
    // Messages from elsewhere (the verifier, another program on the socket) are also reduced to one line.
    complain(&format!("{error:#}"));
    error
        .chain()
        .find_map(|cause| {
            let failure = cause.downcast_ref::<Failure>().map(|failure| failure.exit);
            failure.or_else(|| {
                cause
                    .downcast_ref::<RuntimeError>()
                    .map(|error| error.cause.into())
            })
        })
        .unwrap_or(Exit::Internal)
}
