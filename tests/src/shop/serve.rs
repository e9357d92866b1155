//! The shop's server: hyper over HTTP/1.1, keep-alive, on loopback; gRPC over HTTP/2 on the same port.

use std::{convert::Infallible, io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::body::Body;

use super::{Edition, data, natural, rpc};

/// Delay of the rewrite where production takes two milliseconds.
const SLOW: Duration = Duration::from_millis(120);

/// Serves without end.
pub async fn serve(listener: TcpListener, edition: Edition) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others will be closed.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, edition));
            // A client that disconnects is not a fault of the server.
            drop(
                auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), answer)
                    .await,
            );
        });
    }
}

async fn answer(request: Request<Incoming>, edition: Edition) -> Result<Response<Body>, Infallible> {
    if rpc::is_call(&request) {
        return Ok(rpc::answer(request, edition).await);
    }
    let id = natural::request_id(edition);
    let (parts, body) = request.into_parts();
    // The whole body is read before the answer, as most frameworks do.
    drop(body.collect().await);
    let mut response = route(&parts.method, parts.uri.path(), &id, edition).await;
    if let Ok(value) = id.parse() {
        response.headers_mut().insert("x-request-id", value);
    }
    let server = match edition {
        Edition::Production => "shop/1.9",
        Edition::Rewrite => "shop/2.0",
    };
    response
        .headers_mut()
        .insert(header::SERVER, header::HeaderValue::from_static(server));
    Ok(response.map(Body::new))
}

async fn route(method: &Method, path: &str, request_id: &str, edition: Edition) -> Response<Full<Bytes>> {
    let mut parts = path.trim_start_matches('/').split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let id: u64 = second.parse().unwrap_or(0);
    let json = |value: Value| json_response(StatusCode::OK, value, request_id, edition);
    match (method, first) {
        (&Method::GET | &Method::HEAD, "items") if second.is_empty() => json(data::items(1, 20)),
        (&Method::GET | &Method::HEAD, "items") => json(natural::lively(data::item(id))),
        (&Method::GET, "search") => json(data::items(id % 50, 5)),
        (&Method::GET, "orders") => json(data::order(id)),
        (&Method::POST, "orders") => json_response(
            StatusCode::CREATED,
            json!({ "accepted": true }),
            request_id,
            edition,
        ),
        (&Method::GET, "customers") => json(data::customer(id, edition)),
        (&Method::GET, "carts") => json(data::cart(id, edition)),
        (&Method::GET, "coupons") => match data::coupon(id, edition) {
            Some(value) => json(value),
            None => json_response(
                StatusCode::GONE,
                json!({ "error": "expired" }),
                request_id,
                edition,
            ),
        },
        (&Method::GET, "recommendations") => {
            let wait = if edition == Edition::Rewrite {
                SLOW
            } else {
                Duration::from_millis(2)
            };
            tokio::time::sleep(wait).await;
            json(data::items(id, 4))
        }
        (&Method::GET, "invoices") => {
            if edition == Edition::Rewrite {
                std::future::pending::<()>().await;
            }
            json(json!({ "id": id, "order": data::order(id) }))
        }
        (&Method::GET, "catalog") => catalog(request_id, edition),
        (&Method::GET, "terms") => {
            let caching = match edition {
                Edition::Production => "public, max-age=3600",
                Edition::Rewrite => "no-store",
            };
            text(data::TERMS, caching)
        }
        (&Method::GET, "health") => text("ok\n", "no-store"),
        _ => json_response(
            StatusCode::NOT_FOUND,
            json!({ "error": "no such route" }),
            request_id,
            edition,
        ),
    }
}

fn json_response(
    status: StatusCode,
    value: Value,
    request_id: &str,
    edition: Edition,
) -> Response<Full<Bytes>> {
    let body = natural::dress(value, request_id, edition);
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn text(body: &'static str, caching: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static(caching));
    response
}

/// A large and compressed answer.
fn catalog(request_id: &str, edition: Edition) -> Response<Full<Bytes>> {
    let body = natural::dress(data::items(1, 200), request_id, edition);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zipped = encoder.write_all(&body).and_then(|()| encoder.finish());
    let mut response = Response::new(Full::new(zipped.unwrap_or_default().into()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    response
}
