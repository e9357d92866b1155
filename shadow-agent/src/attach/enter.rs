//! Entering a network namespace, and leaving it again.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use rustix::{
    net::{AddressFamily, SocketType, socket},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::{label, pods::Pods};
use crate::capture::namespaces::wire::{Namespace, Reason};

/// An open namespace, for as short as possible: it keeps a dead one alive.
#[derive(Debug)]
pub(super) struct Open(File);

/// The namespace of this process, to which it returns.
#[derive(Debug)]
pub(super) struct Home {
    own: File,
    pods: Pods,
}

impl Home {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            own: File::open("/proc/self/ns/net")?,
            pods: Pods::new(Path::new("/proc")),
        })
    }

    /// Opens the namespace that was meant. `pods_only` refuses every other kind.
    pub(super) fn find(&mut self, wanted: &Namespace, pods_only: bool) -> Result<Open, (Reason, String)> {
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => (Reason::NoNamespace, "there is none yet".to_owned()),
            _ => (Reason::Refused, error.to_string()),
        };
        let file = match wanted {
            Namespace::Pod(uid) => self.pods.open(uid).map_err(missing)?,
            Namespace::Path(_) | Namespace::Process(_) if pods_only => {
                return Err((Reason::Refused, "only pods may be attached to".to_owned()));
            }
            Namespace::Path(path) => open(path).map_err(missing)?,
            Namespace::Process(pid) => open(format!("/proc/{pid}/ns/net")).map_err(missing)?,
        };
        let is = |other: &File| match (file.metadata(), other.metadata()) {
            (Ok(file), Ok(other)) => (file.dev(), file.ino()) == (other.dev(), other.ino()),
            _ => false,
        };
        let of_node = || open("/proc/1/ns/net").is_ok_and(|node| is(&node));
        if is(&self.own) || matches!(wanted, Namespace::Pod(_)) && of_node() {
            let text =
                "it is the network of the node or of the agent: name its interfaces in capture.interfaces";
            return Err((Reason::HostNetwork, text.to_owned()));
        }
        Ok(Open(file))
    }

    /// Runs `work` in the namespace. The process ends when it cannot come back.
    pub(super) fn inside<T>(&self, there: &Open, work: impl FnOnce() -> T) -> io::Result<T> {
        move_into(&there.0)?;
        let result = work();
        if let Err(error) = move_into(&self.own) {
            tracing::error!(%error, "cannot return from a network namespace");
            std::process::abort();
        }
        Ok(result)
    }
}

impl Open {
    /// Moves this thread into the namespace, for good.
    pub(super) fn enter(self) -> io::Result<()> {
        move_into(&self.0)
    }

    /// To be asked inside: a number that no other namespace of this boot has; before Linux 5.14 one that no other
    /// namespace has now.
    pub(super) fn identity(&self) -> io::Result<u64> {
        // Closed before the namespace is left.
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        match label::netns_cookie(socket.as_fd()) {
            Ok(cookie) => Ok(cookie),
            Err(_) => Ok(self.0.metadata()?.ino()),
        }
    }
}

fn move_into(namespace: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(
        namespace.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// A FIFO or a device in place of a namespace must not block.
fn open(path: impl AsRef<Path>) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}
