//! `cargo xtask fuzz`: libFuzzer on everything that reads bytes from outside, for a while each.
//!
//! Nothing that is tried has unsafe code, so no sanitizer is wanted and the stable tool chain does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The targets that need only the core. They are what CI tries.
const CORE: [&str; 6] = ["record", "assembler", "connection", "engine", "decode", "compare"];

/// Those that bring the agent with them, and take minutes to build.
const AGENT: [&str; 2] = ["pcap", "config"];

/// Seconds for each target unless told otherwise.
pub(crate) const SECONDS: u64 = 30;

/// An input that takes longer, in seconds, or more memory, in MiB, is a crash.
const SLOW: u64 = 10;
const MEMORY: u64 = 1024;

/// The part of CI: the core's targets, or the reason why not.
pub(crate) fn ci() -> Result<()> {
    if shell::find("cargo-fuzz").is_none() {
        println!("SKIPPED: cargo-fuzz is not installed: `cargo xtask setup --only fuzz` installs it");
        return Ok(());
    }
    run(SECONDS, &CORE.map(str::to_owned))
}

/// Tries each target for so many seconds; none named means all.
pub(crate) fn run(seconds: u64, only: &[String]) -> Result<()> {
    if shell::find("cargo-fuzz").is_none() {
        bail!("cargo-fuzz is not installed: `cargo xtask setup --only fuzz` installs it");
    }
    let all: Vec<&str> = CORE.into_iter().chain(AGENT).collect();
    if let Some(unknown) = only.iter().find(|name| !all.contains(&name.as_str())) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    let wanted = |name: &&&str| only.is_empty() || only.iter().any(|only| only == **name);
    let mut found = Vec::new();
    for target in all.iter().filter(wanted) {
        println!("--- {target}: {seconds} s");
        if let Err(error) = one(target, seconds) {
            println!("error: {error:#}");
            found.push(*target);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "something was found in: {}. The input is in fuzz/artifacts; CONTRIBUTING.md says what becomes of it",
        found.join(", ")
    )
}

fn one(target: &str, seconds: u64) -> Result<()> {
    let folder = shell::root().join("fuzz");
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let mut command = Command::new("cargo");
    command
        .args(["fuzz", "run", "--sanitizer", "none", "-O", target])
        .current_dir(&folder);
    if AGENT.contains(&target) {
        command.args(["--features", "agent"]);
    }
    command.arg(&corpus).args(seeds(target)).args([
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        format!("-timeout={SLOW}"),
        format!("-rss_limit_mb={MEMORY}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    shell::run(&mut command)
}

/// What it begins with: the transcripts, real captures, the example, or small files of its own; and what once broke it.
fn seeds(target: &str) -> Vec<PathBuf> {
    let root = shell::root();
    let own = root.join("fuzz/seeds").join(target);
    let seeds = match target {
        "connection" => root.join("shadow-core/tests/transcripts"),
        "pcap" => root.join("tests/pcaps"),
        "config" => root.join("shadow-agent/src/config"),
        _ => own,
    };
    [seeds, root.join("fuzz/regressions").join(target)]
        .into_iter()
        .filter(|folder| Path::is_dir(folder))
        .collect()
}
