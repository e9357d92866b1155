//! The bytes of a connection, plain or in TLS.

use std::{
    io::{self, ErrorKind},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use shadow_core::compare::Failure;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::tls::Tls;

/// Records that are read of an idle connection at once; a server sends one or two after the handshake.
const RECORDS: usize = 16;

/// A connected stream.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<(TlsStream<TcpStream>, Tls)>),
}

impl Stream {
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.0.get_ref().0,
        }
    }

    /// Whether the other end has neither closed the stream nor sent data on it. The socket is asked once the runtime
    /// knows of either, or if it has to be known for `certain`: what came since the last turn of the runtime is
    /// not known there.
    pub(super) fn is_open(&mut self, certain: bool) -> bool {
        match self {
            Self::Plain(stream) => {
                let peek = || SockRef::from(&*stream).peek(&mut [MaybeUninit::uninit()]);
                let peeked = if certain {
                    peek()
                } else {
                    stream.try_io(Interest::READABLE, peek)
                };
                matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
            }
            Self::Tls(stream) => is_idle(&mut stream.0, certain),
        }
    }

    /// An error of this stream as a failure. One of TLS is logged with its reason.
    pub(super) fn failure(&self, error: &io::Error) -> Failure {
        if let Self::Tls(stream) = self
            && stream.1.explain(error)
        {
            return Failure::Tls;
        }
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                Failure::Reset
            }
            ErrorKind::TimedOut => Failure::Timeout,
            _ => Failure::Closed,
        }
    }
}

/// Reads what a server sends by itself, such as session tickets. See [`Stream::is_open`].
fn is_idle(stream: &mut TlsStream<TcpStream>, certain: bool) -> bool {
    let (tcp, session) = stream.get_mut();
    let socket = SockRef::from(&*tcp);
    for _ in 0..RECORDS {
        let mut read = || session.read_tls(&mut &*socket);
        let read = if certain {
            read()
        } else {
            tcp.try_io(Interest::READABLE, read)
        };
        match read {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return false,
        }
        match session.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
            _ => return false,
        }
    }
    session
        .process_new_packets()
        .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, part: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, part),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_write(cx, part),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut stream.0).poll_shutdown(cx),
        }
    }
}
