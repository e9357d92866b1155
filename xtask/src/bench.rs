//! `cargo xtask bench`: builds everything with optimisation, with `--against` also another commit, then executes the
//! benchmark program.

use std::{os::unix::process::CommandExt as _, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    setup::{self, Group},
    shell,
};

/// Builds and measures. Everything except the result goes to standard error, so that `--json` can be piped.
pub(crate) fn run(json: bool, against: Option<&str>, rest: &[String]) -> Result<()> {
    setup::run(&[Group::Bench], false)?;
    let other = against.map(build_of).transpose()?;
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--package",
        "shadow-agent",
        "--package",
        "shadow-tests",
        "--bins",
    ]))?;
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--package",
        "shadow-proto",
        "--package",
        "shadow-core",
        "--example",
        "engine_speed",
        "--example",
        "compare_speed",
    ]))?;
    let mut command = shell::as_root(shell::target_dir().join("release/shadow-bench"))?;
    command.args(json.then_some("--json"));
    if let Some(other) = other {
        command.arg("--against").arg(other);
    }
    command.args(rest);
    Err(command.exec()).with_context(|| format!("cannot start {}", shell::words(&command)))
}

/// The agent of another commit, built in a folder of its own.
fn build_of(commit: &str) -> Result<PathBuf> {
    // Before it is used in another working tree, where HEAD is another commit.
    let found = Command::new("git")
        .current_dir(shell::root())
        .args(["rev-parse", "--verify", &format!("{commit}^{{commit}}")])
        .output()?;
    ensure!(found.status.success(), "git knows no commit {commit}");
    let commit = String::from_utf8(found.stdout)?;
    let commit = commit.trim();
    let root = shell::target_dir().join("against");
    let source = root.join("source");
    if source.exists() {
        shell::run(
            Command::new("git")
                .arg("-C")
                .arg(&source)
                .args(["checkout", "--quiet", "--detach", commit]),
        )?;
    } else {
        shell::run(
            Command::new("git")
                .current_dir(shell::root())
                .args(["worktree", "add", "--quiet", "--detach"])
                .arg(&source)
                .arg(commit),
        )?;
    }
    let target = root.join("target");
    shell::run(
        shell::cargo()
            .args([
                "build",
                "--release",
                "--package",
                "shadow-agent",
                "--bin",
                "shadow",
                "--manifest-path",
            ])
            .arg(source.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target.join("release/shadow"))
}
