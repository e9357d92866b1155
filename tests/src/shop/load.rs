//! Customers: kept-alive connections that walk through the shop at a steady pace.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

/// The visited routes, and how often each occurs in a round.
const ROUND: [(&str, u64); 12] = [
    ("/items", 3),
    ("/items/{}", 8),
    ("/search/{}?q=oak", 4),
    ("/orders/{}", 4),
    ("POST /orders", 1),
    ("/customers/{}", 3),
    ("/carts/{}", 3),
    ("/coupons/{}", 3),
    ("/recommendations/{}", 2),
    ("/invoices/{}", 1),
    ("/terms", 2),
    ("/catalog", 1),
];

/// Counts of the visits.
#[derive(Debug)]
pub struct Visits {
    /// Requests that were answered.
    pub answered: AtomicU64,
    /// Requests that failed in any way.
    pub failed: AtomicU64,
}

impl Visits {
    /// No visits yet.
    pub const fn none() -> Self {
        Self {
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }
}

/// A round of [`ROUND`] as a list of method and path; `{}` is replaced by the number of the round.
fn round(number: u64) -> Vec<(Method, String)> {
    let mut visits = Vec::new();
    for (at, (path, times)) in ROUND.into_iter().enumerate() {
        for time in 0..times {
            let id = number * 8 + time + at as u64;
            let (method, path) = match path.strip_prefix("POST ") {
                Some(path) => (Method::POST, path),
                None => (Method::GET, path),
            };
            visits.push((method, path.replace("{}", &id.to_string())));
        }
    }
    visits
}

/// Visits `server` with `customers` connections at `rate` requests per second in total, for `length`.
pub async fn run(server: SocketAddr, customers: u32, rate: u32, length: Duration, visits: &'static Visits) {
    let end = Instant::now() + length;
    let gap = Duration::from_secs(1) * customers / rate.max(1);
    let mut tasks = Vec::new();
    for customer in 0..customers {
        let start = Instant::now() + gap * customer / customers;
        tasks.push(tokio::spawn(async move {
            let mut ticks = interval_at(start, gap);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut connection = None;
            for number in u64::from(customer).. {
                let mut way = round(number);
                // They do not all walk in step: otherwise all of them would ask for the catalog at once.
                let offset = way.len() * customer as usize / (customers as usize).max(customer as usize + 1);
                way.rotate_left(offset);
                for (method, path) in way {
                    ticks.tick().await;
                    if Instant::now() >= end {
                        return;
                    }
                    let visited = timeout(
                        Duration::from_secs(5),
                        visit(server, &mut connection, method, &path),
                    )
                    .await;
                    if matches!(visited, Ok(Some(()))) {
                        visits.answered.fetch_add(1, Ordering::Relaxed);
                    } else {
                        connection = None;
                        visits.failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }));
    }
    for task in tasks {
        // Ends when its time is over; it does not panic.
        drop(task.await);
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn visit(
    server: SocketAddr,
    connection: &mut Option<Sender>,
    method: Method,
    path: &str,
) -> Option<()> {
    if connection.as_ref().is_none_or(Sender::is_closed) {
        *connection = Some(connect(server).await?);
    }
    let body = if method == Method::POST {
        Full::new(Bytes::from_static(b"{\"item\":7,\"count\":2}"))
    } else {
        Full::default()
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "shop.example")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(body)
        .ok()?;
    let response = connection.as_mut()?.send_request(request).await.ok()?;
    response.into_body().collect().await.ok()?;
    Some(())
}

async fn connect(server: SocketAddr) -> Option<Sender> {
    let stream = TcpStream::connect(server).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}
