//! `shadow record` by itself: what it refuses, and which files it leaves.

use std::{fs, process::Command};

use shadow_tests::{agent, agent::PATIENCE, need, netns::Netns, process::Launch};

#[test]
fn what_cannot_be_recorded_is_refused_and_leaves_no_file() {
    need!(Root);
    let namespace = Netns::new();
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().join("traffic");
    fs::create_dir(&folder).expect("a directory");
    let file = folder.join("traffic.pcapng");
    let file = file.to_str().expect("text");
    let cases: [(&[&str], i32, &str); 4] = [
        (&["--interface", "no0", "-o", file], 69, "no interface no0"),
        (
            &["--interface", "lo", "-o", "-"],
            64,
            "`shadow inspect --follow FILE`",
        ),
        (
            &["--interface", "lo", "-o", file, "--every", "1m"],
            78,
            "record.every (--every): only the newest file is kept",
        ),
        (
            &["--interface", "lo", "-o", "/nowhere/a.pcapng"],
            73,
            "/nowhere/a.pcapng.part: No such file",
        ),
    ];
    for (words, code, shown) in cases {
        let mut record = Launch::new(agent::binary(), directory.path())
            .args(["record", "--port", "80", "--duration", "1s"])
            .args(words)
            .start(&namespace);
        let status = record.wait(PATIENCE);
        assert_eq!(status.code(), Some(code), "{words:?}: {}", record.output());
        assert!(record.stderr().contains(shown), "{words:?}: {}", record.output());
        let left: Vec<_> = fs::read_dir(&folder).expect("a folder").collect();
        assert!(left.is_empty(), "{words:?}: {left:?}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_fault_and_a_full_standard_output_is_told() {
    need!(Root);
    let namespace = Netns::new();
    let directory = tempfile::tempdir().expect("a directory");
    for (name, rest, code) in [
        ("pipe", "| true; exit ${PIPESTATUS[0]}", 0),
        ("full", "> /dev/full", 73),
    ] {
        let words = format!(
            "'{}' record --interface lo --port 80 --duration 1s -o '{}/{name}.pcapng' {rest}",
            agent::binary().display(),
            directory.path().display()
        );
        let output = namespace.run(|| Command::new("bash").args(["-c", &words]).output());
        let output = output.expect("bash starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        let file = directory.path().join(format!("{name}.pcapng"));
        assert!(file.exists(), "it is whole all the same");
    }
}
