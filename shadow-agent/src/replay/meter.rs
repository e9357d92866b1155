//! When bytes moved on a connection to the shadow system.
//!
//! Shadow latency is taken at the socket, not where a task happens to run: the last write that took request bytes,
//! the first and the last read that brought response bytes. To another host the smallest round trip that the kernel
//! saw while connecting is taken off, as production's latency is measured beside the server.
//!
//! Bias: against the shadow system. A read happens when the replay thread gets to it, some tens of microseconds after
//! the bytes came, and replays are sent in the small batches in which they were captured.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The marks of the exchange under way, in nanoseconds since the connection was made; 0 is "not yet".
///
/// Written by the connection's task only; atomics because hyper owns the socket that writes them.
#[derive(Debug)]
pub(super) struct Marks {
    epoch: Instant,
    last_write: AtomicU64,
    first_read: AtomicU64,
    last_read: AtomicU64,
}

/// The two spans of one exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spans {
    /// Last request byte written to first response byte read.
    pub(super) first_byte: Duration,
    /// Last request byte written to last response byte read.
    pub(super) total: Duration,
}

impl Marks {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            last_write: AtomicU64::new(0),
            first_read: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
        })
    }

    /// A new exchange begins.
    pub(super) fn reset(&self) {
        self.last_write.store(0, Relaxed);
        self.first_read.store(0, Relaxed);
        self.last_read.store(0, Relaxed);
    }

    /// What came until now was an interim response; the first byte of the final one is yet to come, or came with
    /// the same read, which [`Marks::spans`] then takes.
    pub(super) fn interim(&self) {
        self.first_read.store(0, Relaxed);
    }

    /// Whether any byte of a response came, final or interim.
    pub(super) fn has_read(&self) -> bool {
        self.last_read.load(Relaxed) != 0
    }

    /// The spans less a round trip. A response that began before the request was written has a span of zero.
    pub(super) fn spans(&self, rtt: Duration) -> Spans {
        let [sent, first, last] =
            [&self.last_write, &self.first_read, &self.last_read].map(|mark| mark.load(Relaxed));
        let first = if first == 0 { last } else { first };
        let span = |end: u64| Duration::from_nanos(end.saturating_sub(sent)).saturating_sub(rtt);
        Spans {
            first_byte: span(first),
            total: span(last),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn wrote(&self) {
        self.last_write.store(self.now(), Relaxed);
    }

    fn read(&self) {
        let now = self.now();
        self.last_read.store(now, Relaxed);
        if self.first_read.load(Relaxed) == 0 {
            self.first_read.store(now, Relaxed);
        }
    }
}

/// A TCP connection that keeps [`Marks`].
#[derive(Debug)]
pub(super) struct Metered {
    stream: TcpStream,
    marks: Arc<Marks>,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, marks: Arc<Marks>) -> Self {
        Self { stream, marks }
    }
}

impl AsyncRead for Metered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, marks } = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            marks.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, marks } = self.get_mut();
        let written = ready!(Pin::new(stream).poll_write(cx, buf))?;
        marks.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, marks } = self.get_mut();
        let written = ready!(Pin::new(stream).poll_write_vectored(cx, bufs))?;
        marks.wrote();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
