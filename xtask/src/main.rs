//! Build, test, demo and bench tasks: `cargo xtask --help`.
//!
//! One file for each command. `cargo build` needs none of it; [`setup`] installs what a command requires.

mod bench;
mod check;
mod ci;
mod cluster;
mod deb;
mod demo;
mod ebpf;
mod fuzz;
mod image;
mod python;
mod setup;
mod shell;
mod simulate;
mod test;
mod vm;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    about = "Build, test, demo and bench tasks of Shadow"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Install what is missing for tests, checks and the kernel build (Debian 12; root or sudo)
    Setup {
        /// Only what these need
        #[arg(long, value_enum)]
        only: Vec<setup::Group>,
        /// Say what is missing, install nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Build the kernel programs `shadow-ebpf/shadow.bpf.o` and `explain.bpf.o`
    Ebpf {
        /// Rebuild and compare with the committed objects, byte for byte; change nothing
        #[arg(long)]
        check: bool,
    },
    /// Mirror a small shop API to its rewrite on loopback, and show what the rewrite broke
    Demo {
        /// Seconds of traffic
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Run every test tier; those on real traffic as root or through sudo
    Test {
        /// Only these tiers
        #[arg(long, value_enum)]
        tier: Vec<test::Tier>,
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Run the simulator of a lossy capture against the engine; nothing may ever be wrong
    Simulate {
        /// Another seed makes other exchanges
        #[arg(long, default_value_t = simulate::SEED)]
        seed: u64,
        /// How many, over all combinations
        #[arg(long, default_value_t = simulate::EXCHANGES)]
        exchanges: u64,
        /// Write the table to docs/simulator.md
        #[arg(long)]
        write: bool,
    },
    /// Build the static binary and the container image
    Image,
    /// Build the Debian package `shadow-mirror`
    Deb {
        /// Package this program instead of building a static one
        #[arg(long, value_name = "FILE")]
        binary: Option<PathBuf>,
        /// Where to write it [default: target/deb]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Measure what the agent costs production and what it can do
    Bench {
        /// JSON with every run instead of the table
        #[arg(long)]
        json: bool,
        /// Compare with this commit instead of with no agent: it is built in target/against
        #[arg(long, value_name = "REF")]
        against: Option<String>,
        /// Passed on: --rounds N, --seconds N, and names of figures
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Run the kernel tests on older and newer Linux kernels under emulation
    Vm {
        /// Debian suites: bullseye (5.10), bookworm (6.1), trixie (6.12), trixie-backports
        suite: Vec<String>,
    },
    /// Run the chart and a workload on a Kubernetes cluster of two nodes on this machine (root; built once)
    Cluster {
        /// Start it, run every scenario and take it down; or only one of these
        #[arg(value_enum, default_value_t)]
        action: cluster::Action,
        /// Only scenarios whose name contains this
        #[arg(long)]
        only: Vec<String>,
    },
    /// Try what reads bytes from outside with libFuzzer
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = fuzz::SECONDS)]
        seconds: u64,
        /// Only these targets
        target: Vec<String>,
    },
    /// Format, lints, docs and the house rules
    Check,
    /// Everything the build server runs: setup, check, ebpf --check, test, fuzz
    Ci,
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Setup { only, dry_run } => setup::run(&only, dry_run),
        Verb::Ebpf { check } => ebpf::run(check),
        Verb::Demo { seconds } => demo::run(seconds),
        Verb::Test { tier, filter } => test::run(&tier, filter.as_deref()),
        Verb::Simulate {
            seed,
            exchanges,
            write,
        } => simulate::run(seed, exchanges, write),
        Verb::Image => image::run(),
        Verb::Deb { binary, output } => deb::run(binary.as_deref(), output.as_deref()),
        Verb::Bench { json, against, rest } => bench::run(json, against.as_deref(), &rest),
        Verb::Vm { suite } => vm::run(&suite),
        Verb::Cluster { action, only } => cluster::run(action, &only),
        Verb::Fuzz { seconds, target } => fuzz::run(seconds, &target),
        Verb::Check => check::run(),
        Verb::Ci => ci::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
