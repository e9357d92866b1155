//! What the agent gives up, it has given up: in every thread, and for good.

use std::{
    collections::BTreeMap,
    env, fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
};

use rustix::{
    process::{chroot, getppid, test_kill_process},
    thread::{CapabilitySet, CapabilitySets, set_capabilities},
};
use shadow_agent::{
    capture::load::{LoadOptions, Program},
    config::Config,
    privs::{self, Needs},
};
use shadow_tests::{client::Connection, laws::assert_laws, need, scene::Scene};

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
    let kept = CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
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
    for (attempt, allowed) in [
        ("write the state folder", true),
        ("connect", true),
        ("read /proc/stat", true),
        ("read /etc/shadow", false),
        ("read another thread's environment", false),
        ("write /etc", false),
        ("listen", false),
        ("run a program", false),
        ("regain capabilities", false),
        ("regain capabilities in a thread", false),
        ("change the root", false),
        ("signal another process", false),
        ("load a kernel program", false),
    ] {
        let answer = found.get(attempt).copied();
        assert_eq!(
            answer,
            Some(if allowed { "done" } else { "refused" }),
            "{attempt}\n{said}"
        );
    }
}

#[test]
#[ignore = "run by what_was_given_up_does_not_come_back, in a process of its own"]
fn confined_child() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = listener.local_addr().expect("its number");
    let mut config = Config::default();
    config.agent.state_dir = folder.to_owned();
    config.agent.socket = folder.join("socket");
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

    tried("write the state folder", fs::write(folder.join("state"), "x"));
    tried("connect", TcpStream::connect(address));
    tried("read /proc/stat", fs::read("/proc/stat"));
    tried("read /etc/shadow", fs::read("/etc/shadow"));
    tried("read another thread's environment", fs::read("/proc/1/environ"));
    tried("write /etc", fs::write("/etc/shadow-test", "x"));
    tried("listen", TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))));
    tried("run a program", Command::new("/bin/true").status());
    tried("regain capabilities", regain());
    tried(
        "regain capabilities in a thread",
        other.join().expect("the thread"),
    );
    tried("change the root", chroot(folder).map_err(io::Error::from));
    let parent = getppid().expect("the test that started this");
    tried(
        "signal another process",
        test_kill_process(parent).map_err(io::Error::from),
    );
    let options = LoadOptions {
        ring_bytes: 64 << 10,
        ..LoadOptions::default()
    };
    tried(
        "load a kernel program",
        Program::load(&options).map_err(|error| io::Error::other(error.to_string())),
    );
}

fn regain() -> io::Result<()> {
    let wanted = CapabilitySet::SYS_ADMIN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::NET_ADMIN;
    let sets = CapabilitySets {
        effective: wanted,
        permitted: wanted,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(io::Error::from)
}

fn tried<T>(what: &str, outcome: io::Result<T>) {
    let done = outcome.map(drop).is_ok();
    // The harness may have begun a line.
    println!("\ntried {what}: {}", if done { "done" } else { "refused" });
}
