//! Idle connections to the shadow system.
//!
//! Owns: connections between two requests. Bounds: as many as replays may run at once, each for the idle time. The
//! one that was used last is taken first, so that a quiet hour closes the others.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::{LiveSettings, conn::Conn};

/// A stack of idle connections.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Conn>>,
    settings: LiveSettings,
}

impl Pool {
    pub(super) fn new(settings: LiveSettings) -> Self {
        Self {
            idle: Mutex::default(),
            settings,
        }
    }

    /// The connection that was used last and is still open.
    pub(super) fn take(&self) -> Option<Conn> {
        loop {
            let conn = self.lock().pop()?;
            if self.is_fresh(&conn) && conn.is_open() {
                return Some(conn);
            }
        }
    }

    /// Keeps a connection for the next request, when there may be one.
    pub(super) fn give(&self, conn: Conn) {
        if !conn.is_open() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < self.settings.get().concurrency {
            idle.push(conn);
        }
    }

    /// Closes what is too old, was closed by the shadow system, or is more than may run any more.
    pub(super) fn sweep(&self) {
        let mut idle = self.lock();
        idle.retain(|conn| self.is_fresh(conn) && conn.is_open());
        let more = idle.len().saturating_sub(self.settings.get().concurrency);
        idle.drain(..more);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_fresh(&self, conn: &Conn) -> bool {
        Instant::now().saturating_duration_since(conn.used) < self.settings.get().idle_timeout
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        // Every operation on the stack is one call: a panic elsewhere leaves it whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
