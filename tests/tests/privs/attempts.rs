//! Actions that a confined agent is allowed and forbidden, each attempted.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket},
    os::{
        fd::AsRawFd as _,
        unix::fs::PermissionsExt as _,
        unix::net::{UnixDatagram, UnixStream},
    },
    path::Path,
    process::Command,
};

use rustix::{
    net::{AddressFamily, Protocol, SocketType, ipproto, listen, netdevice::name_to_index, netlink, socket},
    process::{Pid, Resource, chroot, getppid, getrlimit, prlimit, test_kill_process},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities},
};
use shadow_agent::capture::load::{LoadError, LoadOptions, Program};

/// Attempts everything once; `when` says whether the process is confined.
pub(crate) fn try_everything(when: &str, place: &Place<'_>) {
    let tried = |what: &str, outcome: io::Result<()>| {
        let answer = match outcome {
            Ok(()) => "done".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => "refused".to_owned(),
            Err(error) => format!("failed, {error}"),
        };
        // The harness may have begun a line.
        println!("\ntried {what}, {when}: {answer}");
    };
    let own = |folder: &Path| fs::write(folder.join("written"), "x");
    tried("write the state folder", own(place.state));
    tried("write elsewhere", own(place.elsewhere));
    tried("write next to the control socket", own(place.sockets));
    tried(
        "remove the control socket",
        fs::remove_file(place.sockets.join(when)),
    );
    tried("read /proc/stat", fs::read("/proc/stat").map(drop));
    tried("read /etc/shadow", fs::read("/etc/shadow").map(drop));
    let parent = getppid().expect("the test that started this");
    let environment = format!("/proc/{}/environ", parent.as_raw_nonzero());
    tried(
        "read another process's environment",
        fs::read(environment).map(drop),
    );
    tried("run a program", Command::new("/bin/true").status().map(drop));
    tried("regain capabilities", regain());
    tried("change the root", chroot("/").map_err(io::Error::from));
    tried(
        "signal another process",
        test_kill_process(parent).map_err(io::Error::from),
    );
    let options = LoadOptions {
        ring_bytes: 64 << 10,
        ..LoadOptions::default()
    };
    let loaded = Program::load(&options).map(drop).map_err(|error| match error {
        LoadError::NotPermitted { .. } => io::ErrorKind::PermissionDenied.into(),
        // The kernel's answer to the load itself, which comes after the maps.
        other if other.to_string().contains("Operation not permitted") => {
            io::ErrorKind::PermissionDenied.into()
        }
        other => io::Error::other(other.to_string()),
    });
    tried("load a kernel program", loaded);
    try_sockets(&tried, place);
    try_interfaces(&tried);
    try_files_and_processes(&tried, place, parent);
    // SAFETY: getpid(2) touches no memory, under either number.
    let called = unsafe { libc::syscall(0x4000_0000 | libc::SYS_getpid) };
    tried("use the x32 ABI", result(called));
}

#[expect(clippy::too_many_lines, reason = "one attempt after the other")]
fn try_sockets(tried: &impl Fn(&str, io::Result<()>), place: &Place<'_>) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    tried("resolve a name", ("localhost", 80).to_socket_addrs().map(drop));
    tried("connect", TcpStream::connect(place.address).map(drop));
    tried(
        "connect to a Unix socket",
        UnixStream::connect(place.elsewhere.join("socket")).map(drop),
    );
    tried("open a Unix datagram socket", UnixDatagram::unbound().map(drop));
    tried(
        "make a pair of Unix datagram sockets",
        UnixDatagram::pair().map(drop),
    );
    tried("make a pair of Unix stream sockets", UnixStream::pair().map(drop));
    tried("listen", TcpListener::bind(any).map(drop));
    tried("bind a port", UdpSocket::bind(any).map(drop));
    let open =
        |family, kind, protocol: Option<Protocol>| socket(family, kind, protocol).map_err(io::Error::from);
    let unbound = open(AddressFamily::INET, SocketType::STREAM, None);
    tried(
        "listen without an address",
        unbound.and_then(|socket| Ok(listen(socket, 1)?)),
    );
    for (what, family, kind, protocol) in [
        ("open a UDP socket", AddressFamily::INET, SocketType::DGRAM, None),
        (
            "open a route socket",
            AddressFamily::NETLINK,
            SocketType::RAW,
            None,
        ),
        (
            "open an xfrm socket",
            AddressFamily::NETLINK,
            SocketType::RAW,
            Some(netlink::XFRM),
        ),
        (
            "open a netfilter socket",
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            Some(netlink::NETFILTER),
        ),
        (
            "open a generic netlink socket",
            AddressFamily::NETLINK,
            SocketType::RAW,
            Some(netlink::GENERIC),
        ),
        (
            "open a packet socket",
            AddressFamily::PACKET,
            SocketType::RAW,
            None,
        ),
        (
            "open a raw socket",
            AddressFamily::INET,
            SocketType::RAW,
            Some(ipproto::ICMP),
        ),
        (
            "open a raw socket for IPv6",
            AddressFamily::INET6,
            SocketType::RAW,
            Some(ipproto::ICMPV6),
        ),
        (
            "open a socket of another protocol",
            AddressFamily::INET,
            SocketType::DGRAM,
            Some(ipproto::UDPLITE),
        ),
    ] {
        tried(what, open(family, kind, protocol).map(drop));
    }
}

/// Actions for which an owner, or the same user, needs no capability.
fn try_files_and_processes(tried: &impl Fn(&str, io::Result<()>), place: &Place<'_>, parent: Pid) {
    let file = place.state.join("written");
    tried(
        "change the mode of a file",
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)),
    );
    tried(
        "change the owner of a file",
        std::os::unix::fs::chown(&file, Some(0), None),
    );
    let limit = getrlimit(Resource::Nofile);
    tried(
        "limit another process",
        prlimit(Some(parent), Resource::Nofile, limit)
            .map(drop)
            .map_err(io::Error::from),
    );
    // SAFETY: flags of a new user namespace, an empty stack and no pointers: the child returns here and ends at once.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0) };
    if pid == 0 {
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(0) };
    }
    tried("make a user namespace", result(pid));
}

fn try_interfaces(tried: &impl Fn(&str, io::Result<()>)) {
    let any = || socket(AddressFamily::INET, SocketType::DGRAM, None).map_err(io::Error::from);
    tried(
        "ask for the index of an interface",
        any().and_then(|socket| Ok(name_to_index(socket, LINK).map(drop)?)),
    );
    for (what, request) in [
        ("set the flags of an interface", libc::SIOCSIFFLAGS),
        ("set the size of packets of an interface", libc::SIOCSIFMTU),
        ("set the name of an interface", libc::SIOCSIFNAME),
        ("set options of a driver", libc::SIOCETHTOOL),
    ] {
        let done = any().and_then(|socket| {
            let mut shown = [0_u32; 4];
            let mut link = Link {
                name: [0; libc::IFNAMSIZ],
                value: [0; 24],
            };
            link.name[..LINK.len()].copy_from_slice(LINK.as_bytes());
            match request {
                libc::SIOCSIFMTU => link.value[..4].copy_from_slice(&1400_u32.to_ne_bytes()),
                libc::SIOCSIFNAME => link.value[..LINK.len()].copy_from_slice(LINK.as_bytes()),
                libc::SIOCETHTOOL => {
                    // ETHTOOL_GLINK: reads, and changes nothing.
                    shown[0] = 0x0a;
                    link.value[..8].copy_from_slice(&(shown.as_mut_ptr() as usize).to_ne_bytes());
                }
                // No flag: the interface is down, as before.
                _ => {}
            }
            // SAFETY: `link` is a `struct ifreq`, and what it points to is longer than `struct ethtool_value`.
            let set = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut link) };
            result(set.into())
        });
        tried(what, done);
    }
    let done = fs::File::open("/dev/null").and_then(|null| {
        // SAFETY: reads one byte.
        let typed = unsafe { libc::ioctl(null.as_raw_fd(), libc::TIOCSTI, c"x".as_ptr()) };
        result(typed.into())
    });
    tried("type into a terminal", done);
}

/// An interface of the child's own network namespace.
pub(crate) const LINK: &str = "spare0";

/// `struct ifreq`.
#[repr(C)]
struct Link {
    name: [u8; libc::IFNAMSIZ],
    value: [u8; 24],
}

/// Where the attempts are made.
pub(crate) struct Place<'a> {
    pub(crate) state: &'a Path,
    /// A directory with a Unix socket in it.
    pub(crate) elsewhere: &'a Path,
    /// The directory of the control socket.
    pub(crate) sockets: &'a Path,
    pub(crate) address: SocketAddr,
}

/// Result of a system call.
fn result(returned: i64) -> io::Result<()> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes more capabilities than a confined agent has, besides the present ones.
pub(crate) fn regain() -> io::Result<()> {
    let wanted = CapabilitySet::SYS_ADMIN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::NET_ADMIN;
    let now = capabilities(None)?;
    let sets = CapabilitySets {
        effective: now.effective | wanted,
        permitted: now.permitted | wanted,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(io::Error::from)
}
