//! Signals, as orders; for a kill, with its sender.
//!
//! Owns: the handlers, and a thread that waits for `SIGUSR1`, because only there the sender is known (`siginfo_t`,
//! sigaction(2)). Bounds: one waiting kill; a second one before it was handled changes nothing.

use std::{io, thread};

use signal_hook::iterator::{Handle, SignalsInfo, exfiltrator::WithOrigin};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{self, error::TrySendError},
};

use crate::control::peer;

/// The order of a signal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum SignalAction {
    /// End the agent; the name of the signal.
    End(&'static str),
    /// Stop mirroring; the sender.
    Kill(String),
    Reload,
    Nothing,
}

/// The signals of an agent.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if it is ignored, as under `nohup`: a handler would undo that.
    hangup: Option<Signal>,
    kills: Kills,
    /// Without a handler it would end the agent.
    spare: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored(SignalKind::hangup()) {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
            kills: Kills::new()?,
            spare: signal(SignalKind::user_defined2())?,
        })
    }

    pub(super) async fn next(&mut self) -> SignalAction {
        let Self {
            interrupt,
            terminate,
            hangup,
            kills,
            spare,
        } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(who) = kills.sent_rx.recv() => SignalAction::Kill(who),
            _ = interrupt.recv() => SignalAction::End("SIGINT"),
            _ = terminate.recv() => SignalAction::End("SIGTERM"),
            _ = hung_up => SignalAction::Reload,
            _ = spare.recv() => SignalAction::Nothing,
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

/// `SIGUSR1`, each time with its sender.
struct Kills {
    sent_rx: mpsc::Receiver<String>,
    handle: Handle,
}

impl Kills {
    fn new() -> io::Result<Self> {
        let kill = SignalKind::user_defined1().as_raw_value();
        let mut signals = SignalsInfo::<WithOrigin>::new([kill])?;
        let handle = signals.handle();
        let (sent_tx, sent_rx) = mpsc::channel(1);
        thread::Builder::new()
            .name("shadow-signal".to_owned())
            .spawn(move || {
                for origin in signals.forever() {
                    let sender = origin.process.map(|process| (process.pid, process.uid));
                    if let Err(TrySendError::Closed(_)) = sent_tx.try_send(who(sender)) {
                        return;
                    }
                }
            })?;
        Ok(Self { sent_rx, handle })
    }
}

impl Drop for Kills {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// The sender's process has often ended by the time it is looked up, so only its numbers are used.
fn who(sender: Option<(i32, u32)>) -> String {
    match sender {
        // The kernel shows a process outside this PID namespace as 0.
        Some((pid, uid)) if pid > 0 => format!("SIGUSR1 from {}, pid {pid}", peer::user(uid)),
        Some((_, uid)) => format!("SIGUSR1 from {}", peer::user(uid)),
        None => "SIGUSR1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_named_as_far_as_it_is_known() {
        assert_eq!(who(Some((7, 0))), "SIGUSR1 from root (uid 0), pid 7");
        assert_eq!(who(Some((0, 4_000_000_000))), "SIGUSR1 from uid 4000000000");
        assert_eq!(who(None), "SIGUSR1");
    }
}
