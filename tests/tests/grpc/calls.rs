//! All four kinds of calls, between grpcio's client and server.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::{ALL_ONCE, Plan},
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    process::{Launch, Process, wait_until},
};

const PORT: u16 = 50_051;

/// The Python that Debian's grpcio is for.
const PYTHON: &str = "/usr/bin/python3";

/// Calls and both servers.
#[derive(Clone, Copy)]
pub(super) struct Call<'c> {
    /// The script of both servers.
    pub(super) server: &'c str,
    pub(super) client: &'c str,
    /// The word that the shadow system's server is given.
    pub(super) edition: &'c str,
    /// The agent's configuration.
    pub(super) config: &'c str,
    pub(super) rounds: u32,
    /// Whether the shadow system is reached over TLS.
    pub(super) tls: bool,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            server: include_str!("server.py"),
            client: include_str!("client.py"),
            edition: "",
            config: "",
            rounds: 20,
            tls: false,
        }
    }
}

/// A server in a namespace; it ends with this.
fn server(namespace: &Netns, script: &Path, address: SocketAddr, words: &[&str]) -> Process {
    let directory = script.parent().expect("a folder");
    let address = address.to_string();
    let process = Launch::new(PYTHON, directory)
        .args([&script.display().to_string(), &address])
        .args(words)
        .start(namespace);
    wait_until("the server is ready", Duration::from_secs(20), || {
        process.output().contains("ready")
    });
    process
}

/// Makes calls, and returns how many of each method.
fn calls(namespace: &Netns, script: &Path, rounds: u32) -> BTreeMap<String, u64> {
    let output = namespace.run(|| {
        Command::new(PYTHON)
            .arg(script)
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

/// Makes a key and a certificate that signs itself, for the address of the shadow system.
fn sign(directory: &Path) {
    let name = format!("subjectAltName=IP:{}", Lab::shadow_system(PORT).ip());
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=shadow",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .args(["-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"])
        .current_dir(directory)
        .output()
        .expect("openssl runs");
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");
}

/// Mirrors the calls, with scripts in this folder. Returns the last report, and the calls by method.
pub(super) fn mirrored(directory: &Path, call: &Call<'_>) -> (Report, BTreeMap<String, u64>) {
    let lab = Lab::new();
    let (server_script, client_script) = (directory.join("server.py"), directory.join("client.py"));
    fs::write(&server_script, call.server).expect("a script");
    fs::write(&client_script, call.client).expect("a script");
    let shadow = Lab::shadow_system(PORT);
    let (url, words) = if call.tls {
        sign(directory);
        (format!("https://{shadow}"), vec![call.edition, "tls"])
    } else {
        (format!("http://{shadow}"), vec![call.edition])
    };
    let _production = server(&lab.server, &server_script, Lab::production(PORT), &[]);
    let _shadow = server(&lab.shadow, &server_script, shadow, &words);
    let config = directory.join("shadow.yaml");
    fs::write(&config, call.config).expect("a configuration");
    let mut agent = Plan::new(directory)
        .capture(Lab::LINK, PORT)
        .args(&["--shadow", &url, "--config", &config.display().to_string()])
        .args(&ALL_ONCE)
        .start(&lab.server);
    let made = calls(&lab.client, &client_script, call.rounds);
    let all = made.values().sum();
    let report = agent.settled(all);
    assert_laws(&report);
    let last = agent.stop();
    assert_laws(&last);
    println!("{}: {made:?}, {:#?}", call.edition, last.funnel);
    assert_eq!(last.funnel.exchanges, all, "{:#?}", last.funnel);
    let reasons: Vec<&String> = last.funnel.skipped.keys().collect();
    assert!(
        reasons.iter().all(|reason| reason.starts_with("grpc_")),
        "every field of a connection that was seen from its start is known: {:#?}",
        last.funnel
    );
    (last, made)
}

/// The same with a folder of its own.
fn alone(call: &Call<'_>) -> (Report, BTreeMap<String, u64>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    mirrored(directory.path(), call)
}

/// The section of the shadow system.
fn section(writes: &str) -> String {
    format!("shadow:\n  writes: {writes}\n")
}

const READS: &str =
    "{grpc: {safe: [shop.Shop/Get, shop.Shop/List, shop.Shop/Sum, shop.Shop/Large, shop.Shop/Chat]}}";

#[test]
fn calls_to_an_identical_system_differ_in_nothing() {
    need!(Root, File("/usr/lib/python3/dist-packages/grpc/__init__.py"));
    let (report, made) = alone(&Call {
        config: &section(READS),
        ..Call::default()
    });
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
fn calls_are_replayed_over_tls() {
    need!(
        Root,
        Program("openssl"),
        File("/usr/lib/python3/dist-packages/grpc/__init__.py")
    );
    let directory = tempfile::tempdir().expect("a temporary directory");
    let trusted = directory.path().join("cert.pem");
    let config = format!("{}  tls: {{ca_file: {}}}\n", section(READS), trusted.display());
    let call = Call {
        config: &config,
        rounds: 5,
        tls: true,
        ..Call::default()
    };
    let (report, _) = mirrored(directory.path(), &call);
    let funnel = &report.funnel;
    assert!(funnel.replayed > 20, "{funnel:#?}");
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
    let (report, made) = alone(&Call {
        config: &section("replay"),
        rounds: 3,
        ..Call::default()
    });
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
    let (report, _) = alone(&Call {
        config: &section(READS),
        edition: "other",
        ..Call::default()
    });
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
