//! The scheduling priority of a thread.

use std::io;

use rustix::process::{getpriority_process, setpriority_process};

/// Gives the calling thread, and those that it starts, a lower priority than the rest of the node: a nice value, and
/// `SCHED_BATCH`, so that it does not preempt others when it wakes up (sched(7)). Both need no privilege, and cannot be
/// revoked without one. A setting that the kernel refuses stays as it was, as does a higher nice value, which the agent
/// may have been started with.
pub(super) fn lower(nice: u8) {
    // Of the calling thread alone (setpriority(2), C library/kernel differences).
    let nicer = getpriority_process(None)
        .and_then(|now| setpriority_process(None, now.max(nice.into())))
        .map_err(io::Error::from);
    for result in [nicer, batch()] {
        if let Err(error) = result {
            tracing::debug!(%error, "replays run at the priority of the agent");
        }
    }
}

/// Uses the system call, because musl's function refuses; the kernel's `sched_param` is one int.
fn batch() -> io::Result<()> {
    let param: libc::c_int = 0;
    // SAFETY: 0 is the calling thread; `param` is all that the call reads, and outlives it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_BATCH,
            &raw const param,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
