//! `shadow doctor` on a host with a running agent: protocols on its ports, packets that are too large.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use shadow_tests::{laws::assert_laws, need, netns::Lab, scene::Scene};

#[test]
fn protocols_on_the_port_and_big_packets_are_named() {
    need!(Root, Program("nginx"), Program("ip"));
    let scene = Scene::new();
    let mut agent = scene.observer().start(&scene.lab.server);
    let doctor = |agent: &shadow_tests::agent::Agent| agent.must(&["doctor"]);
    let said = doctor(&agent);
    assert!(said.contains("none of another protocol than HTTP"), "{said}");
    assert!(!said.contains("big_tcp"), "{said}");

    // The first bytes of a client of TLS.
    scene.lab.client.run(|| {
        let mut connection = TcpStream::connect(Scene::production()).expect("nginx listens");
        connection
            .write_all(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n")
            .expect("it reads");
        let mut answer = Vec::new();
        drop(connection.read_to_end(&mut answer));
    });
    agent.settled_when("the connection is seen", |report| {
        report.funnel.engine.flows_tls > 0
    });
    let said = doctor(&agent);
    assert!(
        said.contains("1 spoke TLS (tls): capture where it has ended"),
        "{said}"
    );

    let set = scene.lab.server.run(|| {
        Command::new("ip")
            .args(["link", "set", Lab::LINK, "gso_max_size", "185000"])
            .output()
            .expect("ip runs")
    });
    if !set.status.success() {
        println!(
            "SKIPPED: this kernel has no BIG TCP: {}",
            String::from_utf8_lossy(&set.stderr)
        );
        return;
    }
    let said = doctor(&agent);
    assert!(
        said.contains(&format!("{} (185000 bytes) may pass packets", Lab::LINK)),
        "{said}"
    );
    assert_laws(&agent.stop());
}
