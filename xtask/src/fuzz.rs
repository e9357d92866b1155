//! `cargo xtask fuzz`: runs libFuzzer for a limited time on everything that reads bytes from outside.
//!
//! No code under test is unsafe, so no sanitizer is needed and the stable toolchain suffices.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The targets that need only the core.
const CORE: [&str; 11] = [
    "record",
    "assembler",
    "connection",
    "http2",
    "engine",
    "decode",
    "compare",
    "grpc",
    "redact",
    "mask",
    "values",
];

/// Those that include the agent, which takes some five minutes to build on two cores.
const AGENT: [&str; 3] = ["pcap", "config", "offline"];

/// Default number of seconds for each target.
pub(crate) const SECONDS: u64 = 30;

/// An input that takes longer, in seconds, or more memory, in MiB, counts as a crash.
const SLOW: u64 = 10;
const MEMORY: u64 = 1024;

/// The CI part: the targets of the core, or the reason why not. The agent's would take minutes to build once more, so
/// their seeds, regressions and some hundred changes of these are run by `shadow-agent/tests/fuzzed.rs` alone.
pub(crate) fn ci() -> Result<()> {
    if shell::find("cargo-fuzz").is_none() {
        println!("SKIPPED: cargo-fuzz is not installed: `cargo xtask setup --only fuzz` installs it");
        return Ok(());
    }
    // The same inputs each time as far as the clock allows, so that a failure is caused by the change.
    try_each(SECONDS, &CORE.map(str::to_owned), Some(1))
}

/// Runs each target for so many seconds; an empty list means all.
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
    // One set of features for all: other features would build everything once more.
    let agent = targets.iter().any(|target| AGENT.contains(target));
    for target in &targets {
        shell::run(&mut cargo_fuzz("build", target, agent))?;
    }
    let mut found = Vec::new();
    // Each uses one processor, and CI has two.
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

/// Runs one target; returns its result, or its whole output if it found something.
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
        let input = input(target).unwrap_or_default();
        let command = shell::words(&command);
        bail!(
            "{command} ended with {}:\n{said}\nThe input: {input}",
            output.status
        );
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

/// The newest input that failed, as an escaped string: the folder of a build machine is often gone.
fn input(target: &str) -> Option<String> {
    const SHOWN: usize = 2048;
    let folder = shell::root().join("fuzz/artifacts").join(target);
    let written = |path: &PathBuf| fs::metadata(path).and_then(|about| about.modified()).ok();
    let newest = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .max_by_key(written)?;
    let input = fs::read(newest).ok()?;
    let shown = input.get(..SHOWN).unwrap_or(&input).escape_ascii();
    Some(format!("{} bytes, \"{shown}\"", input.len()))
}

/// Initial inputs: the transcripts, or small files of the target's own, and former failures.
fn seeds(target: &str) -> Vec<PathBuf> {
    let root = shell::root();
    let own = root.join("fuzz/seeds").join(target);
    let transcripts = root.join("shadow-proto/tests/transcripts");
    let seeds = if target == "connection" {
        transcripts.clone()
    } else {
        own
    };
    let more = (target == "mask").then_some(transcripts);
    [
        Some(seeds),
        more,
        Some(root.join("fuzz/regressions").join(target)),
    ]
    .into_iter()
    .flatten()
    .filter(|folder| Path::is_dir(folder))
    .collect()
}
