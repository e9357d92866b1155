//! Multipath TCP with the kernel's own implementation: one path is read like TCP, and an answer that came over several
//! is never compared.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    num::NonZeroU32,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use rustix::net::{AddressFamily, Protocol, SocketType, bind, connect, listen, socket};
use serde_json::Value;
use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{Agent, Plan, binary},
    client::Connection,
    laws::assert_laws,
    need,
    need::python,
    netns::{Netns, veth},
    process::{Launch, Process, wait_until},
};
use tempfile::TempDir;

/// Requests on each connection.
const VISITS: u64 = 5;

/// Lines of a page: few segments, and more than a path takes at once.
const SMALL: usize = 100;
const LARGE: usize = 6000;

/// Connections that are made one after the other.
const CONNECTIONS: u64 = 8;

/// `IPPROTO_MPTCP`.
const MULTIPATH: Option<Protocol> = Some(Protocol::from_raw(NonZeroU32::new(262).unwrap()));

/// A server with Multipath TCP on port 8080, and its copy without on port 9090, joined to a client by links.
struct Paths {
    client: Netns,
    server: Netns,
    directory: TempDir,
}

impl Paths {
    /// Served by this program.
    fn new(links: u8) -> Self {
        let paths = Self::linked(links);
        for (port, protocol) in [(8080, MULTIPATH), (9090, None)] {
            let listener = paths.server.run(|| {
                let listener = socket(AddressFamily::INET, SocketType::STREAM, protocol).unwrap();
                bind(&listener, &SocketAddr::from(([0, 0, 0, 0], port))).unwrap();
                listen(&listener, 64).unwrap();
                TcpListener::from(listener)
            });
            thread::spawn(move || serve(&listener));
        }
        paths
    }

    fn linked(links: u8) -> Self {
        let [client, server] = [(); 2].map(|()| Netns::new());
        for namespace in [&client, &server] {
            let limits = ["subflows", "4", "add_addr_accepted", "4"];
            namespace.command(&[&["ip", "mptcp", "limits", "set"][..], &limits].concat());
        }
        for number in 1..=links {
            let [near, far] = ["c", "s"].map(|side| format!("{side}{number}"));
            veth(&client, &near, &server, &far);
            let [here, there] = [1, 2].map(|end| format!("10.76.{number}.{end}"));
            client.address(&near, &format!("{here}/24"));
            server.address(&far, &format!("{there}/24"));
            if number > 1 {
                client.command(&["ip", "mptcp", "endpoint", "add", &here, "dev", &near, "subflow"]);
                server.command(&["ip", "mptcp", "endpoint", "add", &there, "dev", &far, "signal"]);
            }
        }
        Self {
            client,
            server,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A server in Go, which listens with Multipath TCP by default, with the same pages.
    fn served_by_go(&self, port: u16, environment: (&str, &str)) -> Process {
        let site = self.directory.path().join("site");
        for (lines, number) in [SMALL, LARGE]
            .into_iter()
            .flat_map(|lines| (0..VISITS).map(move |n| (lines, n)))
        {
            let path = format!("/{lines}/{number}");
            let file = site.join(format!("static{path}"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, page(&path)).unwrap();
        }
        fs::write(
            site.join("hugo.toml"),
            "disableKinds = ['home', 'taxonomy', 'sitemap', 'RSS', '404']\n",
        )
        .unwrap();
        let (name, value) = environment;
        let process = Launch::new(python("hugo"), self.directory.path())
            .args([
                "server",
                "--bind",
                "0.0.0.0",
                "--port",
                &port.to_string(),
                "--source",
            ])
            .args([&site])
            .args(["--disableLiveReload", "--watch=false"])
            .env(name, value)
            .start(&self.server);
        wait_until("hugo listens", Duration::from_mins(1), || {
            self.server
                .run(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
        });
        process
    }

    fn recording(&self) -> PathBuf {
        self.directory.path().join("traffic.pcapng")
    }

    fn agent(&self, sample: &str) -> Agent {
        let config = self.directory.path().join("shadow.yaml");
        let record = format!("record: {{file: {}, redact: none}}\n", self.recording().display());
        fs::write(&config, record).unwrap();
        Plan::new(self.directory.path())
            .capture("s*", 8080)
            .replay(SocketAddr::from(([127, 0, 0, 1], 9090)))
            .args(&["--sample", sample, "--config", config.to_str().unwrap()])
            .start(&self.server)
    }

    /// Visits pages of so many lines over one connection of Multipath TCP. Every answer is right.
    fn visit(&self, lines: usize) {
        self.client.run(|| {
            let stream = socket(AddressFamily::INET, SocketType::STREAM, MULTIPATH).unwrap();
            connect(&stream, &SocketAddr::from(([10, 76, 1, 2], 8080))).unwrap();
            let mut connection = Connection::over(TcpStream::from(stream)).unwrap();
            for number in 0..VISITS {
                let path = format!("/{lines}/{number}");
                let answer = connection.get(&path, "").unwrap();
                assert!(answer.body == page(&path), "{path}");
                // Other paths are opened once data has passed on the first.
                thread::sleep(Duration::from_millis(50));
            }
        });
    }

    /// Exchanges of the recording: how many are whole, and why others are not.
    fn recorded(&self) -> (u64, Value) {
        let output = Command::new(binary())
            .args(["inspect", "--json"])
            .arg(self.recording())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last: Value = serde_json::from_str(text.lines().next_back().unwrap()).unwrap();
        let summary = last["summary"].clone();
        (summary["complete"].as_u64().unwrap(), summary)
    }
}

/// A page of its own for each path, which begins with its number of lines.
fn page(path: &str) -> Vec<u8> {
    let lines = path.split('/').nth(1).unwrap().parse().unwrap();
    (0..lines)
        .flat_map(|line: usize| format!("{path} {line:07}\n").into_bytes())
        .collect()
}

fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut path = None;
    while let Some(Ok(line)) = lines.next() {
        path = path.or_else(|| Some(line.split(' ').nth(1)?.to_owned()));
        if line.is_empty() {
            let page = page(&path.take()?);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
                page.len()
            );
            stream.write_all(&[head.as_bytes(), &page].concat()).ok()?;
        }
    }
    Some(())
}

fn of(counts: &std::collections::BTreeMap<String, u64>, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or_default()
}

fn assert_nothing_wrong(report: &Report) {
    assert_eq!(
        (report.funnel.mismatched, report.funnel.shadow_errors),
        (0, 0),
        "{:#?}",
        report.funnel
    );
    assert_laws(report);
}

#[test]
fn a_single_path_is_read_like_tcp() {
    need!(Root, File("/proc/sys/net/mptcp/enabled"));
    let paths = Paths::new(1);
    let mut agent = paths.agent("100%");
    for _ in 0..CONNECTIONS {
        paths.visit(SMALL);
    }
    let all = CONNECTIONS * VISITS;
    let seen = |report: &Report| report.funnel.exchanges + report.funnel.engine.exchanges_unread;
    agent.settled_when("every exchange is seen or estimated", |report| {
        seen(report) >= all
    });
    let report = agent.stop();
    assert_nothing_wrong(&report);
    // A kernel that is short of time sends data twice on the only path (findings/mptcp-reinjection.sh): the bytes of
    // such a connection are not those of the stream.
    let (matched, given_up) = (report.funnel.matched, report.funnel.engine.flows_mptcp);
    assert!(given_up < CONNECTIONS / 2, "{:#?}", report.funnel);
    assert!(
        matched >= (CONNECTIONS - given_up) * VISITS,
        "{:#?}",
        report.funnel
    );
    let (complete, summary) = paths.recorded();
    assert_eq!(complete, matched, "{summary:#}");
}

#[test]
fn an_answer_over_several_paths_is_never_compared() {
    need!(Root, File("/proc/sys/net/mptcp/enabled"));
    for sample in ["100%", "50%"] {
        let paths = Paths::new(2);
        let mut agent = paths.agent(sample);
        for _ in 0..CONNECTIONS {
            paths.visit(LARGE);
        }
        agent.settled_when("connections end", |report| report.funnel.engine.flows_mptcp > 0);
        let report = agent.stop();
        assert_nothing_wrong(&report);
        let spread = report.funnel.engine.flows_mptcp;
        assert!(spread > 0, "{:#?}", report.funnel);
        assert!(of(&report.funnel.skipped, "mptcp") > 0, "{:#?}", report.funnel);
        assert!(
            report.funnel.matched < CONNECTIONS * VISITS,
            "{:#?}",
            report.funnel
        );
        let (complete, summary) = paths.recorded();
        assert_eq!(complete, report.funnel.matched, "{summary:#}");
    }
}

#[test]
fn a_server_in_go_uses_several_paths_by_itself() {
    need!(Root, Python("hugo"), File("/proc/sys/net/mptcp/enabled"));
    let paths = Paths::linked(2);
    let _production = paths.served_by_go(8080, ("GODEBUG", ""));
    let _shadow = paths.served_by_go(9090, ("GODEBUG", "multipathtcp=0"));
    let mut agent = paths.agent("100%");
    for _ in 0..CONNECTIONS {
        paths.visit(SMALL);
        paths.visit(LARGE);
    }
    agent.settled_when("connections end", |report| report.funnel.engine.flows_mptcp > 0);
    let report = agent.stop();
    assert_nothing_wrong(&report);
    assert!(of(&report.funnel.skipped, "mptcp") > 0, "{:#?}", report.funnel);
    let (complete, summary) = paths.recorded();
    assert_eq!(complete, report.funnel.matched, "{summary:#}");
}
