//! Interfaces come and go: a new one that matches is attached when it appears, one that is gone is forgotten.

use std::{net::SocketAddr, time::Duration};

use shadow_tests::{
    agent::Plan,
    attached,
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Netns, veth},
    process::wait_until,
    servers::{Behaviour, Server},
};

/// Joins a new client to `server` by a link of this name and visits it.
fn visit_over(server: &Netns, link: &str, number: u8) -> Netns {
    let client = Netns::new();
    veth(server, link, &client, "c0");
    server.address(link, &format!("10.78.{number}.1/24"));
    client.address("c0", &format!("10.78.{number}.2/24"));
    wait_until(
        "the new interface has the program",
        Duration::from_secs(10),
        || !attached::programs(server, link).is_empty(),
    );
    client.run(|| {
        let mut connection = Connection::open(SocketAddr::from(([10, 78, number, 1], 80))).unwrap();
        for _ in 0..5 {
            connection.get("/", "").unwrap();
        }
    });
    client
}

#[test]
fn a_new_interface_that_matches_the_glob_is_captured() {
    need!(Root);
    let directory = tempfile::tempdir().unwrap();
    let server = Netns::new();
    let _production = Server::start(
        &server,
        SocketAddr::from(([0, 0, 0, 0], 80)),
        Behaviour::Answer(b"{}".to_vec()),
    );
    let mut agent = Plan::new(directory.path())
        .capture("pod*", 80)
        .args(&["--observe"])
        .start(&server);
    let first = visit_over(&server, "pod1", 1);
    agent.settled(5);
    let _second = visit_over(&server, "pod2", 2);
    agent.settled(10);
    server.command(&["ip", "link", "del", "pod1"]);
    drop(first);
    // The same name again is another interface.
    let _third = visit_over(&server, "pod1", 3);
    let report = agent.settled(15);
    assert_eq!(report.funnel.exchanges, 15, "{:#?}", report.funnel);
    assert_laws(&report);
    // An interface that does not match is ignored.
    let stranger = Netns::new();
    veth(&server, "other0", &stranger, "c0");
    server.address("other0", "10.78.9.1/24");
    std::thread::sleep(Duration::from_millis(300));
    assert!(attached::programs(&server, "other0").is_empty());
    assert_laws(&agent.stop());
    assert!(attached::programs(&server, "pod2").is_empty());
}

#[test]
fn a_packet_that_passes_two_interfaces_counts_once() {
    need!(Root);
    let directory = tempfile::tempdir().unwrap();
    let server = Netns::new();
    let client = Netns::new();
    // A bridge with the client behind it: each packet passes the port and the bridge.
    server.command(&["ip", "link", "add", "pod-br", "type", "bridge"]);
    veth(&server, "pod-port", &client, "c0");
    server.command(&["ip", "link", "set", "pod-port", "master", "pod-br", "up"]);
    server.address("pod-br", "10.79.0.1/24");
    client.address("c0", "10.79.0.2/24");
    let address = SocketAddr::from(([10, 79, 0, 1], 80));
    let _production = Server::start(&server, address, Behaviour::Answer(b"{}".to_vec()));
    let mut agent = Plan::new(directory.path())
        .capture("pod-*", 80)
        .args(&["--observe"])
        .start(&server);
    client.run(|| {
        let mut connection = Connection::open(address).unwrap();
        for _ in 0..20 {
            connection.get("/", "").unwrap();
        }
    });
    let report = agent.settled(20);
    assert_eq!(report.funnel.exchanges, 20, "{:#?}", report.funnel);
    assert_eq!(
        report.funnel.skipped.get("observe_only"),
        Some(&20),
        "{:#?}",
        report.funnel
    );
    assert_laws(&report);
    agent.stop();
}
