//! Writes are replayed to a system whose database diverges from production's with the first request: a REST API of
//! FastAPI with counted identifiers, UUIDs, entity tags and tokens, in two instances, and several users at once.
//!
//! The application counts requests that are not about the object that the client meant. So the truth does not depend
//! on the agent.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use serde_json::Value;
use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::Plan,
    client::Connection,
    laws::assert_laws,
    need,
    need::python,
    netns::{Lab, Netns},
    process::{Launch, Process, wait_until},
};

const PORT: u16 = 80;
const USERS: u32 = 8;
const ROUNDS: u32 = 12;

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    learns: bool,
    concurrency: usize,
    fault: bool,
}

/// The counts of the shadow system.
#[derive(Debug)]
struct Truth {
    /// Requests about an object that the client did not mean, or about none.
    foreign: u64,
    /// Requests with a token that it did not give.
    refused: u64,
    /// Answers that were made wrong.
    planted: u64,
}

fn serve(
    namespace: &Netns,
    directory: &Path,
    name: &str,
    at: SocketAddr,
    (start, fault): (u32, bool),
) -> Process {
    let directory = directory.join(name);
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("app.py"), include_str!("app.py")).expect("an application");
    let (host, port, app) = (
        at.ip().to_string(),
        at.port().to_string(),
        directory.display().to_string(),
    );
    let process = Launch::new(python("uvicorn"), &directory)
        .args(["--host", &host, "--port", &port, "--app-dir", &app])
        .args(["--no-access-log", "--timeout-keep-alive", "60", "app:app"])
        .env("START", &start.to_string())
        .env("FAULT", if fault { "1" } else { "0" })
        .start(namespace);
    wait_until("the server listens", Duration::from_mins(1), || {
        namespace.run(|| Connection::open(at).is_ok())
    });
    process
}

fn run(run: Run) -> (Report, Truth) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::new();
    let (production, shadow) = (Lab::production(PORT), Lab::shadow_system(PORT));
    let _production = serve(
        &lab.server,
        directory.path(),
        "production",
        production,
        (8000, false),
    );
    let _shadow = serve(&lab.shadow, directory.path(), "shadow", shadow, (900, run.fault));
    let Run {
        learns, concurrency, ..
    } = run;
    let config = directory.path().join("shadow.yaml");
    let text = format!(
        "shadow:\n  url: http://{shadow}\n  writes: replay\n  concurrency: {concurrency}\n  max_wait: 60s\n  \
         values:\n    learn: {learns}\n    wait: 60s\n"
    );
    fs::write(&config, text).expect("a configuration");
    let config = config.display().to_string();
    let mut agent = Plan::new(directory.path())
        .capture(Lab::LINK, PORT)
        .args(&[
            "--config",
            &config,
            "--idle-cpu",
            "0%",
            "--cores",
            "0",
            "--twice",
            "0%",
        ])
        .start(&lab.server);
    let answered = lab.client.run(|| drive(directory.path(), production));
    agent.settled(answered);
    let report = agent.stop();
    assert_laws(&report);
    let truth = lab.shadow.run(|| Connection::open(shadow)?.get("/truth", ""));
    let truth: Value = serde_json::from_slice(&truth.expect("an answer").body).expect("JSON");
    let count = |name: &str| truth[name].as_u64().expect("a count");
    let truth = Truth {
        foreign: count("foreign"),
        refused: count("refused"),
        planted: count("planted"),
    };
    println!("{run:?}: {truth:?}, {:?}", report.funnel);
    (report, truth)
}

/// Returns how many requests were answered.
fn drive(directory: &Path, production: SocketAddr) -> u64 {
    let script = directory.join("drive.py");
    fs::write(&script, include_str!("drive.py")).expect("a script");
    let output = Command::new(python("python3"))
        .arg(&script)
        .args([production.ip().to_string(), production.port().to_string()])
        .args([USERS.to_string(), ROUNDS.to_string()])
        .output()
        .expect("python starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number")
}

#[test]
fn no_request_has_a_foreign_identifier_and_nothing_differs() {
    need!(Root, Python("uvicorn"), Python("fastapi"));
    for concurrency in [1, 16] {
        let (report, truth) = run(Run {
            learns: true,
            concurrency,
            fault: false,
        });
        assert_eq!((truth.foreign, truth.refused), (0, 0), "{truth:?}");
        assert!(report.funnel.skipped.is_empty(), "{:#?}", report.funnel);
        assert_eq!(report.funnel.mismatched, 0, "{:#?}", report.groups);
        assert_eq!(
            report.funnel.matched, report.funnel.exchanges,
            "{:#?}",
            report.funnel
        );
    }
}

#[test]
fn every_planted_regression_is_found_and_no_other() {
    need!(Root, Python("uvicorn"), Python("fastapi"));
    for concurrency in [1, 16] {
        let (report, truth) = run(Run {
            learns: true,
            concurrency,
            fault: true,
        });
        assert_eq!((truth.foreign, truth.refused), (0, 0), "{truth:?}");
        assert!(truth.planted >= 32, "{truth:?}");
        assert_eq!(report.funnel.mismatched, truth.planted, "{:#?}", report.groups);
        let categories: Vec<_> = report
            .groups
            .iter()
            .map(|group| group.category.as_str())
            .collect();
        assert!(
            categories.contains(&"identity") && categories.contains(&"value"),
            "{categories:?}"
        );
    }
}

#[test]
fn without_learning_the_second_request_is_about_another_object() {
    need!(Root, Python("uvicorn"), Python("fastapi"));
    let (report, truth) = run(Run {
        learns: false,
        concurrency: 1,
        fault: false,
    });
    // Only the logins succeed: a token of production is no token there.
    assert!(truth.refused > u64::from(USERS * ROUNDS), "{truth:?}");
    assert!(
        report.funnel.mismatched > report.funnel.matched,
        "{:#?}",
        report.funnel
    );
}
