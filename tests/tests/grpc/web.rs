//! gRPC-Web and Connect over HTTP/1.1, between connect-node's clients and server, in binary and in JSON.

use std::{
    collections::BTreeMap, fs, net::SocketAddr, os::unix::fs::symlink, path::Path, process::Command,
    time::Duration,
};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{ALL_ONCE, Plan},
    laws::assert_laws,
    need,
    need::modules,
    netns::{Lab, Netns},
    process::{Launch, Process, wait_until},
    shop::rpc::DESCRIPTORS,
};

const PORT: u16 = 8_080;

/// Calls of each method by each client; every fifth one is refused.
const ROUNDS: u64 = 20;

/// Methods that only read, by the set of descriptors; `Put` is a write, whatever the protocol.
const READS: u64 = 2;

/// gRPC-Web and Connect, each in both formats, and Connect with GET.
const CLIENTS: u64 = 5;

fn server(namespace: &Netns, directory: &Path, address: SocketAddr, edition: &str) -> Process {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let process = Launch::new("node", &directory.join(format!("server-{host}")))
        .args([directory.join("server.mjs").display().to_string(), host, port])
        .args([
            directory.join("shop.pb").display().to_string(),
            edition.to_owned(),
        ])
        .start(namespace);
    wait_until("the server is ready", Duration::from_secs(20), || {
        process.output().contains("ready")
    });
    process
}

/// Makes the calls.
fn calls(namespace: &Netns, directory: &Path) {
    let output = namespace.run(|| {
        Command::new("node")
            .arg(directory.join("client.mjs"))
            .args([Lab::production(PORT).to_string(), ROUNDS.to_string()])
            .arg(directory.join("shop.pb"))
            .output()
            .expect("the client starts")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// The last report on the calls.
fn mirrored(edition: &str, by_name: bool) -> Report {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let home = directory.path();
    symlink(modules(), home.join("node_modules")).expect("a link");
    fs::write(home.join("server.mjs"), include_str!("web_server.mjs")).expect("a script");
    fs::write(home.join("client.mjs"), include_str!("web_client.mjs")).expect("a script");
    fs::write(home.join("shop.pb"), DESCRIPTORS).expect("a set");
    for address in [Lab::production(PORT), Lab::shadow_system(PORT)] {
        fs::create_dir(home.join(format!("server-{}", address.ip()))).expect("a folder");
    }
    let config = home.join("shadow.yaml");
    let rules = if by_name {
        format!(
            "compare: {{proto_descriptors: {}}}\n",
            home.join("shop.pb").display()
        )
    } else {
        "shadow: {writes: {grpc: {safe: [shop.Shop/Get, shop.Shop/List]}}}\n".to_owned()
    };
    fs::write(&config, rules).expect("a configuration");
    let lab = Lab::new();
    let shadow = Lab::shadow_system(PORT);
    let _production = server(&lab.server, home, Lab::production(PORT), "");
    let _shadow = server(&lab.shadow, home, shadow, edition);
    let url = format!("http://{shadow}");
    let mut agent = Plan::new(home)
        .capture(Lab::LINK, PORT)
        .args(&["--shadow", &url, "--config", &config.display().to_string()])
        .args(&ALL_ONCE)
        .start(&lab.server);
    calls(&lab.client, home);
    let all = CLIENTS * (READS + 1) * ROUNDS;
    assert_laws(&agent.settled(all));
    let last = agent.stop();
    assert_laws(&last);
    println!("{edition}: {:#?}", last.funnel);
    assert_eq!(last.funnel.exchanges, all, "{:#?}", last.funnel);
    assert_eq!(
        last.funnel.skipped,
        BTreeMap::from([("grpc_write".to_owned(), CLIENTS * ROUNDS)]),
        "{:#?}",
        last.funnel
    );
    last
}

#[test]
fn calls_of_the_web_to_an_identical_system_differ_in_nothing() {
    need!(Root, Program("node"), Node("@connectrpc/connect-node"));
    for by_name in [true, false] {
        let report = mirrored("", by_name);
        let funnel = &report.funnel;
        assert_eq!(
            (funnel.matched, funnel.mismatched, funnel.shadow_errors),
            (CLIENTS * READS * ROUNDS, 0, 0),
            "{:#?}",
            report.groups
        );
    }
}

#[test]
fn faults_of_calls_of_the_web_are_found_at_their_fields() {
    need!(Root, Program("node"), Node("@connectrpc/connect-node"));
    let report = mirrored("other", true);
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
            ("status", "status"),
            ("status", "trailer grpc-status"),
            ("value", "$.items[sku=pot].unitPrice"),
            ("value", "event 1 $.stock"),
            ("value", "event 2 $.stock"),
            ("value", "trailer grpc-status-details-bin $.3.2.1"),
        ],
        "{:#?}",
        report.groups
    );
}
