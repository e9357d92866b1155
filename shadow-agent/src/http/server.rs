//! The HTTP server for metrics.

use std::{convert::Infallible, io, net, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use super::metrics::{self, Figures, Format};

/// Connections served at once; further ones are closed.
pub const MAX_CLIENTS: usize = 16;

/// A client that has not sent its request, or read its answer, after this long is cut off.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the figures come from.
pub trait Scraped: Send + Sync + 'static {
    /// The figures now.
    fn figures(&self) -> Figures;
}

/// Serves `/metrics` and `/healthz` until dropped.
pub async fn serve(listener: net::TcpListener, source: Arc<dyn Scraped>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of file descriptors, for example: others may give one back.
            Err(error) => {
                tracing::warn!(%error, "a metrics client could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let source = Arc::clone(&source);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(|request| answer(request, Arc::clone(&source)));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // However it ends, the next scrape starts afresh.
            drop(timeout(PATIENCE * 2, connection).await);
        });
    }
}

async fn answer<B>(
    request: Request<B>,
    source: Arc<dyn Scraped>,
) -> Result<Response<Full<Bytes>>, Infallible> {
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

/// Beside the control thread: the figures are read under the ledger's lock.
async fn scrape(source: Arc<dyn Scraped>, format: Format) -> (StatusCode, &'static str, String) {
    let text = tokio::task::spawn_blocking(move || metrics::encode(source.figures(), format));
    match timeout(PATIENCE, text).await {
        Ok(Ok(Ok(text))) => (StatusCode::OK, format.content_type(), text),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            PLAIN,
            "the figures cannot be read now\n".to_owned(),
        ),
    }
}
