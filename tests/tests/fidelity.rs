//! With `--writes replay` every request arrives at the shadow system complete, byte for byte, whatever its size and
//! framing, even when production answered before it had read the body.

use shadow_tests::{
    client::Connection,
    laws::assert_laws,
    need,
    scene::Scene,
    servers::{Behaviour, Received, Server},
};

/// Name, body bytes, chunk bytes (0: Content-Length).
const KINDS: [(&str, usize, usize); 7] = [
    ("get", 0, 0),
    ("post1k", 1_000, 0),
    ("post8k", 8_000, 0),
    ("post64k", 65_000, 0),
    ("post300k", 300_000, 0),
    ("post2m", 2_000_000, 0),
    ("chunk64k", 65_000, 4_000),
];

fn times(length: usize) -> usize {
    if length < 1_000_000 { 50 } else { 10 }
}

/// A body that no other request has.
fn body(kind: &str, number: usize, length: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes());
    hasher.update(&number.to_le_bytes());
    let mut body = vec![0; length];
    hasher.finalize_xof().fill(&mut body);
    body
}

/// Sends every kind, ten requests per connection; returns the number sent.
fn send_all(target: &str) -> u64 {
    let mut sent = 0;
    let mut connection = Connection::open(Scene::production()).unwrap();
    for (kind, length, chunk) in KINDS {
        for number in 0..times(length) {
            if sent % 10 == 9 {
                connection = Connection::open(Scene::production()).unwrap();
            }
            let extra = format!("X-Kind: {kind}\r\nX-Number: {number}\r\n");
            let body = body(kind, number, length);
            let answer = match (length, chunk) {
                (0, _) => connection.get("/1k.json", &extra),
                (_, 0) => connection.post(target, &extra, &body),
                (_, chunk) => connection.post_chunked(target, &extra, &body, chunk),
            };
            assert_eq!(answer.unwrap().status, 200, "{kind} {number}");
            sent += 1;
        }
    }
    sent
}

/// Good, corrupt and duplicate requests of a kind, as the shadow system received them.
fn judge(received: &[Received], kind: &str, length: usize) -> (usize, usize, usize) {
    let (mut good, mut corrupt, mut seen) = (0, 0, Vec::new());
    for request in received
        .iter()
        .filter(|request| request.header("x-kind") == Some(kind))
    {
        let number: usize = request.header("x-number").unwrap().parse().unwrap();
        if request.body == body(kind, number, length) {
            good += 1;
        } else {
            corrupt += 1;
        }
        seen.push(number);
    }
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    (good, corrupt, all - seen.len())
}

fn every_request_arrives_whole(target: &str) {
    let scene = Scene::new();
    let shadow = Server::start(
        &scene.lab.shadow,
        Scene::shadow(),
        Behaviour::Answer(b"{}".to_vec()),
    );
    let mut agent = scene
        .agent()
        .args(&["--writes", "replay"])
        .start(&scene.lab.server);
    let sent = scene.lab.client.run(|| send_all(target));
    let report = agent.settled(sent);
    assert_laws(&report);
    let received = shadow.received();
    for (kind, length, _) in KINDS {
        assert_eq!(
            judge(&received, kind, length),
            (times(length), 0, 0),
            "{kind}: good, corrupt, twice"
        );
    }
    println!("{sent} requests whole over {} connections", shadow.connections());
    assert!(
        shadow.connections() <= 64,
        "one pool: {} connections",
        shadow.connections()
    );
    agent.stop();
}

#[test]
fn when_production_reads_the_body_first() {
    need!(Root, Program("nginx"));
    every_request_arrives_whole("/read");
}

#[test]
fn when_production_answers_before_it_has_read_the_body() {
    need!(Root, Program("nginx"));
    every_request_arrives_whole("/early");
}
