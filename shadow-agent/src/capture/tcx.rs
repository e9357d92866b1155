//! TCX links (Linux 6.6) by the index of the interface, and the programs at a hook.
//!
//! aya attaches by name, and the C library opens a Unix socket to look the name up. A confined agent may not open one,
//! and the index from rtnetlink means the same interface even if its name has changed since.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

/// `BPF_TCX_INGRESS` of linux/bpf.h.
pub(crate) const INGRESS: u32 = 46;
/// `BPF_TCX_EGRESS`.
pub(crate) const EGRESS: u32 = 47;

/// `BPF_LINK_CREATE`.
const LINK_CREATE: libc::c_int = 28;
/// `BPF_F_BEFORE`, relative to nothing: first, before programs whose verdict ends the chain.
const BEFORE: u32 = 1 << 3;
/// `BPF_F_AFTER`.
const AFTER: u32 = 1 << 4;
/// `BPF_F_ID`: `relative` is the id of a program.
const ID: u32 = 1 << 5;

/// `link_create` of `union bpf_attr`, as far as TCX reads it.
#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    kind: u32,
    flags: u32,
    relative: u32,
    /// Up to the 8-byte alignment of the next field.
    padding: u32,
    expected_revision: u64,
}

/// Attaches the program to the hook `kind` of the interface with this index: directly after the program with the id
/// `after`, or first. Closing the link detaches the program.
pub(crate) fn link(
    program: BorrowedFd<'_>,
    interface: u32,
    kind: u32,
    after: Option<u32>,
) -> io::Result<OwnedFd> {
    let program = program.as_raw_fd();
    let attr = LinkCreate {
        program: u32::try_from(program).map_err(|_negative| io::ErrorKind::InvalidInput)?,
        interface,
        kind,
        flags: after.map_or(BEFORE, |_| AFTER | ID),
        relative: after.unwrap_or(0),
        padding: 0,
        expected_revision: 0,
    };
    // SAFETY: bpf(2) reads `attr`, of the length passed, and keeps no reference to it.
    let made = unsafe { libc::syscall(libc::SYS_bpf, LINK_CREATE, &raw const attr, size_of_val(&attr)) };
    let fd = i32::try_from(made).map_err(|_wide| io::ErrorKind::InvalidData)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call made this descriptor, and nothing else owns it. The kernel sets close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `BPF_OBJ_GET_INFO_BY_FD`.
const GET_INFO: libc::c_int = 15;

/// `info` of `union bpf_attr`.
#[repr(C)]
struct GetInfo {
    fd: u32,
    len: u32,
    info: u64,
}

/// `struct bpf_link_info` of a TCX link.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    /// Up to the 8-byte alignment of the union.
    padding: u32,
    interface: u32,
    attach_kind: u32,
}

/// The index of the interface that a link is on; 0 when the interface is gone.
pub(crate) fn interface_of(link: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = LinkInfo::default();
    let attr = GetInfo {
        fd: link.as_raw_fd().unsigned_abs(),
        len: u32::try_from(size_of::<LinkInfo>()).unwrap_or(0),
        info: (&raw mut info) as u64,
    };
    // SAFETY: bpf(2) reads `attr`, of the length passed, and writes at most `len` bytes to `info`, which has as many.
    // It keeps no reference to either.
    let code = unsafe { libc::syscall(libc::SYS_bpf, GET_INFO, &raw const attr, size_of_val(&attr)) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info.interface)
}

/// `BPF_NETKIT_PEER` (Linux 6.7).
pub(crate) const NETKIT_PEER: u32 = 55;

/// `BPF_PROG_QUERY`.
const PROG_QUERY: libc::c_int = 16;
/// Programs at one hook that are reported. The kernel allows 64.
const MOST: u32 = 64;

/// `query` of `union bpf_attr`.
#[repr(C)]
struct ProgQuery {
    interface: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
    attach_flags_of: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

/// Ids of the programs at the hook `kind` of an interface, in the order in which they run.
///
/// This needs CAP_NET_ADMIN. Names would need CAP_SYS_ADMIN, which containers do not have.
pub(crate) fn programs(interface: u32, kind: u32) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; MOST as usize];
    let mut attr = ProgQuery {
        interface,
        kind,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: MOST,
        padding: 0,
        attach_flags_of: 0,
        links: 0,
        link_flags: 0,
        revision: 0,
    };
    // SAFETY: bpf(2) reads and writes `attr`, of the length passed, and writes `count` ids to `ids`, which has room for
    // as many. It keeps no reference to either.
    let code = unsafe { libc::syscall(libc::SYS_bpf, PROG_QUERY, &raw mut attr, size_of_val(&attr)) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    let count = attr.count.min(MOST) as usize;
    Ok(ids.get(..count).unwrap_or_default().to_vec())
}
