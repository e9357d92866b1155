//! How a command ends.

use std::process::ExitCode;

use crate::runtime::{Cause, RuntimeError};

use crate::shown::complain;

/// The exit codes, from sysexits.h above the four that `shadow report` needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked; for `report`: GO.
    Done = 0,
    /// `report`: NO-GO.
    NoGo = 1,
    /// `report`: insufficient evidence.
    Insufficient = 2,
    /// `report`: could not tell, because there is no report.
    Unknown = 3,
    /// The arguments do not follow the grammar.
    Usage = 64,
    /// An input file is not what it should be.
    Data = 65,
    /// An input file cannot be read.
    NoInput = 66,
    /// Something that is needed is not there: kernel, interface, name, running agent.
    Unavailable = 69,
    /// A fault of Shadow itself.
    Internal = 70,
    /// A file, a socket or a port cannot be created.
    CannotCreate = 73,
    /// Privileges are missing.
    NoPermission = 77,
    /// The configuration, by file or flags, cannot work.
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

/// Why a command did not do what was asked: one line, and how to exit.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What was wrong, where, and what to do.
    pub what: String,
}

impl Failure {
    /// A failure with its line.
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

/// Prints an error as one line and picks its exit code: that of the [`Failure`] or [`RuntimeError`] in it, else [`Exit::Internal`].
pub fn tell(error: &anyhow::Error) -> Exit {
    // A foreign message (the verifier's, another program's behind the socket) is one line too.
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
