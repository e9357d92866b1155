//! Containers are mirrored from inside their network namespaces: every exchange once, at their server only, kept apart
//! whatever addresses they use; and nothing of the agent stays in a namespace that is gone.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use aya::programs::loaded_programs;
use rustix::{
    net::{AddressFamily, SocketType, bind, connect, socket, sockopt},
    thread::CapabilitySet,
};
use shadow_agent::capture::netlink;
use shadow_common::stat::Stat;
use shadow_tests::{
    agent::{Agent, Plan},
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Netns, joined, veth},
    process::wait_until,
    servers::{Behaviour, Received, Server},
};
use tempfile::TempDir;

const CLIENT: &str = "10.90.0.1";
const POD: &str = "10.90.0.2";
const PORT: u16 = 8080;
const SHADOW: &str = "10.91.0.2:8080";
const PATIENCE: Duration = Duration::from_secs(10);

fn end(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), port)
}

/// A pod with its own client: another pair has the same names, numbers and addresses.
struct Pod {
    client: Netns,
    network: Netns,
}

impl Pod {
    fn new() -> Self {
        let [client, network] = joined([("c0", CLIENT), ("eth0", POD)]);
        Self { client, network }
    }

    fn serve(&self, answer: &str) -> Server {
        Server::start(
            &self.network,
            end(POD, PORT),
            Behaviour::Answer(answer.as_bytes().to_vec()),
        )
    }

    fn path(&self) -> String {
        self.network.path().to_str().expect("a path of digits").to_owned()
    }

    /// A connection from a port that is chosen.
    fn connect(&self, from: u16) -> Connection {
        self.client.run(|| {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
            sockopt::set_socket_reuseaddr(&socket, true).expect("an option");
            bind(&socket, &end(CLIENT, from)).expect("a free port");
            connect(&socket, &end(POD, PORT)).expect("the server listens");
            Connection::over(TcpStream::from(socket)).expect("a connection")
        })
    }
}

/// The agent's node, and the shadow system.
struct Node {
    host: Netns,
    shadow: Server,
    _shadow_space: Netns,
    directory: TempDir,
}

impl Node {
    fn new(answer: fn(&Received) -> Vec<u8>) -> Self {
        let [host, space] = joined([("n0", "10.91.0.1"), ("x0", "10.91.0.2")]);
        let address = SHADOW.parse().expect("an address");
        Self {
            shadow: Server::start(&space, address, Behaviour::Raw(answer)),
            _shadow_space: space,
            host,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn plan(&self, namespaces: &[String]) -> Plan {
        let mut plan = Plan::new(self.directory.path())
            .args(&["--port", &PORT.to_string()])
            .replay(SHADOW.parse().expect("an address"));
        for namespace in namespaces {
            plan = plan.args(&["--namespace", namespace]);
        }
        plan
    }
}

/// The answer of the rewrite: that of the pod whose name the path begins with.
fn rewrite(request: &Received) -> Vec<u8> {
    let pod = request.start.split('/').nth(1).unwrap_or_default();
    let body = format!("{{\"pod\": \"{pod}\"}}");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The state of each namespace: the reason why it is not seen, or `seen`.
fn states(agent: &Agent) -> Vec<String> {
    let status = agent.status();
    let namespaces = status["namespaces"].as_array().expect("a list");
    let state = |one: &serde_json::Value| one["blind"].as_str().unwrap_or("seen").to_owned();
    namespaces.iter().map(state).collect()
}

#[test]
fn namespaces_with_the_same_addresses_are_mirrored_once_and_told_apart() {
    need!(Root);
    let node = Node::new(rewrite);
    let pods = [Pod::new(), Pod::new()];
    let numbers = pods.each_ref().map(|pod| {
        let found = pod.network.run(netlink::interfaces).expect("interfaces");
        found
            .into_iter()
            .find(|at| at.name == "eth0")
            .expect("eth0")
            .index
    });
    assert_eq!(numbers[0], numbers[1], "the number of an interface tells nothing");
    let servers = [
        pods[0].serve("{\"pod\": \"a\"}"),
        pods[1].serve("{\"pod\": \"b\"}"),
    ];
    // Another service on the same port, to which a pod is a client.
    let _other = Server::start(
        &pods[0].client,
        end(CLIENT, PORT),
        Behaviour::Answer(b"{}".to_vec()),
    );
    let mut agent = node.plan(&pods.each_ref().map(Pod::path)).start(&node.host);
    let mut connections = pods.each_ref().map(|pod| pod.connect(40_000));
    for number in 0..30 {
        for (name, connection) in ["a", "b"].iter().zip(&mut connections) {
            let answer = connection
                .get(&format!("/{name}/{number}"), "")
                .expect("an answer");
            assert_eq!(answer.status, 200);
        }
        pods[0].network.run(|| {
            let mut out = Connection::open(end(CLIENT, PORT)).expect("a connection");
            assert_eq!(out.get("/out", "").expect("an answer").status, 200);
        });
    }
    let report = agent.settled(60);
    assert_laws(&report);
    assert_eq!(report.funnel.exchanges, 60, "{:#?}", report.funnel);
    assert_eq!(report.funnel.matched, 60, "{:#?}", report.funnel);
    let shadow = node.shadow.counts();
    let production: Vec<_> = servers.iter().flat_map(Server::counts).collect();
    assert_eq!(shadow.len(), 60, "{shadow:?}");
    assert!(shadow.into_iter().eq(production), "each request once");
    assert!(
        report.funnel.kernel(Stat::OtherHook) >= 60,
        "{:#?}",
        report.funnel.kernel
    );
    assert_eq!(states(&agent), ["seen", "seen"]);
    agent.stop();
}

/// Creates or deletes namespaces by name, each with an interface `eth0`.
fn named(names: &[String], exist: bool) {
    for name in names {
        let words: &[&[&str]] = if exist {
            &[
                &["netns", "add", name],
                &[
                    "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1",
                ],
                &["-n", name, "link", "set", "eth0", "up"],
            ]
        } else {
            &[&["netns", "del", name]]
        };
        for words in words {
            let done = Command::new("ip").args(*words).status().expect("ip starts");
            assert!(done.success(), "ip {words:?}");
        }
    }
}

/// Removes the names that a failed test has left.
struct Names(Vec<String>);

impl Drop for Names {
    fn drop(&mut self) {
        for name in &self.0 {
            drop(Command::new("ip").args(["netns", "del", name]).output());
        }
    }
}

/// The agent and its attach process.
fn processes(agent: &Agent) -> Vec<u32> {
    let pid = agent.process.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("a list");
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(pid).chain(children).collect()
}

/// The resources that processes hold: descriptors, and network namespaces of their threads and descriptors.
fn held(processes: &[u32]) -> (usize, BTreeSet<String>) {
    let (mut descriptors, mut spaces) = (0, BTreeSet::new());
    let target = |path: &Path| fs::read_link(path).map_or(String::new(), |to| to.display().to_string());
    for pid in processes {
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            descriptors += 1;
            spaces.extend(Some(target(&entry.path())).filter(|to| to.starts_with("net:")));
        }
        for task in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            spaces.insert(target(&task.path().join("ns/net")));
        }
    }
    (descriptors, spaces)
}

fn programs() -> usize {
    let ours = |name: &str| name == "shadow_ingress" || name == "shadow_egress";
    let loaded = loaded_programs().filter_map(Result::ok);
    loaded.filter(|info| info.name_as_str().is_some_and(ours)).count()
}

/// The effective capabilities of the threads of a process, and its command.
fn capabilities(pid: u32) -> (String, Vec<u64>) {
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("a command");
    let command = words.split('\0').nth(1).unwrap_or_default().to_owned();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).expect("a status");
        let set = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .expect("a set");
        u64::from_str_radix(set.trim(), 16).expect("a number")
    };
    (command, tasks.flatten().map(of).collect())
}

#[test]
fn only_the_attach_process_may_enter_namespaces() {
    need!(Root);
    let node = Node::new(rewrite);
    let pod = Pod::new();
    let mut agent = node.plan(&[pod.path()]).start(&node.host);
    let mut seen = BTreeSet::new();
    for pid in processes(&agent) {
        let (command, threads) = capabilities(pid);
        for found in threads {
            let found = CapabilitySet::from_bits_retain(found);
            let entering = CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE;
            let others = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
            if command == "attach" {
                assert_eq!(found, entering | others);
            } else {
                assert!((found & entering).is_empty(), "{command}: {found:?}");
            }
        }
        seen.insert(command);
    }
    assert_eq!(seen, ["attach", "guard", "run"].map(str::to_owned).into());
    agent.stop();
}

#[test]
fn two_hundred_namespaces_come_and_go_and_leave_nothing() {
    need!(Root, Program("ip"));
    let node = Node::new(rewrite);
    let names: Vec<_> = (0..20)
        .map(|n| format!("shadow-gone-{}-{n}", std::process::id()))
        .collect();
    let names = Names(names);
    let mut agent = node.plan(&names.0).start(&node.host);
    let mut before = None;
    for round in 0..11 {
        named(&names.0, true);
        wait_until("all are attached", PATIENCE, || {
            states(&agent).iter().all(|state| state == "no_traffic")
        });
        named(&names.0, false);
        wait_until("all are gone", PATIENCE, || {
            states(&agent).iter().all(|state| state == "not_attached")
        });
        let now = held(&processes(&agent));
        // The first round is the measure for the others.
        let (descriptors, spaces) = before.get_or_insert_with(|| now.clone());
        assert_eq!(now.1, *spaces, "round {round}");
        assert!(spaces.len() == 1, "only the namespace of the node: {spaces:?}");
        assert!(
            now.0 <= *descriptors + 2,
            "round {round}: {} after {descriptors}",
            now.0
        );
    }
    let mine = programs();
    agent.stop();
    wait_until("its programs are unloaded", PATIENCE, || programs() < mine);
}

#[test]
fn a_pod_that_is_gone_is_freed_at_once_also_when_the_agent_is_killed() {
    need!(Root);
    let node = Node::new(rewrite);
    let [first, second] = [Pod::new(), Pod::new()];
    let mut agent = node.plan(&[first.path(), second.path()]).start(&node.host);
    assert_eq!(states(&agent), ["no_traffic", "no_traffic"]);
    let Pod { client, network } = first;
    drop(network);
    // The kernel takes the other end of a link away with the namespace.
    wait_until("the namespace is freed", Duration::from_secs(2), || {
        let left = client.run(netlink::interfaces).expect("interfaces");
        left.iter().all(|at| at.name != "c0")
    });
    wait_until("the agent says so", Duration::from_secs(2), || {
        states(&agent).contains(&"not_attached".to_owned())
    });
    let children = processes(&agent);
    agent.process.signal(rustix::process::Signal::KILL);
    agent.process.wait(PATIENCE);
    wait_until("its processes end", PATIENCE, || {
        children
            .iter()
            .all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
    let left = shadow_tests::attached::programs(&second.network, "eth0");
    assert!(left.is_empty(), "{left:?}");
}

/// One connection with these bytes there and back.
fn talk(pod: &Pod, there: &'static [u8], back: &'static [u8]) {
    let listener = pod
        .network
        .run(|| TcpListener::bind(end(POD, PORT)))
        .expect("a free port");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut got = vec![0; there.len()];
            stream.read_exact(&mut got).expect("the request");
            stream.write_all(back).expect("an open connection");
        });
        pod.client.run(|| {
            let mut stream = TcpStream::connect(end(POD, PORT)).expect("the server listens");
            stream.write_all(there).expect("an open connection");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("the answer");
        });
    });
}

#[test]
fn a_namespace_of_which_not_everything_is_seen_has_a_reason() {
    need!(Root);
    let node = Node::new(rewrite);
    let pods = [(); 5].map(|()| Pod::new());
    let mut agent = node.plan(&pods.each_ref().map(Pod::path)).start(&node.host);
    let [http, tls, other, empty, one_way] = &pods;
    talk(
        http,
        b"GET /a/1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    );
    talk(tls, &[0x16, 3, 1, 0, 2, 1, 0], &[0x15, 3, 3, 0, 2, 2, 40]);
    talk(other, b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n");
    talk(empty, b"", b"");
    // Answers leave by another interface.
    veth(&one_way.client, "c1", &one_way.network, "eth1");
    one_way.client.address("c1", "10.92.0.1/24");
    one_way.network.address("eth1", "10.92.0.2/24");
    for space in [&one_way.client, &one_way.network] {
        space.command(&["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0"]);
        for link in ["c0", "c1", "eth0", "eth1"] {
            let key = format!("net.ipv4.conf.{link}.rp_filter=0");
            space.run(|| drop(Command::new("sysctl").args(["-qw", &key]).output()));
        }
    }
    one_way.network.command(&[
        "ip",
        "route",
        "add",
        &format!("{CLIENT}/32"),
        "via",
        "10.92.0.1",
        "dev",
        "eth1",
    ]);
    talk(
        one_way,
        b"GET /a/2 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    );
    let mut states = Vec::new();
    wait_until("what is copied is read", PATIENCE, || {
        let mut by_name: Vec<_> = pods.iter().map(Pod::path).collect();
        by_name.sort();
        let sorted = self::states(&agent);
        let of = |pod: &Pod| {
            sorted[by_name
                .iter()
                .position(|path| *path == pod.path())
                .expect("a place")]
            .clone()
        };
        states = pods.iter().map(of).collect();
        states == ["seen", "tls", "not_http", "no_payload", "one_direction"]
    });
    let page = agent.must(&["status"]);
    assert!(page.contains("one_direction (eth0)"), "{page}");
    let report = agent.stop();
    assert_laws(&report);
}
