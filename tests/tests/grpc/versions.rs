//! HTTP/2 by prior knowledge between h2load and nginx, replayed over either version.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::Plan,
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    nginx::Nginx,
};

const PORT: u16 = 80;
const REQUESTS: u64 = 400;

/// nginx that speaks one version of HTTP.
fn nginx(namespace: &Netns, directory: &Path, name: &str, address: SocketAddr, version: &str) -> Nginx {
    let server = format!(
        "listen {address} {version};
         location /a {{ return 200 '{{\"name\":\"a\",\"price\":5}}'; }}
         location /b {{ return 404 '{{\"error\":\"none\"}}'; }}"
    );
    Nginx::serving(namespace, &directory.join(name), address, &server)
}

/// Mirrors requests of h2load, eight at once on each of two connections, to an nginx of this version.
fn mirrored(version: &str, protocol: &str) -> Report {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::new();
    let (production, shadow) = (Lab::production(PORT), Lab::shadow_system(PORT));
    let _production = nginx(&lab.server, directory.path(), "production", production, "http2");
    let _shadow = nginx(&lab.shadow, directory.path(), "shadow", shadow, version);
    let config = directory.path().join("shadow.yaml");
    fs::write(&config, format!("shadow:\n  protocol: {protocol}\n")).expect("a configuration");
    let mut agent = Plan::new(directory.path())
        .capture(Lab::LINK, PORT)
        .replay(shadow)
        .args(&["--config", &config.display().to_string()])
        .start(&lab.server);
    let count = REQUESTS.to_string();
    let urls = ["a?n=1", "a?n=2", "b"].map(|path| format!("http://{production}/{path}"));
    let output = lab.client.run(|| {
        Command::new("h2load")
            .args(["-n", &count, "-c", "2", "-m", "8"])
            .args(&urls)
            .output()
            .expect("h2load starts")
    });
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report = agent.settled(REQUESTS);
    assert_laws(&report);
    let last = agent.stop();
    assert_laws(&last);
    println!("{version} {protocol}: {:#?}", last.funnel);
    assert_eq!(last.funnel.exchanges, REQUESTS, "{:#?}", last.funnel);
    last
}

#[test]
fn http2_is_replayed_over_http2_and_http1() {
    need!(Root, Program("nginx"), Program("h2load"));
    for (version, protocol) in [("http2", "same"), ("", "h1")] {
        let report = mirrored(version, protocol);
        assert_eq!(
            (report.funnel.matched, report.funnel.mismatched),
            (REQUESTS, 0),
            "{version} {protocol}: {:#?}",
            report.groups
        );
    }
}

#[test]
fn a_system_that_does_not_speak_http2_is_a_failure_and_never_a_match() {
    need!(Root, Program("nginx"), Program("h2load"));
    let report = mirrored("", "same");
    assert_eq!(report.funnel.matched, 0, "{:#?}", report.funnel);
    assert!(
        report.funnel.failures.contains_key("protocol"),
        "{:#?}",
        report.funnel
    );
}
