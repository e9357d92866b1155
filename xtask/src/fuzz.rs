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

/// The targets that need only the core.
const CORE: [&str; 7] = [
    "record",
    "assembler",
    "connection",
    "engine",
    "decode",
    "compare",
    "redact",
];

/// Those that bring the agent with them, which takes some five minutes to build on two cores.
const AGENT: [&str; 3] = ["pcap", "config", "offline"];

/// Seconds for each target unless told otherwise.
pub(crate) const SECONDS: u64 = 30;

/// An input that takes longer, in seconds, or more memory, in MiB, is a crash.
const SLOW: u64 = 10;
const MEMORY: u64 = 1024;

/// The part of CI: the targets of the core, or the reason why not. The agent's would cost minutes to build once more, so
/// there their seeds, regressions and some hundred changes of these are tried by `shadow-agent/tests/fuzzed.rs` alone.
pub(crate) fn ci() -> Result<()> {
    if shell::find("cargo-fuzz").is_none() {
        println!("SKIPPED: cargo-fuzz is not installed: `cargo xtask setup --only fuzz` installs it");
        return Ok(());
    }
    // The same inputs each time as far as the clock allows, so that a red build is about the change.
    try_each(SECONDS, &CORE.map(str::to_owned), Some(1))
}

/// Tries each target for so many seconds; none named means all.
pub(crate) fn run(seconds: u64, only: &[String]) -> Result<()> {
    try_each(seconds, only, None)
}

fn try_each(seconds: u64, only: &[String], seed: Option<u32>) -> Result<()> {
    if shell::find("cargo-fuzz").is_none() {
        bail!("cargo-fuzz is not installed: `cargo xtask setup --only fuzz` installs it");
    }
    let all: Vec<&str> = CORE.into_iter().chain(AGENT).collect();
    if let Some(unknown) = only.iter().find(|name| !all.contains(&name.as_str())) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    let wanted = |name: &&&str| only.is_empty() || only.iter().any(|only| only == **name);
    let targets: Vec<&str> = all.iter().filter(wanted).copied().collect();
    // With one set of features for all: other features would build everything once more.
    let agent = targets.iter().any(|target| AGENT.contains(target));
    for target in &targets {
        shell::run(&mut cargo_fuzz("build", target, agent))?;
    }
    let mut found = Vec::new();
    // Each takes one processor, and two are what CI has.
    for pair in targets.chunks(2) {
        println!("--- {}: {seconds} s", pair.join(" and "));
        let outcomes: Vec<Result<String>> = std::thread::scope(|scope| {
            let runs: Vec<_> = pair
                .iter()
                .map(|target| scope.spawn(|| one(target, seconds, seed, agent)))
                .collect();
            let ended = |run: std::thread::ScopedJoinHandle<'_, Result<String>>| {
                run.join()
                    .unwrap_or_else(|_panic| bail!("the run was not watched to its end"))
            };
            runs.into_iter().map(ended).collect()
        });
        for (target, outcome) in pair.iter().zip(outcomes) {
            match outcome {
                Ok(figures) => println!("{target}: {figures}"),
                Err(error) => {
                    println!("error: {target}: {error:#}");
                    found.push(*target);
                }
            }
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

fn cargo_fuzz(verb: &str, target: &str, agent: bool) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["fuzz", verb, "--sanitizer", "none", "-O", target])
        .current_dir(shell::root().join("fuzz"));
    if agent {
        command.args(["--features", "agent"]);
    }
    command
}

/// Runs one for so long; what it did, or all it said when it found something.
fn one(target: &str, seconds: u64, seed: Option<u32>, agent: bool) -> Result<String> {
    let folder = shell::root().join("fuzz");
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let mut command = cargo_fuzz("run", target, agent);
    command.arg(&corpus).args(seeds(target)).args([
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        format!("-timeout={SLOW}"),
        format!("-rss_limit_mb={MEMORY}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    command.args(seed.map(|seed| format!("-seed={seed}")));
    let output = command.output().context("cargo fuzz does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{} ended with {}:\n{said}", shell::words(&command), output.status);
    }
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim).to_owned()
    };
    Ok(format!(
        "{} inputs, {} MiB at most, nothing found",
        figure("stat::number_of_executed_units:"),
        figure("stat::peak_rss_mb:")
    ))
}

/// What it begins with: the transcripts, or small files of its own; and what once broke it.
fn seeds(target: &str) -> Vec<PathBuf> {
    let root = shell::root();
    let own = root.join("fuzz/seeds").join(target);
    let seeds = if target == "connection" {
        root.join("shadow-proto/tests/transcripts")
    } else {
        own
    };
    [seeds, root.join("fuzz/regressions").join(target)]
        .into_iter()
        .filter(|folder| Path::is_dir(folder))
        .collect()
}
