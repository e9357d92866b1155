//! The process of the agent, and what it is asked.

use std::{
    io,
    path::Path,
    process::{Child, Command, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::control::{
    client::{self, ClientError},
    proto::{Answer, Order},
    status::Status,
};

/// How long it may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take for its end. The kubelet gives the container more.
const LAST: Duration = Duration::from_secs(15);

/// The exit code of an agent that a signal has ended, without the number of the signal.
const SIGNALLED: u8 = 128;

/// An agent. Dropping it does not end it.
#[derive(Debug)]
pub(super) struct AgentProcess {
    child: Child,
    /// Its test.
    pub(super) test: String,
}

/// Ends this process when the one that has started it ends.
pub fn die_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::TERM))?)
}

impl AgentProcess {
    /// Starts one with the arguments of this process.
    pub(super) fn start(test: &str) -> io::Result<Self> {
        let child = Command::new("/proc/self/exe")
            .args(std::env::args_os().skip(1))
            .args(["--test", test])
            .spawn()?;
        Ok(Self {
            child,
            test: test.to_owned(),
        })
    }

    /// Its exit code, once it has ended.
    pub(super) fn has_ended(&mut self) -> Option<u8> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(code(status)),
            Err(error) => {
                tracing::error!(%error, "the agent cannot be waited for");
                Some(SIGNALLED)
            }
        }
    }

    /// Ends it; returns its exit code.
    pub(super) fn end(mut self) -> Option<u8> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)?;
        if let Err(error) = kill_process(pid, Signal::TERM) {
            tracing::debug!(%error, "the agent has ended already");
        }
        let until = Instant::now() + LAST;
        while Instant::now() < until {
            if let Some(code) = self.has_ended() {
                return Some(code);
            }
            sleep(Duration::from_millis(20));
        }
        tracing::error!("the agent does not end, and is killed");
        drop(self.child.kill());
        self.child.wait().ok().map(code)
    }
}

fn code(status: ExitStatus) -> u8 {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(SIGNALLED)
}

/// Gives the agent an order.
pub(super) fn ask(socket: &Path, order: Order) -> Result<Answer, ClientError> {
    client::ask(socket, order, PATIENCE)
}

/// Its status; `None` while it does not answer.
pub(super) fn status(socket: &Path) -> Option<Status> {
    match ask(socket, Order::Status) {
        Ok(Answer::Status(status)) => Some(*status),
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, "the agent does not give its status");
            None
        }
    }
}

/// Lets the agent read its configuration again; the keys that need another agent.
pub(super) fn reload(socket: &Path) -> Result<Vec<String>, ClientError> {
    match ask(socket, Order::Reload)? {
        Answer::Reloaded(reloaded) => Ok(reloaded.restart),
        _ => Ok(Vec::new()),
    }
}
