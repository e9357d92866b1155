//! The client side of the control socket. Blocking, with a deadline for everything.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::proto::{Answer, MAX_REPLY, Order};
use crate::command::CommandError;

/// The agent did not carry out the order.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No agent listens.
    #[error("no agent answers on {}; start one with `shadow run`, or name its socket with --socket", .0.display())]
    Absent(PathBuf),
    /// Permission denied.
    #[error("the control socket {} belongs to another user; use sudo", .0.display())]
    Denied(PathBuf),
    /// The agent does not answer.
    #[error("the agent on {} did not answer within {after:?}; it hangs or is overloaded", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long the client waited.
        after: Duration,
    },
    /// The agent tried, and something did not work.
    #[error("the agent could not do it: {0}")]
    Failed(String),
    /// The agent refused, for this reason.
    #[error("the agent refused: {0}")]
    Refused(String),
    /// The answer is not in this protocol.
    #[error("the agent on {} answered what this version does not understand: {why}; use the `shadow` of its version", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// The fault of the answer.
        why: String,
    },
    /// Any other error.
    #[error("cannot talk to the agent on {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

/// Asks the agent at a socket and waits at most `patience` for each step of the answer.
pub fn ask(socket: &Path, order: Order, patience: Duration) -> Result<Answer, ClientError> {
    SentOrder::send(socket, order, patience)?.answer()
}

/// An order that was sent, for a caller who has more to do before the answer.
#[derive(Debug)]
pub struct SentOrder {
    stream: UnixStream,
    path: PathBuf,
    patience: Duration,
}

impl SentOrder {
    /// Sends the order. The agent may carry it out from here on.
    pub fn send(socket: &Path, order: Order, patience: Duration) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket).map_err(|source| failed(socket, patience, source))?;
        let mut asked = Self {
            stream,
            path: socket.to_owned(),
            patience,
        };
        asked
            .write(&order.line())
            .map_err(|source| asked.failed(source))?;
        Ok(asked)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.stream.set_read_timeout(Some(self.patience))?;
        self.stream.set_write_timeout(Some(self.patience))?;
        match self.stream.write_all(line) {
            // It closed before reading: its answer says why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Waits for the answer.
    pub fn answer(self) -> Result<Answer, ClientError> {
        let mut line = Vec::new();
        BufReader::new((&self.stream).take(MAX_REPLY))
            .read_until(b'\n', &mut line)
            .map_err(|source| self.failed(source))?;
        let foreign = |why: String| ClientError::Foreign {
            path: self.path.clone(),
            why,
        };
        if line.last() != Some(&b'\n') {
            return Err(foreign("the answer is cut off".to_owned()));
        }
        match Answer::read(&line).map_err(foreign)? {
            Answer::Error(CommandError::Refused(why)) => Err(ClientError::Refused(why)),
            Answer::Error(CommandError::Failed(why)) => Err(ClientError::Failed(why)),
            answer => Ok(answer),
        }
    }

    fn failed(&self, source: io::Error) -> ClientError {
        failed(&self.path, self.patience, source)
    }
}

fn failed(socket: &Path, patience: Duration, source: io::Error) -> ClientError {
    let path = socket.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::Absent(path),
        io::ErrorKind::PermissionDenied => ClientError::Denied(path),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent {
            path,
            after: patience,
        },
        _ => ClientError::Io { path, source },
    }
}
