//! seccomp: system calls by which an attacker in control of the agent would reach the rest of the node.
//!
//! A list of forbidden calls, not of allowed ones: the allowed set changes with every libc, and an agent that dies next
//! to production because of a new call would be taken off the node. Forbidden calls fail with EPERM.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads, sock_filter,
};

use super::{Needs, sockets};

/// Never needed after the start.
const FORBIDDEN: &[libc::c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    // Mounts, roots and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Connections from outside: listening sockets were opened before.
    libc::SYS_listen,
    // Owners, modes and labels of files: an owner needs no capability for them, and Landlock does not cover them.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    // Other users.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
];

/// Forbidden unless a command is run, which may be any program.
const COMMANDS: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    // Some C libraries bind the port from which they ask a name server.
    libc::SYS_bind,
];

/// Commands of bpf(2), from `linux/bpf.h`: those that load a program or find one of another process.
const BPF: &[u64] = &[
    5,  // BPF_PROG_LOAD
    6,  // BPF_OBJ_PIN
    7,  // BPF_OBJ_GET
    13, // BPF_PROG_GET_FD_BY_ID
    14, // BPF_MAP_GET_FD_BY_ID
    17, // BPF_RAW_TRACEPOINT_OPEN
    18, // BPF_BTF_LOAD
];

/// Calls that may name another process, and the argument that does; the own thread is 0.
const OF_PROCESSES: &[(libc::c_long, u8)] = &[
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// Flags of clone(2) that create a namespace, in which a thread would have every capability: mount, cgroup, UTS, IPC,
/// user, process and network.
const NAMESPACES: [u64; 7] = [
    0x0002_0000,
    0x0200_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
];

/// One rule for each of these conditions on an argument.
fn any_of(
    argument: u8,
    length: &SeccompCmpArgLen,
    conditions: impl IntoIterator<Item = (SeccompCmpOp, u64)>,
) -> Result<Vec<SeccompRule>, Error> {
    let rules = conditions.into_iter().map(|(operator, value)| {
        let condition = SeccompCondition::new(argument, length.clone(), operator, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    });
    rules.collect()
}

/// Forbids them to every thread, from now on.
pub(super) fn forbid(needs: &Needs) -> Result<(), Error> {
    let commands = if needs.commands { &[][..] } else { COMMANDS };
    // Before Linux 6.6 a netlink socket is created, and bound, for each interface.
    // musl binds the port from which it asks a name server; glibc does not.
    let binds = needs.clsact || (!needs.names.is_empty() && cfg!(target_env = "musl"));
    let commands = commands
        .iter()
        .filter(|call| !(binds && **call == libc::SYS_bind));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FORBIDDEN
        .iter()
        .chain(commands)
        .map(|&call| (call, Vec::new()))
        .collect();
    // The first argument of bpf(2) is an int.
    let bpf = BPF.iter().map(|&command| (SeccompCmpOp::Eq, command));
    rules.insert(libc::SYS_bpf, any_of(0, &SeccompCmpArgLen::Dword, bpf)?);
    for &(call, argument) in OF_PROCESSES {
        let other = [(SeccompCmpOp::Ne, 0)];
        rules.insert(call, any_of(argument, &SeccompCmpArgLen::Dword, other)?);
    }
    let namespaces = NAMESPACES.map(|flag| (SeccompCmpOp::MaskedEq(flag), flag));
    rules.insert(libc::SYS_clone, any_of(0, &SeccompCmpArgLen::Qword, namespaces)?);
    rules.insert(libc::SYS_socket, sockets::socket(needs)?);
    rules.insert(libc::SYS_socketpair, sockets::pair()?);
    rules.insert(libc::SYS_ioctl, sockets::requests()?);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    let filter: BpfProgram = filter.try_into()?;
    // Its flags are in memory, where a filter cannot look. C libraries fall back to clone(2) where it does not exist.
    let clone3 = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    let clone3: BpfProgram = clone3.try_into()?;
    apply_filter_all_threads(&clone3)?;
    apply_filter_all_threads(&filter)?;
    if cfg!(target_arch = "x86_64") {
        apply_filter_all_threads(&X32)?;
    }
    Ok(())
}

/// Forbids the calls of the x32 ABI: they have the architecture of x86-64 but separate numbers, so that a list of
/// forbidden numbers would miss them. (Calls of 32-bit x86 have another architecture, for which the process is killed.)
const X32: [sock_filter; 4] = [
    // The number of the call: BPF_LD | BPF_W | BPF_ABS, the first field of struct seccomp_data.
    statement(0x20, 0, 0, 0),
    // From __X32_SYSCALL_BIT on: BPF_JMP | BPF_JGE | BPF_K.
    statement(0x35, 0, 1, 0x4000_0000),
    // SECCOMP_RET_ERRNO with EPERM: BPF_RET | BPF_K.
    statement(0x06, 0, 0, 0x0005_0000 | libc::EPERM.unsigned_abs()),
    // SECCOMP_RET_ALLOW.
    statement(0x06, 0, 0, 0x7fff_0000),
];

const fn statement(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}
