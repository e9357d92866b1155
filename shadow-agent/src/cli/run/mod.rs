//! `shadow run`: reads the arguments and prints the report; the agent itself is [`runtime`].

mod args;
mod progress;

use std::process::ExitCode;

pub use args::RunArgs;
pub(super) use progress::Progress;

use super::{Exit, Failure, config};
use crate::{
    config::Config,
    report::text,
    runtime::{self, Reloader},
};

/// Runs the agent until it is stopped.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let file = args.config.clone();
    let mut config = match &file {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    let flags = args.clone();
    args.apply(&mut config);
    config::check(&config)?;

    let progress = Progress::new();
    let level = progress.log(config.agent.log_level);
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
    super::ask::print(&text::report(&ended.report))?;
    match ended.failed {
        None => Ok(Exit::Done.into()),
        Some(why) => Err(Failure::new(Exit::Unavailable, why).into()),
    }
}
