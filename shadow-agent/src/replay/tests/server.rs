//! A server that does exactly what a test says, byte for byte.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Runs a script on every connection; ends with the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start<F, S>(script: F) -> Self
    where
        F: Fn(Peer) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, SeqCst);
                tokio::spawn(script(Peer {
                    stream,
                    buffer: Vec::new(),
                }));
            }
        });
        Self {
            address,
            accepted,
            task,
        }
    }

    /// Connections that were made so far.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }
}

/// One connection, seen from the server.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    /// Everything up to and with `end`. Empty when the client closed.
    pub(super) async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                let rest = self.buffer.split_off(at + end.len());
                return std::mem::replace(&mut self.buffer, rest);
            }
            if !self.more().await {
                return Vec::new();
            }
        }
    }

    /// A request head; empty when the client closed.
    pub(super) async fn head(&mut self) -> String {
        String::from_utf8(self.read_until(b"\r\n\r\n").await).unwrap()
    }

    /// This many bytes.
    pub(super) async fn exactly(&mut self, len: usize) -> Vec<u8> {
        while self.buffer.len() < len {
            assert!(self.more().await, "the client closed");
        }
        let rest = self.buffer.split_off(len);
        std::mem::replace(&mut self.buffer, rest)
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may be gone already; the test checks the client's result.
        let _written = self.stream.write_all(bytes.as_ref()).await;
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) > 0
    }
}

/// Answers every request on a connection with the same bytes.
pub(super) async fn always(response: &'static [u8]) -> Server {
    Server::start(move |mut peer| async move {
        while !peer.head().await.is_empty() {
            peer.write(response).await;
        }
    })
    .await
}

/// Reads one request head, then sends these bytes and closes.
pub(super) async fn once(response: &'static [u8]) -> Server {
    Server::start(move |mut peer| async move {
        peer.head().await;
        peer.write(response).await;
    })
    .await
}
