//! Servers.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::Plan,
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    nginx::Nginx,
    process::{Launch, Process, wait_until},
};

const PORT: u16 = 80;
const REQUESTS: u64 = 300;

/// uWSGI speaks HTTP/1.1 and closes each connection after its answer without a word.
fn uwsgi(namespace: &Netns, directory: &Path, address: SocketAddr) -> Process {
    let app = directory.join("app.py");
    fs::write(&app, include_str!("app.py")).expect("an application");
    let process = Launch::new("uwsgi", directory)
        .args([
            "--plugin",
            "python3",
            "--processes",
            "2",
            "--master",
            "--die-on-term",
            "--disable-logging",
        ])
        .args([
            "--http-socket",
            &address.to_string(),
            "--wsgi-file",
            &app.display().to_string(),
        ])
        .start(namespace);
    wait_until("the server listens", Duration::from_secs(20), || {
        namespace.run(|| Connection::open(address).is_ok())
    });
    process
}

/// nginx that sends a policy as it is written in its configuration, over several lines.
fn nginx(namespace: &Netns, directory: &Path, name: &str, address: SocketAddr) -> Process {
    let server = format!(
        "listen {address};
         location / {{ return 200 '{{\"path\":\"$uri\"}}'; }}
         location /policy {{
           add_header Content-Security-Policy \"default-src 'self';\n  script-src 'self' https://cdn.example;\n  img-src *\";
           return 200 '{{\"path\":\"$uri\"}}';
         }}"
    );
    Nginx::serving(namespace, &directory.join(name), address, &server).process
}

/// Mirrors the traffic between two equal servers; `visit` returns how many requests were answered.
fn mirrored(start: fn(&Netns, &Path, &str, SocketAddr) -> Process, visit: fn(SocketAddr) -> u64) -> Report {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::new();
    let (production, shadow) = (Lab::production(PORT), Lab::shadow_system(PORT));
    let _production = start(&lab.server, directory.path(), "production", production);
    let _shadow = start(&lab.shadow, directory.path(), "shadow", shadow);
    let mut agent = Plan::new(directory.path())
        .capture(Lab::LINK, PORT)
        .replay(shadow)
        .start(&lab.server);
    let answered = lab.client.run(|| visit(production));
    agent.settled(answered);
    let report = agent.stop();
    assert_laws(&report);
    assert_eq!(report.funnel.shadow_errors, 0, "{:#?}", report.funnel);
    report
}

/// Requests on one connection as long as the server keeps it open. Returns how many were answered.
fn curl(urls: &[String]) -> u64 {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "60", "-w", r"%{http_code}\n"])
        .args(urls.iter().flat_map(|_| ["-o", "/dev/null"]))
        .args(urls)
        .output()
        .expect("curl starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let codes = String::from_utf8_lossy(&output.stdout);
    assert!(codes.lines().all(|code| code == "200"), "{codes}");
    codes.lines().count() as u64
}

#[test]
fn a_server_that_closes_each_connection_without_a_word_has_no_errors() {
    need!(Root, Program("uwsgi"), Program("curl"));
    let start = |namespace: &Netns, directory: &Path, _: &str, address| uwsgi(namespace, directory, address);
    let report = mirrored(start, |address| {
        curl(&[format!("http://{address}/things/[1-{REQUESTS}]")])
    });
    // curl may send a request on a connection that is being closed, and sends it again on another.
    let skipped: Vec<_> = report
        .funnel
        .skipped
        .keys()
        .filter(|reason| *reason != "no_response")
        .collect();
    assert!(skipped.is_empty(), "{:#?}", report.funnel);
    assert_eq!(report.funnel.matched, REQUESTS, "{:#?}", report.groups);
}

#[test]
fn a_policy_over_several_lines_costs_its_exchange_and_not_the_rest_of_the_connection() {
    need!(Root, Program("nginx"), Program("curl"));
    let report = mirrored(nginx, |address| {
        curl(&[
            format!("http://{address}/things/[1-{REQUESTS}]"),
            format!("http://{address}/policy/[1-{REQUESTS}]"),
            format!("http://{address}/things/[1-{REQUESTS}]"),
        ])
    });
    let funnel = &report.funnel;
    assert_eq!(funnel.engine.flows_opened, 1, "{funnel:#?}");
    let ambiguous = funnel.skipped.get("ambiguous_framing");
    assert_eq!(
        (funnel.matched, funnel.mismatched, ambiguous),
        (2 * REQUESTS, 0, Some(&REQUESTS)),
        "{funnel:#?}"
    );
    assert_eq!(
        (report.coverage.successes, report.coverage.trials),
        (2 * REQUESTS, 3 * REQUESTS)
    );
}
