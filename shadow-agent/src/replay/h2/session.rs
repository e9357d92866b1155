//! A connection of HTTP/2, and who is on it.
//!
//! Owns: the task that writes and reads the connection. It ends when the shadow system closes the connection, or a
//! moment after the session was dropped, when GOAWAY was sent.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use shadow_core::compare::Failure;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    time::{Instant, timeout},
};

use super::super::{meter::Paths, stream::Stream};

/// Requests at once on one connection; common servers permit 100 or more.
pub(in super::super) const STREAMS: usize = 32;

/// Bytes of one answer that may be on the way; content is taken as soon as it comes.
const STREAM_WINDOW: u32 = 1 << 20;

/// Bytes of all answers on one connection that may be on the way.
const WINDOW: u32 = 4 << 20;

/// The longest wait for the end of a connection that nobody uses any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub(in super::super) struct Session {
    shared: Arc<Shared>,
}

/// A place for one request on a connection.
#[derive(Debug)]
pub(in super::super) struct StreamPermit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    send: SendRequest<Bytes>,
    peer: Option<SocketAddr>,
    places: AtomicUsize,
    used: Mutex<Instant>,
    state: Arc<State>,
    /// The task ends when this is dropped.
    _kept: oneshot::Sender<()>,
}

/// State that the task of the connection shares.
#[derive(Debug, Default)]
struct State {
    ended: AtomicBool,
    /// The first fault of the socket.
    fault: OnceLock<Failure>,
}

impl Session {
    /// Begins HTTP/2 on a fresh connection, by prior knowledge or as agreed in the handshake of TLS.
    pub(in super::super) async fn begin(stream: Stream, head: usize, paths: &Paths) -> Result<Self, Failure> {
        let peer = stream.tcp().peer_addr().ok();
        paths.look(peer, stream.tcp());
        let state = Arc::new(State::default());
        let socket = Socket {
            stream,
            state: Arc::clone(&state),
        };
        let (send, connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
            .handshake(socket)
            .await
            .map_err(|_broken| state.failure())?;
        let (kept, dropped) = oneshot::channel();
        tokio::spawn(drive(connection, dropped, Arc::clone(&state)));
        Ok(Self {
            shared: Arc::new(Shared {
                send,
                peer,
                places: AtomicUsize::new(0),
                used: Mutex::new(Instant::now()),
                state,
                _kept: kept,
            }),
        })
    }

    /// A place, if there is one. Not to be called by two threads at once.
    pub(in super::super) fn place(&self) -> Option<StreamPermit> {
        let Shared {
            send, places, state, ..
        } = &*self.shared;
        let most = STREAMS.min(send.current_max_send_streams());
        if state.ended.load(SeqCst) || places.load(SeqCst) >= most {
            return None;
        }
        places.fetch_add(1, SeqCst);
        Some(StreamPermit {
            shared: Arc::clone(&self.shared),
        })
    }

    /// Whether it is open, and in use or used after `since`.
    pub(in super::super) fn is_fresh(&self, idle: Duration) -> bool {
        let Shared {
            places, used, state, ..
        } = &*self.shared;
        let used = *used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = places.load(SeqCst) == 0 && Instant::now().saturating_duration_since(used) >= idle;
        !state.ended.load(SeqCst) && !is_idle
    }

    /// The address of the other end.
    pub(in super::super) fn peer(&self) -> Option<SocketAddr> {
        self.shared.peer
    }
}

impl StreamPermit {
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.shared.send.clone()
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.shared.peer
    }

    /// No request may be sent on this connection any more.
    pub(super) fn end(&self) {
        self.shared.state.ended.store(true, SeqCst);
    }

    /// The failure of the connection.
    pub(super) fn failure(&self) -> Failure {
        self.shared.state.failure()
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let Shared { used, places, .. } = &*self.shared;
        *used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        places.fetch_sub(1, SeqCst);
    }
}

impl State {
    fn failure(&self) -> Failure {
        self.fault.get().copied().unwrap_or(Failure::Closed)
    }
}

/// Writes and reads a connection until it ends.
async fn drive(connection: Connection<Socket, Bytes>, dropped: oneshot::Receiver<()>, state: Arc<State>) {
    let mut connection = Box::pin(connection);
    tokio::select! {
        ended = &mut connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the shadow system ended");
            }
        }
        _dropped = dropped => {
            // Without handles it says GOAWAY by itself.
            drop(timeout(FAREWELL, connection).await);
        }
    }
    state.ended.store(true, SeqCst);
}

/// A stream that remembers its fault: the library passes errors on without their cause.
#[derive(Debug)]
struct Socket {
    stream: Stream,
    state: Arc<State>,
}

impl Socket {
    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.state.fault.get_or_init(|| self.stream.failure(error));
        }
        result
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer));
        Poll::Ready(this.noted(read))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, part: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, part));
        Poll::Ready(this.noted(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = ready!(Pin::new(&mut this.stream).poll_flush(cx));
        Poll::Ready(this.noted(flushed))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
