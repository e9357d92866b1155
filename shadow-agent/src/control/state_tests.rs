use std::path::Path;

use shadow_core::evidence::report::Report;

use super::state::{self, Killed, Owner, StateDir, StateError};

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
    // Half a file, by whatever accident, still means: stopped.
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
fn a_full_disk_is_an_error_with_a_remedy_and_keeps_the_former_report() {
    // Every write to it fails with ENOSPC.
    let full = Path::new("/dev/full");
    if !full.exists() {
        println!("SKIPPED: there is no /dev/full");
        return;
    }
    let (_folder, state, _lock) = claimed();
    state.save_report(&1).expect("written");
    let fresh = state
        .path()
        .join(format!("report.json.{}.new", std::process::id()));
    std::os::unix::fs::symlink(full, &fresh).expect("link");
    let error = state.save_report(&2).expect_err("full").to_string();
    assert!(
        error.contains("No space left") && error.contains("--state-dir"),
        "{error}"
    );
    assert_eq!(state.report::<u32>().expect("readable"), Some(1));
    assert!(
        !fresh.exists() && full.exists(),
        "only its own leftover is removed"
    );
}
