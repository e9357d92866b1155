//! The control thread: signals, the control socket and the metrics, on a runtime that shares nothing with the replays.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::MissedTickBehavior,
};

use super::{
    agent::Running,
    doors::Doors,
    predecessor,
    signals::{SignalAction, Signals},
};
use crate::{
    control::{Agent, kill_file},
    http::server::{self, Scraped},
    runtime::{Cause, RuntimeError},
};

/// The control thread. Dropping it ends the thread and removes the socket.
#[derive(Debug)]
pub(super) struct Service {
    /// The name of the signal that ended the agent.
    pub(super) stop_rx: mpsc::Receiver<&'static str>,
    end_tx: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Exit code after a second signal, as a shell would report it.
const INTERRUPTED: i32 = 130;

impl Service {
    /// Serves until dropped.
    pub(super) fn start(agent: &Arc<Running>, doors: Doors) -> Result<Self, RuntimeError> {
        let failed = |error: io::Error| {
            RuntimeError::new(
                Cause::Unavailable,
                format!(
                    "cannot start the control thread: {error}; check the limits on threads and open files"
                ),
            )
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            // Each may hold one status or report that waits for the pipeline.
            .max_blocking_threads(8)
            .build()
            .map_err(failed)?;
        let signals = {
            let _entered = runtime.enter();
            Signals::new().map_err(failed)?
        };
        let (stop_tx, stop_rx) = mpsc::channel();
        let (end_tx, end_rx) = oneshot::channel();
        let agent = Arc::clone(agent);
        let thread = std::thread::Builder::new()
            .name("shadow-control".to_owned())
            .spawn(move || serve(&runtime, agent, doors, signals, stop_tx, end_rx))
            .map_err(failed)?;
        Ok(Self {
            stop_rx,
            end_tx: Some(end_tx),
            thread: Some(thread),
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.end_tx.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the control thread has panicked");
        }
    }
}

fn serve(
    runtime: &Runtime,
    agent: Arc<Running>,
    doors: Doors,
    signals: Signals,
    stop_tx: mpsc::Sender<&'static str>,
    end_rx: oneshot::Receiver<()>,
) {
    let Doors {
        control: socket,
        metrics,
        handover,
    } = doors;
    runtime.block_on(async {
        tokio::spawn(obey_signals(signals, Arc::clone(&agent), stop_tx));
        tokio::spawn(look_for_kill_file(Arc::clone(&agent)));
        if let Some(listener) = metrics {
            let mut leaves = agent.handover.leaves.subscribe();
            let agent = Arc::clone(&agent) as Arc<dyn Scraped>;
            tokio::spawn(async move {
                tokio::select! {
                    served = server::serve(listener, agent) => if let Err(error) = served {
                        tracing::warn!(%error, "metrics are not served any more");
                    },
                    // The address is the successor's.
                    _left = leaves.wait_for(|left| *left) => {}
                }
            });
        }
        let succeeded = Arc::clone(&agent);
        tokio::spawn(async move {
            if let Err(error) = predecessor::serve(handover, succeeded).await {
                tracing::warn!(%error, "no other agent can take over any more");
            }
        });
        let control = socket.serve(agent as Arc<dyn Agent>);
        tokio::select! {
            // Dropping the socket removes its file.
            _ended = end_rx => {}
            served = control => if let Err(error) = served {
                tracing::warn!(%error, "the control socket is not served any more");
            }
        }
    });
}

/// The first signal that asks for the end is passed on, the second one ends at once; the others are orders.
async fn obey_signals(mut signals: Signals, agent: Arc<Running>, stop_tx: mpsc::Sender<&'static str>) {
    let mut ending = false;
    loop {
        match signals.next().await {
            SignalAction::End(_) if ending => std::process::exit(INTERRUPTED),
            SignalAction::End(name) => {
                ending = true;
                // The receiver is gone only when the end has begun already.
                stop_tx.send(name).unwrap_or_default();
            }
            // In this task, as from the socket.
            SignalAction::Kill(who) => {
                if let Err(error) = agent.kill(&who, "by signal") {
                    tracing::error!(%error, "killed by SIGUSR1");
                }
            }
            SignalAction::Reload => {
                let agent = Arc::clone(&agent);
                tokio::task::spawn_blocking(move || match agent.reload("SIGHUP") {
                    Ok(_told) => {}
                    Err(error) => tracing::error!("SIGHUP: {error}"),
                });
            }
            SignalAction::Nothing => {
                tracing::warn!("SIGUSR2 means nothing here; `shadow resume` takes a kill back");
            }
        }
    }
}

async fn look_for_kill_file(agent: Arc<Running>) {
    let mut due = tokio::time::interval(kill_file::PERIOD);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let agent = Arc::clone(&agent);
        // A file system that hangs blocks one thread, not the control socket.
        if tokio::task::spawn_blocking(move || agent.look_for_kill_file())
            .await
            .is_err()
        {
            tracing::error!("looking for the kill file has failed");
        }
    }
}
