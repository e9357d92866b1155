//! `shadow run`: reads the arguments and prints the report; the agent itself is [`runtime`].

mod args;
mod progress;

use std::process::ExitCode;

pub use args::RunArgs;
pub(super) use progress::Progress;
use shadow_core::evidence::report::Report;

use super::{Exit, Failure, config, output};
use crate::{
    config::Config,
    report::text,
    runtime::{self, Reloader},
};

/// Runs the agent until it is stopped, and prints the report.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let (report, failed) = ran(args)?;
    output::print(&text::report(&report))?;
    match failed {
        None => Ok(Exit::Done.into()),
        Some(failure) => Err(failure.into()),
    }
}

/// Runs the agent until it is stopped; returns its report, and its failure if it did not end by itself.
pub(super) fn ran(args: RunArgs) -> anyhow::Result<(Report, Option<Failure>)> {
    let file = args.config.clone();
    let mut config = match &file {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    let flags = args.clone();
    args.apply(&mut config);
    config::check(&config)?;
    config::read_descriptors(&mut config)?;

    let progress = Progress::new();
    let level = progress.log(&config.agent);
    let reloader = Reloader::new(
        config.clone(),
        file,
        Box::new(move |file| {
            let mut config = Config::load(file).map_err(|error| error.to_string())?;
            flags.clone().apply(&mut config);
            Ok(config)
        }),
        Box::new(move |wanted| level.set(wanted)),
    );
    let ended = runtime::run(&config, reloader, &progress)?;
    let failed = ended.failed.map(|why| Failure::new(Exit::Unavailable, why));
    Ok((ended.report, failed))
}
