//! Where an agent is reached: control socket, metrics, and the socket for a successor.
//!
//! An agent that takes over opens them when its predecessor has agreed, in place of those of that one.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{preflight, successor::Claim};
use crate::{
    config::Config,
    control::server::{Socket, SocketError},
    guard, handover,
    runtime::{Cause, RuntimeError},
    state::{Owner, StateDir},
};

/// How long the predecessor may take to give up the address of its metrics.
const PATIENCE: Duration = Duration::from_secs(2);

/// Open sockets.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) control: Socket,
    pub(super) metrics: Option<TcpListener>,
    pub(super) handover: Socket,
}

/// The sockets of an agent, or none yet where its predecessor has them.
#[derive(Debug)]
pub(super) struct Early(Option<Doors>);

impl Doors {
    /// Opens them before anything else can fail, unless a predecessor has them.
    pub(super) fn early(config: &Config, state: &StateDir, claim: &Claim) -> Result<Early, RuntimeError> {
        if !claim.is_held() {
            return Ok(Early(None));
        }
        let metrics = config.agent.metrics.map(preflight::listen).transpose()?;
        let control = Socket::open(&config.agent.socket, preflight::group(&config.agent)?);
        Self::with(control, metrics, state).map(|doors| Early(Some(doors)))
    }

    fn with(
        control: Result<Socket, SocketError>,
        metrics: Option<TcpListener>,
        state: &StateDir,
    ) -> Result<Self, RuntimeError> {
        let refused = |error: SocketError| RuntimeError::new(Cause::CannotCreate, error.to_string());
        let handover = handover::socket_of(state, Owner::this_process());
        Ok(Self {
            control: control.map_err(refused)?,
            metrics,
            handover: Socket::open(&handover, None).map_err(refused)?,
        })
    }
}

impl Early {
    /// Opens those that a predecessor had, and moves the guard's socket to its place.
    pub(super) fn open(
        self,
        config: &Config,
        state: &StateDir,
        guard: Option<&Socket>,
    ) -> Result<Doors, RuntimeError> {
        if let Some(doors) = self.0 {
            return Ok(doors);
        }
        let place = guard::socket_of(&config.agent.socket);
        if let Some(Err(error)) = guard.map(|socket| socket.place(&place)) {
            tracing::warn!(%error, "the guard process cannot be reached");
        }
        let metrics = config.agent.metrics.map(|address| {
            let until = Instant::now() + PATIENCE;
            loop {
                match preflight::listen(address) {
                    Err(_taken) if Instant::now() < until => thread::sleep(Duration::from_millis(50)),
                    listening => break listening,
                }
            }
        });
        let control = Socket::replace(&config.agent.socket, preflight::group(&config.agent)?);
        Doors::with(control, metrics.transpose()?, state)
    }
}

/// A path beside another, for a socket that is moved there later.
pub(super) fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".next-{}", std::process::id()));
    name.into()
}
