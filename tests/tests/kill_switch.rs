//! Promise 2, it stops on command: from the next packet on.

use shadow_common::stat::Stat;
use shadow_tests::{
    agent::Agent,
    client::Connection,
    laws::assert_laws,
    need,
    process::wait_until,
    scene::Scene,
    servers::{Behaviour, Server},
};
use std::time::Duration;

fn kernel(agent: &Agent, counter: Stat) -> u64 {
    agent.report().funnel.kernel(counter)
}

#[test]
fn kill_works_from_the_next_packet_and_resume_takes_it_back() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{}".to_vec()),
    );
    let mut agent = scene.agent().start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..20 {
            connection.get("/1k.json", "").unwrap();
        }
        agent.settled(20);
        let (emitted, received) = (kernel(&agent, Stat::Emitted), shadow.received().len());
        assert_eq!(received, 20);

        agent.must(&["kill"]);
        for _ in 0..20 {
            connection.get("/1k.json", "").unwrap();
        }
        assert_eq!(
            kernel(&agent, Stat::Emitted),
            emitted,
            "not one packet after the switch"
        );
        assert!(kernel(&agent, Stat::Disarmed) >= 40, "20 requests and 20 answers");
        assert_eq!(shadow.received().len(), received);

        agent.must(&["resume"]);
        for _ in 0..20 {
            connection.get("/1k.json", "").unwrap();
        }
        let mut fresh = Connection::open(Scene::production()).unwrap();
        fresh.get("/1k.json", "").unwrap();
    });
    wait_until("mirroring continues", Duration::from_secs(10), || {
        shadow.received().len() > 20
    });
    assert_laws(&agent.stop());
}

#[test]
fn kill_cancels_what_is_under_way_and_survives_a_restart() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = Server::start(&scene.lab.shadow, Scene::shadow(), Behaviour::Silent);
    let mut agent = scene.agent().start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..10 {
            connection.get("/1k.json", "").unwrap();
        }
    });
    wait_until("replays are under way", Duration::from_secs(5), || {
        agent.report().funnel.in_flight > 0
    });
    agent.must(&["kill"]);
    let report = agent.settled(10);
    assert_laws(&report);
    let cancelled = report.funnel.failures.get("cancelled").copied().unwrap_or(0)
        + report.funnel.skipped.get("killed").copied().unwrap_or(0);
    assert_eq!(cancelled, 10, "{:#?}", report.funnel);
    agent.stop();
    // Someone stopped it for a reason: a restart alone must not resume it.
    let mut again = scene.agent().start(&scene.lab.server);
    scene.lab.client.run(|| {
        Connection::open(Scene::production())
            .unwrap()
            .get("/1k.json", "")
            .unwrap();
    });
    assert!(
        again.report().funnel.kernel(Stat::Disarmed) > 0,
        "{:#?}",
        again.report().funnel
    );
    assert_eq!(again.report().funnel.kernel(Stat::Emitted), 0);
    again.stop();
}

#[test]
fn sampling_is_by_connection_and_live() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let mut agent = scene
        .observer()
        .args(&["--sample", "0%"])
        .start(&scene.lab.server);
    let connect = |count: u32| {
        scene.lab.client.run(|| {
            for _ in 0..count {
                let mut connection = Connection::open(Scene::production()).unwrap();
                connection.get("/1k.json", "").unwrap();
                connection.get("/1k.json", "").unwrap();
            }
        });
    };
    connect(20);
    assert_eq!(kernel(&agent, Stat::Emitted), 0);
    agent.must(&["sample", "50%"]);
    connect(200);
    let half = agent.settled(100);
    assert_eq!(
        half.funnel.exchanges % 2,
        0,
        "both exchanges of a connection or none: {:#?}",
        half.funnel
    );
    // 400 exchanges, half of the connections: within 5 standard deviations of 100 connections.
    assert!((130..270).contains(&half.funnel.exchanges), "{:#?}", half.funnel);
    agent.must(&["sample", "100%"]);
    connect(20);
    agent.settled(half.funnel.exchanges + 40);
    assert_laws(&agent.stop());
}
