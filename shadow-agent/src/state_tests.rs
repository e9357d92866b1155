use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use shadow_core::evidence::report::Report;

use crate::state::{self, Killed, Owner, StateDir, StateError};

const OWNER: Owner = Owner { pid: 7, started: 99 };

fn claimed() -> (tempfile::TempDir, StateDir, state::Lock) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state = StateDir::new(folder.path().join("state"));
    let lock = state.claim(OWNER).expect("claimed");
    (folder, state, lock)
}

#[test]
fn the_state_folder_belongs_to_one_agent_at_a_time() {
    let (_folder, state, lock) = claimed();
    assert_eq!(state.owner(), Some(OWNER));
    let error = state.claim(OWNER).expect_err("in use");
    assert!(matches!(error, StateError::InUse { pid: Some(7), .. }), "{error}");
    let torn = state.path().join("report.json.7.new");
    std::fs::write(&torn, "{").expect("write");
    drop(lock);
    let next = Owner { pid: 8, started: 1 };
    let _lock = state.claim(next).expect("free again");
    assert_eq!(state.owner(), Some(next), "no rest of the longer former text");
    assert!(!torn.exists(), "what a killed agent was writing is gone");
}

#[test]
fn a_kill_is_remembered_until_resume() {
    let (_folder, state, _lock) = claimed();
    assert_eq!(state.killed().expect("readable"), None);
    let killed = Killed::now("root", "drill");
    state.kill(&killed).expect("written");
    assert_eq!(state.killed().expect("readable"), Some(killed));
    assert!(state.resume().expect("removed"));
    assert!(!state.resume().expect("idempotent"));
    assert_eq!(state.killed().expect("readable"), None);
    // Half a file, for whatever reason, still means: stopped.
    std::fs::write(state.path().join("killed"), "{\"who").expect("write");
    assert_eq!(state.killed().expect("readable"), Some(Killed::default()));
}

#[test]
fn a_report_is_replaced_whole_or_not_at_all() {
    let (_folder, state, _lock) = claimed();
    assert_eq!(state.report::<Report>().expect("none yet"), None);
    let report = Report {
        started_ms: 1_234_567_890_123,
        ..Report::default()
    };
    state.save_report(&report).expect("written");
    assert_eq!(state.report::<Report>().expect("readable"), Some(report));
    let names: Vec<_> = std::fs::read_dir(state.path())
        .expect("list")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(names.len(), 2, "only agent.json and report.json: {names:?}");
}

#[test]
fn what_cannot_be_written_is_an_error_with_a_remedy_and_keeps_the_former_report() {
    let (_folder, state, _lock) = claimed();
    state.save_report(&1).expect("written");
    std::fs::create_dir(state.path().join("killed")).expect("a folder in its place");
    let error = state.kill(&Killed::now("root", "drill")).expect_err("a folder");
    assert!(error.to_string().contains("--state-dir"), "{error}");
    assert_eq!(state.report::<u32>().expect("readable"), Some(1));
    let names = std::fs::read_dir(state.path()).expect("list").count();
    assert_eq!(
        names, 3,
        "agent.json, report.json and killed, and nothing unfinished"
    );
}

#[test]
fn a_link_in_the_state_folder_is_refused_and_never_followed() {
    let (folder, state, lock) = claimed();
    drop(lock);
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "{\"pid\":1,\"started\":1}").expect("write");
    for name in ["agent.json", "report.json"] {
        let path = state.path().join(name);
        std::fs::remove_file(&path).unwrap_or_default();
        std::os::unix::fs::symlink(&victim, &path).expect("link");
    }
    let error = state.claim(OWNER).expect_err("a link").to_string();
    assert!(error.contains("link") && error.contains("agent.json"), "{error}");
    assert_eq!(state.owner(), None);
    state.report::<serde_json::Value>().expect_err("a link");
    state.save_report(&1).expect("replaced");
    assert_eq!(state.report::<u32>().expect("a file"), Some(1));
    let kept = std::fs::read_to_string(&victim).expect("read");
    assert_eq!(kept, "{\"pid\":1,\"started\":1}");
}

#[test]
fn a_state_folder_that_others_can_write_is_refused_with_the_remedy() {
    let (_folder, state, lock) = claimed();
    drop(lock);
    for (mode, refused) in [(0o770, true), (0o702, true), (0o1777, false), (0o755, false)] {
        std::fs::set_permissions(state.path(), Permissions::from_mode(mode)).expect("set");
        match state.claim(OWNER) {
            Ok(_) => assert!(!refused, "{mode:o}"),
            Err(error) => assert!(
                refused && error.to_string().contains("chmod go-w"),
                "{mode:o}: {error}"
            ),
        }
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can make a file of another user");
        return;
    }
    state.kill(&Killed::now("root", "drill")).expect("written");
    std::os::unix::fs::chown(state.path().join("killed"), Some(4711), None).expect("another's");
    let error = state.killed().expect_err("another's").to_string();
    assert!(error.contains("another user"), "{error}");
}
