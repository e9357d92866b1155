//! The reports of a replay for other programs: a page, JUnit's XML, and log lines as JSON.

use std::{fs, path::Path, process::Command};

use quick_xml::{Reader, events::Event};
use shadow_tests::agent::binary;

use super::inputs::server;

/// Two routes: the server answers `ok` to both, production answered something else to one of them.
fn recorded() -> String {
    let records: Vec<String> = (0..40_u64)
        .map(|number| {
            let at = 1_767_225_600_000_000_000 + number * 1_000_000;
            let (path, body) = if number % 2 == 0 {
                ("/right", "ok")
            } else {
                ("/wrong", "]]>\u{1b}[2J<&\"")
            };
            // Slower than any machine under test: latency is another test's subject.
            let (later, length) = (at + 2_000_000_000, body.len());
            format!(
                "1 {number:024x} {at} 0\nGET {path} HTTP/1.1\r\nHost: shop\r\n\r\n\n🐵🙈🙉\n\
                 2 {number:024x} {later} 5\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}\n🐵🙈🙉\n"
            )
        })
        .collect();
    records.concat()
}

/// The names of elements with their attribute `name`, in order; panics unless the document is well-formed.
fn elements(text: &str) -> Vec<String> {
    let mut reader = Reader::from_str(text);
    let mut found = Vec::new();
    let mut open = 0;
    loop {
        let event = reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        let (start, empty) = match event {
            Event::Eof => break,
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                open -= 1;
                continue;
            }
            _ => continue,
        };
        open += i32::from(!empty);
        let tag = start.name().as_ref().to_owned();
        let name = start
            .attributes()
            .flatten()
            .find(|attribute| attribute.key.as_ref() == "name");
        let name = name.map_or_else(String::new, |name| name.value.into_owned());
        found.push(format!("{tag} {name}").trim().to_owned());
    }
    assert_eq!(open, 0, "{text}");
    found
}

fn run(file: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let (shadow, _) = server();
    let output = Command::new(binary())
        .args([
            "replay",
            "--speed",
            "max",
            "--shadow",
            &format!("http://{shadow}"),
        ])
        .args(words)
        .arg(file)
        .output()
        .expect("shadow runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_replay_writes_a_page_and_tests_for_a_ci_system() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("requests.gor");
    fs::write(&file, recorded()).expect("a file");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (page, tests) = (at("page.html"), at("tests.xml"));
    let (code, json, shown) = run(&file, &["--json", "--html", &page, "--junit", &tests]);
    assert_ne!(code, Some(0), "{shown}");
    serde_json::from_str::<serde_json::Value>(&json).expect("the report as JSON, and nothing else");
    assert!(
        fs::read_to_string(&page)
            .expect("the page")
            .starts_with("<!DOCTYPE html>")
    );
    let text = fs::read_to_string(&tests).expect("the tests");
    assert!(!text.contains('\u{1b}'), "{text}");
    let found = elements(&text);
    for wanted in [
        "testsuite gates",
        "testcase match_rate",
        "testcase coverage",
        "testsuite routes",
    ] {
        assert!(found.iter().any(|found| found == wanted), "{wanted}: {text}");
    }
    let after = |name: &str| {
        let place = found
            .iter()
            .position(|found| found == name)
            .unwrap_or_else(|| panic!("{name}: {text}"));
        found.get(place + 1).map(String::as_str)
    };
    let is_bad = |name: &str| matches!(after(name), Some("failure" | "error"));
    assert!(is_bad("testcase GET /wrong"), "{text}");
    assert!(is_bad("testcase match_rate"), "{text}");
    assert!(!is_bad("testcase GET /right"), "{text}");
    // In place of the text.
    let (_, xml, _) = run(&file, &["--junit", "-"]);
    assert_eq!(
        elements(&xml).first().map(String::as_str),
        Some("testsuites shadow"),
        "{xml}"
    );
    let (code, out, shown) = run(&file, &["--json", "--junit", "-"]);
    assert_eq!((code, &*out), (Some(64), ""), "{shown}");
    assert!(shown.contains("exclude each other"), "{shown}");
}

#[test]
fn log_lines_are_objects_where_a_collector_reads_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("access.log");
    let line = "127.0.0.1:1 [30/Nov/2026:00:18:31.097] f b/s 0/0/0/3/5 200 130 - - ---- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"\n";
    fs::write(&file, line).expect("a file");
    let (_, _, shown) = run(&file, &["--log-format", "json", "--json"]);
    let lines: Vec<serde_json::Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let is_warning = |line: &serde_json::Value| {
        line["level"] == "WARN"
            && line["message"]
                .as_str()
                .is_some_and(|text| text.contains("head of an answer"))
    };
    assert!(lines.iter().any(is_warning), "{shown}");
    let (_, _, shown) = run(&file, &["--json"]);
    assert!(shown.contains("WARN") && !shown.starts_with('{'), "{shown}");
}
