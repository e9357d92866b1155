//! A shadow system that is down, slow, or faulty is a counted outcome. Production does not notice, and memory is
//! bounded.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{Agent, Plan},
    client::Connection,
    laws::assert_laws,
    need,
    scene::Scene,
    servers::{Behaviour, Server},
};

const VISITS: u64 = 40;

/// Visits production while the shadow system behaves as given; returns the report and the agent, which is still
/// running.
fn visited(scene: &Scene, plan: Plan) -> (Report, Agent) {
    let agent = plan.start(&scene.lab.server);
    let slowest = scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        let mut slowest = Duration::ZERO;
        for _ in 0..VISITS {
            let start = Instant::now();
            assert_eq!(connection.get("/1k.json", "").unwrap().status, 200);
            slowest = slowest.max(start.elapsed());
        }
        slowest
    });
    // The test machine is busy; a production that waited for the shadow system would take seconds.
    assert!(
        slowest < Duration::from_millis(500),
        "production took {slowest:?}"
    );
    let report = agent.settled(VISITS);
    assert_laws(&report);
    assert_eq!(report.funnel.replayed, VISITS, "{:#?}", report.funnel);
    assert_eq!(report.funnel.shadow_errors, VISITS, "{:#?}", report.funnel);
    (report, agent)
}

fn failures(report: &Report) -> BTreeMap<&str, u64> {
    report
        .funnel
        .failures
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| (name.as_str(), *count))
        .collect()
}

fn fails_as(behaviour: Behaviour, failure: &str) {
    let scene = Scene::new();
    let _shadow = Server::start(&scene.lab.shadow, Scene::shadow(), behaviour);
    let (report, mut agent) = visited(&scene, scene.agent().args(&["--timeout", "500ms"]));
    assert_eq!(failures(&report), BTreeMap::from([(failure, VISITS)]));
    assert_laws(&agent.stop());
}

#[test]
fn down() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let (report, mut agent) = visited(&scene, scene.agent());
    assert_eq!(failures(&report), BTreeMap::from([("connect", VISITS)]));
    assert_laws(&agent.stop());
}

#[test]
fn silent() {
    need!(Root, Program("nginx"));
    fails_as(Behaviour::Silent, "timeout");
}

#[test]
fn slower_than_the_timeout() {
    need!(Root, Program("nginx"));
    fails_as(Behaviour::Slow(Duration::from_secs(2)), "timeout");
}

#[test]
fn closes_early() {
    need!(Root, Program("nginx"));
    fails_as(Behaviour::CloseEarly, "closed_early");
}

#[test]
fn resets() {
    need!(Root, Program("nginx"));
    fails_as(Behaviour::Reset, "reset");
}

#[test]
fn answers_garbage() {
    need!(Root, Program("nginx"));
    fails_as(Behaviour::Garbage, "protocol");
}

#[test]
fn answers_ten_gigabytes() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = Server::start(&scene.lab.shadow, Scene::shadow(), Behaviour::Endless);
    let (report, mut agent) = visited(&scene, scene.agent());
    let peak = agent.process.peak_rss() >> 20;
    println!(
        "read {} MiB in all, peak {peak} MiB resident",
        shadow.sent() >> 20
    );
    let known = failures(&report);
    assert!(
        known
            .keys()
            .all(|name| ["response_over_limit", "timeout"].contains(name)),
        "{known:?}"
    );
    assert!(peak < 512, "{peak} MiB resident");
    assert_laws(&agent.stop());
}

#[test]
fn answers_with_an_endless_head() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = Server::start(&scene.lab.shadow, Scene::shadow(), Behaviour::EndlessHead);
    let (report, mut agent) = visited(&scene, scene.agent());
    let known = failures(&report);
    assert!(
        known
            .keys()
            .all(|name| ["response_over_limit", "protocol"].contains(name)),
        "{known:?}"
    );
    assert!(
        agent.process.peak_rss() < 512 << 20,
        "{} bytes",
        agent.process.peak_rss()
    );
    assert_laws(&agent.stop());
}

#[test]
fn a_slow_one_sheds_what_it_cannot_take_and_says_so() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Slow(Duration::from_millis(100)),
    );
    let mut agent = scene
        .agent()
        .args(&["--concurrency", "2", "--queue", "10"])
        .start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..500 {
            connection.get("/1k.json", "").unwrap();
        }
    });
    let report = agent.settled(500);
    assert_laws(&report);
    assert!(report.funnel.skipped["queue_full"] > 300, "{:#?}", report.funnel);
    assert!(
        report.funnel.replayed >= 10,
        "what the queue holds is replayed: {:#?}",
        report.funnel
    );
    agent.stop();
}
