use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::{
    client::{ClientError, ask},
    proto::{Answer, MAX_REQUEST, Order},
    server::{MAX_CLIENTS, Socket, SocketError},
    *,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Records the calls it gets.
#[derive(Default)]
struct Script {
    heard: Mutex<Vec<String>>,
    /// How long a status takes: simulates a stuck pipeline.
    stuck: Duration,
}

impl Script {
    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("not poisoned").clone()
    }

    fn hear(&self, what: String) {
        self.heard.lock().expect("not poisoned").push(what);
    }
}

impl Agent for Script {
    fn status(&self) -> Status {
        thread::sleep(self.stuck);
        Status {
            pid: 42,
            sample: 0.05,
            uptime_ms: 12_345_678_901,
            ..Status::default()
        }
    }

    fn report(&self) -> Report {
        Report::default()
    }

    fn evidence(&self) -> Evidence {
        Evidence::default()
    }

    fn sample(&self, rate: Rate, who: &str) -> Result<(), CommandError> {
        assert!(who.contains("uid "), "{who}");
        self.hear(format!("sample {rate}"));
        Ok(())
    }

    fn kill(&self, who: &str, why: &str) -> Result<(), CommandError> {
        let own = format!(
            "{}, pid {}",
            peer::user(rustix::process::geteuid().as_raw()),
            std::process::id()
        );
        assert_eq!(who, own);
        self.hear(format!("kill {why}"));
        Ok(())
    }

    fn resume(&self, _who: &str) -> Result<(), CommandError> {
        Err(CommandError::refused("not today"))
    }

    fn rollout(&self, order: rollout::Order, _who: &str) -> Result<RolloutStatus, CommandError> {
        self.hear(format!("rollout {order:?}"));
        Ok(RolloutStatus {
            elapsed_ms: 12_345_678_901,
            ..RolloutStatus::default()
        })
    }

    fn forget_values(&self, _who: &str) -> Result<(), CommandError> {
        self.hear("forget values".to_owned());
        Ok(())
    }

    fn reload(&self, _who: &str) -> Result<Reloaded, CommandError> {
        Ok(Reloaded {
            changed: vec!["compare".to_owned()],
            restart: vec!["capture.ring_size".to_owned()],
        })
    }
}

struct Served {
    folder: tempfile::TempDir,
    agent: Arc<Script>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Served {
    fn new(agent: Script) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let agent = Arc::new(agent);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("runtime");
        let socket = Socket::open(&folder.path().join("s"), None).expect("socket");
        runtime.spawn(socket.serve(Arc::clone(&agent) as Arc<dyn Agent>));
        Self {
            folder,
            agent,
            runtime: Some(runtime),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Sends bytes as they are and reads until the agent closes or `PATIENCE` is over.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.path()).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.write_all(bytes).expect("write");
        stream.shutdown(std::net::Shutdown::Write).expect("shutdown");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answer");
        text
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[test]
fn every_verb_is_heard_and_answered() {
    let served = Served::new(Script::default());
    let path = served.path();
    let Answer::Status(status) = ask(&path, Order::Status, PATIENCE).expect("status") else {
        panic!("no status");
    };
    assert_eq!((status.pid, status.uptime_ms), (42, 12_345_678_901));
    assert!((status.sample - 0.05).abs() < 1e-12, "{}", status.sample);
    let report = ask(&path, Order::Report, PATIENCE).expect("report");
    assert_eq!(report, Answer::Report(Box::default()));
    let evidence = ask(&path, Order::Evidence, PATIENCE).expect("evidence");
    assert_eq!(evidence, Answer::Evidence(Box::default()));
    let rate = "5%".parse().expect("rate");
    assert_eq!(
        ask(&path, Order::Sample(rate), PATIENCE).expect("sample"),
        Answer::Done
    );
    let why = "drill \"7\"\n".to_owned();
    assert_eq!(
        ask(&path, Order::Kill(why), PATIENCE).expect("kill"),
        Answer::Done
    );
    let refused = ask(&path, Order::Resume, PATIENCE).expect_err("resume");
    assert!(
        matches!(&refused, ClientError::Refused(why) if why == "not today"),
        "{refused}"
    );
    let orders = [
        rollout::Order::Status,
        rollout::Order::Start,
        rollout::Order::Pause("lunch".to_owned()),
        rollout::Order::Resume,
        rollout::Order::Advance("canary".to_owned()),
        rollout::Order::Abort("incident".to_owned()),
    ];
    for order in &orders {
        let shown = ask(&path, Order::Rollout(order.clone()), PATIENCE).expect("rollout");
        assert!(
            matches!(&shown, Answer::Rollout(status) if status.elapsed_ms == 12_345_678_901),
            "{shown:?}"
        );
    }
    let reloaded = ask(&path, Order::Reload, PATIENCE).expect("reload");
    assert!(
        matches!(&reloaded, Answer::Reloaded(what) if what.restart == ["capture.ring_size"]),
        "{reloaded:?}"
    );
    let mut heard = vec!["sample 5%".to_owned(), "kill drill \"7\"\n".to_owned()];
    heard.extend(orders.map(|order| format!("rollout {order:?}")));
    assert_eq!(served.agent.heard(), heard);
}

#[test]
fn a_group_is_let_in_by_the_mode_of_the_socket() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("run/s");
    // Our own group: anybody may give a file to a group of theirs.
    let gid = rustix::process::getegid().as_raw();
    let _socket = Socket::open(&path, Some(gid)).expect("opens");
    let mode = |path: &Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(path.parent().expect("a folder")), 0o710);
}

#[test]
fn only_its_owner_may_connect() {
    let served = Served::new(Script::default());
    let mode = std::fs::metadata(served.path())
        .expect("metadata")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn hostile_clients_get_an_answer_and_nothing_else() {
    let served = Served::new(Script::default());
    for (sent, says) in [
        (&b"\n"[..], "not a request"),
        (b"GET / HTTP/1.1\r\n\r\n", "not a request"),
        (b"\xff\xfe\x00\n", "not a request"),
        (b"{\"v\":2,\"verb\":\"status\"}\n", "protocol version 2"),
        (b"{\"v\":1,\"verb\":\"explode\"}\n", "unknown verb"),
        (
            b"{\"v\":1,\"verb\":\"kill\",\"now\":true}\n",
            "unknown verb or argument",
        ),
        (b"{\"v\":1,\"verb\":\"sample\"}\n", "sample needs"),
        (b"{\"v\":1,\"verb\":\"rollout\"}\n", "rollout needs"),
        (
            b"{\"v\":1,\"verb\":\"rollout\",\"action\":\"advance\"}\n",
            "advance needs",
        ),
        (
            b"{\"v\":1,\"verb\":\"rollout\",\"action\":\"hurry\"}\n",
            "unknown verb or argument",
        ),
        (
            b"{\"v\":1,\"verb\":\"sample\",\"rate\":\"5\"}\n",
            "unknown verb or argument",
        ),
        (b"{\"v\":1,\"verb\":\"kill\"", "not a request"),
    ] {
        let answer = served.raw(sent);
        assert!(
            answer.contains(says),
            "{:?}: {answer}",
            String::from_utf8_lossy(sent)
        );
    }
    assert_eq!(served.agent.heard(), [""; 0], "nothing of it was obeyed");
}

#[test]
fn a_huge_line_is_cut_off_at_the_limit() {
    let served = Served::new(Script::default());
    let mut stream = UnixStream::connect(served.path()).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
    // Far more than the agent reads: the write may fail once it has closed.
    let sent = stream.write_all(&vec![b'{'; 1 << 20]);
    let mut answer = [0; 256];
    let read = stream.read(&mut answer);
    let text = match read {
        Ok(read) => String::from_utf8_lossy(&answer[..read]).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        text.contains(&format!("longer than {MAX_REQUEST} bytes")) || sent.is_err(),
        "{text}, {sent:?}"
    );
    assert!(
        ask(&served.path(), Order::Status, PATIENCE).is_ok(),
        "others are served"
    );
}

#[test]
fn slow_clients_do_not_keep_a_kill_from_being_heard() {
    let served = Served::new(Script {
        stuck: Duration::from_secs(30),
        ..Script::default()
    });
    let path = served.path();
    // Some say nothing, one writes half a line, one waits for a status that does not come.
    let mut idle: Vec<UnixStream> = (0..MAX_CLIENTS - 2)
        .map(|_| UnixStream::connect(&path).expect("connect"))
        .collect();
    idle[0].write_all(b"{\"v\":1,").expect("half a line");
    idle[1].write_all(&Order::Status.line()).expect("status");
    let begun = Instant::now();
    assert_eq!(
        ask(&path, Order::Kill("now".to_owned()), PATIENCE).expect("kill"),
        Answer::Done
    );
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let stuck = ask(&path, Order::Status, PATIENCE)
        .expect_err("status is stuck")
        .to_string();
    assert!(stuck.contains("`shadow kill` still works"), "{stuck}");
}

#[test]
fn a_socket_is_taken_over_from_the_dead_only() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("deep/er/s");
    let live = Socket::open(&path, None).expect("opens, with its folders");
    let error = Socket::open(&path, None).expect_err("in use");
    assert!(matches!(error, SocketError::InUse(_)), "{error}");
    drop(live);
    assert!(!path.exists(), "an orderly end leaves nothing behind");

    // The socket of a killed agent: a file that nothing listens on.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
    assert!(path.exists());
    drop(Socket::open(&path, None).expect("stale: replaced"));

    std::fs::write(&path, "precious").expect("write");
    let error = Socket::open(&path, None).expect_err("no socket");
    assert!(matches!(error, SocketError::NoSocket(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "precious");
}

#[test]
fn an_absent_or_hung_agent_is_told_apart() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("s");
    let error = ask(&path, Order::Status, PATIENCE).expect_err("nobody");
    assert!(matches!(error, ClientError::Absent(_)), "{error}");
    // Listens and never answers.
    let _hung = std::os::unix::net::UnixListener::bind(&path).expect("bind");
    let error = ask(&path, Order::Status, Duration::from_millis(50)).expect_err("hung");
    assert!(matches!(error, ClientError::Silent { .. }), "{error}");
}
