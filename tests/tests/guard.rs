//! Guards that need no more than the agent's own privileges: a hung agent is killed, a second agent on an interface is
//! refused, and programs that run before the capture are named.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use aya::programs::{
    LinkOrder,
    tc::{TcAttachOptions, TcAttachType},
};
use rustix::process::Signal;
use shadow_agent::capture::{
    attach::Hook,
    load::{LoadOptions, Program},
};
use shadow_common::stat::Stat;
use shadow_tests::{
    agent::{Agent, Plan, binary},
    client::Connection,
    laws::assert_laws,
    need,
    netns::Lab,
    process::wait_until,
    scene::{PORT, Scene},
};

/// The three capabilities of the container: CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF.
const CONTAINER: [&str; 5] = [
    "setpriv",
    "--bounding-set",
    "-all,+net_admin,+cap_38,+cap_39",
    "--inh-caps",
    "-all",
];

fn visit(scene: &Scene, count: usize) {
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..count {
            connection.get("/1k.json", "").unwrap();
        }
    });
}

/// Runs `shadow WORDS` with the privileges of the container.
fn ask(scene: &Scene, agent: &Agent, words: &[&str]) -> Output {
    scene.lab.server.run(|| {
        let [program, options @ ..] = CONTAINER;
        let mut command: Command = agent.command(program);
        command.args(options).arg(binary()).args(words);
        command.output().expect("setpriv starts")
    })
}

fn text(output: &Output) -> String {
    [&*output.stdout, &*output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

#[test]
fn a_hung_agent_is_killed_without_cap_sys_admin() {
    need!(Root, Program("nginx"), Program("setpriv"));
    let scene = Scene::new();
    let mut agent = scene.observer().wrapped(&CONTAINER).start(&scene.lab.server);
    visit(&scene, 5);
    let before = agent.settled(5).funnel.kernel(Stat::Emitted);
    agent.process.signal(Signal::STOP);
    let killed = ask(&scene, &agent, &["kill"]);
    assert!(killed.status.success(), "{}", text(&killed));
    assert!(text(&killed).contains("guard process"), "{}", text(&killed));
    visit(&scene, 5);
    agent.process.signal(Signal::CONT);
    let report = agent.report();
    assert_eq!(
        report.funnel.kernel(Stat::Emitted),
        before,
        "{:#?}",
        report.funnel.kernel
    );
    assert!(
        report.funnel.kernel(Stat::Disarmed) >= 10,
        "{:#?}",
        report.funnel.kernel
    );
    agent.stop();
}

#[test]
fn a_second_agent_on_an_interface_is_refused_without_cap_sys_admin() {
    need!(Root, Program("nginx"), Program("setpriv"));
    let scene = Scene::new();
    let plan = |folder: &str, interface: &str| {
        let directory = scene.directory.path().join(folder);
        Plan::new(Path::new(&directory))
            .capture(interface, PORT)
            .args(&["--observe"])
            .wrapped(&CONTAINER)
    };
    let mut first = plan("first", Lab::LINK).start(&scene.lab.server);
    // Another name for the same: a glob waits for interfaces, and says why it has none.
    let mut second = plan("second", Lab::LINK).launch(&scene.lab.server);
    let status = second.process.wait(Duration::from_secs(20));
    assert!(!status.success(), "{status}");
    let said = second.process.output();
    assert!(said.contains("another Shadow agent"), "{said}");
    // Another interface is free, and so is this one once its agent is gone, however it went.
    plan("third", "s1").start(&scene.lab.server).stop();
    first.process.signal(Signal::KILL);
    first.process.wait(Duration::from_secs(5));
    let mut next = plan("fourth", Lab::LINK).start(&scene.lab.server);
    visit(&scene, 3);
    assert_laws(&next.settled(3));
    next.stop();
}

#[test]
fn a_program_that_goes_in_front_later_is_named() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let mut agent = scene.observer().start(&scene.lab.server);
    let before = |agent: &Agent| agent.status()["interfaces"][0]["before_ingress"].clone();
    assert_eq!(before(&agent), serde_json::json!([]), "{}", agent.status());
    scene.lab.server.run(|| {
        let mut other = Program::load(&LoadOptions {
            ring_bytes: 1 << 16,
            ..LoadOptions::default()
        })
        .expect("the program loads");
        let program = other.attacher.program(Hook::Ingress).expect("it is there");
        let first = TcAttachOptions::TcxOrder(LinkOrder::first());
        if let Err(error) = program.attach_with_options(Lab::LINK, TcAttachType::Ingress, first) {
            println!("SKIPPED: no TCX on this kernel: {error}");
            return;
        }
        wait_until("it is named", Duration::from_secs(30), || {
            before(&agent).as_array().is_some_and(|names| names.len() == 1)
        });
        let warnings = agent.status()["warnings"].to_string();
        assert!(warnings.contains("before the capture"), "{warnings}");
    });
    wait_until("it is gone again", Duration::from_secs(30), || {
        before(&agent) == serde_json::json!([])
    });
    agent.stop();
}
