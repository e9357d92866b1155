//! `cargo xtask bench`: builds everything with optimisation, then executes the benchmark program.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::{
    setup::{self, Group},
    shell,
};

/// Builds and measures. Everything except the result goes to standard error, so that `--json` can be piped.
pub(crate) fn run(json: bool, rest: &[String]) -> Result<()> {
    setup::run(&[Group::Bench], false)?;
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
    command.args(json.then_some("--json")).args(rest);
    Err(command.exec()).with_context(|| format!("cannot start {}", shell::words(&command)))
}
