//! Promise 2, it stops when orphaned: an agent that is dead or hung no longer copies anything, and a hung agent can
//! still be stopped.

use std::time::Duration;

use rustix::process::Signal;
use shadow_common::stat::Stat;
use shadow_tests::{
    agent::{PATIENCE, binary},
    attached,
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    process::{Launch, wait_until},
    scene::Scene,
};

fn visits(scene: &Scene, count: u32) {
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..count {
            assert_eq!(connection.get("/1k.json", "").unwrap().status, 200);
        }
    });
}

#[test]
fn kill_9_leaves_no_program_and_a_new_agent_starts() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let mut agent = scene.observer().start(&scene.lab.server);
    visits(&scene, 10);
    agent.settled(10);
    assert!(
        !attached::programs(&scene.lab.server, Lab::LINK).is_empty(),
        "nothing was attached"
    );
    agent.process.signal(Signal::KILL);
    agent.process.wait(Duration::from_secs(5));
    wait_until("no program is attached", Duration::from_secs(5), || {
        attached::programs(&scene.lab.server, Lab::LINK).is_empty()
    });
    visits(&scene, 10);
    // The socket and the state of the dead agent are still there, and must not prevent the start.
    let mut next = scene.observer().start(&scene.lab.server);
    visits(&scene, 10);
    assert_laws(&next.settled(10));
    assert_laws(&next.stop());
    assert!(attached::programs(&scene.lab.server, Lab::LINK).is_empty());
}

/// A harmless substitute for an exchange that aborts the agent: it ends while it compares `/1k.json?poison`.
#[test]
fn what_an_agent_died_of_is_skipped_by_the_next_and_its_evidence_is_kept() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let visit = |target: &str| {
        scene.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).unwrap();
            assert_eq!(connection.get(target, "").unwrap().status, 200);
        });
    };
    let mut agent = scene.agent().aborting("poison").start(&scene.lab.server);
    visits(&scene, 10);
    agent.settled(10);
    // Written every five seconds.
    let kept = agent.state().join("report.json");
    wait_until("the report is kept", Duration::from_secs(15), || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("\"exchanges\": 10"))
    });
    visit("/1k.json?poison");
    let status = agent.process.wait(Duration::from_secs(10));
    assert!(!status.success(), "{status}: {}", agent.process.output());

    // The next agent meets the same exchange again, with the same fault.
    let mut next = scene.agent().aborting("poison").start(&scene.lab.server);
    let warnings = next.status()["warnings"].to_string();
    assert!(
        warnings.contains("ended without a word") && warnings.contains("report-ended.json"),
        "{warnings}"
    );
    let text = std::fs::read_to_string(next.state().join("report-ended.json")).unwrap();
    let ended: shadow_core::evidence::report::Report = serde_json::from_str(&text).unwrap();
    assert_eq!(ended.funnel.exchanges, 10, "the evidence of the one that died");
    visit("/1k.json?poison");
    visits(&scene, 5);
    let report = next.settled(6);
    assert_eq!(
        report.funnel.skipped.get("ended_agent"),
        Some(&1),
        "{:#?}",
        report.funnel
    );
    assert_eq!(report.funnel.replayed, 5);
    assert_laws(&report);
    assert_laws(&next.stop());

    // That end was orderly: there is no warning about it.
    let mut last = scene.agent().start(&scene.lab.server);
    assert!(!last.status()["warnings"].to_string().contains("without a word"));
    visit("/1k.json?poison");
    let report = last.settled(1);
    assert_eq!(report.funnel.skipped.get("ended_agent"), Some(&1), "it stays so");
    assert_laws(&last.stop());
}

#[test]
fn a_hung_agent_is_not_fed_and_can_be_told_to_stop() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let config = scene.directory.path().join("shadow.yaml");
    std::fs::write(&config, "capture:\n  heartbeat: 1s\n").unwrap();
    let mut agent = scene
        .observer()
        .args(&["--config", config.to_str().unwrap()])
        .start(&scene.lab.server);
    visits(&scene, 10);
    let before = agent.settled(10);
    assert_eq!(
        before.funnel.kernel(Stat::Expired),
        0,
        "{:#?}",
        before.funnel.kernel
    );
    agent.process.signal(Signal::STOP);
    // The deadline passes; production continues and nothing is copied.
    std::thread::sleep(Duration::from_millis(1_500));
    visits(&scene, 50);
    // These commands must not need the agent.
    agent.must(&["kill"]);
    visits(&scene, 50);
    agent.must(&["sample", "50%"]);
    agent.must(&["resume"]);
    agent.process.signal(Signal::CONT);
    let after = agent.settled_when("the agent is awake", |report| {
        report.funnel.kernel(Stat::Expired) > 0
    });
    let kernel = after.funnel.kernel;
    assert!(
        kernel.get(Stat::Expired) >= 100,
        "50 requests and their answers: {kernel:#?}"
    );
    assert!(
        kernel.get(Stat::Disarmed) >= 100,
        "50 requests and their answers: {kernel:#?}"
    );
    assert_laws(&after);
    agent.must(&["sample", "100%"]);
    visits(&scene, 10);
    agent.settled_when("new visits are seen", |report| {
        report.funnel.exchanges >= before.funnel.exchanges + 10
    });
    assert_laws(&agent.stop());
}

/// The doctor loads a kernel program of its own, to check that this works, and is not an agent.
#[test]
fn the_doctor_does_not_take_itself_for_an_agent() {
    need!(Root);
    let directory = tempfile::tempdir().unwrap();
    let namespace = Netns::new();
    let mut doctor = Launch::new(binary(), directory.path())
        .args(["doctor"])
        .start(&namespace);
    let own = format!("pid {} ", doctor.pid());
    doctor.wait(PATIENCE);
    let said = doctor.stdout();
    assert!(said.contains("agents "), "{}", doctor.output());
    assert!(!said.contains(&own), "{own}is the doctor's:\n{said}");
}
