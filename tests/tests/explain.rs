//! `shadow explain` on real traffic: each packet with its fate and each exchange with the decision, beside an agent
//! that notices nothing.

use std::{process::Command, time::Duration};

use rustix::process::Signal;
use serde_json::Value;
use shadow_tests::{
    agent::binary,
    attached::programs,
    client::Connection,
    laws::assert_laws,
    need,
    netns::Lab,
    pod::PodProcess,
    process::{Launch, Process, wait_until},
    scene::{PORT, Scene},
};

const CLIENT: &str = "10.77.0.1";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `shadow explain --json`.
struct Explain(Process);

impl Explain {
    /// Follows a flow on the server's link, and is attached.
    fn start(scene: &Scene, flow: &str, more: &[&str]) -> Self {
        let words = ["explain", "--json", "--flow", flow, "--interface", Lab::LINK];
        let port = PORT.to_string();
        let launch = Launch::new(binary(), scene.directory.path())
            .args(words)
            .args(["--port", &port])
            .args(more);
        Self::attached(launch.start(&scene.lab.server))
    }

    /// Waits until it is attached.
    fn attached(process: Process) -> Self {
        let mut this = Self(process);
        wait_until("it is attached", PATIENCE, || {
            assert!(this.0.is_running(), "{}", this.0.output());
            !this.0.stdout().is_empty()
        });
        this
    }

    /// Whole lines so far.
    fn lines(&self) -> Vec<Value> {
        let text = self.0.stdout();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let line = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line} is no JSON: {error}"))
        };
        whole.lines().map(line).collect()
    }

    fn of_kind(&self, kind: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["kind"] == kind);
        lines
    }

    /// Waits for so many exchanges.
    fn exchanges(&self, count: usize) -> Vec<Value> {
        wait_until("the exchanges are explained", PATIENCE, || {
            self.of_kind("exchange").len() >= count
        });
        self.of_kind("exchange")
    }

    /// Waits for so many packets.
    fn packets(&self, count: usize) -> Vec<Value> {
        wait_until("the packets are explained", PATIENCE, || {
            self.of_kind("packet").len() >= count
        });
        self.of_kind("packet")
    }

    /// Ends it with Ctrl-C; the last line.
    fn end(&mut self) -> Value {
        self.0.signal(Signal::INT);
        let status = self.0.wait(PATIENCE);
        assert!(status.success(), "{}", self.0.output());
        let last = self.lines().pop().expect("a last line");
        assert_eq!(last["kind"], "summary", "{last}");
        last
    }
}

fn visit(scene: &Scene, targets: &[&str]) {
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).expect("nginx listens");
        for target in targets {
            connection.get(target, "").expect("an answer");
        }
    });
}

fn all_are(packets: &[Value], fate: &str) -> bool {
    packets.iter().all(|packet| packet["fate"] == fate)
}

/// Four exchanges were explained, of which one is a write, with all packets of them.
fn assert_explained(explain: &Explain, shadow: &str) {
    let exchanges = explain.exchanges(4);
    for exchange in &exchanges {
        assert_eq!(exchange["complete"], true, "{exchange}");
        let decision = &exchange["decisions"][0];
        if exchange["method"] == "GET" {
            assert_eq!(decision["replay"], true, "{exchange}");
            assert_eq!(
                decision["text"],
                format!("would be sent to {shadow}"),
                "{exchange}"
            );
        } else {
            assert_eq!(decision["reason"], "write", "{exchange}");
        }
    }
    assert_eq!(exchanges[0]["target"], "/1k.json");
    let packets = explain.packets(20);
    let fate = |fate: &str| packets.iter().filter(|packet| packet["fate"] == fate).count();
    assert!(fate("emitted") >= 10 && fate("no_payload") > 0, "{packets:#?}");
    assert_eq!(fate("emitted") + fate("no_payload"), packets.len());
    let direction = |packet: &Value| {
        (
            packet["direction"] == "in",
            packet["src"].as_str().is_some_and(|src| src.starts_with(CLIENT)),
        )
    };
    assert!(
        packets
            .iter()
            .map(direction)
            .all(|(inwards, by_client)| inwards == by_client)
    );
}

#[test]
fn a_pod_is_looked_into_from_another_network() {
    need!(Root, Program("nginx"), Program("ip"));
    let scene = Scene::new();
    let uid = format!("0e2b67a4-6e7a-4a0b-9f39-{:08x}0e00", std::process::id());
    let _pod = PodProcess::start(&scene.lab.server, &uid);
    // The address of a pod is that of its route to anywhere.
    let route = scene.lab.server.run(|| {
        Command::new("ip")
            .args(["route", "add", "default", "dev", Lab::LINK])
            .status()
    });
    assert!(route.expect("ip runs").success());
    let port = PORT.to_string();
    let words = [
        "explain",
        "--json",
        "--pod",
        &uid,
        "--interface",
        Lab::LINK,
        "--port",
        &port,
    ];
    let process = Launch::new(binary(), scene.directory.path()).args(words);
    let mut explain = Explain::attached(process.start(&scene.lab.client));
    let server = Scene::production().ip().to_string();
    assert_eq!(explain.lines()[0]["flow"], server);
    visit(&scene, &["/1k.json"]);
    assert_eq!(explain.exchanges(1)[0]["complete"], true);
    let packets = explain.packets(5);
    assert!(
        packets.iter().any(|packet| packet["direction"] == "in"),
        "{packets:#?}"
    );
    explain.end();
    for (pod, wrong) in [
        (uid.replace('0', "1"), "no process of it runs"),
        ("x".to_owned(), "no UID"),
    ] {
        let output = Command::new(binary())
            .args(["explain", "--pod", &pod, "--port", &port])
            .output()
            .expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains(wrong), "{said}");
    }
}

#[test]
fn a_flow_is_seen_and_the_agent_beside_it_is_undisturbed() {
    need!(Root, Program("nginx"), Program("ip"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = scene.agent().start(&scene.lab.server);
    let own = programs(&scene.lab.server, Lab::LINK);
    let shadow = format!("http://{}", Scene::shadow());
    let mut explain = Explain::start(&scene, CLIENT, &["--shadow", &shadow]);
    let start = &explain.lines()[0];
    assert_eq!(start["agent"]["pid"], agent.process.pid(), "{start}");
    assert_eq!(start["agent"]["armed"], true, "{start}");
    assert_eq!(start["interfaces"][0], Lab::LINK, "{start}");
    let both = programs(&scene.lab.server, Lab::LINK);
    let place = |name: &str| both.iter().position(|found| found == name);
    assert!(
        place("shadow_ingress") < place("explain_ingress") && place("explain_egress").is_some(),
        "the agent's program stays first: {both:?}"
    );

    let secret = "c2VjcmV0LXRva2VuLTEyMzQ1Njc4";
    visit(
        &scene,
        &["/1k.json", &format!("/n/7?token={secret}"), "/200k.json"],
    );
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).expect("nginx listens");
        connection
            .post("/read", "", b"{\"order\": 1}")
            .expect("an answer");
    });
    assert_explained(&explain, &shadow);
    assert!(!explain.0.output().contains(secret), "no secret is shown");
    let summary = explain.end();
    assert_eq!(summary["complete"], 4, "{summary}");
    assert_eq!(summary["would_be_sent"]["shadow"], 3, "{summary}");
    assert_eq!(summary["would_be_skipped"]["shadow"]["write"], 1, "{summary}");
    assert_eq!(programs(&scene.lab.server, Lab::LINK), own, "it is detached");

    // Each exchange was replayed once, by the agent.
    let report = agent.settled(4);
    assert_eq!((report.funnel.exchanges, report.funnel.replayed), (4, 3));
    assert_laws(&agent.stop());
}

#[test]
fn what_is_not_copied_is_explained() {
    need!(Root, Program("nginx"), Program("ip"));
    let scene = Scene::new();
    // Not in the sample.
    let mut explain = Explain::start(&scene, CLIENT, &["--sample", "0%"]);
    visit(&scene, &["/1k.json"]);
    let packets = explain.packets(8);
    assert!(all_are(&packets, "unsampled"), "{packets:#?}");
    let summary = explain.end();
    assert_eq!(
        (&summary["complete"], &summary["hint"]),
        (&0.into(), &Value::Null),
        "{summary}"
    );

    // Another port: nobody listens, so it is a SYN and a reset.
    let mut explain = Explain::start(&scene, CLIENT, &[]);
    let other = Lab::production(PORT + 7);
    scene
        .lab
        .client
        .run(|| Connection::open(other).expect_err("nobody listens"));
    let packets = explain.packets(2);
    assert!(all_are(&packets, "not_targeted"), "{packets:#?}");
    assert_eq!(packets[0]["text"], "not copied: neither end is a target (80)");
    explain.end();

    // Another client, a port of the same client, and UDP.
    let mut explain = Explain::start(&scene, "10.77.0.9", &[]);
    visit(&scene, &["/1k.json"]);
    let summary = explain.end();
    assert_eq!(summary["packets"], serde_json::json!({}), "{summary}");
    assert!(
        summary["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains(Lab::LINK)),
        "{summary}"
    );
    let mut explain = Explain::start(&scene, &format!("{CLIENT}:1"), &[]);
    visit(&scene, &["/1k.json"]);
    scene.lab.client.run(|| {
        let socket = std::net::UdpSocket::bind((CLIENT, 1)).expect("a socket");
        socket.send_to(b"x", Lab::production(443)).expect("it is sent");
    });
    // The answer is of ICMP, in which no port is known.
    let packets = explain.packets(2);
    assert!(all_are(&packets, "not_targeted"), "{packets:#?}");
    let texts = [0, 1].map(|at: usize| packets[at]["text"].clone());
    assert_eq!(
        texts,
        [
            "not copied: UDP and not TCP (QUIC, HTTP/3?)",
            "not copied: protocol 1 of IP and not TCP"
        ]
    );
    explain.end();
}

#[test]
fn a_sample_of_the_agent_is_taken_and_a_killed_one_leaves_nothing() {
    need!(Root, Program("nginx"), Program("ip"));
    let scene = Scene::new();
    let mut agent = scene.observer().start(&scene.lab.server);
    agent.must(&["sample", "0%"]);
    let explain = Explain::start(&scene, &format!("{}", Scene::production().ip()), &[]);
    visit(&scene, &["/1k.json"]);
    let packets = explain.packets(8);
    assert!(all_are(&packets, "unsampled"), "{packets:#?}");
    explain.0.signal(Signal::KILL);
    let gone = || {
        programs(&scene.lab.server, Lab::LINK)
            .iter()
            .all(|name| name.starts_with("shadow"))
    };
    wait_until("its programs are gone", PATIENCE, gone);
    agent.must(&["sample", "100%"]);
    visit(&scene, &["/1k.json"]);
    assert_eq!(agent.settled(1).funnel.exchanges, 1);
    assert_laws(&agent.stop());
}

#[test]
fn it_ends_by_itself_and_reads_as_text() {
    need!(Root, Program("nginx"), Program("ip"));
    let scene = Scene::new();
    let said = |words: &[&str]| {
        let mut explain = Launch::new(binary(), scene.directory.path())
            .args([
                "explain",
                "--flow",
                CLIENT,
                "--interface",
                Lab::LINK,
                "--port",
                "80",
            ])
            .args(words)
            .start(&scene.lab.server);
        wait_until("it is attached", PATIENCE, || {
            explain.stdout().contains("following") || !explain.is_running()
        });
        visit(&scene, &["/1k.json"]);
        let status = explain.wait(PATIENCE);
        (status.success(), explain.output())
    };
    let (done, text) = said(&["--for", "2s"]);
    assert!(done, "{text}");
    for part in [
        "following 10.77.0.1 on s0; targets 80; sample 100 %",
        "no agent is attached there",
        "SYN ",
        "GET /1k.json -> 200: complete\n",
        "shadow: skipped: observe_only",
        "exchanges   1 complete, 0 incomplete",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        programs(&scene.lab.server, Lab::LINK).is_empty(),
        "it is detached"
    );
    let (done, text) = said(&["--interface", "none0", "--for", "1s"]);
    assert!(!done && text.contains("there is no interface none0"), "{text}");
}

#[test]
fn without_privileges_it_says_what_it_needs() {
    need!(Root, Program("setpriv"));
    let scene = Scene::new();
    let output = scene.lab.server.run(|| {
        Command::new("setpriv")
            .args(["--reuid", "65534", "--clear-groups", "--bounding-set", "-all"])
            .arg(binary())
            .args([
                "explain",
                "--flow",
                CLIENT,
                "--interface",
                Lab::LINK,
                "--port",
                "80",
            ])
            .output()
            .expect("setpriv starts")
    });
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("sudo"),
        "{output:?}"
    );
}
