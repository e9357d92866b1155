//! Writes are replayed to a system whose database diverges from production's with the first request, in two instances,
//! and several users at once: a REST API of FastAPI with counted identifiers, UUIDs, entity tags and tokens, and a site
//! of Django with login, sessions, CSRF tokens and forms.
//!
//! The applications count requests that are not about the object that the client meant. So the truth does not depend
//! on the agent.

use std::{fmt, fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use serde_json::Value;
use shadow_core::evidence::report::{Funnel, Report};
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

/// An application, and the users of it.
#[derive(Clone, Copy)]
struct Site {
    name: &'static str,
    app: &'static str,
    drive: &'static str,
}

const FASTAPI: Site = Site {
    name: "fastapi",
    app: include_str!("fastapi/app.py"),
    drive: include_str!("fastapi/drive.py"),
};

const DJANGO: Site = Site {
    name: "django",
    app: include_str!("django/app.py"),
    drive: include_str!("django/drive.py"),
};

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    site: Site,
    learns: bool,
    concurrency: usize,
    fault: bool,
    /// The share of segments that the capture loses; none if it is empty.
    loss: &'static str,
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
    (site, start, fault): (Site, u32, bool),
) -> Process {
    let directory = directory.join(name);
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("app.py"), site.app).expect("an application");
    let (host, port, app) = (
        at.ip().to_string(),
        at.port().to_string(),
        directory.display().to_string(),
    );
    let process = Launch::new(python("uvicorn"), &directory)
        .args(["--host", &host, "--port", &port, "--app-dir", &app])
        .args(["--no-access-log", "--timeout-keep-alive", "60", "app:app"])
        .env("DATA", &app)
        .env("START", &start.to_string())
        .env("FAULT", if fault { "1" } else { "0" })
        .start(namespace);
    wait_until("the server listens", Duration::from_mins(1), || {
        namespace.run(|| Connection::open(at).is_ok())
    });
    process
}

fn run(run: Run) -> (Report, Truth) {
    let Run {
        site,
        learns,
        concurrency,
        fault,
        loss,
    } = run;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::new();
    let (production, shadow) = (Lab::production(PORT), Lab::shadow_system(PORT));
    let _production = serve(
        &lab.server,
        directory.path(),
        "production",
        production,
        (site, 8000, false),
    );
    let other = (site, 900, fault);
    let _shadow = serve(&lab.shadow, directory.path(), "shadow", shadow, other);
    let config = directory.path().join("shadow.yaml");
    let text = format!(
        "shadow:\n  url: http://{shadow}\n  writes: replay\n  concurrency: {concurrency}\n  max_wait: 60s\n  \
         values:\n    learn: {learns}\n    wait: 60s\n"
    );
    fs::write(&config, text).expect("a configuration");
    let config = config.display().to_string();
    let plan = Plan::new(directory.path()).capture(Lab::LINK, PORT);
    let plan = if loss.is_empty() {
        plan
    } else {
        plan.forgetting(loss)
    };
    let mut agent = plan
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
    let answered = lab.client.run(|| drive(site, directory.path(), production));
    // Of lost requests the agent does not know.
    agent.settled(if loss.is_empty() { answered } else { answered / 2 });
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
fn drive(site: Site, directory: &Path, production: SocketAddr) -> u64 {
    let script = directory.join("drive.py");
    fs::write(&script, site.drive).expect("a script");
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

/// Nothing is sent about another object, everything is compared, and nothing differs.
fn nothing_differs(site: Site) {
    for concurrency in [1, 16, 64] {
        let (report, truth) = run(Run {
            site,
            learns: true,
            concurrency,
            fault: false,
            loss: "",
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

/// Each answer that was made wrong is a difference, and no other one is.
fn regressions_are_found(site: Site) {
    for concurrency in [1, 16, 64] {
        let (report, truth) = run(Run {
            site,
            learns: true,
            concurrency,
            fault: true,
            loss: "",
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

/// With losses in the capture less is sent, and what is sent is about the right object. Writes that were lost leave the
/// two databases different, so answers may differ.
fn losses_send_nothing_foreign(site: Site) {
    for (concurrency, loss, fault) in [(16, "1%:3", false), (64, "10%:5", false), (16, "1%:7", true)] {
        let (report, truth) = run(Run {
            site,
            learns: true,
            concurrency,
            fault,
            loss,
        });
        assert_eq!((truth.foreign, truth.refused), (0, 0), "{truth:?}");
        assert!(report.funnel.matched > 0, "{:#?}", report.funnel);
        let Funnel {
            mismatched,
            shadow_errors,
            ..
        } = report.funnel;
        // An answer at the end of the run may be too late.
        assert!(
            mismatched + shadow_errors >= truth.planted,
            "{:#?}",
            report.groups
        );
    }
}

#[test]
fn losses_send_nothing_foreign_to_an_api() {
    need!(Root, Python("uvicorn"), Python("fastapi"));
    losses_send_nothing_foreign(FASTAPI);
}

#[test]
fn losses_send_nothing_foreign_to_a_site() {
    need!(Root, Python("uvicorn"), Python("django-admin"));
    losses_send_nothing_foreign(DJANGO);
}

#[test]
fn an_api_gets_no_foreign_identifier_and_nothing_differs() {
    need!(Root, Python("uvicorn"), Python("fastapi"));
    nothing_differs(FASTAPI);
}

#[test]
fn every_planted_regression_of_an_api_is_found_and_no_other() {
    need!(Root, Python("uvicorn"), Python("fastapi"));
    regressions_are_found(FASTAPI);
}

#[test]
fn a_site_gets_no_foreign_token_and_nothing_differs() {
    need!(Root, Python("uvicorn"), Python("django-admin"));
    nothing_differs(DJANGO);
}

#[test]
fn every_planted_regression_of_a_site_is_found_and_no_other() {
    need!(Root, Python("uvicorn"), Python("django-admin"));
    regressions_are_found(DJANGO);
}

#[test]
fn without_learning_the_second_request_is_about_another_object() {
    need!(Root, Python("uvicorn"), Python("fastapi"), Python("django-admin"));
    for site in [FASTAPI, DJANGO] {
        let (report, truth) = run(Run {
            site,
            learns: false,
            concurrency: 1,
            fault: false,
            loss: "",
        });
        // A token of production is no token there.
        assert!(truth.refused > u64::from(USERS * ROUNDS), "{site:?}: {truth:?}");
        assert!(
            report.funnel.mismatched > report.funnel.matched,
            "{:#?}",
            report.funnel
        );
    }
}
