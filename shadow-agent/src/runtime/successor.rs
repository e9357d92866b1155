//! The agent that takes over from another.
//!
//! Its program is attached before the predecessor lists what it keeps, and its capture thread starts with that list.
//! So it has every packet of an exchange that is its own. While the predecessor lives, the files of the state folder
//! are that one's.

use std::{
    sync::{Arc, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    agent::Running,
    commands,
    doors::Doors,
    error::{state_failure, unavailable},
    predecessor::Handover,
    reload::Reloader,
};
use crate::{
    capture::links::Links,
    config::Config,
    control::server::Socket,
    handover::{HandoverError, Predecessor, Said},
    pipeline::Cut,
    runtime::{Cause, RuntimeError},
    state::{Killed, Lock, Owner, StateDir, StateError},
};

/// The time from attaching to the list, for packets that were already past the place of the program.
const SETTLE: Duration = Duration::from_millis(20);

/// How long the process of an agent may live on after its connection.
const ENDING: Duration = Duration::from_secs(3);

/// The claim on the state folder: the lock, or the agent that has it and agreed to hand over.
#[derive(Debug)]
pub(super) enum Claim {
    Held(Lock),
    Of(Predecessor),
}

impl Claim {
    pub(super) fn on(config: &Config) -> Result<(StateDir, Self), RuntimeError> {
        let state = StateDir::new(&config.agent.state_dir);
        let claim = Self::of(&state, config)?;
        Ok((state, claim))
    }

    fn of(state: &StateDir, config: &Config) -> Result<Self, RuntimeError> {
        let failed = |error: &StateError| RuntimeError::new(Cause::CannotCreate, error.to_string());
        match state.claim(Owner::this_process()) {
            Ok(lock) => Ok(Self::Held(lock)),
            Err(StateError::InUse { .. }) if config.agent.take_over => {
                let asked = Predecessor::ask(state);
                let predecessor =
                    asked.map_err(|error| RuntimeError::new(Cause::CannotCreate, error.to_string()))?;
                tracing::info!(pid = predecessor.facts.pid, "taking over from the running agent");
                Ok(Self::Of(predecessor))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    pub(super) const fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// Takes over, if there is somebody to take over from. The kernel program is attached.
    pub(super) fn take(&mut self, state: &StateDir, links: &mut Links) -> Result<Cut, RuntimeError> {
        let Self::Of(predecessor) = self else {
            return Ok(Cut::default());
        };
        thread::sleep(SETTLE);
        let cut = match predecessor.take() {
            Ok(cut) => cut,
            Err(error @ HandoverError::Refused(_)) => return Err(unavailable(&error)),
            // Is it gone? Then nobody else mirrors, and everything is this agent's.
            Err(error) => match orphaned(state) {
                Some(lock) => {
                    *self = Self::Held(lock);
                    Cut::default()
                }
                None => return Err(unavailable(&error)),
            },
        };
        links.claim().map_err(|error| unavailable(&error))?;
        Ok(cut)
    }

    /// The parts that the running agent needs.
    pub(super) fn parted(self, doors: &Doors, guard: Option<&Socket>) -> (Handover, Option<Predecessor>) {
        let record = self.record();
        let files = [Some(&doors.control), guard]
            .into_iter()
            .flatten()
            .map(Socket::file)
            .collect();
        let (lock, predecessor) = match self {
            Self::Held(lock) => (Some(lock), None),
            Self::Of(predecessor) => (None, Some(predecessor)),
        };
        let before = predecessor.as_ref().map(|predecessor| (predecessor.facts.pid, 0));
        (Handover::new(record, lock, before, files), predecessor)
    }

    /// Whether the predecessor's kernel program was switched off.
    pub(super) fn was_killed(&self) -> bool {
        matches!(self, Self::Of(predecessor) if !predecessor.facts.armed)
    }

    /// The record of unfinished work that is this agent's.
    pub(super) const fn record(&self) -> u8 {
        match self {
            Self::Held(_) => 0,
            Self::Of(predecessor) => predecessor.facts.record ^ 1,
        }
    }
}

/// Whether mirroring is killed; that of a predecessor stays so.
pub(super) fn is_killed(state: &StateDir, reloader: &Reloader, claim: &Claim) -> Result<bool, RuntimeError> {
    let killed = commands::is_killed(state, reloader).map_err(|error| state_failure(&error))?;
    if killed || !claim.was_killed() {
        return Ok(killed);
    }
    let before = Killed::now("agent", "the agent before this one was stopped");
    state
        .kill(&before)
        .map(|()| true)
        .map_err(|error| state_failure(&error))
}

/// The lock of an agent that has just ended.
fn orphaned(state: &StateDir) -> Option<Lock> {
    let until = Instant::now() + ENDING;
    loop {
        match state.claim(Owner::this_process()) {
            Ok(lock) => return Some(lock),
            Err(StateError::InUse { .. }) if Instant::now() < until => thread::sleep(SETTLE),
            Err(_) => return None,
        }
    }
}

/// Follows the predecessor until it has ended, on a thread of its own.
pub(super) fn follow(agent: &Arc<Running>, mut predecessor: Predecessor) -> Result<(), RuntimeError> {
    let pid = predecessor.facts.pid;
    let agent = Arc::downgrade(agent);
    let watch = move || {
        loop {
            let said = predecessor.said();
            let Some(agent) = agent.upgrade() else { return };
            let mut before = agent
                .handover
                .before
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match said {
                Said::Left(left) => *before = Some((pid, left)),
                Said::Ended => {
                    *before = None;
                    drop(before);
                    let pipeline = agent.pipeline.read().unwrap_or_else(PoisonError::into_inner);
                    pipeline.ownership().inherit();
                    tracing::info!(pid, "the predecessor has ended");
                    return;
                }
            }
        }
    };
    thread::Builder::new()
        .name("shadow-handover".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(|error| unavailable(&error))
}

impl Running {
    /// Takes the state folder once the predecessor is gone. Called a few times a second.
    pub(super) fn adopt(&self) {
        let before = *self
            .handover
            .before
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if before.is_some() || self.handover.has_state() {
            return;
        }
        match self.state.claim(Owner::this_process()) {
            Ok(lock) => {
                *self.handover.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
            }
            // Its process is still ending.
            Err(StateError::InUse { .. }) => {}
            Err(error) => tracing::warn!(%error, "the state folder is not this agent's yet"),
        }
    }
}
