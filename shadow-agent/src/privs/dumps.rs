//! Keeps captured bytes out of core dumps.

use std::{fs, io};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Keeps this process, which holds captured credentials, out of core dumps, and from being read or traced by processes
/// of its user.
///
/// Uses three mechanisms, because each has a gap: a limit of 0 does not stop a `core_pattern` that is a pipe; a process
/// that is not dumpable can still be dumped by root's debugger, which leaves out the kinds of memory that
/// `coredump_filter` (core(5)) does not name. That covers every buffer, without a call for each. The kernel marks the
/// mapping of the ring itself.
pub fn keep_out_of_dumps() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // Before the process becomes not dumpable: then the file belongs to root. Without /proc the other two hold.
    drop(fs::write("/proc/self/coredump_filter", "0"));
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
