use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Command, Output},
};

use shadow_tests::{
    agent::{self, Agent},
    need,
    scene::Scene,
};

use super::start;

/// A copy of the program that the user `nobody` may also start.
fn program(scene: &Scene) -> std::path::PathBuf {
    fs::set_permissions(scene.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = scene.directory.path().join("program");
    if !copy.exists() {
        fs::copy(agent::binary(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

/// `shadow status` as another user.
fn as_user(scene: &Scene, agent: &Agent, identity: &[&str]) -> Output {
    Command::new("setpriv")
        .args(identity)
        .arg(program(scene))
        .args(["status", "--json"])
        .env("SHADOW_SOCKET", agent.socket())
        .env("SHADOW_STATE_DIR", agent.state())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn a_caller_without_the_right_is_told_so() {
    need!(Root, Program("nginx"), Program("setpriv"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "");
    assert_eq!(fs::metadata(agent.socket()).unwrap().mode() & 0o777, 0o600);
    let output = as_user(&scene, &agent, &NOBODY);
    assert_eq!(output.status.code(), Some(77), "{}", said(&output));
    assert!(said(&output).contains("use sudo"), "{}", said(&output));
    // The mode is not the only check: the connecting user is checked, too.
    fs::set_permissions(agent.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let output = as_user(&scene, &agent, &NOBODY);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("(uid 65534) may not control it")
            || said(&output).contains("uid 65534 may not control it"),
        "{}",
        said(&output)
    );
    agent.stop();
}

#[test]
fn a_group_may_be_let_in() {
    need!(Root, Program("nginx"), Program("setpriv"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = start(&scene, "agent: {group: 54321}\n");
    let data = fs::metadata(agent.socket()).unwrap();
    assert_eq!((data.mode() & 0o777, data.gid(), data.uid()), (0o660, 54_321, 0));
    for identity in [
        ["--reuid=65534", "--regid=54321", "--clear-groups"],
        ["--reuid=65534", "--regid=65534", "--groups=54321"],
    ] {
        let output = as_user(&scene, &agent, &identity);
        assert!(output.status.success(), "{identity:?}: {}", said(&output));
    }
    let output = as_user(&scene, &agent, &NOBODY);
    assert_eq!(output.status.code(), Some(77), "{}", said(&output));
    fs::set_permissions(agent.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let output = as_user(&scene, &agent, &NOBODY);
    assert!(
        said(&output).contains("members of group 54321"),
        "{}",
        said(&output)
    );
    agent.stop();
}
