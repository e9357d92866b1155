//! `cargo xtask test`: every tier, fast ones first, with a summary that reports what was skipped and why.
//!
//! Tests of the first two tiers need no root and run under cargo-nextest if it is installed. The others are built as
//! the caller and only their executables are started as root, so that nothing in `target/` ends up owned by root. A
//! test that cannot run here prints `SKIPPED: reason` and returns; it is counted as skipped, not as passed.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Deserialize;

use crate::{
    image,
    setup::{self, Group},
    shell,
};

/// A set of tests with the same needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Tier {
    /// shadow-common, shadow-proto, shadow-core and xtask: no I/O, no root
    Core,
    /// shadow-agent: fakes and a paused clock, no root
    Agent,
    /// `shadow inspect` against capture files and tshark
    Inspect,
    /// The kernel program, loaded and run
    Kernel,
    /// The promises, end to end on real traffic
    Promises,
}

const ROOT_TIERS: [Tier; 2] = [Tier::Kernel, Tier::Promises];

impl Tier {
    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Which tier an executable of `shadow-tests` belongs to.
    fn of(target: &str) -> Self {
        match target {
            "kernel" => Self::Kernel,
            name if name.starts_with("inspect") => Self::Inspect,
            _ => Self::Promises,
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    reasons: Vec<String>,
    /// The output of libtest for the tests that failed, repeated after the summary.
    failures: Vec<String>,
    in_failures: bool,
}

/// Lines of the failures of one executable that are repeated, the last ones.
const REPEATED: usize = 120;

impl Tally {
    fn add(&mut self, other: Self) {
        let Self {
            passed,
            failed,
            skipped,
            reasons,
            failures,
            in_failures: _,
        } = other;
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
        self.reasons.extend(reasons);
        self.failures.extend(failures);
    }

    /// Reads a line of libtest's or nextest's output.
    fn read(&mut self, line: &str) {
        let text = line.trim();
        if let Some(reason) = text.strip_prefix("SKIPPED: ") {
            self.reasons.push(reason.to_owned());
            return;
        }
        if line.starts_with("failures:") {
            self.in_failures = true;
            return;
        }
        // Indented, it is in the output of a test that nextest shows, and is counted in nextest's own summary.
        let counts = match line.strip_prefix("test result: ") {
            Some(counts) => {
                self.in_failures = false;
                counts
            }
            None if self.in_failures => {
                self.failures.push(line.to_owned());
                return;
            }
            None if text.starts_with("Summary [") => {
                text.split_once("run: ").map_or("", |(_, counts)| counts)
            }
            None => return,
        };
        for part in counts.split([',', ';', '.']) {
            let mut words = part.split_whitespace();
            let Some(Ok(count)) = words.next().map(str::parse::<u64>) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                Some("ignored" | "skipped") => self.skipped += count,
                _ => {}
            }
        }
    }

    /// Ends a run: skipped tests returned early and were counted as passed.
    fn close(&mut self, success: bool, what: &str) {
        let repeated = self.failures.len().saturating_sub(REPEATED);
        self.failures.drain(..repeated);
        let said = self.reasons.len() as u64;
        self.passed = self.passed.saturating_sub(said);
        self.skipped += said;
        if !success && self.failed == 0 {
            println!("error: {what} failed without a failing test");
            self.failed = 1;
        }
    }
}

/// Runs `tiers`, or all of them.
pub(crate) fn run(tiers: &[Tier], filter: Option<&str>) -> Result<()> {
    setup::run(&[Group::Test], false)?;
    let mut rows = Vec::new();
    for tier in Tier::value_variants() {
        if !tiers.is_empty() && !tiers.contains(tier) {
            continue;
        }
        println!("\n=== tier {}", tier.name());
        let tally = match tier {
            Tier::Core => packages(&["shadow-common", "shadow-proto", "shadow-core", "xtask"], filter)?,
            Tier::Agent => packages(&["shadow-agent"], filter)?,
            Tier::Inspect | Tier::Kernel | Tier::Promises => executables(*tier, filter)?,
        };
        rows.push((tier, tally));
    }
    summary(rows)
}

fn summary(rows: Vec<(&Tier, Tally)>) -> Result<()> {
    let mut total = Tally::default();
    println!("\n=== summary");
    for (tier, tally) in rows {
        println!(
            "{}: {} passed, {} failed, {} skipped",
            tier.name(),
            tally.passed,
            tally.failed,
            tally.skipped
        );
        for reason in &tally.reasons {
            println!("    SKIPPED: {reason}");
        }
        total.add(tally);
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    if !total.failures.is_empty() {
        println!("\n=== failures, once more\n{}", total.failures.join("\n"));
    }
    if total.failed > 0 {
        bail!("{} tests failed", total.failed);
    }
    Ok(())
}

/// Tests of whole packages, without root.
fn packages(packages: &[&str], filter: Option<&str>) -> Result<Tally> {
    let mut tally = Tally::default();
    let nextest = shell::find("cargo-nextest").is_some();
    let mut command = shell::cargo();
    if nextest {
        command.args([
            "nextest",
            "run",
            "--no-fail-fast",
            "--no-tests=pass",
            "--status-level=slow",
        ]);
    } else {
        command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    for package in packages {
        command.args(["--package", package]);
    }
    command.args(filter);
    let status = shell::run_watched(&mut command, |line| tally.read(line))?;
    if filter.is_some() {
        // Tests that the filter excluded are not skipped tests.
        tally.skipped = 0;
    }
    tally.close(status.success(), &shell::words(&command));
    // Examples in the documentation; nextest does not run them, and a filter names a test.
    if filter.is_none() {
        for package in packages.iter().filter(|package| **package != "xtask") {
            let mut doc = shell::cargo();
            doc.args(["test", "--quiet", "--doc", "--package", package]);
            let mut examples = Tally::default();
            let status = shell::run_watched(&mut doc, |line| examples.read(line))?;
            examples.close(status.success(), &shell::words(&doc));
            tally.add(examples);
        }
    }
    Ok(tally)
}

/// Tests of `shadow-tests` of one tier: built as the caller, run as root where the tier needs it.
fn executables(tier: Tier, filter: Option<&str>) -> Result<Tally> {
    let mut tally = Tally::default();
    let built = build()?;
    if tier == Tier::Promises {
        // For the container; built here because only executables are started as root.
        image::binary(false)?;
    }
    for (name, executable) in built {
        if Tier::of(&name) != tier {
            continue;
        }
        println!("\n--- {name}");
        let mut command = if ROOT_TIERS.contains(&tier) {
            shell::as_root(&executable)?
        } else {
            std::process::Command::new(&executable)
        };
        // Two at a time: each of them starts servers, clients and an agent of its own.
        command
            .args(["--test-threads=2", "--show-output"])
            .args(filter)
            .current_dir(shell::root().join("tests"));
        let mut one = Tally::default();
        let status = shell::run_watched(&mut command, |line| one.read(line))?;
        one.close(status.success(), &name);
        tally.add(one);
    }
    Ok(tally)
}

#[derive(Deserialize)]
struct Message {
    profile: Option<Profile>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Profile {
    /// False for the binaries that integration tests start.
    test: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds the agent, the services and the tests; returns name and path of each test executable.
fn build() -> Result<Vec<(String, PathBuf)>> {
    shell::run(shell::cargo().args([
        "build",
        "--quiet",
        "--package",
        "shadow-agent",
        "--package",
        "shadow-tests",
    ]))?;
    let output = shell::cargo()
        .args([
            "test",
            "--package",
            "shadow-tests",
            "--no-run",
            "--message-format=json",
        ])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(Message {
            profile: Some(Profile { test: true }),
            target: Some(target),
            executable: Some(executable),
        }) = serde_json::from_str(line)
        else {
            continue;
        };
        found.push((target.name, executable));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn read(lines: &[&str], success: bool) -> (u64, u64, u64) {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally.close(success, "it");
        (tally.passed, tally.failed, tally.skipped)
    }

    #[test]
    fn counts_what_libtest_says() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(read(&[line], false), (5, 2, 1));
    }

    #[test]
    fn counts_what_nextest_says() {
        let line = "     Summary [   0.010s] 7 tests run: 6 passed, 1 failed, 2 skipped";
        assert_eq!(read(&[line], false), (6, 1, 2));
    }

    #[test]
    fn a_failure_that_nextest_shows_is_counted_once() {
        let lines = [
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored",
            "     Summary [   0.010s] 7 tests run: 6 passed, 1 failed, 2 skipped",
        ];
        assert_eq!(read(&lines, false), (6, 1, 2));
    }

    #[test]
    fn failures_are_kept_to_be_repeated() {
        let mut tally = Tally::default();
        for line in [
            "---- a stdout ----",
            "failures:",
            "---- b stdout ----",
            "why",
            "test result: FAILED. 1 passed; 1 failed",
            "later",
        ] {
            tally.read(line);
        }
        assert_eq!(tally.failures, ["---- b stdout ----", "why"]);
    }

    #[test]
    fn a_test_that_says_skipped_did_not_pass() {
        let lines = [
            "SKIPPED: no root",
            "test result: ok. 3 passed; 0 failed; 0 ignored",
        ];
        assert_eq!(read(&lines, true), (2, 0, 1));
    }

    #[test]
    fn a_run_that_fails_without_a_test_is_a_failure() {
        assert_eq!(read(&["error: could not compile"], false), (0, 1, 0));
    }
}
