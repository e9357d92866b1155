//! `cargo xtask demo`: builds, then executes the demo driver (`tests/src/bin/shadow-demo.rs`).
//!
//! It uses exec instead of waiting for a child, so that Ctrl-C reaches one process, which cleans up.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::shell;

/// Builds and runs the demo with `seconds` of traffic.
pub(crate) fn run(seconds: u64) -> Result<()> {
    println!("building the agent and the two shops ...");
    shell::run(shell::cargo().args([
        "build",
        "--package",
        "shadow-agent",
        "--package",
        "shadow-tests",
        "--bins",
    ]))?;
    let driver = shell::target_dir().join("debug/shadow-demo");
    let mut command = shell::as_root(&driver)?;
    if !shell::is_root() {
        println!("the agent loads a kernel program, which needs root: continuing through sudo");
    }
    command.args(["--seconds", &seconds.to_string()]);
    Err(command.exec()).with_context(|| format!("cannot start {}", shell::words(&command)))
}
