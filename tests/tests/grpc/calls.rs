//! All four kinds of calls, between grpcio's client and server.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::Plan,
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    process::{Launch, Process, wait_until},
};

const PORT: u16 = 50_051;

/// The Python that Debian's grpcio is for.
const PYTHON: &str = "/usr/bin/python3";

/// A server in a namespace; it ends with this.
fn server(namespace: &Netns, directory: &Path, address: SocketAddr, edition: &str) -> Process {
    let script = directory.join("server.py");
    fs::write(&script, include_str!("server.py")).expect("a script");
    let process = Launch::new(PYTHON, directory)
        .args([&script.display().to_string(), &address.to_string(), edition])
        .start(namespace);
    wait_until("the server is ready", Duration::from_secs(20), || {
        process.output().contains("ready")
    });
    process
}

/// Makes calls, and returns how many of each method.
fn calls(namespace: &Netns, directory: &Path, rounds: u32) -> BTreeMap<String, u64> {
    let script = directory.join("client.py");
    fs::write(&script, include_str!("client.py")).expect("a script");
    let output = namespace.run(|| {
        Command::new(PYTHON)
            .arg(&script)
            .args([Lab::production(PORT).to_string(), rounds.to_string()])
            .output()
            .expect("the client starts")
    });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said.split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(method, count)| (method.to_owned(), count.parse().expect("a number")))
        .collect()
}

/// Mirrors the calls to a server of this edition. Returns the last report, and the calls by method.
fn mirrored(edition: &str, writes: &str, rounds: u32) -> (Report, BTreeMap<String, u64>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::new();
    let _production = server(&lab.server, directory.path(), Lab::production(PORT), "");
    let _shadow = server(&lab.shadow, directory.path(), Lab::shadow_system(PORT), edition);
    let config = directory.path().join("shadow.yaml");
    fs::write(&config, format!("shadow:\n  writes: {writes}\n")).expect("a configuration");
    let mut agent = Plan::new(directory.path())
        .capture(Lab::LINK, PORT)
        .replay(Lab::shadow_system(PORT))
        .args(&["--config", &config.display().to_string()])
        .start(&lab.server);
    let made = calls(&lab.client, directory.path(), rounds);
    let all = made.values().sum();
    let report = agent.settled(all);
    assert_laws(&report);
    let last = agent.stop();
    assert_laws(&last);
    println!("{edition}: {made:?}, {:#?}", last.funnel);
    assert_eq!(last.funnel.exchanges, all, "{:#?}", last.funnel);
    assert!(
        last.funnel
            .skipped
            .keys()
            .all(|reason| reason.starts_with("grpc_")),
        "every field of a connection that was seen from its start is known: {:#?}",
        last.funnel
    );
    (last, made)
}

const READS: &str =
    "{grpc: {safe: [shop.Shop/Get, shop.Shop/List, shop.Shop/Sum, shop.Shop/Large, shop.Shop/Chat]}}";

#[test]
fn calls_to_an_identical_system_differ_in_nothing() {
    need!(Root, File("/usr/lib/python3/dist-packages/grpc/__init__.py"));
    let (report, made) = mirrored("", READS, 20);
    let funnel = &report.funnel;
    assert_eq!(funnel.skipped.get("grpc_interleaved"), made.get("Chat"));
    assert_eq!(funnel.skipped.get("grpc_write"), made.get("Put"));
    assert_eq!(
        (funnel.matched, funnel.mismatched, funnel.shadow_errors),
        (funnel.replayed, 0, 0),
        "{:#?}",
        report.groups
    );
}

#[test]
fn writes_are_replayed_where_that_is_asked_for() {
    need!(Root, File("/usr/lib/python3/dist-packages/grpc/__init__.py"));
    let (report, made) = mirrored("", "replay", 3);
    assert_eq!(
        report.funnel.skipped.keys().collect::<Vec<_>>(),
        ["grpc_interleaved"]
    );
    let replayed: u64 = made.values().sum::<u64>() - made["Chat"];
    assert_eq!(report.funnel.matched, replayed, "{:#?}", report.funnel);
}

#[test]
fn planted_faults_are_found_at_their_fields() {
    need!(Root, File("/usr/lib/python3/dist-packages/grpc/__init__.py"));
    // Its answers are compressed, too.
    let (report, _) = mirrored("other", READS, 20);
    let mut places: Vec<(&str, &str)> = report
        .groups
        .iter()
        .map(|group| (group.category.as_str(), group.place.as_str()))
        .collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(
        places,
        [
            ("status", "trailer grpc-status"),
            ("value", "$.3.2"),
            ("value", "event 1 $.3.2"),
            ("value", "trailer grpc-status-details-bin $.3.2.1")
        ],
        "{:#?}",
        report.groups
    );
    assert!(report.funnel.shadow_errors == 0, "{:#?}", report.funnel);
}
