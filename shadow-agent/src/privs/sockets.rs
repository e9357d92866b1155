//! seccomp: sockets that a running agent may open, and requests to network interfaces.
//!
//! Listening sockets, netlink sockets and the control socket were opened before. The sockets left to open are
//! connections to shadow systems, and the ports of a command's name resolution.

use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::Needs;

const INET: [u64; 2] = [int(libc::AF_INET), int(libc::AF_INET6)];
const UNIX: u64 = int(libc::AF_UNIX);
const NETLINK: u64 = int(libc::AF_NETLINK);
const STREAM: u64 = int(libc::SOCK_STREAM);
const DATAGRAM: u64 = int(libc::SOCK_DGRAM);
const PACKETS: u64 = int(libc::SOCK_SEQPACKET);

/// The bits of a socket's type without `SOCK_CLOEXEC` and `SOCK_NONBLOCK` (`SOCK_TYPE_MASK` of linux/net.h).
const TYPE: u64 = 0xf;

/// Default, TCP and UDP. Others may load a kernel module.
const PROTOCOLS: [u64; 3] = [0, int(libc::IPPROTO_TCP), int(libc::IPPROTO_UDP)];

/// Requests to sockets and interfaces (linux/sockios.h, `SIOCPROTOPRIVATE` and `SIOCDEVPRIVATE` included) are 0x8900 to
/// 0x89ff; these of them only read.
const READING: [u64; 6] = [
    0x8905, // SIOCATMARK
    0x8910, // SIOCGIFNAME
    0x8912, // SIOCGIFCONF
    0x8913, // SIOCGIFFLAGS
    0x8915, // SIOCGIFADDR
    0x8933, // SIOCGIFINDEX
];

/// Input into a terminal on behalf of its user: a root shell may be waiting at the other end of the agent's.
const TYPING: [u64; 2] = [
    0x5412, // TIOCSTI
    0x541c, // TIOCLINUX
];

const fn int(value: libc::c_int) -> u64 {
    value.unsigned_abs() as u64
}

/// A comparison of the argument at `place`, an int.
fn is(place: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, how, value)
}

fn none_of(place: u8, values: &[u64]) -> Result<Vec<SeccompCondition>, BackendError> {
    let differs = |&value: &u64| is(place, SeccompCmpOp::Ne, value);
    values.iter().map(differs).collect()
}

/// The sockets that socket(2) refuses: all but TCP, UDP, and those for attaching to interfaces before Linux 6.6.
pub(super) fn socket(needs: &Needs) -> Result<Vec<SeccompRule>, BackendError> {
    let mut families = INET.to_vec();
    if needs.clsact {
        families.extend([UNIX, NETLINK]);
    }
    let mut rules = vec![SeccompRule::new(none_of(0, &families)?)?];
    for family in INET {
        for kind in (0..=TYPE).filter(|kind| ![STREAM, DATAGRAM].contains(kind)) {
            let family = is(0, SeccompCmpOp::Eq, family)?;
            let kind = is(1, SeccompCmpOp::MaskedEq(TYPE), kind)?;
            rules.push(SeccompRule::new(vec![family, kind])?);
        }
        let mut other = none_of(2, &PROTOCOLS)?;
        other.push(is(0, SeccompCmpOp::Eq, family)?);
        rules.push(SeccompRule::new(other)?);
    }
    if needs.clsact {
        // The C library looks up the index of an interface with a datagram socket.
        for kind in (0..=TYPE).filter(|kind| *kind != DATAGRAM) {
            let family = is(0, SeccompCmpOp::Eq, UNIX)?;
            let kind = is(1, SeccompCmpOp::MaskedEq(TYPE), kind)?;
            rules.push(SeccompRule::new(vec![family, kind])?);
        }
        let family = is(0, SeccompCmpOp::Eq, NETLINK)?;
        let other = is(2, SeccompCmpOp::Ne, int(libc::NETLINK_ROUTE))?;
        rules.push(SeccompRule::new(vec![family, other])?);
    }
    Ok(rules)
}

/// The pairs that socketpair(2) refuses: an end of a datagram pair can be connected to another Unix socket. Stream and
/// sequenced-packet pairs cannot (EISCONN); tokio and starting a command need them.
pub(super) fn pair() -> Result<Vec<SeccompRule>, BackendError> {
    let mut rules = vec![SeccompRule::new(none_of(0, &[UNIX])?)?];
    for kind in (0..=TYPE).filter(|kind| ![STREAM, PACKETS].contains(kind)) {
        rules.push(SeccompRule::new(vec![is(
            1,
            SeccompCmpOp::MaskedEq(TYPE),
            kind,
        )?])?);
    }
    Ok(rules)
}

/// The requests that ioctl(2) refuses.
pub(super) fn requests() -> Result<Vec<SeccompRule>, BackendError> {
    let mut sockets = none_of(1, &READING)?;
    sockets.push(is(1, SeccompCmpOp::MaskedEq(0xffff_ff00), 0x8900)?);
    let mut rules = vec![SeccompRule::new(sockets)?];
    for request in TYPING {
        rules.push(SeccompRule::new(vec![is(1, SeccompCmpOp::Eq, request)?])?);
    }
    Ok(rules)
}
