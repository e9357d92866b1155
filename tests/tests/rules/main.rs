//! Every kind of rule, end to end: differences it is meant for pass, and a fault that looks similar is found at its
//! place.
//!
//! Two servers answer each path of a table differently. The agent compares them under `rules.yaml`; what it reports for
//! a path must be exactly what the table says.

mod markup;
mod table;

use std::{collections::BTreeSet, fmt::Write as _, fs};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::Plan,
    client::Connection,
    laws::assert_laws,
    need,
    netns::Lab,
    scene::{PORT, Scene},
    servers::{Behaviour, Received, Server},
};

use markup::MARKUP;
use table::{Answer, ROWS, Row};

/// The rows of both tables.
fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(MARKUP)
}

/// The row that a request asks for; it must exist.
fn row(request: &Received) -> &'static Row {
    let path = request.start.split(' ').nth(1).unwrap_or_default();
    let found = rows().find(|row| row.path == path);
    found.unwrap_or_else(|| panic!("nobody asks for {}", request.start))
}

fn written(answer: &Answer) -> Vec<u8> {
    let Answer(status, fields, body) = answer;
    let mut head = format!("HTTP/1.1 {status} Any\r\n");
    for (name, value) in *fields {
        write!(head, "{name}: {value}\r\n").expect("a String takes everything");
    }
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Category and place of every group of a path.
fn reported(report: &Report, path: &str) -> BTreeSet<String> {
    let route = format!("GET {path}");
    let groups = report.groups.iter().filter(|group| group.route == route);
    groups
        .map(|group| format!("{} {}", group.category, group.place))
        .collect()
}

#[test]
fn every_kind_of_rule_lets_pass_what_it_is_for_and_nothing_else() {
    need!(Root);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = directory.path().join("rules.yaml");
    fs::write(&config, include_str!("rules.yaml")).expect("a file");
    let lab = Lab::new();
    let _production = Server::start(
        &lab.server,
        Scene::production(),
        Behaviour::Raw(|request| written(&row(request).production)),
    );
    let _shadow = Server::start(
        &lab.shadow,
        Scene::shadow(),
        Behaviour::Raw(|request| written(&row(request).shadow)),
    );
    let mut agent = Plan::new(directory.path())
        .capture(Lab::LINK, PORT)
        .replay(Scene::shadow())
        .args(&["--config", &config.to_string_lossy()])
        .start(&lab.server);
    lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).expect("a connection");
        for row in rows() {
            connection.get(row.path, "").expect(row.path);
        }
    });
    let report = agent.settled(rows().count() as u64);
    assert_laws(&report);
    let mut wrong = Vec::new();
    for row in rows() {
        let expected: BTreeSet<String> = row.found.iter().map(|&found| found.to_owned()).collect();
        let found = reported(&report, row.path);
        if found != expected {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", row.path));
        }
    }
    assert!(wrong.is_empty(), "{}\n{:#?}", wrong.join("\n"), report.groups);
    let passing = rows().filter(|row| row.found.is_empty()).count() as u64;
    assert_eq!(report.funnel.matched, passing, "{:#?}", report.funnel);

    // Rules that match nothing, or too much, are in the report and on the terminal.
    let warned: BTreeSet<&str> = report
        .rules
        .iter()
        .filter(|usage| usage.warning().is_some())
        .map(|usage| usage.what.as_str())
        .collect();
    assert_eq!(
        warned,
        BTreeSet::from(["$.typo", "GET /nobody/asks", "$.broad[*]"]),
        "{:#?}",
        report.rules
    );
    let shown = String::from_utf8_lossy(&agent.ask(&["report"]).stdout).into_owned();
    assert!(shown.contains("($.typo) matched nothing in "), "{shown}");
    assert!(shown.contains("($.broad[*]) hides the whole body"), "{shown}");
    agent.stop();
}
