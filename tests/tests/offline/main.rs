//! Recorded traffic, end to end: the agent's recording beside the mirroring is what was on the wire, contains no secret
//! unless asked for, and a replay of it against the same system finds no difference.

mod disk;
mod inputs;
mod logs;
mod record;
mod reports;
mod resume;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use shadow_core::evidence::{Ruling, report::Report};
use shadow_tests::{
    agent,
    laws::assert_laws,
    need,
    netns::Lab,
    process::Launch,
    scene::{PORT, Scene},
    traffic,
};

/// Mirrors and records varied traffic; returns the scene, the last report, and how many requests were answered.
fn recorded(redact: &str) -> (Scene, Report, u64) {
    let scene = Scene::new();
    let file = scene.directory.path().join("traffic.pcapng");
    let config = scene.directory.path().join("record.yaml");
    let text = format!("record: {{file: {}, redact: {redact}}}\n", file.display());
    fs::write(&config, text).expect("a configuration");
    let mut agent = scene
        .observer()
        .args(&["--config", &config.to_string_lossy()])
        .start(&scene.lab.server);
    let servers = [Scene::production(), Lab::production_v6(PORT)];
    let answered = scene.lab.client.run(|| traffic::varied(&servers, 3));
    agent.settled(answered);
    let report = agent.stop();
    assert_laws(&report);
    (scene, report, answered)
}

/// The number of packets that pass a display filter of tshark, as an independent reader.
fn tshark(file: &Path, filter: &str) -> usize {
    let output = Command::new("tshark")
        .args([
            "-n",
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
            "-Y",
            filter,
            "-r",
        ])
        .arg(file)
        .output()
        .expect("tshark runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).lines().count()
}

#[test]
fn a_recording_is_replayed_and_nothing_differs() {
    need!(Root, Program("nginx"), Program("tshark"));
    let (scene, live, answered) = recorded("none");
    let file = scene.directory.path().join("traffic.pcapng");
    let mode = fs::metadata(&file).expect("the recording").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(live.funnel.exchanges, answered, "{:#?}", live.funnel);
    assert_eq!(
        tshark(&file, "ip.checksum.status == 0 || tcp.checksum.status == 0"),
        0
    );
    assert!(tshark(&file, "http.request") > 0);

    let _shadow = scene.identical_shadow();
    let url = format!("http://{}", Scene::shadow());
    let words = [
        "replay", "--speed", "max", "--writes", "replay", "--json", "--shadow", &url,
    ];
    let mut replay = Launch::new(agent::binary(), scene.directory.path())
        .args(words)
        .args([file.as_os_str()])
        .start(&scene.lab.server);
    let code = replay.wait(Duration::from_mins(1)).code();
    let text = replay.stdout();
    let report: Report =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", replay.output()));
    assert_laws(&report);
    assert_eq!(report.funnel.exchanges, answered, "{:#?}", report.funnel);
    assert_eq!(report.funnel.mismatched, 0, "{:#?}", report.groups);
    assert_eq!(report.funnel.shadow_errors, 0, "{:#?}", report.funnel.failures);
    assert_eq!(
        report.funnel.matched, report.funnel.replayed,
        "{:#?}",
        report.funnel
    );
    assert!(report.funnel.matched > 0, "{:#?}", report.funnel);
    let latency = report
        .judgement
        .reasons
        .iter()
        .find(|reason| reason.gate == "latency");
    let latency = latency.expect("the gate");
    assert_eq!(latency.ruling, Ruling::Go, "shown, and not judged: {latency:?}");
    assert!(latency.text.contains("not judged"), "{latency:?}");
    let expected = match report.judgement.ruling {
        Ruling::Go => 0,
        Ruling::NoGo => 1,
        Ruling::InsufficientEvidence => 2,
    };
    assert_eq!(code, Some(expected));
}

#[test]
fn a_masked_recording_has_every_exchange_and_no_body() {
    need!(Root, Program("nginx"), Program("tshark"));
    let (scene, _live, answered) = recorded("all");
    let file = scene.directory.path().join("traffic.pcapng");
    let requests = tshark(&file, "http.request");
    assert!(requests > 0, "of {answered} requests");
    // No packet contains JSON or text of nginx's files: every byte of a body is an asterisk.
    assert_eq!(tshark(&file, "json.key"), 0);
    let output = Command::new(agent::binary())
        .args(["inspect", "--json"])
        .arg(&file)
        .output()
        .expect("inspect runs");
    let lines = String::from_utf8_lossy(&output.stdout).lines().count() as u64;
    assert_eq!(
        lines,
        answered + 1,
        "a line for each exchange and one for the summary"
    );
    let refused = Command::new(agent::binary())
        .args(["replay", "--shadow", "http://127.0.0.1:9"])
        .arg(&file)
        .output()
        .expect("replay runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(65), "{said}");
    assert!(said.contains("record again with --redact none"), "{said}");
}
