//! `shadow attach`: a small process that attaches the kernel program to interfaces in other network namespaces.
//!
//! Owns: entering a namespace, and the privileges for it (CAP_SYS_ADMIN, CAP_SYS_PTRACE), which the agent gives up. It
//! never sees a captured byte. It gets two maps of the agent's kernel program, loads a program of a few instructions
//! for each attachment ([`label`]), and passes the links to the agent, so that they end with the agent. Bounds: one
//! order at a time, lines and links as in [`wire`](crate::capture::namespaces::wire). Bias: a namespace that is not
//! certainly the one that was meant is refused with a reason; a process that cannot return to its own namespace ends.
//!
//! No descriptor, socket or thread of it stays in a namespace: each would keep a dead one alive, a link does not.

mod enter;
mod label;
mod pods;
mod serve;

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::capture::namespaces::wire::{Namespace, Reason};

pub use serve::serve;

/// The hidden command that runs as this process.
const COMMAND: &str = "attach";

/// The started process. Dropping it, after its connection was closed, waits for its end.
#[derive(Debug)]
pub struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        for _ in 0..50 {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}

/// The option with which it refuses everything but pods.
const PODS_ONLY: &str = "--pods-only";

/// The command that runs this program as the process.
pub(crate) fn command(pods_only: bool) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(COMMAND).args(pods_only.then_some(PODS_ONLY));
    command
}

/// Where the kubelet keeps the logs of pods.
const LOGS: &str = "/var/log/pods";

/// Moves this thread into the network namespace of a pod of this node, by its UID or its `NAMESPACE/NAME`. Threads that
/// it starts are there too; it does not come back.
pub(crate) fn enter_pod(pod: &str) -> Result<(), String> {
    let refused = |error: io::Error| error.to_string();
    let uids = pods::uids(pod, Path::new(LOGS)).map_err(|error| format!("{LOGS} cannot be read: {error}"))?;
    let mut home = enter::Home::open().map_err(refused)?;
    for uid in uids {
        match home.find(&Namespace::Pod(uid), true) {
            Ok(there) => return there.enter().map_err(refused),
            // One that has ended.
            Err((Reason::NoNamespace, _)) => {}
            Err((_, text)) => return Err(text),
        }
    }
    Err("no process of it runs on this node; give its UID or its NAMESPACE/NAME".to_owned())
}

/// Starts the process with the privileges of the caller; returns the connection to it.
pub fn start(command: &mut Command) -> io::Result<(UnixStream, Started)> {
    let (ours, theirs) = UnixStream::pair()?;
    // A process group of its own: a Ctrl-C is for the agent.
    let process = command
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()?;
    // Its end of the connection is held by the command.
    command.stdin(Stdio::null());
    Ok((ours, Started(process)))
}
