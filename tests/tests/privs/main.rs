//! Privileges that the agent gave up are gone: in every thread, and permanently.

mod attempts;

use std::{
    collections::BTreeMap,
    env, fs,
    net::{SocketAddr, TcpListener},
    os::unix::{net::UnixListener, process::ExitStatusExt as _},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use rustix::{process::Signal, thread::CapabilitySet};
use shadow_agent::{
    capture::attach::Method,
    config::Config,
    privs::{self, Needs},
};
use shadow_tests::{client::Connection, laws::assert_laws, need, netns::Netns, scene::Scene};

use self::attempts::{LINK, Place, regain, try_everything};

/// Directory in which the child may write; its presence makes this process the child.
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
        // Only the confinement can refuse these.
        assert_eq!(answer(attempt, "free"), "done", "{attempt}\n{said}");
        assert_eq!(answer(attempt, "confined"), "refused", "{attempt}\n{said}");
    }
    for attempt in ["use the x32 ABI", "type into a terminal"] {
        // It may not exist here; when confined, the call is refused before that is found out.
        assert_ne!(answer(attempt, "free"), "refused", "{attempt}\n{said}");
        assert_eq!(answer(attempt, "confined"), "refused", "{attempt}\n{said}");
    }
}

const ALLOWED: [&str; 8] = [
    "write the state folder",
    "remove the control socket",
    "connect",
    "open a UDP socket",
    "resolve a name",
    "read /proc/stat",
    "make a pair of Unix stream sockets",
    "ask for the index of an interface",
];

const FORBIDDEN: [&str; 32] = [
    "write next to the control socket",
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
    "change the mode of a file",
    "change the owner of a file",
    "limit another process",
    "make a user namespace",
];

#[test]
#[ignore = "run by what_was_given_up_does_not_come_back, in a process of its own"]
fn confined_child() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let [state, elsewhere, sockets] =
        ["state", "elsewhere", "sockets"].map(|name| Path::new(&folder).join(name));
    for folder in [&state, &elsewhere, &sockets] {
        fs::create_dir(folder).expect("a folder");
    }
    for when in ["free", "confined"] {
        fs::write(sockets.join(when), "").expect("a file in place of the socket");
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
        sockets: &sockets,
        address: listener.local_addr().expect("its number"),
    };
    let mut config = Config::default();
    config.agent.state_dir.clone_from(&state);
    config.agent.socket = sockets.join("confined");
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
    // Memory that a debugger would put into a core by default: none, and the ring in no case.
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
    assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()), "{ended}");
    assert!(!ended.core_dumped(), "{ended}");
}
