//! Connections to the shadow system that may carry another request.
//!
//! Owns: connections of HTTP/1.1 between two requests, and every one of HTTP/2. Bounds: as many as replays may run at
//! once, each for the idle time. The most recently used one of HTTP/1.1 is taken first, and the oldest one of HTTP/2
//! that has a free place, so that the others close when traffic is low.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use super::{
    LiveSettings,
    conn::Conn,
    h2::{Session, StreamPermit},
};

/// A stack of idle connections.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Conn>>,
    sessions: Mutex<Vec<Session>>,
    settings: LiveSettings,
}

impl Pool {
    pub(super) fn new(settings: LiveSettings) -> Self {
        Self {
            idle: Mutex::default(),
            sessions: Mutex::default(),
            settings,
        }
    }

    /// The most recently used connection that is still open; for `certain`, if the request must not be lost.
    pub(super) fn take(&self, certain: bool) -> Option<Conn> {
        loop {
            let mut conn = self.lock().pop()?;
            if self.is_fresh(&conn) && conn.is_open(certain) {
                return Some(conn);
            }
        }
    }

    /// Keeps a connection for the next request, if it can be reused.
    pub(super) fn give(&self, mut conn: Conn) {
        if !conn.is_open(false) {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < self.settings.get().concurrency {
            idle.push(conn);
        }
    }

    /// A place on a connection of HTTP/2.
    pub(super) fn join(&self) -> Option<StreamPermit> {
        self.sessions().iter().find_map(Session::place)
    }

    /// Adds a connection of HTTP/2, and returns a place on it.
    pub(super) fn add(&self, session: Session) -> Option<StreamPermit> {
        let place = session.place();
        let mut sessions = self.sessions();
        if sessions.len() < self.settings.get().concurrency {
            sessions.push(session);
        }
        place
    }

    /// Closes connections that are too old, were closed by the shadow system, or exceed the current number of replays.
    pub(super) fn sweep(&self) {
        let mut idle = self.lock();
        idle.retain_mut(|conn| self.is_fresh(conn) && conn.is_open(true));
        let more = idle.len().saturating_sub(self.settings.get().concurrency);
        idle.drain(..more);
        let limit = self.settings.get().idle_timeout;
        self.sessions().retain(|session| session.is_fresh(limit));
    }

    /// Closes those whose other end is not one of these; a request that is on one is finished.
    pub(super) fn keep_only(&self, is_kept: impl Fn(SocketAddr) -> bool) {
        self.lock().retain(|conn| conn.peer().is_some_and(&is_kept));
        self.sessions()
            .retain(|session| session.peer().is_some_and(&is_kept));
    }

    pub(super) fn len(&self) -> usize {
        let (idle, sessions) = (self.lock().len(), self.sessions().len());
        idle.saturating_add(sessions)
    }

    fn is_fresh(&self, conn: &Conn) -> bool {
        Instant::now().saturating_duration_since(conn.used) < self.settings.get().idle_timeout
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        // Every operation on the stack is one call: a panic elsewhere leaves it consistent.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
