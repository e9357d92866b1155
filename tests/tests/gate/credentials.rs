//! Tokens in place of captured credentials: from a file that is rotated and lost, from a command that ends and hangs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use shadow_tests::{laws::assert_laws, need, process::wait_until};

use crate::stage::{Stage, bare};

const USER: &str = "Authorization: Bearer the-users-own\r\nCookie: theme=dark; session=the-users-own\r\n";

/// A request with credentials; returns those that arrived.
fn visit(stage: &Stage, target: &str) -> Option<(String, String)> {
    let before = stage.agent.report().funnel.exchanges;
    stage.send(&[bare("GET", target, USER)]);
    stage.agent.settled(before + 1);
    let received = stage.shadow.received();
    let got = received
        .iter()
        .rev()
        .find(|got| got.start == format!("GET {target}"))?;
    let field = |name| got.header(name).unwrap_or_default().to_owned();
    Some((field("authorization"), field("cookie")))
}

fn arrived(token: &str, cookie: &str) -> (String, String) {
    (format!("Bearer {token}"), format!("theme=dark; session={cookie}"))
}

#[test]
fn a_token_file_is_read_again_when_it_changes_and_missed_when_it_is_gone() {
    need!(Root);
    let keys = "credentials:
  replace:
  - {header: Authorization, file: DIR/tokens/bearer}
  - {cookie: session, file: DIR/tokens/session}";
    let stage = Stage::with(keys, &[], |directory| {
        fs::create_dir(directory.join("tokens")).expect("a folder");
        fs::write(directory.join("tokens/bearer"), "first\n").expect("a token");
        fs::write(directory.join("tokens/session"), "s-1").expect("a token");
    });
    assert_eq!(visit(&stage, "/1"), Some(arrived("first", "s-1")));
    let tokens = stage.directory.path().join("tokens");
    let mut page = 1;
    let mut until = |what: &str, wanted: Option<(String, String)>| {
        wait_until(what, Duration::from_secs(10), || {
            page += 1;
            visit(&stage, &format!("/{page}")) == wanted
        });
    };
    // As most tools rotate: another file under the same name; then written in place.
    fs::write(tokens.join("next"), "second\n").expect("a token");
    fs::rename(tokens.join("next"), tokens.join("bearer")).expect("it is rotated");
    until("a rotated token is in force", Some(arrived("second", "s-1")));
    fs::write(tokens.join("session"), "s-2").expect("a token");
    until(
        "a token that was written in place is in force",
        Some(arrived("second", "s-2")),
    );
    // A text that would begin another field is not used as a token, and a missing file gives none.
    fs::write(tokens.join("bearer"), "evil\r\nX-Admin: 1").expect("a text");
    until("a token of two lines is none", None);
    fs::remove_file(tokens.join("bearer")).expect("it is gone");
    until("a token that is gone is none", None);
    let before = stage.shadow.received().len();
    stage.send(&[bare("GET", "/anonymous", "")]);
    wait_until(
        "requests without credentials go on",
        Duration::from_secs(10),
        || stage.shadow.received().len() > before,
    );
    let report = stage.agent.settled_when("no_credentials is counted", |report| {
        report.funnel.skipped.contains_key("no_credentials")
    });
    assert_laws(&report);
    assert!(
        report.coverage.successes < report.coverage.trials,
        "it is a loss of coverage: {:?}",
        report.coverage
    );
    let warnings = stage.agent.status()["warnings"].to_string();
    assert!(
        warnings.contains("no token from") && warnings.contains("bearer"),
        "{warnings}"
    );
    fs::write(tokens.join("bearer"), "third").expect("a token");
    until("a token that is back is in force", Some(arrived("third", "s-2")));
    nothing_leaked(
        &stage,
        &["first", "second", "third", "s-1", "s-2", "evil", "the-users-own"],
    );
}

/// No user's credentials at the shadow system, no part of a broken token, and none of `secrets` in the agent's output.
fn nothing_leaked(stage: &Stage, secrets: &[&str]) {
    for got in stage.shadow.received() {
        assert!(
            !got.headers
                .iter()
                .any(|(_, value)| value.contains("the-users-own")),
            "{:?}",
            got.start
        );
        assert_eq!(got.header("x-admin"), None);
    }
    let said = stage.agent.process.output();
    for secret in secrets {
        assert!(
            !said.contains(&format!(" {secret}")) && !said.contains(&format!("\"{secret}")),
            "{said}"
        );
    }
}

fn script(directory: &Path, text: &str) {
    let file = directory.join("token");
    // Renamed: a file that is open for writing cannot be run.
    fs::write(directory.join("new"), format!("#!/bin/sh\n{text}\n")).expect("a script");
    fs::set_permissions(directory.join("new"), fs::Permissions::from_mode(0o755)).expect("it can be run");
    fs::rename(directory.join("new"), file).expect("it has its name");
}

#[test]
fn a_command_gives_tokens_for_a_while_and_one_that_hangs_stops_nothing_else() {
    need!(Root);
    let keys = "credentials:
  replace:
  - {command: [DIR/token, an argument], ttl: 2s, timeout: 500ms}";
    let stage = Stage::with(keys, &[], |directory| {
        script(directory, "echo \"made-for-${1#an }-$(date +%s%N)\"");
    });
    let token = |page: &str| visit(&stage, page).map(|(field, _)| field);
    wait_until("the first token is there", Duration::from_secs(10), || {
        token("/first").is_some()
    });
    let first = token("/a").expect("a token");
    assert!(first.starts_with("Bearer made-for-argument-"), "{first}");
    wait_until("it is renewed", Duration::from_secs(10), || {
        token("/b").is_some_and(|next| next != first)
    });
    // It hangs, with a child that would outlive it, and writes its process id. A command may write only where the agent
    // may.
    let pid = stage.agent.state().join("pid");
    script(
        stage.directory.path(),
        &format!("sleep 1000 & echo $! > {}; sleep 1000", pid.display()),
    );
    let mut page = 0;
    wait_until("the last token runs out", Duration::from_secs(10), || {
        page += 1;
        token(&format!("/hung/{page}")).is_none()
    });
    let start = Instant::now();
    stage.send(
        &(0..50)
            .map(|page| bare("GET", &format!("/free/{page}"), ""))
            .collect::<Vec<_>>(),
    );
    wait_until("what needs no token is replayed", Duration::from_secs(5), || {
        stage
            .reached()
            .iter()
            .filter(|target| target.starts_with("/free/"))
            .count()
            == 50
    });
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let report = stage.agent.settled_when("at rest", |_| true);
    assert_laws(&report);
    assert!(
        report.funnel.skipped["no_credentials"] >= 1,
        "{:?}",
        report.funnel.skipped
    );
    // The processes that it started are gone with it.
    let child = fs::read_to_string(&pid).expect("it ran");
    script(stage.directory.path(), "echo back");
    wait_until("there is a token again", Duration::from_secs(40), || {
        page += 1;
        token(&format!("/back/{page}")).as_deref() == Some("Bearer back")
    });
    let left = Path::new("/proc").join(child.trim());
    let running = fs::read_to_string(left.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!running, "the child {child} of a killed command is still there");
}

#[test]
fn a_command_is_confined_from_its_first_run_on_and_has_no_environment_of_the_agent() {
    need!(Root);
    let keys = "credentials:
  replace:
  - {command: [DIR/token], environment: [SHADOW_TEST_SHARED], ttl: 1h}";
    let stage = Stage::with(keys, &[], |directory| {
        let seen = directory.join("agent/state/seen");
        // Only the first run writes how it began.
        script(
            directory,
            &format!(
                "[ -e {0} ] || {{ cat /proc/self/status; env; }} > {0}; echo t",
                seen.display()
            ),
        );
    });
    wait_until("the token is there", Duration::from_secs(10), || {
        visit(&stage, "/1").is_some()
    });
    let seen = fs::read_to_string(stage.agent.state().join("seen")).expect("it ran");
    assert!(seen.contains("Seccomp:\t2\n"), "{seen}");
    assert!(seen.contains("NoNewPrivs:\t1\n"), "{seen}");
    assert!(seen.contains("\nPATH="), "{seen}");
    assert!(!seen.contains("CARGO") && !seen.contains("HOME="), "{seen}");
}

#[test]
fn a_command_ends_with_the_agent_however_that_ends() {
    need!(Root);
    let keys = "credentials:
  replace:
  - {command: [DIR/token], timeout: 60s}";
    for signal in [Signal::TERM, Signal::KILL] {
        let mut stage = Stage::with(keys, &[], |directory| {
            let pids = directory.join("agent/state/pids");
            script(
                directory,
                &format!(
                    "sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait",
                    pids.display()
                ),
            );
        });
        let pids = stage.agent.state().join("pids");
        wait_until("the command runs", Duration::from_secs(10), || pids.exists());
        let pids = fs::read_to_string(&pids).expect("it ran");
        let runs = |pid: &str| {
            fs::read_to_string(Path::new("/proc").join(pid).join("stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        let mut pids = pids.split_whitespace();
        let (command, child) = (pids.next().expect("itself"), pids.next().expect("its child"));
        assert!(runs(command) && runs(child));
        stage.agent.process.signal(signal);
        stage.agent.process.wait(Duration::from_secs(20));
        wait_until("the command has ended", Duration::from_secs(5), || !runs(command));
        if signal == Signal::TERM {
            wait_until("its group has ended", Duration::from_secs(5), || !runs(child));
        } else {
            // The kernel ends only the command.
            let pid = child.parse().ok().and_then(Pid::from_raw).expect("a number");
            kill_process(pid, Signal::KILL).unwrap_or_default();
        }
    }
}
