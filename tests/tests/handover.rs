//! One agent takes over from another: every exchange belongs to exactly one of them, and none is lost between the two,
//! whenever either ends.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{Agent, PATIENCE},
    client::Connection,
    laws::assert_laws,
    need,
    process::wait_until,
    scene::Scene,
    servers::{Behaviour, Server},
};

/// Threads of clients of each kind.
const CLIENTS: usize = 3;

/// Requests by kind of connection: those on new ones, and those on connections that outlive the handover.
#[derive(Debug, Default)]
struct Sent {
    new: Mutex<Vec<u64>>,
    kept: Mutex<Vec<u64>>,
    next: AtomicU64,
}

impl Sent {
    fn get(&self, connection: &mut Connection, list: &Mutex<Vec<u64>>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        connection.get(&target(id), "").expect("production answers");
        list.lock().unwrap().push(id);
    }

    fn all(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}

fn target(id: u64) -> String {
    format!("/n/{id}")
}

/// Clients that open a connection for every two requests, and others that keep theirs.
fn under_load<T>(scene: &Scene, sent: &Sent, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        for client in 0..CLIENTS {
            scope.spawn(move || {
                scene.lab.client.run(|| {
                    while !over.load(Ordering::Relaxed) {
                        let mut connection = Connection::open(Scene::production()).unwrap();
                        sent.get(&mut connection, &sent.new);
                        sent.get(&mut connection, &sent.new);
                        thread::sleep(Duration::from_millis(5));
                    }
                });
            });
            scope.spawn(move || {
                scene.lab.client.run(|| {
                    let mut connection = Connection::open(Scene::production()).unwrap();
                    while !over.load(Ordering::Relaxed) {
                        sent.get(&mut connection, &sent.kept);
                        thread::sleep(Duration::from_millis(4 + 60 * client as u64));
                    }
                });
            });
        }
        let _over = Over(over);
        work()
    })
}

/// Also when the work panics: the scope waits for its threads.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn shadow(scene: &Scene) -> Server {
    Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{}".to_vec()),
    )
}

/// Starts an agent in place of the running one.
fn successor(scene: &Scene) -> Agent {
    scene.agent().args(&["--take-over"]).launch(&scene.lab.server)
}

/// Waits until the socket is that of this agent.
fn reached(agent: &mut Agent) {
    wait_until("the successor answers", PATIENCE, || {
        assert!(agent.process.is_running(), "it ended\n{}", agent.process.output());
        let status = agent.ask(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["pid"] == agent.process.pid()
    });
}

/// Waits until the state folder is that of this agent.
fn alone(agent: &mut Agent) {
    wait_until("the successor has the state folder", PATIENCE, || {
        assert!(agent.process.is_running(), "it ended\n{}", agent.process.output());
        let text = std::fs::read_to_string(agent.state().join("agent.json")).unwrap_or_default();
        let owner: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        owner["pid"] == agent.process.pid()
    });
}

/// The evidence of runs that have ended.
fn ended(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut found: Vec<PathBuf> = entries
        .filter(|path| name(path).starts_with("evidence-"))
        .collect();
    found.sort();
    found
}

fn merged(agent: &Agent, files: &[PathBuf]) -> Report {
    let mut words = vec!["report".to_owned(), "--json".to_owned(), "--merge".to_owned()];
    words.extend(files.iter().map(|file| file.to_str().unwrap().to_owned()));
    let output = agent.ask(&words);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn skipped(report: &Report, reason: &str) -> u64 {
    report.funnel.skipped.get(reason).copied().unwrap_or(0)
}

/// All counts of a handover, which must hold: each request is in one report, and replayed at most once.
struct Account {
    /// Requests by the number of their replays.
    replays: BTreeMap<u64, usize>,
    report: Report,
}

impl Account {
    /// Ends the last agent, and reads all evidence.
    fn of(agent: &mut Agent, shadow: &Server) -> Self {
        agent.end();
        let mut files = ended(agent.state());
        files.push(agent.state().join("evidence.json"));
        let report = merged(agent, &files);
        assert_laws(&report);
        let mut replays = BTreeMap::new();
        for (start, count) in shadow.counts() {
            let id = start.rsplit('/').next().and_then(|id| id.parse().ok());
            replays.insert(
                id.unwrap_or_else(|| panic!("a request of nobody: {start}")),
                count,
            );
        }
        for (id, count) in &replays {
            assert_eq!(*count, 1, "request {id} was replayed {count} times");
        }
        assert_eq!(
            report.funnel.replayed,
            replays.len() as u64,
            "{:#?}",
            report.funnel
        );
        Self { replays, report }
    }

    /// Exchanges, each counted by one agent.
    fn exchanges(&self) -> u64 {
        self.report.funnel.exchanges - skipped(&self.report, "handed_over")
    }

    fn missing(&self, ids: &Mutex<Vec<u64>>) -> u64 {
        let ids = ids.lock().unwrap();
        ids.iter().filter(|id| !self.replays.contains_key(id)).count() as u64
    }
}

#[test]
fn every_exchange_belongs_to_one_of_two_agents() {
    need!(Root, Program("nginx"));
    let (scene, sent) = (Scene::new(), Sent::default());
    let shadow = shadow(&scene);
    let mut old = scene.agent().start(&scene.lab.server);
    let mut new = under_load(&scene, &sent, || {
        thread::sleep(Duration::from_secs(1));
        let mut new = successor(&scene);
        reached(&mut new);
        let status = old.process.wait(PATIENCE);
        assert!(status.success(), "{status}\n{}", old.process.output());
        alone(&mut new);
        thread::sleep(Duration::from_secs(1));
        new
    });
    new.settled_when("everything is replayed", |_| true);
    let account = Account::of(&mut new, &shadow);
    let (report, funnel) = (&account.report, &account.report.funnel);
    assert_eq!(
        account.exchanges(),
        sent.all(),
        "{funnel:#?}\n{}",
        new.process.output()
    );
    assert_eq!(account.missing(&sent.new), 0, "{funnel:#?}");
    assert_eq!(
        account.missing(&sent.kept),
        skipped(report, "midstream"),
        "{funnel:#?}"
    );
    assert!(skipped(report, "midstream") <= 4 * CLIENTS as u64, "{funnel:#?}");
    println!(
        "{} requests, {} replayed, {} midstream, {} seen by both",
        sent.all(),
        funnel.replayed,
        skipped(report, "midstream"),
        skipped(report, "handed_over")
    );
}

/// A request of which only the first half was sent.
fn half_a_request(scene: &Scene, id: u64) -> Connection {
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        connection
            .send(format!("GET {} HTTP/1.1\r\nHost:", target(id)).as_bytes())
            .unwrap();
        thread::sleep(Duration::from_millis(200));
        connection
    })
}

fn other_half(scene: &Scene, connection: &mut Connection) {
    scene.lab.client.run(|| {
        connection.send(b" shop\r\n\r\n").unwrap();
        connection.read("GET").unwrap();
    });
}

fn visit(scene: &Scene, sent: &Sent, count: usize) {
    scene.lab.client.run(|| {
        for _ in 0..count {
            sent.get(&mut Connection::open(Scene::production()).unwrap(), &sent.new);
        }
    });
}

fn warnings(agent: &Agent) -> String {
    agent.status()["warnings"].to_string()
}

#[test]
fn what_was_begun_is_finished_also_when_it_is_asked_to_end() {
    need!(Root, Program("nginx"));
    let (scene, sent) = (Scene::new(), Sent::default());
    let shadow = shadow(&scene);
    let mut old = scene.agent().start(&scene.lab.server);
    let id = sent.next.fetch_add(1, Ordering::Relaxed);
    sent.new.lock().unwrap().push(id);
    let mut begun = half_a_request(&scene, id);
    let mut new = successor(&scene);
    reached(&mut new);
    wait_until("one connection is left", PATIENCE, || {
        warnings(&new).contains(&format!(
            "taking over from pid {}, 1 connections left",
            old.process.pid()
        ))
    });
    // There is one successor, and an agent that did not ask is refused.
    for args in [&["--take-over"][..], &[]] {
        let mut third = scene.agent().args(args).launch(&scene.lab.server);
        assert!(!third.process.wait(PATIENCE).success());
        let said = third.process.output();
        assert!(
            said.contains("taking over already") || said.contains("belongs to a running agent"),
            "{said}"
        );
    }
    visit(&scene, &sent, 10);
    old.process.signal(Signal::TERM);
    thread::sleep(Duration::from_secs(1));
    assert!(old.process.is_running(), "{}", old.process.output());
    other_half(&scene, &mut begun);
    let status = old.process.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", old.process.output());
    alone(&mut new);
    assert!(!warnings(&new).contains("taking over"), "{}", warnings(&new));
    new.settled_when("everything is replayed", |_| true);
    let account = Account::of(&mut new, &shadow);
    assert_eq!(account.exchanges(), sent.all(), "{:#?}", account.report.funnel);
    assert_eq!(account.missing(&sent.new), 0, "{:#?}", account.report.funnel);
}

#[test]
fn an_agent_that_dies_while_it_hands_over_leaves_a_whole_one() {
    need!(Root, Program("nginx"));
    let (scene, sent) = (Scene::new(), Sent::default());
    let shadow = shadow(&scene);
    let mut old = scene.agent().start(&scene.lab.server);
    let mut begun = half_a_request(&scene, u64::MAX);
    let mut new = successor(&scene);
    reached(&mut new);
    visit(&scene, &sent, 10);
    old.process.signal(Signal::KILL);
    old.process.wait(PATIENCE);
    alone(&mut new);
    visit(&scene, &sent, 10);
    // It was the old one's, and the new one has not seen where it began.
    other_half(&scene, &mut begun);
    new.settled(20);
    let account = Account::of(&mut new, &shadow);
    assert_eq!(account.missing(&sent.new), 0, "{:#?}", account.report.funnel);
    assert_eq!(account.exchanges(), 20, "{:#?}", account.report.funnel);
}

#[test]
fn an_agent_continues_when_its_successor_dies() {
    need!(Root, Program("nginx"));
    let (scene, sent) = (Scene::new(), Sent::default());
    let shadow = shadow(&scene);
    let mut old = scene.agent().start(&scene.lab.server);
    // At any moment of its start.
    for wait in [0, 30, 60, 100, 150, 200, 300, 400] {
        let mut new = successor(&scene);
        thread::sleep(Duration::from_millis(wait));
        new.process.signal(Signal::KILL);
        new.process.wait(PATIENCE);
        wait_until("the old agent has everything again", PATIENCE, || {
            assert!(
                old.process.is_running(),
                "after {wait} ms\n{}",
                old.process.output()
            );
            let said = old.ask(&["status", "--json"]);
            let said = String::from_utf8_lossy(&said.stdout);
            !said.contains("take over") && !said.contains("handing over")
        });
        visit(&scene, &sent, 3);
    }
    let begun = half_a_request(&scene, u64::MAX);
    let mut new = successor(&scene);
    reached(&mut new);
    new.process.signal(Signal::KILL);
    new.process.wait(PATIENCE);
    thread::sleep(Duration::from_millis(500));
    assert!(old.process.is_running(), "{}", old.process.output());
    visit(&scene, &sent, 10);
    drop(begun);
    // Its sockets are in their place again.
    reached(&mut old);
    let account = Account::of(&mut old, &shadow);
    assert_eq!(
        account.missing(&sent.new),
        0,
        "{:#?}\n{}",
        account.report.funnel,
        old.process.output()
    );
}

#[test]
fn a_kill_stays_a_kill() {
    need!(Root, Program("nginx"));
    let (scene, sent) = (Scene::new(), Sent::default());
    let shadow = shadow(&scene);
    let mut old = scene.agent().start(&scene.lab.server);
    let begun = half_a_request(&scene, u64::MAX);
    let mut new = successor(&scene);
    reached(&mut new);
    // While two agents run, it stops both.
    new.must(&["kill", "--why", "a test"]);
    let status = old.process.wait(Duration::from_secs(6));
    assert!(status.success(), "{status}\n{}", old.process.output());
    visit(&scene, &sent, 10);
    alone(&mut new);
    // The next one begins as its predecessor was.
    let mut next = successor(&scene);
    reached(&mut next);
    assert!(new.process.wait(PATIENCE).success(), "{}", new.process.output());
    assert_eq!(next.status()["armed"], false, "{}", next.status());
    visit(&scene, &sent, 10);
    assert_eq!(shadow.received().len(), 0, "{:?}", shadow.counts());
    drop(begun);
    next.end();
}
