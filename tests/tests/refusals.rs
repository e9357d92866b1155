//! Impossible requests are refused: one clear line, a non-zero exit, nothing attached.

use std::{fs, net::TcpListener, path::Path, time::Duration};

use shadow_tests::{
    agent::{Agent, PATIENCE, Plan},
    attached, need,
    netns::{Lab, Netns},
    process::{Launch, wait_until},
    scene::{PORT, Scene},
};

/// Waits for the end of an agent that must refuse, and checks its message.
fn refused(mut agent: Agent, namespace: &Netns, words: &[&str]) {
    let status = agent.process.wait(PATIENCE);
    let said = agent.process.stderr();
    assert!(!status.success(), "it did not refuse: {said}");
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "one line, not {}:\n{said}", lines.len());
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert!(
        attached::programs(namespace, Lab::LINK).is_empty(),
        "something is attached"
    );
}

fn wire() -> (tempfile::TempDir, Lab) {
    (tempfile::tempdir().unwrap(), Lab::new())
}

fn plan(directory: &Path) -> Plan {
    Plan::new(directory)
}

#[test]
fn a_missing_interface() {
    need!(Root);
    let (directory, lab) = wire();
    let agent = plan(directory.path())
        .capture("nosuch0", PORT)
        .args(&["--observe"])
        .launch(&lab.server);
    refused(agent, &lab.server, &["nosuch0"]);
}

#[test]
fn no_root() {
    need!(Root, Program("setpriv"));
    let (directory, lab) = wire();
    // Only root may write there, so that only the privilege is missing.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let home = directory.path().join("agent");
    fs::create_dir_all(&home).unwrap();
    fs::set_permissions(&home, open).unwrap();
    // The binary may be in a directory that other users cannot read.
    let binary = directory.path().join("shadow");
    fs::copy(shadow_tests::agent::binary(), &binary).unwrap();
    let mut process = Launch::new(&binary, &home)
        .args(["run", "--interface", Lab::LINK, "--port", "80", "--observe"])
        .args(["--socket".as_ref(), home.join("s").as_os_str()])
        .args(["--state-dir".as_ref(), home.join("d").as_os_str()])
        .wrapped(&[
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ])
        .start(&lab.server);
    let status = process.wait(PATIENCE);
    let said = process.stderr();
    assert!(!status.success(), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("root") || said.contains("CAP_"), "{said}");
    assert!(attached::programs(&lab.server, Lab::LINK).is_empty());
}

#[test]
fn wrong_flags() {
    need!(Root);
    let (directory, lab) = wire();
    for (number, (flags, word)) in [
        (&["--interface", "s0", "--observe"][..], "port"),
        (&["--port", "80", "--observe"], "interface"),
        (&["--interface", "s0", "--port", "80"], "shadow"),
        (
            &["--interface", "s0", "--port", "80", "--shadow", "ftp://x"],
            "http://",
        ),
        (
            &[
                "--interface",
                "s0",
                "--port",
                "80",
                "--observe",
                "--sample",
                "500%",
            ],
            "500%",
        ),
        (
            &[
                "--interface",
                "s0",
                "--port",
                "80",
                "--observe",
                "--ring-size",
                "3KiB",
            ],
            "ring",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let home = directory.path().join(number.to_string());
        let mut agent = plan(&home).args(flags).launch(&lab.server);
        let status = agent.process.wait(PATIENCE);
        let said = agent.process.stderr();
        assert!(!status.success(), "{flags:?}: {said}");
        assert!(said.contains(word), "{flags:?}: {word:?} is not in: {said}");
    }
    assert!(attached::programs(&lab.server, Lab::LINK).is_empty());
}

#[test]
fn an_unknown_key_with_its_line_and_the_nearest_known_one() {
    need!(Root);
    let (directory, lab) = wire();
    let file = directory.path().join("shadow.yaml");
    fs::write(&file, "capture:\n  interfaces: [s0]\n  sampel: 5%\n").unwrap();
    let agent = plan(directory.path())
        .args(&["--config", file.to_str().unwrap()])
        .launch(&lab.server);
    refused(agent, &lab.server, &["shadow.yaml:3", "sampel", "sample"]);
}

#[test]
fn an_unreadable_configuration() {
    need!(Root);
    let (directory, lab) = wire();
    let agent = plan(directory.path())
        .args(&["--config", "/no/such/file.yaml"])
        .launch(&lab.server);
    refused(agent, &lab.server, &["/no/such/file.yaml"]);
}

#[test]
fn a_shadow_address_that_is_a_production_target() {
    need!(Root);
    let (directory, lab) = wire();
    let agent = plan(directory.path())
        .capture(Lab::LINK, PORT)
        .replay(Lab::production(PORT))
        .launch(&lab.server);
    refused(agent, &lab.server, &["10.77.0.2:80"]);
}

#[test]
fn a_metrics_port_that_is_taken() {
    need!(Root);
    let (directory, lab) = wire();
    let _taken = lab.server.run(|| TcpListener::bind("127.0.0.1:9464").unwrap());
    let agent = plan(directory.path())
        .capture(Lab::LINK, PORT)
        .args(&["--observe", "--metrics", "127.0.0.1:9464"])
        .launch(&lab.server);
    refused(agent, &lab.server, &["127.0.0.1:9464"]);
}

#[test]
fn a_second_agent_on_the_same_interface() {
    need!(Root);
    let (directory, lab) = wire();
    let mut first = plan(&directory.path().join("1"))
        .capture(Lab::LINK, PORT)
        .args(&["--observe"])
        .start(&lab.server);
    let attached_before = attached::programs(&lab.server, Lab::LINK);
    let mut second = plan(&directory.path().join("2"))
        .capture(Lab::LINK, PORT)
        .args(&["--observe"])
        .launch(&lab.server);
    let status = second.process.wait(PATIENCE);
    let said = second.process.stderr();
    assert!(!status.success(), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains(Lab::LINK), "{said}");
    assert_eq!(
        attached::programs(&lab.server, Lab::LINK),
        attached_before,
        "the first one is not disturbed"
    );
    first.stop();
}

#[test]
fn what_is_refused_leaves_no_recording_that_blocks_the_next_start() {
    need!(Root);
    let (directory, lab) = wire();
    let folder = directory.path().join("recordings");
    fs::create_dir(&folder).unwrap();
    let config = directory.path().join("shadow.yaml");
    let text = format!("record: {{file: {}}}\n", folder.join("traffic.pcapng").display());
    fs::write(&config, text).unwrap();
    // Read after the recorder has begun.
    let state = directory.path().join("agent/state");
    let plan = plan(directory.path()).capture(Lab::LINK, PORT).args(&[
        "--observe",
        "--config",
        config.to_str().unwrap(),
    ]);
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("paused.json"), "no JSON").unwrap();
    refused(plan.launch(&lab.server), &lab.server, &["paused.json"]);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_full_disk() {
    need!(Root);
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Tmpfs::mount(&disk);
    fs::write(disk.join("fill"), vec![0; 1 << 20]).unwrap_err();
    let lab = Lab::new();
    let state = disk.join("state");
    let mut agent = plan(directory.path())
        .capture(Lab::LINK, PORT)
        .args(&["--observe", "--state-dir", state.to_str().unwrap()])
        .launch(&lab.server);
    // Either it refuses at once, or it runs and reports at its end that the report could not be written.
    std::thread::sleep(Duration::from_secs(2));
    if agent.process.is_running() {
        agent.process.signal(rustix::process::Signal::TERM);
    }
    let status = agent.process.wait(PATIENCE);
    let said = agent.process.stderr();
    assert!(!status.success(), "{said}");
    assert!(said.contains(state.to_str().unwrap()), "{said}");
    assert!(said.contains("No space left"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    drop(agent);
    wait_until("nothing is attached", Duration::from_secs(5), || {
        attached::programs(&lab.server, Lab::LINK).is_empty()
    });
    drop(mounted);
}

/// A disk of 64 KiB, unmounted also on panic.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(at: &'a Path) -> Self {
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                "size=64k",
                "tmpfs",
                at.to_str().expect("a path of text"),
            ],
        );
        Self(at)
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().expect("a path of text")]);
    }
}

fn run(program: &str, args: &[&str]) {
    let status = std::process::Command::new(program)
        .args(args)
        .status()
        .expect("it starts");
    assert!(status.success(), "{program} {args:?} ended with {status}");
}

#[test]
fn refusing_does_not_disturb_production() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let agent = scene
        .observer()
        .args(&["--interface", "nosuch0"])
        .launch(&scene.lab.server);
    refused(agent, &scene.lab.server, &["nosuch0"]);
    scene.lab.client.run(|| {
        let mut connection = shadow_tests::client::Connection::open(Scene::production()).unwrap();
        assert_eq!(connection.get("/1k.json", "").unwrap().status, 200);
    });
}
