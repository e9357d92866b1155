//! One keep-alive connection to the shadow system.
//!
//! Owns: the socket, and the exchange that is on it. One task writes and reads, so an exchange wakes one task and an
//! idle connection none; whether it was closed meanwhile is checked when it is to be used. Bounds: [`BUFFER`] bytes
//! read at once, [`TURNS`] reads until other exchanges have their turn.

use std::{
    future::{Future, poll_fn},
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use shadow_core::compare::Failure;
use shadow_proto::http1::{AnswerReader, AnswerSettings, ReadAnswer, Unread};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    time::{timeout, timeout_at},
};

use super::{
    meter::{Marks, Paths, Spans},
    request::Wire,
    stream::Stream,
};

/// Bytes read at once.
const BUFFER: usize = 16 << 10;

/// Reads after which the thread is given to other exchanges, however fast the bytes come.
const TURNS: u32 = 8;

/// How long a measured round trip is taken for the present one.
const MEASURED: Duration = Duration::from_millis(100);

/// The longest wait for a shadow system that has answered and still reads the request.
pub(super) const STILL_READS: Duration = Duration::from_secs(1);

/// A connection with at most one request on it.
#[derive(Debug)]
pub(super) struct Conn {
    stream: Stream,
    peer: Option<SocketAddr>,
    /// When the kernel was last asked for the round trip; not yet after an exchange if `None`.
    measured: Option<tokio::time::Instant>,
    /// Whether another request may follow.
    reusable: bool,
    /// When it last carried data.
    pub(super) used: tokio::time::Instant,
}

/// Bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<'b> {
    pub(super) answer: &'b AnswerSettings,
    /// Bytes of content that are read at most.
    pub(super) most: u64,
    /// The wait for the head of the final response.
    pub(super) patience: Option<Duration>,
    /// When the whole exchange is given up.
    pub(super) end: tokio::time::Instant,
}

/// A whole answer, and how long it took.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) answer: ReadAnswer,
    pub(super) spans: Spans,
}

/// An exchange that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub(super) failure: Failure,
    /// Whether a byte of the request was sent. If not, the shadow system never saw it.
    pub(super) is_sent: bool,
    /// Whether the connection ended before one byte of a response, final or interim.
    pub(super) is_silent: bool,
    /// Whether the shadow system said that it did not process the request (RFC 9113 section 8.7).
    pub(super) is_unprocessed: bool,
}

impl Conn {
    /// Takes a fresh connection.
    pub(super) fn new(stream: Stream, paths: &Paths) -> Self {
        let peer = stream.tcp().peer_addr().ok();
        paths.look(peer, stream.tcp());
        Self {
            stream,
            peer,
            measured: None,
            reusable: true,
            used: tokio::time::Instant::now(),
        }
    }

    /// Whether another request may be sent: the shadow system has neither closed the connection nor sent data on it.
    /// See [`Stream::is_open`].
    pub(super) fn is_open(&mut self, certain: bool) -> bool {
        self.reusable && self.stream.is_open(certain)
    }

    /// The address of the other end.
    pub(super) const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Sends one request and reads its response. After the future is dropped the connection cannot be used again.
    pub(super) async fn exchange(
        &mut self,
        request: &Wire,
        bounds: Bounds<'_>,
        paths: &Paths,
    ) -> Result<Received, Lost> {
        self.reusable = false;
        let mut exchange = self.begun(request, bounds);
        let head = exchange.until(AnswerReader::has_head);
        let head = match bounds.patience {
            Some(patience) => timeout(patience, head)
                .await
                .unwrap_or(Err(Failure::FirstByteTimeout)),
            None => head.await,
        };
        let whole = match head {
            Ok(()) => exchange.until(AnswerReader::is_done).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = whole {
            return Err(exchange.lost(failure));
        }
        // A server may answer before it has read the request: it still gets all of it, unless it closes the connection
        // or reads no further. The answer counts in any case.
        let given_up = bounds.end.min(tokio::time::Instant::now() + STILL_READS);
        let rest = timeout_at(given_up, exchange.rest()).await.unwrap_or(false);
        let Exchange {
            reader,
            marks,
            is_sent,
            is_exact,
            ..
        } = exchange;
        let Some(answer) = reader.finish() else {
            return Err(Lost {
                failure: Failure::Closed,
                is_sent,
                is_silent: false,
                is_unprocessed: false,
            });
        };
        self.reusable = answer.keeps_open && is_exact && rest;
        self.used = tokio::time::Instant::now();
        let spans = marks.spans(self.round_trip(marks, paths));
        Ok(Received { answer, spans })
    }

    /// The round trip of the path. The kernel keeps the smallest one for minutes, so it is asked now and then only, and
    /// when an answer came in less than what is known.
    fn round_trip(&mut self, marks: Marks, paths: &Paths) -> Duration {
        let known = paths.known(self.peer);
        let is_old = |asked: tokio::time::Instant| self.used.saturating_duration_since(asked) >= MEASURED;
        if self.measured.is_none_or(is_old) || marks.spans(known).is_under_path {
            self.measured = Some(self.used);
            return paths.look(self.peer, self.stream.tcp());
        }
        known
    }

    fn begun<'x>(&'x mut self, request: &'x Wire, bounds: Bounds<'x>) -> Exchange<'x> {
        Exchange {
            stream: &mut self.stream,
            out: request.parts(),
            reader: AnswerReader::new(request.method(), bounds.most, bounds.answer),
            marks: Marks::new(),
            reads: 0,
            is_sent: false,
            is_exact: true,
            is_first: request.is_first,
        }
    }
}

/// A request that is being sent, and the answer to it.
struct Exchange<'x> {
    stream: &'x mut Stream,
    /// The data still to be written.
    out: [&'x [u8]; 3],
    reader: AnswerReader<'x>,
    marks: Marks,
    reads: u32,
    is_sent: bool,
    /// Whether everything was written, and nothing came after the answer.
    is_exact: bool,
    /// Whether production's client sent the request on a new connection.
    is_first: bool,
}

impl<'x> Exchange<'x> {
    /// Writes and reads until the answer has reached this point.
    fn until(&mut self, done: fn(&AnswerReader<'x>) -> bool) -> impl Future<Output = Result<(), Failure>> {
        poll_fn(move |cx| {
            while !done(&self.reader) {
                self.poll_write(cx)?;
                ready!(self.poll_read(cx))?;
                self.reads = self.reads.wrapping_add(1);
                if self.reads.is_multiple_of(TURNS) && !done(&self.reader) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Writes the rest of the request. Returns whether the connection can be used afterwards.
    async fn rest(&mut self) -> bool {
        poll_fn(|cx| match self.poll_write(cx) {
            Ok(()) if self.out.iter().any(|part| !part.is_empty()) => Poll::Pending,
            written => Poll::Ready(written.is_ok()),
        })
        .await
    }

    /// Writes as much as the socket accepts.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while let Some(part) = self.out.iter_mut().find(|part| !part.is_empty()) {
            // Before the call: if the thread is preempted in it, the answer's latency would appear shorter.
            let now = Instant::now();
            match Pin::new(&mut *self.stream).poll_write(cx, part) {
                Poll::Pending => break,
                Poll::Ready(Ok(written @ 1..)) => {
                    *part = part.get(written..).unwrap_or_default();
                    self.marks.wrote(now);
                    self.is_sent = true;
                }
                Poll::Ready(written) => {
                    self.out = Default::default();
                    self.is_exact = false;
                    if !self.is_sent {
                        return Err(written
                            .map_or_else(|error| self.stream.failure(&error), |_nothing| Failure::Closed));
                    }
                    // It may have answered before it closed the connection.
                }
            }
        }
        // TLS may have taken bytes that the socket did not; an error is one of the next read, too.
        drop(Pin::new(&mut *self.stream).poll_flush(cx));
        Ok(())
    }

    /// Reads once.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut room = [MaybeUninit::uninit(); BUFFER];
        let mut buffer = ReadBuf::uninit(&mut room);
        let read = ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut buffer));
        read.map_err(|error| self.stream.failure(&error))?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            self.reader.end();
            return Poll::Ready(if self.reader.is_done() {
                Ok(())
            } else {
                Err(Failure::Closed)
            });
        }
        let now = Instant::now();
        let used = self.reader.read(bytes).map_err(|unread| match unread {
            Unread::Protocol => Failure::Protocol,
            Unread::TooLarge => Failure::TooLarge,
        });
        self.marks.read(now, self.reader.is_begun());
        self.is_exact &= used? == bytes.len();
        if self.is_first && !self.reader.is_done() {
            self.acknowledge();
        }
        Poll::Ready(Ok(()))
    }

    /// Acknowledges what was read at once, as a client's new connection does. On a connection that has carried a
    /// request the kernel waits up to 40 ms for data to send along, and a server that writes its answer in several
    /// parts without TCP_NODELAY holds the next part back until then. An error costs only that wait.
    fn acknowledge(&self) {
        let set = SockRef::from(self.stream.tcp()).set_tcp_quickack(true);
        if let Err(error) = set {
            tracing::debug!(%error, "TCP_QUICKACK is not set");
        }
    }

    fn lost(&self, failure: Failure) -> Lost {
        let closed = matches!(failure, Failure::Closed | Failure::Reset);
        Lost {
            failure,
            is_sent: self.is_sent,
            is_silent: closed && !self.marks.has_read(),
            is_unprocessed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use shadow_core::rewrite::ShadowRequest;
    use shadow_proto::limits::Limits;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::replay::tests::get;

    /// On a connection that has carried requests the kernel waits with its acknowledgements, unless asked. Where this
    /// machine is so slow that it has not waited in vain when it is asked, nothing is seen of that.
    #[tokio::test]
    async fn a_first_request_is_acknowledged_as_on_a_new_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, peer) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut peer, _) = peer.unwrap();
        let mut conn = Conn::new(Stream::Plain(client.unwrap()), &Paths::default());
        let mut late = 0;
        for _ in 0..50 {
            late += u32::from(!is_at_once(&mut conn, &mut peer, false).await);
            assert!(is_at_once(&mut conn, &mut peer, true).await);
        }
        assert!(late > 0, "the kernel never waited, so nothing was tested");
    }

    /// Whether the kernel acknowledges at once when the head of an answer was read.
    async fn is_at_once(conn: &mut Conn, peer: &mut TcpStream, is_first: bool) -> bool {
        let answer = AnswerSettings::new(Limits::default());
        let bounds = Bounds {
            answer: &answer,
            most: 1 << 20,
            patience: None,
            end: tokio::time::Instant::now(),
        };
        let wire = Wire::new(&ShadowRequest { is_first, ..get() }, "shadow").unwrap();
        let mut exchange = conn.begun(&wire, bounds);
        exchange
            .poll_write(&mut Context::from_waker(std::task::Waker::noop()))
            .unwrap();
        assert!(peer.read(&mut [0; 1024]).await.unwrap() > 0);
        peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            .await
            .unwrap();
        exchange.until(AnswerReader::has_head).await.unwrap();
        let at_once = SockRef::from(exchange.stream.tcp()).tcp_quickack().unwrap();
        peer.write_all(b"ok").await.unwrap();
        exchange.until(AnswerReader::is_done).await.unwrap();
        at_once
    }
}
