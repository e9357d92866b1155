//! The kill switch, the pauses and the end of the replays.

use std::{
    fmt,
    future::Future,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
};

use shadow_core::gate::SkipPolicy;
use tokio::sync::watch;

const ON: u8 = 0;
const KILLED: u8 = 1;
const ENDING: u8 = 2;

/// Whether the kernel program still copies, according to its own switch.
#[derive(Clone)]
pub struct Armed(Arc<dyn Fn() -> bool + Send + Sync>);

impl Armed {
    /// `look` is called for every replay.
    pub fn new(look: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }
}

impl fmt::Debug for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed").finish_non_exhaustive()
    }
}

/// Whether replays may be sent.
#[derive(Debug)]
pub(super) struct Switch {
    state: AtomicU8,
    /// A trip rule stopped this lane alone.
    paused: AtomicBool,
    armed: Option<Armed>,
    /// The agent itself switches the kernel program off, to end.
    alone: AtomicBool,
    /// Changes whenever replays in flight are to be cancelled.
    cancel_tx: watch::Sender<()>,
}

impl Switch {
    pub(super) fn new(armed: Option<Armed>) -> Self {
        Self {
            armed,
            alone: AtomicBool::new(false),
            state: AtomicU8::new(ON),
            paused: AtomicBool::new(false),
            cancel_tx: watch::Sender::new(()),
        }
    }

    /// The reason why nothing may be sent now.
    pub(super) fn refusal(&self) -> Option<SkipPolicy> {
        match self.state.load(SeqCst) {
            ON => self.paused.load(SeqCst).then_some(SkipPolicy::Paused),
            KILLED => Some(SkipPolicy::Killed),
            _ => Some(SkipPolicy::Shutdown),
        }
    }

    /// As [`Switch::refusal`], but also asks the kernel program: a kill may switch only that off, and on a busy node
    /// the agent notices later. Used right before sending.
    pub(super) fn refusal_now(&self) -> Option<SkipPolicy> {
        let is_off = || !self.alone.load(SeqCst) && self.armed.as_ref().is_some_and(|armed| !armed.0());
        self.refusal().or_else(|| is_off().then_some(SkipPolicy::Killed))
    }

    /// From here on the kernel program is not asked any more. An earlier kill remains in force.
    pub(super) fn leave_kernel(&self) {
        if self.refusal_now() == Some(SkipPolicy::Killed) {
            self.kill();
        }
        self.alone.store(true, SeqCst);
    }

    /// Refuses and cancels.
    pub(super) fn kill(&self) {
        self.change(ON, KILLED);
    }

    /// Revokes [`Switch::kill`].
    pub(super) fn resume(&self) {
        self.change(KILLED, ON);
    }

    /// Refuses and cancels, independently of the kill switch.
    pub(super) fn pause(&self) {
        self.paused.store(true, SeqCst);
        self.cancel_tx.send_replace(());
    }

    /// Revokes [`Switch::pause`].
    pub(super) fn unpause(&self) {
        self.paused.store(false, SeqCst);
    }

    /// Refuses and cancels for good.
    pub(super) fn end(&self) {
        self.state.store(ENDING, SeqCst);
        self.cancel_tx.send_replace(());
    }

    fn change(&self, from: u8, to: u8) {
        let changed = self.state.compare_exchange(from, to, SeqCst, SeqCst);
        if changed.is_ok() && to != ON {
            self.cancel_tx.send_replace(());
        }
    }

    /// A ticket for one replay at a time.
    pub(super) fn subscribe(&self) -> Ticket {
        Ticket(self.cancel_tx.subscribe())
    }
}

/// Notices when replays are to be cancelled.
#[derive(Debug)]
pub(super) struct Ticket(watch::Receiver<()>);

impl Ticket {
    /// Ignores earlier cancellations. Check [`Switch::refusal`] afterwards.
    pub(super) fn renew(&mut self) {
        self.0.mark_unchanged();
    }

    /// The result of `replay`, or `None` when it was cancelled since [`Ticket::renew`].
    pub(super) async fn unless_cancelled<F: Future>(&mut self, replay: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = replay => Some(output),
            // An error means that the switch is gone, and with it the pipeline.
            _changed = self.0.changed() => None,
        }
    }
}
