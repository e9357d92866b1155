//! Network namespaces that need no clean-up.
//!
//! A [`Netns`] is held by a file descriptor only: its name under `/run/netns` exists only while it is created. When the
//! test ends, panics or is killed, the kernel removes the namespace with every link in it.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd as _, AsRawFd as _},
    panic,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace of our own, with its loopback up.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

impl Netns {
    /// A new, empty namespace.
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shadow-{}-{number}", std::process::id());
        ip(&["netns", "add", &name]);
        let file = File::open(PathBuf::from("/run/netns").join(&name));
        ip(&["netns", "del", &name]);
        let this = Self {
            file: file.expect("a namespace that was just made can be opened"),
        };
        this.run(|| ip(&["link", "set", "lo", "up"]));
        this
    }

    /// Runs `work` on a thread inside the namespace and waits for it. Children that it starts are inside it too.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let worker = |()| {
            self.enter();
            work()
        };
        thread::scope(|scope| scope.spawn(move || worker(())).join())
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Moves the calling thread into the namespace permanently.
    pub fn enter(&self) {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root may enter a namespace that it made");
    }

    /// Another handle to the same namespace, for a thread that outlives this one.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self {
            file: self.file.try_clone().expect("a file descriptor"),
        }
    }

    /// A path that other programs can use as its name while this handle exists (`ip link ... netns PATH`).
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.file.as_raw_fd()
        ))
    }

    /// Runs a program in the namespace to its end; returns its output.
    pub fn command(&self, words: &[&str]) -> String {
        self.run(|| command(words))
    }

    /// Adds an address and brings the link up.
    pub fn address(&self, link: &str, address: &str) {
        let mut words = vec!["ip", "address", "add", address, "dev", link];
        if address.contains(':') {
            // No duplicate address detection: the address is usable at once.
            words.push("nodad");
        }
        self.command(&words);
        self.command(&["ip", "link", "set", link, "up"]);
    }
}

/// Two namespaces that are joined by a veth pair, with the name and the address (of 24 bits) of each end.
pub fn joined([a, b]: [(&str, &str); 2]) -> [Netns; 2] {
    let [near, far] = [(); 2].map(|()| Netns::new());
    veth(&near, a.0, &far, b.0);
    for (namespace, (link, address)) in [(&near, a), (&far, b)] {
        namespace.address(link, &format!("{address}/24"));
    }
    [near, far]
}

/// Joins two namespaces by a veth pair.
pub fn veth(a: &Netns, a_link: &str, b: &Netns, b_link: &str) {
    let peer = b.path();
    let peer = peer.to_str().expect("a path of digits");
    a.command(&[
        "ip", "link", "add", a_link, "type", "veth", "peer", "name", b_link, "netns", peer,
    ]);
}

fn ip(words: &[&str]) {
    let words: Vec<_> = std::iter::once("ip").chain(words.iter().copied()).collect();
    command(&words);
}

fn command(words: &[&str]) -> String {
    let output = Command::new(words[0])
        .args(&words[1..])
        .output()
        .unwrap_or_else(|error| panic!("cannot start {words:?}: {error}"));
    assert!(
        output.status.success(),
        "{words:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// client - veth - server - veth - shadow: three namespaces with IPv4 and IPv6.
///
/// The agent runs in the server's namespace, on [`Lab::LINK`], as it would on a node.
#[derive(Debug)]
pub struct Lab {
    /// Namespace of the clients.
    pub client: Netns,
    /// Namespace of production and the agent.
    pub server: Netns,
    /// Namespace of the shadow system.
    pub shadow: Netns,
}

impl Lab {
    /// The server's interface on the client's side.
    pub const LINK: &'static str = "s0";

    /// Builds it.
    pub fn new() -> Self {
        let [client, server, shadow] = [(); 3].map(|()| Netns::new());
        veth(&client, "c0", &server, Self::LINK);
        veth(&server, "s1", &shadow, "x0");
        for (namespace, link, addresses) in [
            (&client, "c0", ["10.77.0.1/24", "fd77::1/64"]),
            (&server, Self::LINK, ["10.77.0.2/24", "fd77::2/64"]),
            (&server, "s1", ["10.77.1.1/24", "fd78::1/64"]),
            (&shadow, "x0", ["10.77.1.2/24", "fd78::2/64"]),
        ] {
            for address in addresses {
                namespace.address(link, address);
            }
        }
        Self {
            client,
            server,
            shadow,
        }
    }

    /// The production server's endpoint, IPv4.
    pub fn production(port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::from([10, 77, 0, 2]), port)
    }

    /// The production server's endpoint, IPv6.
    pub fn production_v6(port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, 2]), port)
    }

    /// The shadow system's endpoint, IPv4.
    pub fn shadow_system(port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::from([10, 77, 1, 2]), port)
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}
