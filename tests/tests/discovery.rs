//! Pods are found by their labels and mirrored from inside: of the chosen service only, as they come and go. The API
//! server is imitated; pods are processes in cgroups and network namespaces of their own, as a kubelet makes them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use shadow_common::stat::Stat;
use shadow_tests::{
    agent::{Agent, Plan, binary},
    attached,
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Netns, joined},
    pod::PodProcess,
    process::{Launch, Process, wait_until},
    servers::{Behaviour, Server},
};
use tempfile::TempDir;

const CLIENT: &str = "10.90.0.1";
const POD: &str = "10.90.0.2";
const PORT: u16 = 8080;
const SHADOW: &str = "10.91.0.2:8080";
const API: &str = "127.0.0.1:6443";
const PATIENCE: Duration = Duration::from_secs(10);
/// The user and group of discovery.
const USER: &str = "65532";

fn end(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A pod: a network, a process in a cgroup that is named as a kubelet does, and a client beside it.
struct Pod {
    uid: String,
    client: Netns,
    network: Netns,
    server: Server,
    process: Option<PodProcess>,
}

impl Pod {
    fn new(number: u32) -> Self {
        let [client, network] = joined([("c0", CLIENT), ("eth0", POD)]);
        let uid = format!("0e2b67a4-6e7a-4a0b-9f39-{:08x}{number:04x}", std::process::id());
        Self {
            server: Server::start(
                &network,
                end(&format!("{POD}:{PORT}")),
                Behaviour::Answer(b"{\"id\": 1}".to_vec()),
            ),
            uid,
            client,
            network,
            process: None,
        }
    }

    /// Starts its process.
    fn begin(mut self) -> Self {
        self.process = Some(PodProcess::start(&self.network, &self.uid));
        self
    }

    fn api(&self, name: &str, version: u32) -> Value {
        json!({
            "metadata": {"uid": self.uid, "name": name, "namespace": "shop", "resourceVersion": version.to_string()},
            "spec": {"containers": [{"name": "app", "ports": [{"name": "http", "containerPort": PORT}]}]},
            "status": {"phase": "Pending"},
        })
    }

    fn visit(&self, name: &str) {
        self.client.run(|| {
            let mut connection = Connection::open(end(&format!("{POD}:{PORT}"))).expect("a connection");
            for number in 0..10 {
                connection
                    .get(&format!("/{name}/{number}"), "")
                    .expect("an answer");
            }
        });
    }

    fn programs(&self) -> Vec<String> {
        attached::programs(&self.network, "eth0")
    }
}

/// An API server with one service and what a test puts into it.
#[derive(Default)]
struct Api {
    list: Mutex<Vec<Value>>,
    /// The ConfigMap that is the kill switch; while there is none, questions for it are not answered.
    switch: Mutex<Option<Value>>,
    /// The open watches: of pods, and of the kill switch.
    watches: [Mutex<Vec<TcpStream>>; 2],
    asked: Mutex<Vec<String>>,
}

impl Api {
    fn start(host: &Netns, list: Vec<Value>) -> Arc<Self> {
        let this = Arc::new(Self::default());
        *this.list.lock().expect("a list") = list;
        let listener = host.run(|| TcpListener::bind(API)).expect("a free port");
        let serving = Arc::clone(&this);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                drop(serving.serve(stream));
            }
        });
        this
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let start = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        self.asked.lock().expect("a list").push(start.clone());
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
        let is_switch = start.contains("/configmaps?");
        if start.contains("watch=1") {
            stream.write_all(head.as_bytes())?;
            self.watches[usize::from(is_switch)]
                .lock()
                .expect("a list")
                .push(stream);
            return Ok(());
        }
        let answer = if start.contains("/services/shop ") {
            json!({"spec": {"selector": {"app": "shop"}}})
        } else if is_switch {
            let Some(switch) = self.switch.lock().expect("a switch").clone() else {
                return Ok(());
            };
            json!({"metadata": {"resourceVersion": "10"}, "items": [switch]})
        } else {
            json!({"metadata": {"resourceVersion": "10"}, "items": *self.list.lock().expect("a list")})
        };
        write!(stream, "{head}{answer}")
    }

    fn tell(&self, kind: &str, object: &Value) {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        let watches = &self.watches[usize::from(!object["data"].is_null())];
        wait_until("somebody watches", PATIENCE, || {
            !watches.lock().expect("a list").is_empty()
        });
        for watch in watches.lock().expect("a list").iter_mut() {
            drop(watch.write_all(line.as_bytes()));
        }
    }
}

/// A node with an agent and a shadow system.
struct Node {
    host: Netns,
    _space: Netns,
    shadow: Server,
    directory: TempDir,
    config: PathBuf,
}

impl Node {
    fn new(has_switch: bool) -> Self {
        let [host, space] = joined([("n0", "10.91.0.1"), ("x0", "10.91.0.2")]);
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("shadow.yaml");
        let socket = directory.path().join("discover.sock");
        let kills = directory.path().join("kills");
        let text = format!(
            "capture: {{kubernetes: {{namespace: shop, service: shop, port_name: http, socket: {}, group: '{USER}'{}}}}}\n\
             agent: {{kill_file: {}, socket: {}}}\n",
            socket.display(),
            if has_switch {
                ", kill_switch: shadow/switch"
            } else {
                ""
            },
            kills.join("kill").display(),
            directory.path().join("agent/shadow.sock").display(),
        );
        fs::write(&config, text).expect("a file");
        fs::create_dir(&kills).expect("a directory");
        fs::set_permissions(&kills, fs::Permissions::from_mode(0o777)).expect("a mode");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("a mode");
        Self {
            shadow: Server::start(&space, end(SHADOW), Behaviour::Answer(b"{\"id\": 1}".to_vec())),
            host,
            _space: space,
            directory,
            config,
        }
    }

    fn agent(&self) -> Agent {
        let config = self.config.to_str().expect("a path");
        let plan = Plan::new(self.directory.path()).args(&["--config", config]);
        plan.replay(end(SHADOW)).start(&self.host)
    }

    fn discovery(&self) -> Process {
        let folder = self.directory.path().join("discovery");
        fs::create_dir_all(&folder).expect("a directory");
        let user = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"];
        Launch::new(binary(), &folder)
            .args([
                "discover",
                "--node",
                "node1",
                "--api",
                &format!("http://{API}"),
                "--config",
            ])
            .args([&self.config])
            .wrapped(&user)
            .start(&self.host)
    }
}

/// Name and state of each pod.
fn states(agent: &Agent) -> Vec<(String, String)> {
    let status = agent.status();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("seen").to_owned();
    let all = status["namespaces"].as_array().expect("a list");
    all.iter()
        .map(|one| (text(one, "name"), text(one, "blind")))
        .collect()
}

fn becomes(agent: &Agent, what: &str, wanted: &[(&str, &str)]) -> Duration {
    let start = Instant::now();
    wait_until(what, PATIENCE, || {
        let states = states(agent);
        states
            .iter()
            .map(|(name, state)| (&**name, &**state))
            .eq(wanted.iter().copied())
    });
    start.elapsed()
}

#[test]
fn the_pods_of_a_service_are_mirrored_as_they_come_and_go() {
    need!(Root, Program("setpriv"));
    let node = Node::new(false);
    let [shop, pay] = [1, 2].map(|number| Pod::new(number).begin());
    let api = Api::start(&node.host, vec![shop.api("a", 5)]);
    let mut agent = node.agent();
    let warnings = agent.status()["warnings"].to_string();
    assert!(warnings.contains("shadow discover"), "{warnings}");
    let discovery = node.discovery();
    becomes(&agent, "the pod is attached", &[("shop/a", "no_traffic")]);
    let asked = api.asked.lock().expect("a list").clone();
    let list = "/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Dnode1&labelSelector=app%3Dshop";
    assert!(asked.iter().any(|line| line.contains(list)), "{asked:?}");
    let status = fs::read_to_string(format!("/proc/{}/status", discovery.pid())).expect("a status");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");

    // Another service has the same port and even the same address.
    pay.visit("pay");
    shop.visit("shop");
    let report = agent.settled(10);
    assert_laws(&report);
    assert_eq!(report.funnel.exchanges, 10, "{:#?}", report.funnel);
    assert_eq!(node.shadow.counts(), shop.server.counts(), "each request once");

    // The API server tells of a pod before it has a process.
    let later = Pod::new(3);
    api.tell("ADDED", &later.api("b", 11));
    becomes(
        &agent,
        "it is waited for",
        &[("shop/a", "seen"), ("shop/b", "not_attached")],
    );
    let later = later.begin();
    let took = becomes(
        &agent,
        "it is attached",
        &[("shop/a", "seen"), ("shop/b", "no_traffic")],
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
    later.visit("later");
    agent.settled(20);

    api.tell("DELETED", &shop.api("a", 12));
    becomes(&agent, "the other is let go", &[("shop/b", "seen")]);
    wait_until("it is detached", PATIENCE, || shop.programs().is_empty());
    shop.visit("gone");
    // Discovery ends: what is known stays.
    drop(discovery);
    later.visit("still");
    let report = agent.settled(30);
    assert_laws(&report);
    assert_eq!(report.funnel.exchanges, 30, "{:#?}", report.funnel);
    let shadow = node.shadow.counts();
    assert!(shadow.values().all(|count| *count == 1), "{shadow:?}");
    assert!(
        !shadow
            .keys()
            .any(|start| start.contains("/gone/") || start.contains("/pay/")),
        "{shadow:?}"
    );
    assert_eq!(states(&agent), [("shop/b".to_owned(), "seen".to_owned())]);
    agent.stop();
}

/// The ConfigMap of the kill switch.
fn switch(data: &Value, version: u32) -> Value {
    json!({"metadata": {"uid": "s", "resourceVersion": version.to_string()}, "data": data})
}

#[test]
fn the_clusters_kill_switch_stops_an_agent_and_one_that_hangs() {
    need!(Root, Program("setpriv"));
    let node = Node::new(true);
    let pod = Pod::new(4).begin();
    let api = Api::start(&node.host, vec![pod.api("a", 5)]);
    let mut agent = node.agent();
    let _discovery = node.discovery();
    wait_until("the switch is asked for", PATIENCE, || {
        let asked = api.asked.lock().expect("a list");
        asked
            .iter()
            .any(|line| line.contains("/namespaces/shadow/configmaps?fieldSelector=metadata.name%3Dswitch"))
    });
    thread::sleep(Duration::from_secs(1));
    assert!(
        states(&agent).is_empty(),
        "no pod is mirrored before the switch is known"
    );
    *api.switch.lock().expect("a switch") = Some(switch(&json!({}), 5));
    becomes(&agent, "the pod is attached", &[("shop/a", "no_traffic")]);
    pod.visit("before");
    agent.settled(10);

    let start = Instant::now();
    api.tell("MODIFIED", &switch(&json!({"kill": "incident 4711"}), 11));
    wait_until("it is killed", PATIENCE, || agent.status()["armed"] == false);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    // The guard is faster than the record of the agent.
    wait_until("its record says why", PATIENCE, || {
        agent.status()["killed"].to_string().contains("incident 4711")
    });
    pod.visit("killed");
    let refused = agent.ask(&["resume"]);
    assert!(!refused.status.success(), "the switch is still on");

    api.tell("MODIFIED", &switch(&json!({}), 12));
    wait_until("it may be resumed", PATIENCE, || {
        agent.ask(&["resume"]).status.success()
    });
    pod.visit("resumed");
    let copied = agent.settled(20).funnel.kernel(Stat::Emitted);

    agent.process.signal(Signal::STOP);
    api.tell("MODIFIED", &switch(&json!({"kill": ""}), 13));
    thread::sleep(Duration::from_secs(1));
    pod.visit("hangs");
    agent.process.signal(Signal::CONT);
    wait_until("it knows that it is killed", PATIENCE, || {
        !agent.status()["killed"].is_null()
    });
    let report = agent.report();
    assert_laws(&report);
    assert_eq!(
        report.funnel.kernel(Stat::Emitted),
        copied,
        "stopped by the guard"
    );
    assert_eq!(report.funnel.exchanges, 20, "{:#?}", report.funnel);
    agent.stop();
}
