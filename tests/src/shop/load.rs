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

use super::rpc;

/// The visited routes, and how often each occurs in a round.
const ROUND: [(&str, u64); 15] = [
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
    (rpc::GET, 4),
    (rpc::LIST, 3),
    (rpc::PUT, 1),
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

/// One visit.
#[derive(Clone, Debug)]
enum Visit {
    Http(Method, String),
    /// A method of gRPC, and the number that it is given.
    Call(&'static str, u64),
}

/// A round of [`ROUND`] as a list of visits; `{}` is replaced by the number of the round.
fn round(number: u64) -> Vec<Visit> {
    let mut visits = Vec::new();
    for (at, (path, times)) in ROUND.into_iter().enumerate() {
        for time in 0..times {
            let id = number * 8 + time + at as u64;
            if [rpc::GET, rpc::LIST, rpc::PUT].contains(&path) {
                visits.push(Visit::Call(path, id));
                continue;
            }
            let (method, path) = match path.strip_prefix("POST ") {
                Some(path) => (Method::POST, path),
                None => (Method::GET, path),
            };
            visits.push(Visit::Http(method, path.replace("{}", &id.to_string())));
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
            let mut connections = Connections::default();
            for number in u64::from(customer).. {
                let mut way = round(number);
                // They do not all walk in step: otherwise all of them would ask for the catalog at once.
                let offset = way.len() * customer as usize / (customers as usize).max(customer as usize + 1);
                way.rotate_left(offset);
                for visit in way {
                    ticks.tick().await;
                    if Instant::now() >= end {
                        return;
                    }
                    let visited = timeout(Duration::from_secs(5), connections.visit(server, visit)).await;
                    if matches!(visited, Ok(Some(()))) {
                        visits.answered.fetch_add(1, Ordering::Relaxed);
                    } else {
                        connections = Connections::default();
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

/// The connections of one customer, one for each version of HTTP.
#[derive(Default)]
struct Connections {
    http: Option<Sender>,
    calls: Option<rpc::Calls>,
}

impl Connections {
    async fn visit(&mut self, server: SocketAddr, visit: Visit) -> Option<()> {
        let (method, path) = match visit {
            Visit::Http(method, path) => (method, path),
            Visit::Call(method, number) => {
                if self.calls.is_none() {
                    self.calls = Some(rpc::Calls::open(server).await?);
                }
                return self.calls.as_mut()?.call(method, number).await;
            }
        };
        if self.http.as_ref().is_none_or(Sender::is_closed) {
            self.http = Some(connect(server).await?);
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
        let response = self.http.as_mut()?.send_request(request).await.ok()?;
        response.into_body().collect().await.ok()?;
        Some(())
    }
}

async fn connect(server: SocketAddr) -> Option<Sender> {
    let stream = TcpStream::connect(server).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}
