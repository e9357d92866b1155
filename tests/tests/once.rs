//! Every exchange once: the same bytes on another interface, bridge or veth are never counted, replayed or written
//! twice, also where the host translates addresses. Replays at the shadow system = exchanges at production's server.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use shadow_common::stat::Stat;
use shadow_tests::{
    agent::{Agent, Plan},
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Netns, veth},
    servers::{Behaviour, Server},
};
use tempfile::TempDir;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 2);
const PRODUCTION: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 3);
const SHADOW: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 4);
/// Virtual addresses of production and of the shadow system.
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 250, 0, 10);
const SHADOW_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 250, 0, 20);
const PORT: u16 = 8080;

/// A node with a bridge: a client, production's server and the shadow system are joined to it by a veth pair each.
struct Node {
    host: Netns,
    client: Netns,
    _others: [Netns; 2],
    production: Server,
    shadow: Server,
    directory: TempDir,
}

impl Node {
    fn new() -> Self {
        let [host, client, server, shadow] = [(); 4].map(|()| Netns::new());
        for words in [
            ["ip", "link", "add", "cni0", "type", "bridge"].as_slice(),
            &["ip", "address", "add", "10.89.0.1/24", "dev", "cni0"],
            &["ip", "link", "set", "cni0", "up"],
            &["sysctl", "-qw", "net.ipv4.ip_forward=1"],
        ] {
            host.command(words);
        }
        for (pod, link, address) in [
            (&client, "vethc", CLIENT),
            (&server, "veths", PRODUCTION),
            (&shadow, "vethx", SHADOW),
        ] {
            veth(&host, link, pod, "eth0");
            host.command(&["ip", "link", "set", link, "master", "cni0", "up"]);
            host.command(&["bridge", "link", "set", "dev", link, "hairpin", "on"]);
            pod.address("eth0", &format!("{address}/24"));
            pod.command(&["ip", "route", "add", "default", "via", "10.89.0.1"]);
        }
        let start = |namespace: &Netns, address| {
            let end = SocketAddr::from((address, PORT));
            Server::start(namespace, end, Behaviour::Answer(b"{\"id\": 1}".to_vec()))
        };
        Self {
            production: start(&server, PRODUCTION),
            shadow: start(&shadow, SHADOW),
            _others: [server, shadow],
            host,
            client,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn nft(&self, rules: &[&str]) {
        self.host.command(&["nft", "add", "table", "ip", "lab"]);
        for (chain, hook) in [
            ("pre", "{ type nat hook prerouting priority -100 ; }"),
            ("out", "{ type nat hook output priority -100 ; }"),
            ("post", "{ type nat hook postrouting priority 100 ; }"),
            ("bits", "{ type route hook output priority -150 ; }"),
        ] {
            self.host
                .command(&["nft", "add", "chain", "ip", "lab", chain, hook]);
        }
        for rule in rules {
            self.host.command(&["nft", &format!("add rule ip lab {rule}")]);
        }
    }

    fn agent(&self, interfaces: &[&str], shadow: SocketAddr, more: &[&str]) -> Agent {
        let mut plan = Plan::new(self.directory.path())
            .args(&["--port", &PORT.to_string(), "--writes", "replay"])
            .replay(shadow)
            .args(more);
        for interface in interfaces {
            plan = plan.args(&["--interface", interface]);
        }
        plan.start(&self.host)
    }

    /// Keep-alive requests and a connection for each request, reads and writes, each with a number.
    fn visit(&self, address: SocketAddr, from: usize) {
        self.client.run(|| {
            let mut kept = Connection::open(address).expect("a connection");
            Self::ask(&mut kept, from..from + 10);
            for number in from + 10..from + 20 {
                let mut fresh = Connection::open(address).expect("a connection");
                Self::ask(&mut fresh, number..number + 1);
            }
        });
    }

    fn ask(connection: &mut Connection, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let target = format!("/orders/{number}");
            let answer = if number.is_multiple_of(2) {
                connection.post(&target, "", b"{\"order\": 1}")
            } else {
                connection.get(&target, "")
            };
            assert_eq!(answer.expect("an answer").status, 200);
        }
    }

    /// The law of this file.
    fn assert_once(&self, agent: &mut Agent, exchanges: u64, name: &str) {
        let report = agent.settled(exchanges);
        assert_laws(&report);
        let of = |server: &Server| -> BTreeMap<String, usize> {
            let mut counts = BTreeMap::new();
            for received in server.received() {
                *counts.entry(received.start).or_default() += 1;
            }
            counts
        };
        let (production, shadow) = (of(&self.production), of(&self.shadow));
        assert_eq!(
            shadow, production,
            "{name}: at the shadow system, and at production"
        );
        assert!(
            production.values().all(|count| *count == 1),
            "{name}: {production:?}"
        );
        assert_eq!(report.funnel.exchanges, exchanges, "{name}: {:#?}", report.funnel);
        assert_eq!(report.funnel.skipped_total, 0, "{name}: {:#?}", report.funnel);
        agent.stop();
    }
}

const ALL: [&str; 2] = ["veth*", "cni0"];

#[test]
fn a_connection_that_passes_several_interfaces_is_mirrored_once() {
    need!(Root, Program("bridge"), Program("nft"), Program("iptables"));
    let equal = format!("pre ip daddr {SERVICE} tcp dport 8080 dnat to {PRODUCTION}:8080");
    let other = format!("pre ip daddr {SERVICE} tcp dport 80 dnat to {PRODUCTION}:8080");
    let masquerade = format!("post ip daddr {PRODUCTION} masquerade");
    let cases: [(&str, &[&str], SocketAddr, &[&str]); 5] = [
        ("its own address", &[], (PRODUCTION, PORT).into(), &[]),
        ("DNAT, ports equal", &[&equal], (SERVICE, PORT).into(), &[]),
        (
            "DNAT, ports different",
            &[&other],
            (SERVICE, 80).into(),
            &["--port", "80"],
        ),
        (
            "DNAT and masquerading",
            &[&equal, &masquerade],
            (SERVICE, PORT).into(),
            &[],
        ),
        (
            "DNAT, both ports, masquerading",
            &[&other, &masquerade],
            (SERVICE, 80).into(),
            &["--port", "80"],
        ),
    ];
    for (name, rules, address, more) in cases {
        let node = Node::new();
        if !rules.is_empty() {
            node.nft(rules);
        }
        let mut agent = node.agent(&ALL, (SHADOW, PORT).into(), more);
        node.visit(address, 0);
        node.assert_once(&mut agent, 20, name);
    }
    // The same by the older interface.
    let node = Node::new();
    let to = format!("{PRODUCTION}:8080");
    let service = SERVICE.to_string();
    node.host.command(&[
        "iptables",
        "-t",
        "nat",
        "-A",
        "PREROUTING",
        "-d",
        &service,
        "-p",
        "tcp",
        "--dport",
        "8080",
        "-j",
        "DNAT",
        "--to-destination",
        &to,
    ]);
    let mut agent = node.agent(&ALL, (SHADOW, PORT).into(), &[]);
    node.visit((SERVICE, PORT).into(), 0);
    node.assert_once(&mut agent, 20, "iptables");
}

#[test]
fn a_connection_older_than_the_agent_is_mirrored_once() {
    need!(Root, Program("bridge"), Program("nft"));
    let node = Node::new();
    node.nft(&[&format!(
        "pre ip daddr {SERVICE} tcp dport 8080 dnat to {PRODUCTION}:8080"
    )]);
    let mut old = node
        .client
        .run(|| Connection::open((SERVICE, PORT).into()).expect("a connection"));
    let mut agent = node.agent(&ALL, (SHADOW, PORT).into(), &[]);
    node.client.run(|| Node::ask(&mut old, 0..20));
    // The first exchanges of a connection that is seen from the middle are not certain to belong together.
    let report = agent.settled_when("the exchanges are seen", |report| report.funnel.exchanges >= 20);
    assert_laws(&report);
    let shadow = node.shadow.counts();
    assert!(shadow.len() >= 10, "{shadow:?}");
    assert!(shadow.values().all(|count| *count == 1), "{shadow:?}");
    assert_eq!(report.funnel.exchanges, 20, "{:#?}", report.funnel);
    agent.stop();
}

#[test]
fn at_the_servers_link_alone_each_exchange_is_seen_once() {
    need!(Root, Program("bridge"));
    let node = Node::new();
    let file = node.directory.path().join("shadow.yaml");
    std::fs::write(&file, "capture: {requests: egress}\n").expect("a file");
    let config = ["--config", file.to_str().expect("a path")];
    let mut agent = node.agent(&["veth*"], (SHADOW, PORT).into(), &config);
    node.visit((PRODUCTION, PORT).into(), 0);
    let report = agent.settled(20);
    // The client's link shows every segment at the other hook.
    let other = report.funnel.kernel(Stat::OtherHook);
    assert!(other >= 40, "{:#?}", report.funnel.kernel);
    node.assert_once(&mut agent, 20, "requests at egress");
}

#[test]
fn replays_through_a_service_are_the_agents_own_whatever_bits_their_mark_has() {
    need!(Root, Program("bridge"), Program("nft"));
    let node = Node::new();
    node.nft(&[
        &format!("out ip daddr {SHADOW_SERVICE} tcp dport 9000 dnat to {SHADOW}:8080"),
        // As the networks of containers do.
        &format!("bits ip daddr {SHADOW_SERVICE} meta mark set meta mark or 0x10000"),
    ]);
    node.host
        .command(&["ip", "route", "add", "10.250.0.0/24", "dev", "cni0"]);
    let mut agent = node.agent(&ALL, (SHADOW_SERVICE, 9000).into(), &[]);
    node.visit((PRODUCTION, PORT).into(), 0);
    let report = agent.settled(20);
    let own = report.funnel.kernel(Stat::Own);
    assert!(own >= 40, "requests and answers: {:#?}", report.funnel.kernel);
    assert_eq!(report.funnel.engine.orphans, 0, "{:#?}", report.funnel);
    node.assert_once(&mut agent, 20, "through a service");
}
