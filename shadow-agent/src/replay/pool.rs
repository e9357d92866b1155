//! Idle connections to the shadow system.
//!
//! Owns: connections between two requests. Bounds: as many as replays may run at once, each for the idle time. The most
//! recently used one is taken first, so that the others close when traffic is low.

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

    /// The most recently used connection that is still open.
    pub(super) fn take(&self) -> Option<Conn> {
        loop {
            let mut conn = self.lock().pop()?;
            if self.is_fresh(&conn) && conn.is_open() {
                return Some(conn);
            }
        }
    }

    /// Keeps a connection for the next request, if it can be reused.
    pub(super) fn give(&self, mut conn: Conn) {
        if !conn.is_open() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < self.settings.get().concurrency {
            idle.push(conn);
        }
    }

    /// Closes connections that are too old, were closed by the shadow system, or exceed the current number of replays.
    pub(super) fn sweep(&self) {
        let mut idle = self.lock();
        idle.retain_mut(|conn| self.is_fresh(conn) && conn.is_open());
        let more = idle.len().saturating_sub(self.settings.get().concurrency);
        idle.drain(..more);
    }

    /// Closes the other ones.
    pub(super) fn keep_only(&self, is_kept: impl Fn(&Conn) -> bool) {
        self.lock().retain(is_kept);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_fresh(&self, conn: &Conn) -> bool {
        Instant::now().saturating_duration_since(conn.used) < self.settings.get().idle_timeout
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        // Every operation on the stack is one call: a panic elsewhere leaves it consistent.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
