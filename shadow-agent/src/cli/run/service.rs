//! The control thread: signals, the control socket and the metrics, on a runtime that shares nothing with the replays.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::agent::Running;
use crate::{
    cli::{Exit, Failure},
    control::{Agent, server::Socket},
    http::server::{self, Scraped},
};

/// The control thread. Dropping it ends the thread and removes the socket.
#[derive(Debug)]
pub(super) struct Service {
    /// The name of the signal that asks for the end.
    pub(super) stop_rx: mpsc::Receiver<&'static str>,
    end_tx: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Ended at once by a second signal, as a shell would report it.
const INTERRUPTED: i32 = 130;

impl Service {
    /// Serves until dropped.
    pub(super) fn start(
        agent: &Arc<Running>,
        socket: Socket,
        metrics: Option<TcpListener>,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::new(
                Exit::Unavailable,
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
            .spawn(move || serve(&runtime, agent, socket, metrics, signals, stop_tx, end_rx))
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
    socket: Socket,
    metrics: Option<TcpListener>,
    mut signals: Signals,
    stop_tx: mpsc::Sender<&'static str>,
    end_rx: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::spawn(async move {
            let first = signals.next().await;
            // The receiver is gone only when the end has begun already.
            stop_tx.send(first).unwrap_or_default();
            signals.next().await;
            std::process::exit(INTERRUPTED);
        });
        if let Some(listener) = metrics {
            let agent = Arc::clone(&agent) as Arc<dyn Scraped>;
            tokio::spawn(async move {
                if let Err(error) = server::serve(listener, agent).await {
                    tracing::warn!(%error, "metrics are not served any more");
                }
            });
        }
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

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where it is ignored, as under `nohup`: a handler would undo that.
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored(SignalKind::hangup()) {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
        })
    }

    async fn next(&mut self) -> &'static str {
        let Self {
            interrupt,
            terminate,
            hangup,
        } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hung_up => "SIGHUP",
        }
    }
}

/// Whether this process was started with a signal ignored (`SigIgn` in proc_pid_status(5): bit n - 1 is signal n).
fn is_ignored(kind: SignalKind) -> bool {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
