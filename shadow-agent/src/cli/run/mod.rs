//! `shadow run`: the agent, from its first check to its last report.
//!
//! Owns: the order of starting (`start`) and of ending, the control thread (`service`), and what a person sees
//! meanwhile (`progress`). Bias: whatever goes wrong on the way out, the kernel program is switched off first.

mod agent;
mod args;
mod capturing;
mod confine;
mod guard;
mod keep;
mod lanes;
mod meter;
mod orders;
mod preflight;
mod progress;
pub(super) mod recording;
mod reload;
mod rules;
mod service;
mod signals;
mod start;
mod targets;

use std::{
    process::ExitCode,
    sync::{PoisonError, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};

pub use args::RunArgs;
pub(super) use {agent::engine, capturing::Capturing, progress::Progress, start::offline as settings};

use self::{agent::Running, reload::Reloader, service::Service, start::Started};
use super::{Exit, Failure, config};
use crate::{config::Config, pipeline::Pipeline, report::text};

/// How often the kill switch is looked at.
const TICK: Duration = Duration::from_millis(250);

/// How often the rollout looks at its evidence.
const STEP: Duration = Duration::from_millis(500);

/// How often the status line is drawn: it costs a report.
const SHOW: Duration = Duration::from_secs(1);

/// How often the report is kept.
const SAVE: Duration = Duration::from_secs(5);

/// What replays under way may still take at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the agent until it is told to stop.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut config = match &args.config {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    let flags = args.clone();
    args.apply(&mut config);
    config::check(&config)?;

    let progress = Progress::new();
    let level = progress.log(config.agent.log_level);
    let reloader = Reloader::new(flags, config.clone(), level);
    let Started {
        agent,
        socket,
        metrics,
        lock,
        recorder,
    } = start::start(&config, reloader)?;
    let service = Service::start(&agent, socket, metrics)?;
    progress.started();
    let failed = watch(&config, &agent, &service, &progress);
    let report = end(&agent);
    progress.clear();
    if let Some(recorder) = recorder {
        let counters = recorder.counters();
        // Writes what waits.
        drop(recorder);
        tracing::info!("{}", recording::told(&counters));
    }
    // The socket goes before the lock: who finds the state folder free finds the socket gone too.
    drop(service);
    drop(lock);
    super::ask::print(&text::report(&report))?;
    match failed {
        None => Ok(Exit::Done.into()),
        Some(why) => Err(Failure::new(Exit::Unavailable, why).into()),
    }
}

/// Waits for the end: a signal, `--duration`, or a capture that cannot go on, which is returned.
fn watch(config: &Config, agent: &Running, service: &Service, progress: &Progress) -> Option<String> {
    let begun = Instant::now();
    let end = config.agent.duration.map(|span| begun + span.0);
    let mut save = begun + SAVE;
    let mut show = begun;
    let mut step = begun;
    loop {
        agent.tick();
        if Instant::now() >= step {
            agent.step();
            step = Instant::now() + STEP;
        }
        if Instant::now() >= show {
            progress.show(agent);
            show += SHOW;
        }
        if let Some(why) = agent.failed() {
            return Some(format!("the capture ended by itself: {why}"));
        }
        let now = Instant::now();
        if now >= save {
            agent.save();
            save = now + SAVE;
        }
        let wait = match end {
            Some(end) if now >= end => return None,
            Some(end) => TICK.min(end - now),
            None => TICK,
        };
        match service.stop_rx.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(signal) => {
                tracing::info!(signal, "ending; once more ends at once");
                return None;
            }
            // The control thread is gone, so nobody could end or kill the agent any more.
            Err(RecvTimeoutError::Disconnected) => return Some("the control thread has failed".to_owned()),
        }
    }
}

/// Switches off, drains, detaches, and makes the final report.
fn end(agent: &Running) -> shadow_core::evidence::report::Report {
    agent.with_pipeline(Pipeline::leave_kernel);
    if let Err(error) = agent.control.disarm() {
        tracing::warn!(%error, "the kernel program cannot be switched off; it is detached now");
    }
    drop(agent.links.lock().unwrap_or_else(PoisonError::into_inner).take());
    agent
        .pipeline
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .stop(PATIENCE);
    agent.end_commands();
    agent.save();
    agent.finish()
}
