//! Ends a thread that waits for a descriptor.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Held by the thread and by the one that ends it.
#[derive(Clone, Debug)]
pub(super) struct Stop(Arc<OwnedFd>);

/// Why a wait is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waited {
    /// The thread is to end.
    Stopped,
    /// There is something to read.
    Ready,
    /// The time is over.
    Late,
}

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(event)))
    }

    /// Ends every wait from now on.
    pub(super) fn stop(&self) {
        // A full counter has been signalled already.
        let _rung = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Waits for something to read, as long as that may take.
    pub(super) fn wait(
        &self,
        source: Option<BorrowedFd<'_>>,
        limit: Option<&Timespec>,
    ) -> rustix::io::Result<Waited> {
        let stop = PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN);
        let source = source.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN));
        let mut fds: Vec<_> = std::iter::once(stop).chain(source).collect();
        loop {
            match poll(&mut fds, limit) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error),
                Ok(0) => return Ok(Waited::Late),
                Ok(_) if fds.first().is_some_and(|stop| stop.revents().is_empty()) => {
                    return Ok(Waited::Ready);
                }
                Ok(_) => return Ok(Waited::Stopped),
            }
        }
    }
}
