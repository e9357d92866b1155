//! `shadow config`: is this file right, and what can stand in one.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use super::{Exit, Failure};
use crate::config::{Config, explain, load::LoadError};

/// What to do with a configuration.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is wrong with a file, one line each
    #[command(after_help = "Example:\n  shadow config check shadow.yaml")]
    Check {
        /// The configuration file
        file: PathBuf,
    },
    /// Print a documented file with every key and its default
    #[command(after_help = "Example:\n  shadow config schema > shadow.yaml")]
    Schema,
    /// Print what a file means, with every default filled in
    #[command(after_help = "Example:\n  shadow config explain shadow.yaml")]
    Explain {
        /// The configuration file
        file: PathBuf,
    },
}

/// Checks, prints or explains.
pub fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Check { file } => {
            check(&load(file)?)?;
            println!("{}: ok", file.display());
        }
        Action::Schema => print!("{}", explain::EXAMPLE),
        Action::Explain { file } => {
            let config = load(file)?;
            print!("{}", serde_yaml_ng::to_string(&config)?);
            check(&config)?;
        }
    }
    Ok(Exit::Done.into())
}

/// Reads a file, or fails with the exit code that fits.
pub(super) fn load(file: &std::path::Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|error| {
        let exit = match error {
            LoadError::Read { .. } => Exit::NoInput,
            LoadError::TooLarge(_) | LoadError::Wrong { .. } => Exit::Config,
        };
        Failure::new(exit, error.to_string())
    })
}

/// Prints every problem but the last, which becomes the failure: each is one line on standard error.
pub(super) fn check(config: &Config) -> Result<(), Failure> {
    let mut problems = config.problems();
    let Some(last) = problems.pop() else {
        return Ok(());
    };
    for problem in problems {
        eprintln!("shadow: {problem}");
    }
    Err(Failure::new(Exit::Config, last.to_string()))
}
