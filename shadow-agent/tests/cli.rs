//! The binary as a person meets it: exit codes, one line for each fault, help. Needs no root and attaches nothing.

use std::{
    path::Path,
    process::{Command, Output},
};

fn shadow(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shadow"))
        .args(words)
        .env("SHADOW_SOCKET", folder.join("none.sock"))
        .env("SHADOW_STATE_DIR", folder.join("state"))
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

#[test]
fn exit_codes_are_as_documented() {
    let folder = folder();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.to_str().expect("a path of text").to_owned()
    };
    let good = file(
        "good.yaml",
        "capture: {interfaces: [lo], targets: [1]}\nshadow: {observe: true}\n",
    );
    let unknown = file("unknown.yaml", "captur: {}\n");
    let lacking = file(
        "lacking.yaml",
        "capture: {interfaces: [lo]}\nshadow: {observe: true}\n",
    );
    for (words, code, says) in [
        (&["--help"][..], 0, ""),
        (&["--version"], 0, ""),
        (&["run", "--help"], 0, ""),
        (&["config", "check", &good], 0, ""),
        (&["config", "schema"], 0, ""),
        (&["config", "explain", &good], 0, ""),
        (&[], 64, "Usage: shadow"),
        (&["rum"], 64, "run"),
        (&["run", "--sample", "5"], 64, "write for example 5%"),
        (&["config", "check", "/no/such.yaml"], 66, "/no/such.yaml"),
        (
            &["config", "check", &unknown],
            78,
            "unknown.yaml:1:1: unknown key `captur`",
        ),
        (
            &["config", "check", &lacking],
            78,
            "capture.targets (--port, --target)",
        ),
        (
            &["run", "--config", &lacking],
            78,
            "capture.targets (--port, --target)",
        ),
        (
            &["run", "--interface", "lo", "--port", "1"],
            78,
            "shadow.url (--shadow)",
        ),
        (&["status"], 69, "no agent answers on"),
        (&["report"], 3, "there is no report"),
    ] {
        let output = shadow(folder.path(), words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(says), "{words:?}: {says:?} is not in: {said}");
        assert_eq!(said.is_empty(), code == 0, "{words:?}: {said}");
        if code > 64 {
            assert_eq!(said.trim_end().lines().count(), 1, "{words:?}: {said}");
        }
    }
}

#[test]
fn every_exit_code_is_in_the_help_and_in_the_manual() {
    let help = text(&shadow(folder().path(), &["--help"]).stdout);
    let manual = include_str!("../../docs/operations.md");
    for code in [0, 1, 2, 3, 64, 65, 66, 69, 70, 73, 77, 78] {
        assert!(
            help.contains(&format!("\n  {code} ")),
            "{code} is not in the help:\n{help}"
        );
        assert!(
            manual.contains(&format!("\n| {code} | ")),
            "{code} is not in the manual"
        );
    }
}

#[test]
fn the_schema_is_a_configuration_and_explaining_it_changes_nothing() {
    let folder = folder();
    let path = folder.path().join("schema.yaml");
    std::fs::write(&path, shadow(folder.path(), &["config", "schema"]).stdout).expect("write");
    let path = path.to_str().expect("a path of text");
    let once = shadow(folder.path(), &["config", "explain", path]);
    assert!(once.status.success(), "{}", text(&once.stderr));
    let again = folder.path().join("again.yaml");
    std::fs::write(&again, &once.stdout).expect("write");
    let twice = shadow(
        folder.path(),
        &["config", "explain", again.to_str().expect("a path of text")],
    );
    assert_eq!(text(&once.stdout), text(&twice.stdout));
}

#[test]
fn a_kept_report_is_shown_without_an_agent_and_its_ruling_is_the_exit_code() {
    let folder = folder();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).expect("state folder");
    for (ruling, code) in [("go", 0), ("no_go", 1), ("insufficient_evidence", 2)] {
        let report = shadow_core::evidence::report::Report::default();
        let mut report = serde_json::to_value(report).expect("a report is JSON");
        report["judgement"]["ruling"] = ruling.into();
        std::fs::write(state.join("report.json"), report.to_string()).expect("write");
        let output = shadow(folder.path(), &["report", "--json"]);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{ruling}: {}",
            text(&output.stderr)
        );
        assert!(
            text(&output.stderr).contains("This is the report kept in"),
            "{}",
            text(&output.stderr)
        );
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(shown["judgement"]["ruling"], ruling);
    }
    std::fs::write(state.join("report.json"), "{\"form").expect("write");
    let output = shadow(folder.path(), &["report"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("report.json"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let folder = folder();
    let words = format!(
        "'{}' doctor --json | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_shadow")
    );
    let output = Command::new("bash")
        .args(["-c", &words])
        .current_dir(folder.path())
        .output();
    let Ok(output) = output else {
        println!("SKIPPED: there is no bash");
        return;
    };
    let said = text(&output.stderr);
    assert!(
        !said.contains("panicked") && !said.contains("Broken pipe"),
        "{said}"
    );
}

#[test]
fn a_standard_output_that_is_full_is_told() {
    for words in [&["config", "schema"][..], &["doctor", "--json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = Command::new(env!("CARGO_BIN_EXE_shadow"))
            .args(words)
            .stdout(full.expect("a device that is full"))
            .output()
            .expect("the binary starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(73), "{words:?}: {said}");
        assert!(said.contains("writing to standard output"), "{words:?}: {said}");
    }
}
