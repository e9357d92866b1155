//! How `shadow replay` treats files: requests without answers, and input that it cannot read.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use rustix::process::{Pid, Signal, kill_process};
use shadow_core::evidence::report::Report;
use shadow_tests::{agent::binary, laws::assert_laws};

/// Answers every request on a connection of its own, and counts them.
pub(super) fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // Ends with the test's process.
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            let (mut seen, mut part) = (Vec::new(), [0; 4096]);
            while !seen.ends_with(b"\r\n\r\n") {
                match connection.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => seen.extend_from_slice(&part[..read]),
                }
            }
            if !seen.is_empty() {
                count.fetch_add(1, SeqCst);
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            drop(connection.write_all(answer));
        }
    });
    (address, asked)
}

fn replay(file: &Path, shadow: SocketAddr, more: &[&str]) -> Output {
    Command::new(binary())
        .args([
            "replay",
            "--json",
            "--speed",
            "max",
            "--shadow",
            &format!("http://{shadow}"),
        ])
        .args(more)
        .arg(file)
        .output()
        .expect("shadow runs")
}

fn report(output: &Output) -> Report {
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_laws(&report);
    report
}

/// In the form that GoReplay writes when it does not track responses.
fn requests() -> Vec<u8> {
    let mut text = Vec::new();
    for (number, head) in ["GET /1", "GET /2", "POST /3"].iter().enumerate() {
        let at = 1_767_225_600_000_000_000_u64 + number as u64 * 1_000_000;
        let request =
            format!("1 {number:024x} {at} 0\n{head} HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n");
        text.extend_from_slice(request.as_bytes());
        text.extend_from_slice("\n🐵🙈🙉\n".as_bytes());
    }
    text
}

#[test]
fn requests_without_answers_are_skipped_by_name_or_sent_and_not_compared() {
    let directory = tempfile::tempdir().expect("a directory");
    let (shadow, asked) = server();
    let plain = directory.path().join("requests.gor");
    fs::write(&plain, requests()).expect("a file");
    let packed = directory.path().join("requests.gor.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&requests()).expect("memory");
    fs::write(&packed, encoder.finish().expect("memory")).expect("a file");
    for file in [&plain, &packed] {
        let output = replay(file, shadow, &[]);
        let found = report(&output);
        assert_eq!(found.funnel.exchanges, 3);
        assert_eq!(
            found.funnel.skipped.get("no_response"),
            Some(&3),
            "{:#?}",
            found.funnel
        );
        assert_eq!((output.status.code(), asked.load(SeqCst)), (Some(2), 0));

        let output = replay(file, shadow, &["--send-unanswered"]);
        let found = report(&output);
        assert_eq!(
            found.funnel.skipped.get("sent_only"),
            Some(&2),
            "{:#?}",
            found.funnel
        );
        assert_eq!(found.funnel.skipped.get("write"), Some(&1), "{:#?}", found.funnel);
        // Nothing was compared, so there is no evidence.
        assert_eq!((output.status.code(), asked.swap(0, SeqCst)), (Some(2), 2));
    }
    // Unanswered requests are reported as for any other input.
    let nobody = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr();
    let found = report(&replay(
        &plain,
        nobody.expect("an address"),
        &["--send-unanswered"],
    ));
    assert_eq!(
        found.funnel.failures.get("connect"),
        Some(&2),
        "{:#?}",
        found.funnel
    );
}

#[test]
fn files_that_cannot_be_replayed_are_told_with_the_place_and_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let (shadow, asked) = server();
    let cases: [(&str, &[u8], i32, &str); 9] = [
        ("nothing.pcap", b"", 65, "empty"),
        ("text", b"hello world", 65, "begins with 68 65 6c 6c)"),
        ("page.har", b"<html>", 65, "neither a capture"),
        ("cut.har", b"{\"log\":", 65, "ends at byte 7"),
        (
            "other.json",
            b"{\"a\":1}",
            65,
            "neither HAR (no `log`) nor a bundle",
        ),
        ("a.pcap.xz", b"\xfd7zXZ\0\0\0", 65, "xz; unpack it first"),
        ("a.zip", b"PK\x03\x04\0\0\0\0", 65, "zip; unpack it first"),
        ("a.snoop", b"snoop\0\0\0", 65, "editcap"),
        ("cut.pcap", b"\xd4\xc3\xb2\xa1\x02\0", 65, "6 of its 24 bytes"),
    ];
    for (name, bytes, code, shown) in cases {
        let file = directory.path().join(name);
        fs::write(&file, bytes).expect("a file");
        let output = replay(&file, shadow, &[]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {text}");
        assert!(text.contains(name) && text.contains(shown), "{name}: {text}");
    }
    for (file, shown) in [("/nowhere/a.pcap", "No such file"), ("/tmp", "Is a directory")] {
        let output = replay(Path::new(file), shadow, &[]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(66), "{file}: {text}");
        assert!(text.contains(file) && text.contains(shown), "{file}: {text}");
    }
    assert_eq!(asked.load(SeqCst), 0);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().expect("a directory");
    let (shadow, asked) = server();
    let file = directory.path().join("requests.gor");
    fs::write(&file, requests()).expect("a file");
    let nowhere = directory.path().join("nowhere/position.json");
    let nowhere = nowhere.to_str().expect("text");
    for (words, code, shown) in [
        (
            &["--send-unanswered", "--resume", nowhere][..],
            73,
            "the position cannot be kept: ",
        ),
        (&["--send-unanswered", "-", "-"], 64, "named twice"),
    ] {
        let output = replay(&file, shadow, words);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains(shown), "{words:?}: {text}");
        assert_eq!(
            text.matches("No such file").count(),
            usize::from(code == 73),
            "{text}"
        );
    }
    assert_eq!(asked.load(SeqCst), 0);
    let output = Command::new(binary()).arg("replay").arg(&file).output();
    let output = output.expect("shadow runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(
        text.contains("--shadow http://") && !text.contains("--observe"),
        "{text}"
    );
}

#[test]
fn a_silent_standard_input_does_not_hold_up_the_end() {
    let (shadow, asked) = server();
    let mut child = Command::new(binary())
        .args(["replay", "-", "--json", "--speed", "max", "--send-unanswered"])
        .args(["--shadow", &format!("http://{shadow}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("shadow starts");
    let mut input = child.stdin.take().expect("a pipe");
    // Past the bytes that are read to detect the format, and cut off inside a request.
    let mut text = requests().repeat(40);
    text.truncate(text.len() - 10);
    input.write_all(&text).expect("shadow reads its input");
    // There is no other indication that signals are handled.
    thread::sleep(Duration::from_secs(2));
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    let (done_tx, done_rx) = mpsc::channel();
    thread::spawn(move || drop(done_tx.send(child.wait_with_output())));
    let output = done_rx
        .recv_timeout(Duration::from_secs(20))
        .expect("it ends though its input does not");
    drop(input);
    let output = output.expect("its output");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let found = report(&output);
    assert_eq!(
        found.funnel.skipped.get("sent_only").copied().unwrap_or_default(),
        asked.load(SeqCst) as u64
    );
}
