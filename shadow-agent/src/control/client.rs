//! The command line's end of the control socket. Blocking, with a deadline for everything.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::proto::{Answer, MAX_REPLY, Order};

/// The agent did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there.
    #[error("no agent answers on {}; start one with `shadow run`, or name its socket with --socket", .0.display())]
    Absent(PathBuf),
    /// Not allowed.
    #[error("the control socket {} belongs to another user; use sudo", .0.display())]
    Denied(PathBuf),
    /// It does not answer.
    #[error("the agent on {} did not answer within {after:?}; it hangs or is overloaded", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// It said no.
    #[error("the agent refused: {0}")]
    Refused(String),
    /// It speaks another language.
    #[error("the agent on {} answered what this version does not understand: {why}; use the `shadow` of its version", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// What is wrong with the answer.
        why: String,
    },
    /// Everything else.
    #[error("cannot talk to the agent on {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Asks the agent behind a socket and waits at most `patience` for each step of the answer.
pub fn ask(socket: &Path, order: Order, patience: Duration) -> Result<Answer, ClientError> {
    let path = || socket.to_owned();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::Absent(path()),
        io::ErrorKind::PermissionDenied => ClientError::Denied(path()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent {
            path: path(),
            after: patience,
        },
        _ => ClientError::Io { path: path(), source },
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream
        .set_read_timeout(Some(patience))
        .and_then(|()| stream.set_write_timeout(Some(patience)))
        .map_err(failed)?;
    match stream.write_all(&order.line()) {
        // It closed before it had read: there is an answer that says why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(failed)?,
    }
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_REPLY))
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    let foreign = |why: String| ClientError::Foreign { path: path(), why };
    if line.last() != Some(&b'\n') {
        return Err(foreign("the answer is cut off".to_owned()));
    }
    match Answer::read(&line).map_err(foreign)? {
        Answer::Error(why) => Err(ClientError::Refused(why)),
        answer => Ok(answer),
    }
}
