use std::{fs, time::Instant};

use super::*;

fn command(line: &str, timeout_ms: u64) -> Command {
    let line = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
    Command::new(line, Duration::from_mins(1), Duration::from_millis(timeout_ms))
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
