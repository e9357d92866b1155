//! The figures of `cargo xtask bench`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use shadow_tests::bench::{self, Options, figures};

#[derive(Debug, Parser)]
#[command(about = "What the agent costs and what it can do; run it by `cargo xtask bench`")]
struct Args {
    /// JSON with every run
    #[arg(long)]
    json: bool,
    /// Pairs of runs a mode
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds a run
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Size of the capture that `inspect` reads
    #[arg(long, default_value_t = 200)]
    megabytes: usize,
    /// Another build of `shadow`: what both cost under the same load
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Only figures whose name contains one of these
    only: Vec<String>,
}

fn main() -> ExitCode {
    let Args {
        json,
        rounds,
        seconds,
        megabytes,
        against,
        only,
    } = Args::parse();
    let options = Options {
        rounds,
        seconds,
        megabytes,
        against,
        only,
    };
    match bench::run(&options) {
        Ok(results) if json => println!("{results:#}"),
        Ok(results) => print!("{}", figures::table(&results)),
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
