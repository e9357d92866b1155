//! How one agent takes over from another: the two ends of a connection between them.
//!
//! Owns: the protocol (one JSON object a line), the socket in the state folder, and the successor's end. The
//! predecessor's is [`crate::runtime`]'s. Bounds: one successor, [`LINE`] bytes for a question, [`ANSWER`] for an
//! answer, a deadline for each. Bias: the connection ends with either process, so neither waits for one that is gone.
//!
//! ```text
//! successor                        predecessor
//! prepare  ----------------------> nobody else is taking over
//!          <---------------------- who it is
//! (attaches its own program)
//! take     ----------------------> lists what it follows, and keeps only that; gives its locks back
//!          <---------------------- the list
//! (begins to read)                 finishes what it keeps
//!          <---------------------- how much is left, until it has ended
//! ```

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    pipeline::{Cut, CutFlow},
    state::{Owner, StateDir},
};

/// The version of the protocol.
pub(crate) const VERSION: u32 = 1;

/// The longest question.
pub(crate) const LINE: u64 = 4096;

/// The longest answer: a list of every connection that an agent can follow.
const ANSWER: u64 = 64 << 20;

/// How long the predecessor may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the predecessor says how much is left.
pub(crate) const PULSE: Duration = Duration::from_millis(200);

/// A question of the successor.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) v: u32,
    pub(crate) step: Step,
    pub(crate) pid: u32,
}

/// A step of the successor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Whether it may take over.
    Prepare,
    /// The list. Its own program is attached.
    Take,
}

/// An answer of the predecessor. One of its members is there.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Reply {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<Facts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cut: Option<Vec<CutFlow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<bool>,
}

/// Facts about the predecessor that the successor needs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Facts {
    pub(crate) pid: u32,
    /// Which of the two records of unfinished work it writes.
    pub(crate) record: u8,
    /// Whether its kernel program copies.
    pub(crate) armed: bool,
}

/// The reason why there is no handover.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    /// It has no socket for it.
    #[error("{0}")]
    Absent(String),
    /// It refused.
    #[error("the running agent refused to hand over: {0}")]
    Refused(String),
    /// It does not answer, or not in this protocol.
    #[error("the running agent cannot hand over: {0}")]
    Io(#[from] io::Error),
}

/// The socket of an agent's process for its successor.
pub(crate) fn socket_of(state: &StateDir, owner: Owner) -> PathBuf {
    let Owner { pid, started } = owner;
    state.path().join(format!("handover-{pid}-{started}.sock"))
}

/// The agent from which this one takes over.
#[derive(Debug)]
pub(crate) struct Predecessor {
    stream: BufReader<UnixStream>,
    pub(crate) facts: Facts,
}

/// A word of the predecessor while it drains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    /// So many connections have exchanges that it has to finish.
    Left(u64),
    /// It has ended, or its process is gone.
    Ended,
}

impl Predecessor {
    /// Asks the agent that holds the state folder whether it may be succeeded.
    pub(crate) fn ask(state: &StateDir) -> Result<Self, HandoverError> {
        let owner = state.owner().ok_or_else(|| {
            HandoverError::Absent("it is not known which agent holds the state folder".to_owned())
        })?;
        let path = socket_of(state, owner);
        let stream = UnixStream::connect(&path).map_err(|error| {
            HandoverError::Absent(format!(
                "the running agent (pid {}) does not hand over ({error}): it is of an older version, or hangs; stop it",
                owner.pid
            ))
        })?;
        check(&stream)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut asked = Self {
            stream: BufReader::new(stream),
            facts: Facts::default(),
        };
        let reply: Reply = asked.question(Step::Prepare)?;
        asked.facts = reply.facts.ok_or_else(foreign)?;
        Ok(asked)
    }

    /// Takes over: what is not in the cut is the caller's from now on.
    pub(crate) fn take(&mut self) -> Result<Cut, HandoverError> {
        let reply: Reply = self.question(Step::Take)?;
        Ok(Cut::received(reply.cut.ok_or_else(foreign)?))
    }

    /// Waits for the next word.
    pub(crate) fn said(&mut self) -> Said {
        match read::<Reply>(&mut self.stream) {
            Ok(Reply { left: Some(left), .. }) => Said::Left(left),
            Ok(_) => Said::Ended,
            // It hangs, or is stopped: it still keeps what it keeps.
            Err(error) if is_late(&error) => Said::Left(u64::MAX),
            Err(_gone) => Said::Ended,
        }
    }

    fn question(&mut self, step: Step) -> Result<Reply, HandoverError> {
        let question = Question {
            v: VERSION,
            step,
            pid: std::process::id(),
        };
        let mut line = serde_json::to_vec(&question).map_err(io::Error::from)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        let reply: Reply = read(&mut self.stream)?;
        match reply.error {
            Some(why) => Err(HandoverError::Refused(why)),
            None => Ok(reply),
        }
    }
}

fn read<T: DeserializeOwned>(stream: &mut BufReader<UnixStream>) -> io::Result<T> {
    let mut line = Vec::new();
    stream.by_ref().take(ANSWER).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn foreign() -> HandoverError {
    HandoverError::Refused("its answer is not understood; it is of another version".to_owned())
}

/// Refuses a socket that another user listens on.
fn check(stream: &UnixStream) -> Result<(), HandoverError> {
    let peer = rustix::net::sockopt::socket_peercred(stream).map_err(io::Error::from)?;
    if peer.uid.is_root() || peer.uid == rustix::process::geteuid() {
        return Ok(());
    }
    Err(HandoverError::Refused("it belongs to another user".to_owned()))
}
