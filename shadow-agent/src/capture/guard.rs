//! The agent's end of its guard process: locks on interfaces, and the order of programs at their hooks.
//!
//! The process itself is [`crate::guard`]'s. Bounds: one order at a time, [`PATIENCE`] for an answer. Bias: without it
//! the agent works, and says what it cannot tell.

use std::{
    any::Any,
    collections::BTreeSet,
    fmt,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Name of a lock in the abstract namespace, before the number of the interface.
pub(crate) const LOCK: &str = "shadow-agent/";

/// How long an answer may take. The guard does nothing that waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// A started guard. It ends when the last handle is dropped, or the agent ends in any other way.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    orders: Mutex<BufReader<UnixStream>>,
    _process: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// The answer to a request for a lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Locked {
    /// The interface is ours.
    Held,
    /// Another agent has it.
    Taken,
    /// The guard does not answer.
    Unknown,
}

/// The programs at the TCX hooks of an interface, first to run first; `None` where the kernel does not tell.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Orders {
    /// Ingress.
    pub ingress: Option<Vec<u32>>,
    /// Egress.
    pub egress: Option<Vec<u32>>,
    /// netkit's own hook for packets of the container, which they pass before TCX ingress of the host's end. Empty for
    /// other devices.
    pub netkit_peer: Option<Vec<u32>>,
}

impl Guard {
    /// A guard at the other end of `stream`. `process` is dropped with the last handle.
    pub(crate) fn new(stream: UnixStream, process: Box<dyn Any + Send + Sync>) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            inner: Arc::new(Inner {
                orders: Mutex::new(BufReader::new(stream)),
                _process: process,
            }),
        })
    }

    /// Takes the lock on an interface.
    pub(crate) fn lock(&self, interface: u32) -> Locked {
        match self.ask(&format!("lock {interface}")).as_deref() {
            Ok("held") => Locked::Held,
            Ok("taken") => Locked::Taken,
            Ok(_) => Locked::Unknown,
            Err(error) => {
                tracing::warn!(%error, "the guard process does not answer: another agent on an interface may go unnoticed");
                Locked::Unknown
            }
        }
    }

    /// Gives the lock on an interface back.
    pub(crate) fn unlock(&self, interface: u32) {
        if let Err(error) = self.ask(&format!("unlock {interface}")) {
            tracing::debug!(%error, "the guard process does not answer");
        }
    }

    /// The programs at the hooks of an interface.
    pub(crate) fn orders(&self, interface: u32) -> Option<Orders> {
        let answer = self.ask(&format!("order {interface}")).ok()?;
        let mut parts = answer.split(' ').map(programs);
        Some(Orders {
            ingress: parts.next()?,
            egress: parts.next()?,
            netkit_peer: parts.next()?,
        })
    }

    fn ask(&self, order: &str) -> io::Result<String> {
        let mut orders = self.inner.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.get_mut().write_all(format!("{order}\n").as_bytes())?;
        let mut answer = String::new();
        orders.read_line(&mut answer)?;
        match answer.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The interfaces of this network namespace that agents have locked. `sockets` is `/proc/net/unix`, which needs no
/// privilege.
pub fn locked(sockets: &str) -> BTreeSet<u32> {
    let name = |line: &str| {
        let (_, name) = line.rsplit_once(" @")?;
        name.strip_prefix(LOCK)?.parse().ok()
    };
    sockets.lines().filter_map(name).collect()
}

/// `12,13` are programs, `-` is none, anything else is unknown.
fn programs(text: &str) -> Option<Vec<u32>> {
    if text == "-" {
        return Some(Vec::new());
    }
    text.split(',').map(|id| id.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_programs_are_read() {
        assert_eq!(programs("12,13"), Some(vec![12, 13]));
        assert_eq!(programs("-"), Some(Vec::new()));
        for unknown in ["?", "", "1,x"] {
            assert_eq!(programs(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn locks_are_found_among_the_sockets_of_the_namespace() {
        let sockets = "Num RefCount Protocol Flags Type St Inode Path\n\
            0000: 00000002 00000000 00010000 0001 01 1 @shadow-agent/7\n\
            0000: 00000002 00000000 00010000 0001 01 2 /run/shadow-agent/8\n\
            0000: 00000002 00000000 00010000 0001 01 3 @shadow-agent/x\n";
        assert_eq!(locked(sockets), BTreeSet::from([7]));
    }

    #[test]
    fn a_guard_that_is_gone_is_unknown_and_no_lock() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let guard = Guard::new(ours, Box::new(())).expect("a guard");
        drop(theirs);
        assert_eq!(guard.lock(1), Locked::Unknown);
        assert_eq!(guard.orders(1), None);
    }
}
