//! `shadow run`: reads the arguments and prints the report; the agent itself is [`runtime`].

mod args;
mod progress;

use std::process::ExitCode;

pub use args::RunArgs;
pub(super) use progress::Progress;
use shadow_core::evidence::report::Report;

use super::{Exit, Failure, config, output};
use crate::{
    config::{Config, shadow_test::TestOrder},
    report::text,
    runtime::{self, Reloader},
    supervise,
};

/// Runs the agent until it is stopped, and prints the report. Where tests say what is mirrored, runs one for each.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    if let Some(config) = awaiting_tests(&args)? {
        return supervise::run(&config);
    }
    if args.test.is_some() {
        supervise::die_with_parent()?;
    }
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
    follow_test(&mut config, flags.test.as_deref()).map_err(|why| Failure::new(Exit::Config, why))?;
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
            follow_test(&mut config, flags.test.as_deref())?;
            Ok(config)
        }),
        Box::new(move |wanted| level.set(wanted)),
    );
    let ended = runtime::run(&config, reloader, &progress)?;
    let failed = ended.failed.map(|why| Failure::new(Exit::Unavailable, why));
    Ok((ended.report, failed))
}

/// The configuration, where tests say what is mirrored and this process has none.
fn awaiting_tests(args: &RunArgs) -> Result<Option<Config>, Failure> {
    let (Some(file), None) = (&args.config, &args.test) else {
        return Ok(None);
    };
    let mut config = config::load(file)?;
    if config.tests().is_none() {
        return Ok(None);
    }
    args.clone().apply(&mut config);
    config::check(&config)?;
    Progress::new().log_at_once(&config.agent);
    Ok(Some(config))
}

/// Applies the test of this process.
fn follow_test(config: &mut Config, id: Option<&str>) -> Result<(), String> {
    let (Some(kubernetes), true) = (&config.capture.kubernetes, config.tests().is_some()) else {
        return Ok(());
    };
    let Some(id) = id else {
        return Err("capture.kubernetes.tests is for `shadow run`".to_owned());
    };
    let order = match id {
        "" => None,
        _ => {
            supervise::read_order(kubernetes).map_err(|error| format!("the test cannot be read: {error}"))?
        }
    };
    if order.as_ref().map(TestOrder::id).unwrap_or_default() != id {
        return Err("another test is in force".to_owned());
    }
    config.apply_test(order.as_ref());
    Ok(())
}
