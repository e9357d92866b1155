//! The command line of the binary: exit codes, one line for each fault, help. Needs no root and attaches nothing.

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

/// A state folder with a report in it.
fn with_report(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    let state = folder.join("state");
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&state)
        .expect("a folder");
    let report = shadow_core::evidence::report::Report {
        target: "shadow\u{9b}\u{202e}".to_owned(),
        ..Default::default()
    };
    let text = serde_json::to_vec(&report).expect("serialises");
    std::fs::write(state.join("report.json"), text).expect("write");
}

#[test]
fn a_page_goes_to_standard_output_or_into_a_new_file_and_never_through_a_link() {
    let folder = folder();
    with_report(folder.path());
    let path = |name: &str| folder.path().join(name);
    for (words, beginning) in [
        (["report", "--html", "-"], "<!DOCTYPE html>"),
        (["report", "--html", "/dev/stdout"], "<!DOCTYPE html>"),
    ] {
        let output = shadow(folder.path(), &words);
        let said = text(&output.stdout);
        assert!(said.starts_with(beginning), "{words:?}: {said:.200} {output:?}");
        let device = std::fs::symlink_metadata("/dev/stdout").expect("is there");
        assert!(!device.is_file(), "/dev/stdout is what it was");
    }
    std::fs::write(path("victim"), "precious").expect("write");
    for link in ["page", "page.new"] {
        std::os::unix::fs::symlink(path("victim"), path(link)).expect("link");
    }
    let page = path("page");
    shadow(folder.path(), &["report", "--html", page.to_str().expect("text")]);
    assert_eq!(std::fs::read(path("victim")).expect("read"), b"precious");
    let facts = std::fs::symlink_metadata(&page).expect("is there");
    assert!(facts.is_file(), "{facts:?}");
}

#[test]
fn nothing_that_is_printed_can_command_a_terminal() {
    let folder = folder();
    with_report(folder.path());
    for words in [
        &["report"][..],
        &["report", "--json"],
        &["noise", "--json"],
        &["diffs"],
    ] {
        let output = shadow(folder.path(), words);
        for said in [text(&output.stdout), text(&output.stderr)] {
            let is_safe = |c: char| c == '\n' || !shadow_agent::shown::is_unsafe(c);
            assert!(said.chars().all(is_safe), "{words:?}: {said:?}");
        }
    }
    let output = shadow(folder.path(), &["report", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["target"], "shadow\u{9b}\u{202e}", "the value is the same");
    // Text of a foreign file and a foreign agent appears in error lines.
    let hostile = folder.path().join("a\u{1b}[2J\u{9b}\u{202e}");
    let name = hostile.to_str().expect("text");
    for words in [
        &["inspect", name][..],
        &["config", "check", name],
        &["replay", name, "--shadow", "http://127.0.0.1:1"],
    ] {
        let said = text(&shadow(folder.path(), words).stderr);
        let is_safe = |c: char| c == '\n' || !shadow_agent::shown::is_unsafe(c);
        assert!(
            !said.is_empty() && said.chars().all(is_safe),
            "{words:?}: {said:?}"
        );
    }
    let socket = std::os::unix::net::UnixListener::bind(folder.path().join("none.sock")).expect("binds");
    let foreign = std::thread::spawn(move || {
        use std::io::{BufRead as _, Write as _};
        let (stream, _) = socket.accept().expect("a client");
        let mut stream = std::io::BufReader::new(stream);
        stream.read_line(&mut String::new()).expect("an order");
        let answer = serde_json::json!({"error": "no\u{1b}]0;owned\u{7}\u{9b}"}).to_string();
        writeln!(stream.get_mut(), "{answer}").expect("answers");
    });
    let output = shadow(folder.path(), &["status"]);
    foreign.join().expect("ends");
    let said = text(&output.stderr);
    assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{said:?}");
    assert_ne!(output.status.code(), Some(0), "{said}");
}

#[test]
fn exit_codes_are_as_documented() {
    let folder = folder();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.to_str().expect("a path of text").to_owned()
    };
    let whole = "capture: {interfaces: [lo], targets: [1]}\nshadow: {observe: true}\n";
    let good = file("good.yaml", whole);
    let unknown = file("unknown.yaml", &format!("{whole}captur: {{}}\n"));
    let lacking = file(
        "lacking.yaml",
        "capture: {interfaces: [lo]}\nshadow: {observe: true}\n",
    );
    for (words, code, says) in [
        (&["--help"][..], 0, ""),
        (&["--version"], 0, ""),
        (&["run", "--help"], 0, ""),
        (&["config", "check", &good], 0, ""),
        (&["config", "example"], 0, ""),
        (&["config", "show", &good], 0, ""),
        (&[], 64, "Usage: shadow"),
        (&["rum"], 64, "run"),
        (&["run", "--sample", "5"], 64, "write for example 5%"),
        (&["config", "check", "/no/such.yaml"], 66, "/no/such.yaml"),
        (
            &["config", "check", &unknown],
            78,
            "unknown.yaml:3:1: unknown key `captur`",
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
    let manual = include_str!("../../docs/src/reference.md");
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
fn the_example_is_a_configuration_and_showing_it_changes_nothing() {
    let folder = folder();
    let path = folder.path().join("schema.yaml");
    std::fs::write(&path, shadow(folder.path(), &["config", "example"]).stdout).expect("write");
    let path = path.to_str().expect("a path of text");
    let once = shadow(folder.path(), &["config", "show", path]);
    assert!(once.status.success(), "{}", text(&once.stderr));
    let again = folder.path().join("again.yaml");
    std::fs::write(&again, &once.stdout).expect("write");
    let twice = shadow(
        folder.path(),
        &["config", "show", again.to_str().expect("a path of text")],
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
        assert!(text(&output.stderr).is_empty(), "{}", text(&output.stderr));
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
    for words in [&["config", "example"][..], &["doctor", "--json"]] {
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
