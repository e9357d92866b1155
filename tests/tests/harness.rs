//! Tests of the harness itself: a promise tested on a broken wire is not tested.

use std::{path::Path, time::Duration};

use shadow_tests::{
    client::Connection,
    need,
    netns::Lab,
    nginx::{FILES, Nginx, www},
    process::{Launch, wait_until},
    servers::{Behaviour, Server},
};

#[test]
fn nginx_answers_over_the_wire_in_every_way_that_tests_use() {
    need!(Root, Program("nginx"), Program("setpriv"));
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new();
    let www = www(directory.path());
    let _nginx = Nginx::start(&lab.server, "production", &www, Lab::production(80));
    lab.client.run(|| {
        for address in [Lab::production(80), Lab::production_v6(80)] {
            let mut connection = Connection::open(address).unwrap();
            for (name, length) in FILES {
                let plain = connection.get(&format!("/{name}"), "").unwrap();
                assert_eq!((plain.status, plain.body.len() >= length), (200, true), "{name}");
                let chunked = connection.get(&format!("/chunked/{name}"), "").unwrap();
                assert_eq!(chunked.body, plain.body, "{name}");
                let head = connection.request("HEAD", &format!("/{name}"), "").unwrap();
                assert_eq!(
                    head.header("content-length"),
                    plain.header("content-length"),
                    "{name}"
                );
            }
            let chunked = connection.get("/chunked/64k.json", "").unwrap();
            assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
            let zipped = connection
                .get("/zip/64k.json", "Accept-Encoding: gzip\r\n")
                .unwrap();
            assert_eq!(zipped.header("content-encoding"), Some("gzip"));
            let body = vec![b'x'; 300_000];
            assert_eq!(
                connection.post("/read", "", &body).unwrap().body,
                b"{\"read\":true}"
            );
            assert_eq!(
                connection.post("/early", "", &body).unwrap().body,
                b"{\"ok\":true}"
            );
            let early = connection.post_chunked("/early", "", &body, 4_000).unwrap();
            assert_eq!(early.status, 200);
            let read = connection.post_chunked("/read", "", &body, 4_000).unwrap();
            assert_eq!(read.status, 200);
            assert_eq!(connection.get("/empty", "").unwrap().status, 204);
        }
    });
}

#[test]
fn a_killed_test_leaves_no_process_and_no_namespace() {
    need!(Root, Program("setpriv"));
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new();
    let pid = {
        let sleeper = Launch::new("sleep", directory.path())
            .args(["1000"])
            .start(&lab.server);
        sleeper.pid()
    };
    wait_until("the child is gone with its guard", Duration::from_secs(5), || {
        !Path::new(&format!("/proc/{pid}")).exists()
    });
    let names = std::fs::read_dir("/run/netns").map_or(0, |entries| {
        let ours = format!("shadow-{}-", std::process::id());
        entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours))
            .count()
    });
    assert_eq!(names, 0, "namespaces with a name outlive a killed test");
}

#[test]
fn the_recording_server_sees_what_the_client_sent() {
    need!(Root);
    let lab = Lab::new();
    let server = Server::start(
        &lab.shadow,
        Lab::shadow_system(80),
        Behaviour::Answer(b"{}".to_vec()),
    );
    lab.server.run(|| {
        let mut connection = Connection::open(server.address()).unwrap();
        connection.post("/a", "X-Case: Kept\r\n", b"0123456789").unwrap();
        connection.post_chunked("/b", "", b"0123456789", 3).unwrap();
    });
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].start, "POST /a");
    assert_eq!(received[0].headers[1], ("X-Case".to_owned(), "Kept".to_owned()));
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(server.connections(), 1);
}
