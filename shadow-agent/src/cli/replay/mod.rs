//! `shadow replay`: sends recorded traffic to a shadow system.

mod args;
mod bar;
mod outcome;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use shadow_core::{
    compare::Logged,
    evidence::report::{Report, ReportInputs},
};

pub use args::ReplayArgs;

use super::{
    Exit, Failure, config,
    run::{Progress, RunArgs},
};
use shadow_proto::units::Rate;

use crate::{
    clock::now_ms,
    config::Config,
    offline::{self, FeedState, Files, OpenFailure, Opened, Pace, Position, ResumeError, Speed},
    pipeline::{Ended, Mode, Pipeline, PipelineSettings},
    runtime,
};

const TICK: Duration = Duration::from_millis(100);
const SAVE: Duration = Duration::from_secs(1);
/// Longest wait in the queue, practically unlimited. The maximum duration would overflow when added to a time.
const PATIENT: Duration = Duration::from_hours(24 * 365);

/// A replay that has ended.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) report: Report,
    /// All files were bundles.
    bundles_only: bool,
    /// The position could not be kept, or a file could not be read to its end.
    pub(super) failed: Option<Failure>,
}

/// Replays, and ends with a report.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let Replayed {
        report,
        bundles_only,
        failed,
    } = replayed(args)?;
    outcome::write(args, &report, bundles_only)?;
    match failed {
        Some(failure) => Err(failure.into()),
        None => Ok(outcome::ruling(&report, bundles_only).into()),
    }
}

/// Replays all files.
pub(super) fn replayed(args: &ReplayArgs) -> anyhow::Result<Replayed> {
    outcome::one_output(args)?;
    let mut config = configured(args)?;
    let progress = Progress::new();
    progress.log(&config.agent);
    check(&config)?;
    one_input(args)?;
    let feed_state = Arc::new(FeedState::asked(args.selection(), args.logs()));
    let engine = shadow_proto::engine::Settings {
        limits: config.limits.clone(),
        digest: true,
        fields: true,
    };
    let opened = offline::open(&args.files, &engine, &feed_state).map_err(|error| open_failure(&error))?;
    is_comparable(&opened)?;
    let bundles_only = opened.bundles_only;
    let logged = opened.logs_only.then_some(Logged {
        tolerance: args.tolerance,
        counts_chunks: opened.counts_chunks,
    });
    if let (Some(rules), None) = (&opened.rules, &args.config) {
        config.compare = serde_json::from_value(rules.clone())
            .map_err(|error| Failure::new(Exit::Data, format!("the rules in the bundle: {error}")))?;
    }
    // Check again, now with the rules of a bundle.
    check(&config)?;
    let mut position = position(args)?;
    let settings = settings(args, &config, &feed_state, (bundles_only, logged))?;
    let feed = files(args, engine, &feed_state, opened, position.done);
    let started_ms = now_ms();
    let pipeline = Pipeline::play(Box::new(feed), settings)
        .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    progress.release_log();
    let interrupted = watch(args, &pipeline, &feed_state, &mut position)?;
    let snapshot = pipeline.stop(Duration::ZERO);
    position.done = feed_state.done();
    position.finished = feed_state.complete.load(Relaxed) && !interrupted;
    let kept = keep(args, &position);
    let report = pipeline.report(ReportInputs {
        started_ms,
        now_ms: now_ms(),
        engine: snapshot.capture.engine.clone(),
        input: feed_state.notes.noted(),
        ..ReportInputs::default()
    });
    progress.clear();
    let unread = match &snapshot.ended {
        Some(Ended::Failed(why)) => Some(Failure::new(Exit::Data, why.clone())),
        _ => None,
    };
    Ok(Replayed {
        report,
        bundles_only,
        failed: kept.err().or(unread),
    })
}

/// Refuses to read standard input twice.
fn one_input(args: &ReplayArgs) -> Result<(), Failure> {
    let inputs = args.files.iter().filter(|file| file.as_os_str() == "-");
    if inputs.count() > 1 {
        let what = "standard input (`-`) is named twice; it can be read once";
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(())
}

/// Refuses a recording of which nothing but lengths is left.
fn is_comparable(opened: &Opened) -> Result<(), Failure> {
    let Some(masked) = &opened.masked else {
        return Ok(());
    };
    let what = format!(
        "{masked} was recorded with its bodies and values masked (redact: all), so there is nothing in it to compare \
         with; record again with --redact none (or --redact headers, which keeps the bodies)"
    );
    Err(Failure::new(Exit::Data, what))
}

/// Settings as for live traffic, without those that only a capture needs.
fn settings(
    args: &ReplayArgs,
    config: &Config,
    feed_state: &Arc<FeedState>,
    (redacted, logged): (bool, Option<Logged>),
) -> Result<PipelineSettings, Failure> {
    let mut settings = runtime::settings(config)?;
    // There is no production on this host to yield to, and requests must be sent on time.
    (settings.idle_cpu, settings.nice) = (0, None);
    for lane in &mut settings.lanes {
        if args.rate.is_none() && args.speed == Speed::Max {
            lane.ledger.set_untimed();
        }
        if let Mode::Replay(replay) = &mut lane.mode {
            replay.comparator.redacted_production(redacted);
            replay.comparator.logged_production(logged);
            // Progress is counted when the last reference to an exchange is dropped.
            replay.pairs.copies = true;
            // Marking needs a privilege, and nothing is captured here.
            replay.mark = None;
            // The feed waits for the pipeline, so a long queue would only delay the end, and no exchange is ever late.
            replay.settings.queue = replay.settings.concurrency;
            replay.settings.max_wait = PATIENT;
            if args.send_unanswered {
                replay.gate.send_unanswered();
            }
            if !args.same_server {
                feed_state.refuse(&replay.target.addresses());
                let feed_state = Arc::clone(feed_state);
                replay.target.admitting(move |new| {
                    feed_state.refuse(new);
                    new.to_vec()
                });
            }
        }
    }
    Ok(settings)
}

fn configured(args: &ReplayArgs) -> Result<Config, Failure> {
    let mut config = match &args.config {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    let flags = RunArgs {
        shadow: args.shadow.clone(),
        writes: args.writes,
        proto_descriptors: args.proto_descriptors.clone(),
        timeout: args.timeout,
        concurrency: args.concurrency,
        idle_cpu: Some(Rate::from_percent(0)),
        log_level: args.log_level,
        log_format: args.log_format,
        ..RunArgs::default()
    };
    flags.apply(&mut config);
    if args.ca_file.is_some() {
        config.shadow.tls.ca_file.clone_from(&args.ca_file);
    }
    config::read_descriptors(&mut config)?;
    // Nothing is captured, and only what was requested is kept.
    config.capture.targets.clear();
    config.journal.enabled = false;
    Ok(config)
}

/// Checks as for `shadow run`, without those that concern the capture.
fn check(config: &Config) -> Result<(), Failure> {
    const URL: &str = "shadow.url (--shadow)";
    let problems: Vec<String> = config
        .problems()
        .iter()
        .filter(|problem| !problem.at.starts_with("capture."))
        .map(|problem| match &*problem.at {
            // `shadow run` has a flag for this; this command does not.
            URL => format!(
                "{URL}: no shadow system is named; name it, for example --shadow http://127.0.0.1:9090"
            ),
            _ => problem.to_string(),
        })
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Config, problems.join("\n")))
}

fn position(args: &ReplayArgs) -> Result<Position, Failure> {
    let files: Vec<(PathBuf, u64)> = args
        .files
        .iter()
        .map(|file| (file.clone(), offline::size(file).unwrap_or_default()))
        .collect();
    let Some(path) = &args.resume else {
        return Ok(Position::start(files));
    };
    if args.files.iter().any(|file| file.as_os_str() == "-") {
        let what = "standard input cannot be read a second time, so --resume needs files";
        return Err(Failure::new(Exit::Usage, what));
    }
    let position = Position::read(path, files).map_err(|error| {
        let exit = match error {
            ResumeError::Io { .. } => Exit::NoInput,
            ResumeError::Foreign(_) | ResumeError::Other(_) => Exit::Data,
        };
        Failure::new(exit, error.to_string())
    })?;
    if position.finished {
        let what = "the run of this --resume file was finished; remove it to begin anew";
        return Err(Failure::new(Exit::Usage, what));
    }
    // If the position cannot be kept, nothing is sent.
    keep(args, &position)?;
    Ok(position)
}

/// Writes the position file, if one was requested.
fn keep(args: &ReplayArgs, position: &Position) -> Result<(), Failure> {
    let Some(path) = &args.resume else {
        return Ok(());
    };
    position.write(path).map_err(|error| {
        Failure::new(
            Exit::CannotCreate,
            format!("the position cannot be kept: {error}"),
        )
    })
}

fn files(
    args: &ReplayArgs,
    engine: shadow_proto::engine::Settings,
    feed_state: &Arc<FeedState>,
    opened: Opened,
    skip: u64,
) -> Files {
    let mut first = Some(opened);
    let paths = args.files.clone();
    let shared = Arc::clone(feed_state);
    let open = move || {
        let opened = match first.take() {
            Some(opened) => opened,
            None => offline::open(&paths, &engine, &shared)?,
        };
        Ok(opened.readers)
    };
    let pace = Pace::new(args.speed, args.rate);
    Files::new(Box::new(open), args.loops, pace, skip, Arc::clone(feed_state))
}

/// Waits for the end. Returns whether it was requested by the user.
fn watch(
    args: &ReplayArgs,
    pipeline: &Pipeline,
    feed_state: &FeedState,
    position: &mut Position,
) -> Result<bool, Failure> {
    let stop = super::signals()?;
    let sizes = args.files.iter().map(|file| offline::size(file));
    let bytes: Option<u64> = sizes.sum();
    let bar = bar::bar(bytes.map(|bytes| bytes * args.loops));
    let mut save = Instant::now() + SAVE;
    let mut interrupted = false;
    let mut before = (Instant::now(), 0);
    let mut warned = false;
    while !pipeline.is_finished() {
        if stop.recv_timeout(TICK).is_ok() {
            tracing::info!("ending with what is under way; once more ends at once");
            feed_state.end.store(true, Relaxed);
            interrupted = true;
        }
        if !bar.is_hidden() {
            let replayed = feed_state.exchanges.load(Relaxed);
            let (at, count) = before;
            let seconds = at.elapsed().as_secs_f64();
            if seconds >= 1.0 {
                #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
                let rate = (replayed - count) as f64 / seconds;
                bar.set_message(format!("{replayed} exchanges, {rate:.0}/s"));
                before = (Instant::now(), replayed);
            }
            bar.set_position(feed_state.position());
            bar.tick();
        }
        if Instant::now() >= save {
            position.done = feed_state.done();
            if let Err(failure) = keep(args, position)
                && !std::mem::replace(&mut warned, true)
            {
                tracing::warn!("{failure}; it is tried again, and the replay continues");
            }
            save = Instant::now() + SAVE;
        }
    }
    bar.finish_and_clear();
    Ok(interrupted)
}

fn open_failure(error: &OpenFailure) -> Failure {
    let exit = match error {
        OpenFailure::Io { .. } => Exit::NoInput,
        OpenFailure::Data { .. } => Exit::Data,
    };
    Failure::new(exit, error.to_string())
}
