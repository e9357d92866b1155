//! The HTTP server for metrics.
//!
//! Owns: the connections, oldest first. Bounds: [`MAX_CLIENTS`] connections, [`MAX_PER_ADDRESS`] of one address,
//! [`HEAD`] for a request, [`WHOLE`] for everything, one scrape at a time. Drops: the oldest unfinished connection, for
//! a new one. Bias: a scrape takes milliseconds, so the oldest connection is the one to close.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{self, IpAddr},
    sync::Arc,
    time::Duration,
};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::AbortHandle,
    time::timeout,
};

use super::metrics::{self, Figures, Format};

/// Connections served at once.
pub const MAX_CLIENTS: usize = 16;

/// Of one address.
pub const MAX_PER_ADDRESS: usize = 4;

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(2);

/// How long a scrape waits for the figures.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection lasts at most: its request, its answer, and the reading of the answer.
const WHOLE: Duration = Duration::from_secs(10);

/// The source of the figures.
pub trait Scraped: Send + Sync + 'static {
    /// The figures now.
    fn figures(&self) -> Figures;
}

/// The state shared by all connections.
#[derive(Clone)]
struct Source {
    scraped: Arc<dyn Scraped>,
    /// A scrape whose client is gone still runs to its end: there is never more than one.
    turn: Arc<Semaphore>,
}

/// Serves `/metrics` and `/healthz` until dropped.
pub async fn serve(listener: net::TcpListener, source: Arc<dyn Scraped>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let source = Source {
        scraped: source,
        turn: Arc::new(Semaphore::new(1)),
    };
    let mut places = Places::default();
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of file descriptors, for example: others may be closed.
            Err(error) => {
                tracing::warn!(%error, "a metrics client could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let from = from.ip().to_canonical();
        places.make_room(from);
        let connection = tokio::spawn(converse(stream, source.clone()));
        places.0.push_back((from, connection.abort_handle()));
    }
}

/// Connections that are not finished, oldest first.
#[derive(Default)]
struct Places(VecDeque<(IpAddr, AbortHandle)>);

impl Places {
    /// Closes the oldest connection if there are too many: of this address, or in total.
    fn make_room(&mut self, from: IpAddr) {
        self.0.retain(|(_, connection)| !connection.is_finished());
        let of_it = |(address, _): &&(IpAddr, AbortHandle)| *address == from;
        let oldest = if self.0.iter().filter(of_it).count() >= MAX_PER_ADDRESS {
            self.0.iter().position(|place| of_it(&place))
        } else if self.0.len() >= MAX_CLIENTS {
            Some(0)
        } else {
            None
        };
        if let Some((_, connection)) = oldest.and_then(|oldest| self.0.remove(oldest)) {
            connection.abort();
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for (_, connection) in &self.0 {
            connection.abort();
        }
    }
}

/// One request and its answer.
async fn converse(stream: TcpStream, source: Source) {
    let service = service_fn(|request| answer(request, source.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // However it ends, the next scrape has its own connection.
    drop(timeout(WHOLE, connection).await);
}

async fn answer<B>(request: Request<B>, source: Source) -> Result<Response<Full<Bytes>>, Infallible> {
    let accept = request.headers().get(header::ACCEPT);
    let format = Format::accepted(accept.and_then(|accept| accept.to_str().ok()).unwrap_or_default());
    let (status, content_type, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => scrape(source, format).await,
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, PLAIN, "ok\n".to_owned()),
        (_, "/metrics" | "/healthz") => (
            StatusCode::METHOD_NOT_ALLOWED,
            PLAIN,
            "only GET and HEAD\n".to_owned(),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            PLAIN,
            "only /metrics and /healthz\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// Not on the control thread: the figures are read under the ledger's lock.
async fn scrape(source: Source, format: Format) -> (StatusCode, &'static str, String) {
    let Source { scraped, turn } = source;
    let text = timeout(PATIENCE, async {
        let turn = turn.acquire_owned().await.ok()?;
        let text = tokio::task::spawn_blocking(move || {
            let text = metrics::encode(scraped.figures(), format);
            drop(turn);
            text
        });
        text.await.ok()?.ok()
    });
    match text.await {
        Ok(Some(text)) => (StatusCode::OK, format.content_type(), text),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            PLAIN,
            "the figures cannot be read now\n".to_owned(),
        ),
    }
}
