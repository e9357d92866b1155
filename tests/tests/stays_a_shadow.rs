//! Promise 5, shadow stays a shadow: writes are not sent unless configured, replays are marked and never mirrored
//! again, and no secret goes where it should not.

use shadow_common::stat::Stat;
use shadow_tests::{
    client::Connection,
    laws::assert_laws,
    need,
    scene::Scene,
    servers::{Behaviour, Server},
};

const WRITES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

fn recorder(scene: &Scene) -> Server {
    Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{}".to_vec()),
    )
}

#[test]
fn writes_never_reach_the_shadow_system_by_default() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = recorder(&scene);
    let mut agent = scene.agent().start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for method in WRITES {
            for _ in 0..5 {
                connection
                    .request(method, "/early", "Content-Length: 0\r\n")
                    .unwrap();
            }
            connection.get("/1k.json", "").unwrap();
        }
        connection.request("HEAD", "/1k.json", "").unwrap();
        connection.request("OPTIONS", "/early", "").unwrap();
    });
    let report = agent.settled(26);
    assert_laws(&report);
    assert_eq!(report.funnel.skipped["write"], 20, "{:#?}", report.funnel);
    let counts = shadow.counts();
    assert_eq!(
        counts.keys().collect::<Vec<_>>(),
        ["GET /1k.json", "HEAD /1k.json", "OPTIONS /early"],
        "{counts:?}"
    );
    assert_eq!(counts["GET /1k.json"], 4);
    agent.stop();
}

#[test]
fn replays_are_marked_and_are_never_captured_again() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = recorder(&scene);
    // The shadow system has production's port, and the link to it is captured, too.
    let mut agent = scene
        .agent()
        .args(&["--interface", "s1"])
        .start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..50 {
            connection.get("/1k.json", "").unwrap();
        }
    });
    let report = agent.settled(50);
    assert_laws(&report);
    assert_eq!(report.funnel.exchanges, 50, "{:#?}", report.funnel);
    assert!(
        report.funnel.kernel(Stat::Own) >= 100,
        "{:#?}",
        report.funnel.kernel
    );
    assert_eq!(shadow.received().len(), 50);
    for request in shadow.received() {
        let marked = request
            .headers
            .iter()
            .any(|(name, _)| name.to_ascii_lowercase().contains("shadow"));
        assert!(marked, "{:?}", request.headers);
    }
    agent.stop();
}

#[test]
fn a_request_that_is_a_replay_already_is_not_replayed() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = recorder(&scene);
    let mut agent = scene.agent().start(&scene.lab.server);
    let visit = |extra: &str| {
        scene.lab.client.run(|| {
            Connection::open(Scene::production())
                .unwrap()
                .get("/1k.json", extra)
                .unwrap();
        });
    };
    visit("");
    agent.settled(1);
    let received = shadow.received();
    let (name, value) = received[0]
        .headers
        .iter()
        .find(|(name, _)| name.to_ascii_lowercase().contains("shadow"))
        .expect("a marker");
    visit(&format!("{name}: {value}\r\n"));
    let report = agent.settled(2);
    assert_laws(&report);
    assert_eq!(
        report.funnel.skipped["already_a_replay"], 1,
        "{:#?}",
        report.funnel
    );
    assert_eq!(shadow.received().len(), 1);
    agent.stop();
}

#[test]
fn hop_by_hop_fields_stay_and_the_rest_arrives_in_order() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let shadow = recorder(&scene);
    let mut agent = scene.agent().start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        let extra = "X-First: 1\r\nx-lower: 2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 3\r\nX-First: 4\r\nTE: trailers\r\n";
        connection.get("/1k.json?a=%2F&b", extra).unwrap();
    });
    agent.settled(1);
    agent.stop();
    let received = shadow.received();
    assert_eq!(received.len(), 1);
    let request = &received[0];
    assert_eq!(request.start, "GET /1k.json?a=%2F&b");
    let fields: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, _)| {
            name.to_ascii_lowercase().starts_with("x-") && !name.to_ascii_lowercase().contains("shadow")
        })
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(fields, [("X-First", "1"), ("x-lower", "2"), ("X-First", "4")]);
    assert_eq!(request.header("te"), None);
    assert!(request.header("host").is_some(), "{:?}", request.headers);
}
