use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    time::Instant,
};

use super::*;
use shadow_proto::units::Span;

fn replace(command: &[&str], timeout_ms: u64) -> Replace {
    Replace {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        timeout: Span(Duration::from_millis(timeout_ms)),
        ..Replace::default()
    }
}

fn command(line: &str, timeout_ms: u64) -> Command {
    Command::new(&replace(&["/bin/sh", "-c", line], timeout_ms), Arc::default())
}

fn why(news: News) -> String {
    match news {
        News::None(why) => why,
        News::Same | News::Token(_) | News::Late(_) => panic!("a token was found"),
    }
}

#[test]
fn a_command_that_misbehaves_is_no_token_and_is_over_in_time() {
    for (line, timeout_ms, said) in [
        ("exit 3", 5000, "ended with an error"),
        ("sleep 1000", 200, "longer than its time-out"),
        (
            "sleep 1000 & exec sleep 1000 >&-",
            200,
            "longer than its time-out",
        ),
        ("yes", 5000, "printed more than"),
    ] {
        let start = Instant::now();
        let why = why(command(line, timeout_ms).turn());
        assert!(why.contains(said), "{line}: {why}");
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{line}: {:?}",
            start.elapsed()
        );
    }
    assert!(matches!(command("echo ' t '", 5000).turn(), News::Token(token) if token == "t"));
}

#[test]
fn a_file_that_is_none_is_no_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = folder.path().join("long");
    fs::write(&long, "x".repeat(20_000)).expect("a file");
    assert!(why(File::new(long).turn()).contains("more than"));
    assert!(why(File::new(folder.path().to_owned()).turn()).contains("regular file"));
    why(File::new(folder.path().join("none")).turn());
}

#[test]
fn a_command_has_the_path_and_the_named_variables_and_no_others() {
    let mut replace = replace(&["/usr/bin/env"], 5000);
    replace.environment = ["CARGO_MANIFEST_DIR", "NO_SUCH_VARIABLE"]
        .map(str::to_owned)
        .to_vec();
    let News::Token(text) = Command::new(&replace, Arc::default()).turn() else {
        panic!("no output");
    };
    let text = String::from_utf8(text.to_vec()).expect("text");
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["CARGO_MANIFEST_DIR", "PATH"], "{text}");
}

#[test]
fn a_file_that_others_can_write_is_no_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    fs::write(&path, "t").expect("a file");
    let mode = |mode| {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        File::new(path.clone()).turn()
    };
    for allowed in [0o600, 0o640, 0o644, 0o444] {
        assert!(matches!(mode(allowed), News::Token(token) if token == "t"));
    }
    for refused in [0o666, 0o602, 0o660, 0o620] {
        let why = why(mode(refused));
        assert!(
            why.contains("others can write it") && why.contains("chmod go-w"),
            "{why}"
        );
    }
}

#[test]
fn nothing_runs_before_the_start_and_nothing_is_left_after_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let pid = folder.path().join("pid");
    let line = format!(
        "sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; sleep 1000",
        pid.display()
    );
    let held = source(&replace(&["/bin/sh", "-c", &line], 60_000));
    thread::sleep(TURN * 3);
    assert!(!pid.exists(), "the command ran before the start");
    held.start();
    let until = Instant::now() + Duration::from_secs(10);
    while !pid.exists() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    let child = fs::read_to_string(&pid).expect("it runs");
    let stat = format!("/proc/{}/stat", child.trim());
    let runs = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(runs(), "{stat}");
    held.end();
    let until = Instant::now() + Duration::from_secs(5);
    while runs() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!runs(), "what the command started is still there");
}
