//! What the agent gives up, it has given up: in every thread, and for good.

use std::{
    collections::BTreeMap,
    env, fs, io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::{
            net::{UnixDatagram, UnixListener, UnixStream},
            process::ExitStatusExt as _,
        },
    },
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use rustix::{
    net::{AddressFamily, Protocol, SocketType, ipproto, listen, netdevice::name_to_index, netlink, socket},
    process::{Signal, chroot, getppid, test_kill_process},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities},
};
use shadow_agent::{
    capture::{
        attach::Method,
        load::{LoadError, LoadOptions, Program},
    },
    config::Config,
    privs::{self, Needs},
};
use shadow_tests::{client::Connection, laws::assert_laws, need, netns::Netns, scene::Scene};

/// Where the child may write; its presence makes this process the child.
const FOLDER: &str = "SHADOW_TEST_CONFINED";

fn field(status: &str, name: &str) -> String {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
        .to_owned()
}

#[test]
fn every_thread_of_a_running_agent_is_confined_and_mirroring_goes_on() {
    need!(Root);
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = scene.agent().start(&scene.lab.server);
    let mut connection = scene
        .lab
        .client
        .run(|| Connection::open(Scene::production()).expect("production is there"));
    for _ in 0..20 {
        connection.get("/", "").expect("an answer");
    }
    let kept = match Method::of_this_kernel() {
        Method::Tcx => CapabilitySet::NET_RAW | CapabilitySet::BPF,
        Method::Clsact => CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | CapabilitySet::BPF,
    };
    let tasks = format!("/proc/{}/task", agent.process.pid());
    let mut threads = 0;
    for task in fs::read_dir(&tasks).expect("the agent's threads") {
        let status = fs::read_to_string(task.expect("a thread").path().join("status")).expect("its status");
        let name = field(&status, "Name");
        for (set, most) in [
            ("CapEff", kept.bits()),
            ("CapPrm", kept.bits()),
            ("CapInh", 0),
            ("CapBnd", 0),
            ("CapAmb", 0),
        ] {
            let found = u64::from_str_radix(&field(&status, set), 16).expect("a set of capabilities");
            assert_eq!(found & !most, 0, "{set} of the thread {name} is {found:#x}");
        }
        assert_eq!(field(&status, "NoNewPrivs"), "1", "thread {name}");
        assert_eq!(field(&status, "Seccomp"), "2", "thread {name}");
        threads += 1;
    }
    assert!(threads >= 4, "{threads} threads");
    let report = agent.settled(20);
    assert_eq!(report.funnel.matched, 20, "{:#?}", report.funnel);
    agent.must(&["kill", "--why", "a test"]);
    agent.must(&["resume"]);
    assert_laws(&agent.stop());
}

#[test]
fn what_was_given_up_does_not_come_back() {
    need!(Root);
    let directory = tempfile::tempdir().expect("a folder");
    let output = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "confined_child", "--ignored", "--nocapture"])
        .env(FOLDER, directory.path())
        .output()
        .expect("this test runs again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: BTreeMap<&str, &str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("tried ")?.split_once(": "))
        .collect();
    let answer = |attempt: &str, when: &str| *found.get(&*format!("{attempt}, {when}")).unwrap_or(&"untried");
    for attempt in ALLOWED {
        assert_eq!(answer(attempt, "confined"), "done", "{attempt}\n{said}");
    }
    for attempt in FORBIDDEN {
        // Nothing but the confinement is in the way.
        assert_eq!(answer(attempt, "free"), "done", "{attempt}\n{said}");
        assert_eq!(answer(attempt, "confined"), "refused", "{attempt}\n{said}");
    }
    for attempt in ["use the x32 ABI", "type into a terminal"] {
        // There may be no such thing here; confined it is refused before anybody finds out.
        assert_ne!(answer(attempt, "free"), "refused", "{attempt}\n{said}");
        assert_eq!(answer(attempt, "confined"), "refused", "{attempt}\n{said}");
    }
}

const ALLOWED: [&str; 6] = [
    "write the state folder",
    "connect",
    "open a UDP socket",
    "read /proc/stat",
    "make a pair of Unix stream sockets",
    "ask for the index of an interface",
];

const FORBIDDEN: [&str; 27] = [
    "read /etc/shadow",
    "read another process's environment",
    "write elsewhere",
    "run a program",
    "regain capabilities",
    "regain capabilities in a thread",
    "change the root",
    "signal another process",
    "load a kernel program",
    "connect to a Unix socket",
    "open a Unix datagram socket",
    "make a pair of Unix datagram sockets",
    "listen",
    "listen without an address",
    "bind a port",
    "open a route socket",
    "open an xfrm socket",
    "open a netfilter socket",
    "open a generic netlink socket",
    "open a packet socket",
    "open a raw socket",
    "open a raw socket for IPv6",
    "open a socket of another protocol",
    "set the flags of an interface",
    "set the size of packets of an interface",
    "set the name of an interface",
    "set options of a driver",
];

/// Everything once, as process `when`.
fn try_everything(when: &str, place: &Place<'_>) {
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
    tried("read /proc/stat", fs::read("/proc/stat").map(drop));
    tried("read /etc/shadow", fs::read("/etc/shadow").map(drop));
    tried(
        "read another process's environment",
        fs::read("/proc/1/environ").map(drop),
    );
    tried("run a program", Command::new("/bin/true").status().map(drop));
    tried("regain capabilities", regain());
    tried("change the root", chroot("/").map_err(io::Error::from));
    let parent = getppid().expect("the test that started this");
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
        other => io::Error::other(other.to_string()),
    });
    tried("load a kernel program", loaded);
    try_sockets(&tried, place);
    try_interfaces(&tried);
    // SAFETY: getpid(2) touches no memory, under either number.
    let called = unsafe { libc::syscall(0x4000_0000 | libc::SYS_getpid) };
    tried("use the x32 ABI", result(called));
}

fn try_sockets(tried: &impl Fn(&str, io::Result<()>), place: &Place<'_>) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
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
            let mut told = [0_u32; 4];
            let mut link = Link {
                name: [0; libc::IFNAMSIZ],
                value: [0; 24],
            };
            link.name[..LINK.len()].copy_from_slice(LINK.as_bytes());
            match request {
                libc::SIOCSIFMTU => link.value[..4].copy_from_slice(&1400_u32.to_ne_bytes()),
                libc::SIOCSIFNAME => link.value[..LINK.len()].copy_from_slice(LINK.as_bytes()),
                libc::SIOCETHTOOL => {
                    // ETHTOOL_GLINK: asks, and changes nothing.
                    told[0] = 0x0a;
                    link.value[..8].copy_from_slice(&(told.as_mut_ptr() as usize).to_ne_bytes());
                }
                // No flag: the interface is down, as it was.
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
        let typed = unsafe { libc::ioctl(null.as_fd().as_raw_fd(), libc::TIOCSTI, c"x".as_ptr()) };
        result(typed.into())
    });
    tried("type into a terminal", done);
}

/// An interface of the child's own network namespace.
const LINK: &str = "spare0";

/// `struct ifreq`.
#[repr(C)]
struct Link {
    name: [u8; libc::IFNAMSIZ],
    value: [u8; 24],
}

/// Where things are tried.
struct Place<'a> {
    state: &'a Path,
    /// With a Unix socket in it.
    elsewhere: &'a Path,
    address: SocketAddr,
}

#[test]
#[ignore = "run by what_was_given_up_does_not_come_back, in a process of its own"]
fn confined_child() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let [state, elsewhere] = ["state", "elsewhere"].map(|name| Path::new(&folder).join(name));
    for folder in [&state, &elsewhere] {
        fs::create_dir(folder).expect("a folder");
    }
    let namespace = Netns::new();
    namespace.command(&[
        "ip", "link", "add", LINK, "type", "veth", "peer", "name", "spare1",
    ]);
    namespace.enter();
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let _socket = UnixListener::bind(elsewhere.join("socket")).expect("a Unix socket");
    let place = Place {
        state: &state,
        elsewhere: &elsewhere,
        address: listener.local_addr().expect("its number"),
    };
    let mut config = Config::default();
    config.agent.state_dir.clone_from(&state);
    config.agent.socket = state.join("socket");
    try_everything("free", &place);
    println!("\ntried regain capabilities in a thread, free: done");
    let needs = Needs::of(&config, None);
    let mut confinement = privs::before_threads(&needs).expect("the first half");
    let (go_tx, go_rx) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || {
        go_rx.recv().expect("the other half is done");
        regain()
    });
    privs::after_attach(&needs, &mut confinement).expect("the second half");
    assert!(confinement.missing.is_empty(), "{confinement:?}");
    go_tx.send(()).expect("the thread waits");
    try_everything("confined", &place);
    let regained = other.join().expect("the thread").is_ok();
    let answer = if regained { "done" } else { "refused" };
    println!("\ntried regain capabilities in a thread, confined: {answer}");
}

/// What a system call returned.
fn result(returned: i64) -> io::Result<()> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes more capabilities than a confined agent has, besides those that there are.
fn regain() -> io::Result<()> {
    let wanted = CapabilitySet::SYS_ADMIN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::NET_ADMIN;
    let now = capabilities(None)?;
    let sets = CapabilitySets {
        effective: now.effective | wanted,
        permitted: now.permitted | wanted,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(io::Error::from)
}

#[test]
fn an_agent_that_crashes_leaves_no_core() {
    need!(Root);
    let unlimited = ["sh", "-c", "ulimit -c unlimited; exec \"$0\" \"$@\""];
    let directory = tempfile::tempdir().expect("a folder");
    let other = Command::new(unlimited[0])
        .args(&unlimited[1..])
        .args(["sh", "-c", "kill -ABRT $$"])
        .current_dir(directory.path())
        .status()
        .expect("a shell");
    if !other.core_dumped() {
        println!("SKIPPED: this host writes no core of any process");
        return;
    }
    let scene = Scene::new();
    let mut agent = scene.observer().wrapped(&unlimited).start(&scene.lab.server);
    let read = |name: &str| {
        fs::read_to_string(format!("/proc/{}/{name}", agent.process.pid())).expect("the agent's own")
    };
    let limits = read("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.unwrap_or_default().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    // What a debugger would put into a core by itself: no kind of memory, and of the ring nothing in any case.
    assert_eq!(read("coredump_filter").trim(), "00000000");
    let mappings = read("smaps");
    let ring: Vec<&str> = mappings
        .split("\nVmFlags:")
        .zip(mappings.split("\nVmFlags:").skip(1))
        .filter(|(mapping, _)| mapping.contains("bpf-map"))
        .filter_map(|(_, flags)| flags.lines().next())
        .collect();
    assert!(!ring.is_empty(), "{mappings}");
    for flags in ring {
        assert!(flags.split(' ').any(|flag| flag == "dd"), "{flags}");
    }
    agent.process.signal(Signal::ABORT);
    let ended = agent.process.wait(Duration::from_secs(10));
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{ended}");
    assert!(!ended.core_dumped(), "{ended}");
}
