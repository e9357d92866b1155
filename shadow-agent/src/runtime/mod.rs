//! The agent as a process: build, run, drain.
//!
//! Owns: the order of starting (`start`) and of ending, the control thread (`service`), and the loop between them.
//! Bias: whatever fails at the end, the kernel program is switched off first.

mod agent;
mod aim;
mod api;
mod capturing;
mod commands;
mod confine;
mod doors;
mod error;
mod explaining;
mod history;
mod inside;
mod lanes;
mod meter;
mod predecessor;
mod preflight;
pub(crate) mod recording;
mod reload;
mod rules;
mod service;
mod signals;
mod start;
mod successor;
mod targets;
mod watchdog;

use std::{
    sync::{PoisonError, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};

use shadow_core::evidence::report::Report;

use self::{agent::Running, service::Service, start::Started};
pub(crate) use self::{
    capturing::Capturing,
    error::{Cause, RuntimeError},
    explaining::{Explaining, Judge},
    reload::Reloader,
    start::offline as settings,
};
use crate::{
    config::{AfterHandover, Config},
    control::{Agent as _, status::Status},
    pipeline::Pipeline,
    state::Owner,
};

/// How often the kill switch is checked.
const TICK: Duration = Duration::from_millis(250);

/// How often the rollout checks its evidence.
const STEP: Duration = Duration::from_millis(500);

/// How often the status line is drawn: it costs a report.
const SHOW: Duration = Duration::from_secs(1);

/// How often the report is saved.
const SAVE: Duration = Duration::from_secs(5);

/// How long replays in flight may still take at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often in a row the state folder is found without an agent before a predecessor that waits gives up waiting.
const FREE: u32 = 3;

/// Observes a running agent, such as a status line on a terminal.
pub(crate) trait Observer {
    /// The start succeeded.
    fn started(&self);
    /// Called about once a second; `status` is expensive to make, so only an observer that shows it calls it.
    fn show(&self, status: &dyn Fn() -> Status);
    /// Nothing more will be shown.
    fn ended(&self);
}

/// Result of a run of the agent.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The last report.
    pub(crate) report: Report,
    /// The reason for an end that was not requested.
    pub(crate) failed: Option<String>,
}

/// Runs the agent until a signal, the end of `agent.duration`, or a failure of the capture.
pub(crate) fn run(
    config: &Config,
    reloader: Reloader,
    observer: &dyn Observer,
) -> Result<Ended, RuntimeError> {
    let Started {
        agent,
        doors,
        predecessor,
        recorder,
    } = start::start(config, reloader)?;
    let service = Service::start(&agent, doors)?;
    if let Some(predecessor) = predecessor {
        successor::follow(&agent, predecessor)?;
    }
    observer.started();
    let failed = watch(config, &agent, &service, observer);
    let report = end(&agent);
    agent.handed_over();
    observer.ended();
    if let Some(recorder) = recorder {
        let counters = recorder.counters();
        // Writes everything that is still buffered.
        drop(recorder);
        tracing::info!("{}", recording::summary(&counters));
    }
    if agent.handover.is_over() && config.agent.after_handover == AfterHandover::Wait {
        await_end(&agent, &service);
    }
    // The socket is removed before the lock: when the state folder is free, the socket is gone too.
    drop(service);
    agent.handover.leave();
    Ok(Ended { report, failed })
}

/// Waits for a signal, or until nobody mirrors any more: a supervisor then starts an agent again.
fn await_end(agent: &Running, service: &Service) {
    agent.handover.leave();
    tracing::info!("handed over; waiting to be ended");
    let mut free = 0;
    while free < FREE {
        match service.stop_rx.recv_timeout(SHOW) {
            Err(RecvTimeoutError::Timeout) if agent.state.claim(Owner::this_process()).is_ok() => free += 1,
            Err(RecvTimeoutError::Timeout) => free = 0,
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
    tracing::warn!("the agent that took over is gone");
}

/// Waits for the end: a signal, `--duration`, or a capture that cannot continue, which is returned.
fn watch(config: &Config, agent: &Running, service: &Service, observer: &dyn Observer) -> Option<String> {
    let begun = Instant::now();
    let end = config.agent.duration.map(|span| begun + span.0);
    let mut save = begun + SAVE;
    let mut show = begun;
    let mut step = begun;
    loop {
        agent.tick();
        agent.adopt();
        if agent.is_drained(config.agent.drain.0) {
            tracing::info!("handed over");
            return None;
        }
        if Instant::now() >= step && !agent.handover.is_draining() {
            agent.step();
            step = Instant::now() + STEP;
        }
        if Instant::now() >= show {
            observer.show(&|| agent.status());
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
            // It ends soon, and what it has begun is nobody else's.
            Ok(signal) if agent.handover.is_draining() => {
                tracing::info!(
                    signal,
                    "ending when everything is handed over; once more ends at once"
                );
            }
            Ok(signal) => {
                tracing::info!(signal, "ending; once more ends at once");
                return None;
            }
            // The control thread is gone, so the agent could not be ended or killed any more.
            Err(RecvTimeoutError::Disconnected) => return Some("the control thread has failed".to_owned()),
        }
    }
}

/// Switches off, drains, detaches, and makes the final report.
fn end(agent: &Running) -> Report {
    agent.with_pipeline(Pipeline::leave_kernel);
    if let Err(error) = agent.control.disarm() {
        tracing::warn!(%error, "the kernel program cannot be switched off; it is detached now");
    }
    drop(agent.links.lock().unwrap_or_else(PoisonError::into_inner).take());
    drop(agent.inside.lock().unwrap_or_else(PoisonError::into_inner).take());
    agent
        .pipeline
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .stop(PATIENCE);
    agent.end_commands();
    agent.save();
    agent.finish()
}
