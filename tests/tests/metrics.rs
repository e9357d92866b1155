//! Metrics: every counter and every reason, in a form that Prometheus' own tool accepts, with the same figures as the
//! report.

use std::{
    io::Write as _,
    net::SocketAddr,
    process::{Command, Stdio},
};

use shadow_tests::{client::Connection, laws::assert_laws, need, scene::Scene};

#[test]
fn promtool_accepts_them_and_they_agree_with_the_report() {
    need!(Root, Program("nginx"), Program("promtool"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = scene
        .agent()
        .args(&["--metrics", "127.0.0.1:9464"])
        .start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..30 {
            connection.get("/1k.json", "").unwrap();
        }
        connection.post("/early", "", b"x").unwrap();
    });
    let report = agent.settled(31);
    let text = scene.lab.server.run(|| {
        let mut connection = Connection::open(SocketAddr::from(([127, 0, 0, 1], 9464))).unwrap();
        let answer = connection.get("/metrics", "").unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").is_some(), "{:?}", answer.headers);
        String::from_utf8(answer.body).unwrap()
    });
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let judged = promtool.wait_with_output().unwrap();
    assert!(
        judged.status.success() && judged.stderr.is_empty(),
        "{}{}\n{text}",
        String::from_utf8_lossy(&judged.stdout),
        String::from_utf8_lossy(&judged.stderr)
    );
    for name in ["match", "write", "emitted", "ring_full", "queue_full", "timeout"] {
        assert!(
            text.contains(&format!("\"{name}\"")),
            "{name} has no metric:\n{text}"
        );
    }
    let matched: f64 = text
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains("\"match\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .fold(0.0, f64::max);
    assert!(
        (matched - 30.0).abs() < 0.5,
        "{matched} matches, 30 in the report:\n{text}"
    );
    assert_eq!(report.funnel.matched, 30);
    assert_laws(&agent.stop());
}
