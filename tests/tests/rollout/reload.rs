use std::{thread, time::Duration};

use rustix::process::Signal;
use shadow_tests::{
    client::Connection,
    laws::assert_laws,
    need,
    netns::Lab,
    process::wait_until,
    scene::Scene,
    servers::{Behaviour, Server},
};

use super::{config, rollout, sample, start};

#[test]
fn what_can_change_live_does_and_the_rest_is_named() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "capture: {sample: 50%}\n");
    config(
        &scene,
        "capture: {sample: 25%, ring_size: 64MiB}\nrollout: {attempts: 9}\n",
    );
    let said = agent.must(&["config", "reload"]);
    assert!(
        said.contains("in force now: capture.sample, rollout.attempts"),
        "{said}"
    );
    assert!(said.contains("needs a restart: capture.ring_size"), "{said}");
    assert!((sample(&agent) - 0.25).abs() < 1e-6, "{}", sample(&agent));
    // Settings that need a restart are listed again; those already in force are not.
    let again = agent.must(&["config", "reload"]);
    assert!(
        !again.contains("in force now") && again.contains("capture.ring_size"),
        "{again}"
    );
    // A signal does the same.
    config(&scene, "capture: {sample: 10%}\n");
    agent.process.signal(Signal::HUP);
    wait_until("the sample follows", Duration::from_secs(5), || {
        (sample(&agent) - 0.1).abs() < 1e-6
    });
    agent.stop();
}

#[test]
fn rules_reloaded_in_the_middle_change_the_verdicts() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{\"other\":1}".to_vec()),
    );
    let mut agent = start(&scene, "");
    let visit = |count: u64| {
        let before = agent.report().funnel;
        scene.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).unwrap();
            for _ in 0..count {
                connection.get("/1k.json", "").unwrap();
            }
        });
        let after = agent.settled(before.exchanges + count).funnel;
        (
            after.matched - before.matched,
            after.mismatched - before.mismatched,
            after.skipped_total - before.skipped_total,
        )
    };
    assert_eq!(visit(10), (0, 10, 0));
    config(
        &scene,
        "compare: {ignore: ['$.*'], headers: [], header_presence: []}\n",
    );
    let said = agent.must(&["config", "reload"]);
    assert!(said.contains("compare.ignore"), "{said}");
    assert_eq!(visit(10), (10, 0, 0), "what differs is ignored now");
    config(&scene, "shadow: {select: {exclude: [{path: '/1k.json'}]}}\n");
    let said = agent.must(&["config", "reload"]);
    assert!(said.contains("shadow.select.exclude"), "{said}");
    assert_eq!(visit(10), (0, 0, 10), "it is not selected any more");
    // And back again, as if nothing had been changed.
    config(&scene, "");
    agent.must(&["config", "reload"]);
    assert_eq!(visit(10), (0, 10, 0));
    assert_laws(&agent.stop());
}

#[test]
fn limits_of_every_target_follow_the_file() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let other = Lab::shadow_system(81);
    let shadow = |address| {
        let answer = Behaviour::Answer(b"{\"other\":1}".to_vec());
        Server::start(&scene.lab.shadow, address, answer)
    };
    let (first, second) = (shadow(Scene::shadow()), shadow(other));
    let also = |more: &str| format!("also: [{{name: next, url: 'http://{other}'{more}}}]\n");
    let mut agent = start(&scene, &also(""));
    // A hundred requests in a second.
    let visit = || {
        let before = (
            agent.report().funnel.exchanges,
            first.received().len(),
            second.received().len(),
        );
        scene.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).unwrap();
            for _ in 0..100 {
                connection.get("/1k.json", "").unwrap();
                thread::sleep(Duration::from_millis(10));
            }
        });
        agent.settled(before.0 + 100);
        (
            first.received().len() - before.1,
            second.received().len() - before.2,
        )
    };
    assert_eq!(visit(), (100, 100));
    config(
        &scene,
        &format!(
            "shadow: {{requests_per_second: 5, max_wait: 100ms}}\n{}",
            also(", requests_per_second: 20")
        ),
    );
    let said = agent.must(&["config", "reload"]);
    for key in [
        "shadow.requests_per_second",
        "shadow.max_wait",
        "also.next.requests_per_second",
    ] {
        assert!(said.contains(key), "{key} is not in {said}");
    }
    assert!(!said.contains("needs a restart"), "{said}");
    let (slow, less_slow) = visit();
    // A second or more of visits; how much more depends on the machine.
    assert!((4..=60).contains(&slow), "{slow} of 5 a second");
    assert!(
        (15..=95).contains(&less_slow) && less_slow > slow,
        "{less_slow} of 20 a second"
    );
    config(&scene, &also(""));
    agent.must(&["config", "reload"]);
    assert_eq!(visit(), (100, 100), "as before");

    assert_laws(&agent.stop());
}

#[test]
fn credentials_change_as_far_as_the_confined_agent_reaches() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{}".to_vec()),
    );
    let mut agent = start(&scene, "");
    // Credentials of the request on arrival.
    let visit = || {
        let before = agent.report().funnel.exchanges;
        scene.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).unwrap();
            connection
                .get("/1k.json", "Authorization: Bearer of-the-user\r\n")
                .unwrap();
        });
        agent.settled(before + 1);
        let received = shadow.received();
        let last = received.last().expect("it is replayed");
        last.header("authorization").map(str::to_owned)
    };
    let token = |folder: &std::path::Path| {
        let file = folder.join("token");
        std::fs::write(&file, "of-the-shadow\n").unwrap();
        format!(
            "shadow: {{credentials: {{replace: [{{header: Authorization, scheme: Bearer, file: {}}}]}}}}\n",
            file.display()
        )
    };
    assert_eq!(visit().as_deref(), Some("Bearer of-the-user"));
    config(&scene, "shadow: {credentials: strip}\n");
    let said = agent.must(&["config", "reload"]);
    assert!(
        said.contains("in force now: shadow.credentials.default"),
        "{said}"
    );
    assert_eq!(visit(), None);
    // A token next to the configuration, in a folder that the agent may read.
    config(&scene, &token(scene.directory.path()));
    agent.must(&["config", "reload"]);
    assert_eq!(visit().as_deref(), Some("Bearer of-the-shadow"));
    // And one elsewhere, in a folder it has given up: the file is named, and the former one stays in use.
    let elsewhere = tempfile::tempdir().unwrap();
    config(&scene, &token(elsewhere.path()));
    let said = agent.must(&["config", "reload"]);
    assert!(
        said.contains("needs a restart: shadow.credentials.replace"),
        "{said}"
    );
    assert_eq!(visit().as_deref(), Some("Bearer of-the-shadow"));
    assert_laws(&agent.stop());
}

#[test]
fn a_trip_rule_that_is_new_pauses_every_target() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let other = Lab::shadow_system(81);
    let wrong = |address| {
        let answer = Behaviour::Answer(b"{\"other\":1}".to_vec());
        Server::start(&scene.lab.shadow, address, answer)
    };
    let _both = (wrong(Scene::shadow()), wrong(other));
    let also = format!("also: [{{name: next, url: 'http://{other}'}}]\n");
    let mut agent = start(&scene, &also);
    config(
        &scene,
        &format!("{also}trips: {{mismatches: {{above: 50%, minimum: 20, within: 10s}}}}\n"),
    );
    assert!(agent.must(&["config", "reload"]).contains("trips.mismatches"));
    let paused = || {
        let status = agent.status();
        let lanes = status["lanes"].as_array().unwrap().clone();
        lanes.iter().all(|lane| lane["paused"]["rule"] == "mismatches")
    };
    wait_until("the rule has paused both", Duration::from_secs(20), || {
        scene.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).unwrap();
            for _ in 0..20 {
                connection.get("/1k.json", "").unwrap();
            }
        });
        thread::sleep(Duration::from_millis(100));
        paused()
    });
    assert_laws(&agent.stop());
}

#[test]
fn an_error_changes_nothing() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "capture: {sample: 50%}\n");
    for (text, parts) in [
        // A valid change before a broken line.
        (
            "capture:\n  sample: 1%\n  ringsize: 64MiB\n",
            &["shadow.yaml:3:3:", "did you mean `ring_size`"][..],
        ),
        (
            "capture: {sample: 1%}\nrollout: {phases: []}\n",
            &["rollout.phases: there are 0 phases"],
        ),
        ("capture: {sample: 1%", &["shadow.yaml:"]),
    ] {
        config(&scene, text);
        let output = agent.ask(&["config", "reload"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{said}");
        for part in [&["nothing was changed"], parts].concat() {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert!((sample(&agent) - 0.5).abs() < 1e-6, "{}", sample(&agent));
    }
    agent.process.signal(Signal::HUP);
    wait_until("the log says why", Duration::from_secs(5), || {
        agent.process.output().contains("SIGHUP: nothing was changed")
    });
    assert!(agent.process.is_running());
    // A rollout does not let the file raise the sample above the rollout's own.
    rollout(&agent, &["start"]);
    config(&scene, "capture: {sample: 90%}\n");
    let output = agent.ask(&["config", "reload"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("the rollout allows at most"),
        "{said}"
    );
    agent.stop();
}
