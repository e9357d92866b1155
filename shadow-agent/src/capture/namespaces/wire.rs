//! The protocol between an agent and its attach process: one line of JSON each way, with descriptors beside it.

use std::{
    io::{self, IoSlice, IoSliceMut, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::capture::hook::Method;

/// The longest line of either side.
pub(crate) const LINE: usize = 16 << 10;

/// Links of one order at most.
pub(crate) const MOST_LINKS: usize = 32;

/// A network namespace, as it was named.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// A file that is one, such as `/run/netns/NAME`.
    Path(PathBuf),
    /// That of a process.
    Process(u32),
    /// That of the pod of this node with this UID.
    Pod(String),
}

/// From the agent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// The label map and the program array follow as descriptors.
    Maps,
    /// Attach to interfaces in a namespace.
    Attach(Attach),
    /// Detach from them, where that takes more than closing links.
    Detach(Attach),
}

/// Where to attach, and with which label.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Attach {
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// Names of interfaces or globs.
    pub(crate) interfaces: Vec<String>,
    /// The number of the label.
    pub(crate) label: u32,
    /// How.
    pub(crate) method: Way,
    /// The namespace that has been attached to already: nothing is to be done while it is still this one.
    pub(crate) known: Option<u64>,
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// TCX links.
    Tcx,
    /// Filters.
    Clsact,
}

impl From<Method> for Way {
    fn from(method: Method) -> Self {
        match method {
            Method::Tcx => Self::Tcx,
            Method::Clsact => Self::Clsact,
        }
    }
}

/// To the agent.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Done.
    Done,
    /// The namespace is still the known one.
    Unchanged,
    /// Attached. The links follow as descriptors, if the method has any.
    Attached {
        /// The namespace: a number that no other one of this boot has.
        identity: u64,
        /// The interfaces.
        interfaces: Vec<String>,
    },
    /// Not done.
    Failed {
        /// The reason.
        reason: Reason,
        /// Details for people.
        text: String,
    },
}

/// Why nothing was attached in a namespace.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is none under this name; it may come later.
    NoNamespace,
    /// It is that of the node (a pod with hostNetwork), or the agent's own: `capture.interfaces` is for these.
    HostNetwork,
    /// It has no such interface.
    NoInterface,
    /// Another agent is attached there.
    AnotherAgent,
    /// The kernel refused.
    Refused,
    /// The attach process is not there.
    NoAttachProcess,
}

impl Reason {
    /// Its name in status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoNamespace => "no_namespace",
            Self::HostNetwork => "host_network",
            Self::NoInterface => "no_interface",
            Self::AnotherAgent => "another_agent",
            Self::Refused => "refused",
            Self::NoAttachProcess => "no_attach_process",
        }
    }
}

/// Sends a message, with descriptors.
pub(crate) fn send<T: Serialize>(
    stream: &UnixStream,
    message: &T,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    if line.len() > LINE || descriptors.len() > MOST_LINKS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_LINKS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(stream, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?;
    let mut stream = stream;
    stream.write_all(line.get(sent..).unwrap_or_default())
}

/// Receives one message with its descriptors; `None` when the other side has ended.
pub(crate) fn receive<T: DeserializeOwned>(stream: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut line = Vec::new();
    let mut descriptors = Vec::new();
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_LINKS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 4096];
        let got = recvmsg(
            stream,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        let got = match got {
            Err(rustix::io::Errno::INTR) => continue,
            got => got?.bytes,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                descriptors.extend(more);
            }
        }
        line.extend_from_slice(bytes.get(..got).unwrap_or_default());
        if got == 0 && line.is_empty() {
            return Ok(None);
        }
        if got == 0 || line.len() > LINE || descriptors.len() > MOST_LINKS {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Each side waits for the answer, so nothing follows a line.
        if line.ends_with(b"\n") {
            return Ok(Some((serde_json::from_slice(&line)?, descriptors)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::fd::AsFd as _};

    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let order = Order::Attach(Attach {
            namespace: Namespace::Pod("x".to_owned()),
            interfaces: vec!["eth0".repeat(1500)],
            label: 7,
            method: Way::Tcx,
            known: Some(u64::MAX),
        });
        send(&one, &order, &[one.as_fd(), other.as_fd()]).expect("sent");
        let (got, descriptors) = receive::<Order>(&other).expect("received").expect("a message");
        let (Order::Attach(got), Order::Attach(sent)) = (got, order) else {
            panic!("another order");
        };
        assert_eq!((got, descriptors.len()), (sent, 2));
        drop((one, descriptors));
        assert!(receive::<Order>(&other).expect("an end").is_none());
    }

    #[test]
    fn what_is_no_message_is_an_error_and_not_read_without_end() {
        for bytes in [
            b"nonsense\n".to_vec(),
            b"{\"attach\": 1}\n".to_vec(),
            vec![b' '; LINE + 1],
        ] {
            let (one, other) = UnixStream::pair().expect("a pair");
            (&one).write_all(&bytes).expect("sent");
            drop(one);
            assert!(receive::<Order>(&other).is_err(), "{} bytes", bytes.len());
        }
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert!(send(&one, &"x".repeat(LINE), &[]).is_err());
    }
}
