//! The command itself: its inputs, and how it ends.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use shadow_tests::agent::binary;

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(name)
}

fn shadow() -> Command {
    let mut command = Command::new(binary());
    command.arg("inspect");
    command
}

/// With `input` on standard input.
fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = shadow();
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("shadow starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("shadow reads its input");
    drop(stdin);
    child.wait_with_output().expect("shadow ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_file_and_standard_input_give_the_same() {
    let path = own("nginx-keep-alive.pcapng");
    let from_file = shadow().arg("--json").arg(&path).output().expect("shadow runs");
    let from_pipe = piped(&["--json", "-"], &fs::read(&path).expect("an own capture"));
    assert!(from_file.status.success() && from_pipe.status.success());
    assert_eq!(text(&from_file.stdout), text(&from_pipe.stdout));
    assert_eq!(text(&from_file.stderr), "");
}

#[test]
fn filters_choose_what_is_shown() {
    let path = own("nginx-keep-alive.pcapng");
    let output = shadow()
        .args(["--status", "4xx", "--method", "GET", "--path", "/go*"])
        .arg(path)
        .output();
    let shown = text(&output.expect("shadow runs").stdout);
    let rows: Vec<&str> = shown.lines().filter(|line| line.contains(" GET ")).collect();
    assert!(matches!(rows[..], [row] if row.ends_with("/gone")), "{shown}");
    assert!(shown.contains("shown      1, by the filter"), "{shown}");
}

#[test]
fn damage_fails_only_when_nothing_could_be_read() {
    let bytes = fs::read(own("nginx-keep-alive.pcapng")).expect("an own capture");
    let output = piped(&["-"], &bytes[..5_000]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("-: damaged at byte "), "{output:?}");

    let output = piped(&["-"], &bytes[..200]);
    assert_eq!(output.status.code(), Some(65));
    assert!(
        text(&output.stderr).contains("no packet could be read"),
        "{output:?}"
    );
}

#[test]
fn what_cannot_be_read_is_told_in_one_line() {
    for (arguments, input, code, printed) in [
        (
            &["-"][..],
            &b"GET / HTTP/1.1\r\n"[..],
            65,
            "neither pcap nor pcapng",
        ),
        (&["-"], b"", 65, "empty"),
        (&["/nowhere/at.pcap"], b"", 66, "/nowhere/at.pcap: cannot read"),
        (&["--path", "[", "-"], b"", 64, "--path"),
        (&["--status", "40x", "-"], b"", 64, "404 or 5xx"),
    ] {
        let output = piped(arguments, input);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(printed), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let path = own("wrk.pcapng.gz");
    let mut child = shadow()
        .arg("--json")
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("shadow starts");
    // Closed after its first byte, long before the output is complete.
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("a byte");
    drop(stdout);
    let output = child.wait_with_output().expect("shadow ends");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[test]
fn what_was_found_is_shown_while_the_next_record_is_waited_for() {
    let capture = fs::read(own("nginx-keep-alive.pcapng")).expect("an own capture");
    let mut child = shadow()
        .args(["--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("shadow starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    // Programs that write captures flush whole buffers, which may end anywhere: here inside the last record.
    let (begun, rest) = capture.split_at(capture.len() - 10);
    stdin.write_all(begun).expect("shadow reads its input");
    let (line_tx, line_rx) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        drop(line_tx.send(line));
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("text");
        rest
    });
    let first = line_rx.recv_timeout(Duration::from_secs(20));
    stdin.write_all(rest).expect("shadow reads its input");
    drop(stdin);
    assert!(child.wait().expect("shadow ends").success());
    assert!(
        reader.join().expect("its output").contains("\"summary\""),
        "to the end"
    );
    assert!(first.expect("before the end of the input").contains("\"method\""));
}
