//! The generator: a constant rate, regardless of what the server does.
//!
//! A request that has to wait for the previous answer counts from the moment it was due, not from the moment it was
//! sent, so a server that stalls cannot hide it (coordinated omission). The slack of our own timer is not counted.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Duration, Instant, sleep_until, timeout},
};

use super::load::Seen;
use crate::shop::rpc::{self, Calls};

const CONNECTIONS: u32 = 32;

/// Description of the load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Address of the server.
    pub server: SocketAddr,
    /// The request target; `{n}` in it is replaced by a different number each time. That of the shop's gRPC method is
    /// called over HTTP/2.
    pub path: String,
    /// Requests per second, over all connections.
    pub rate: u32,
    /// Duration.
    pub length: Duration,
}

/// Runs the load.
pub async fn run(plan: Plan) -> Seen {
    let gap = Duration::from_secs(1) * CONNECTIONS / plan.rate.max(1);
    let start = Instant::now() + Duration::from_millis(50);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            tokio::spawn(connection(
                plan.clone(),
                number,
                start + gap * number / CONNECTIONS,
                gap,
            ))
        })
        .collect();
    let mut latencies = Vec::new();
    let mut errors = 0;
    for task in tasks {
        let (mut seen, failed) = task.await.unwrap_or_default();
        latencies.append(&mut seen);
        errors += failed;
    }
    latencies.sort_unstable();
    let at = |percent: usize| {
        latencies
            .get((latencies.len() * percent / 100).min(latencies.len().saturating_sub(1)))
            .map_or(0.0, |latency: &Duration| latency.as_secs_f64() * 1e6)
    };
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = latencies.len() as f64 / plan.length.as_secs_f64();
    Seen {
        requests: latencies.len() as u64,
        errors,
        rate,
        p50: at(50),
        p99: at(99),
    }
}

async fn connection(plan: Plan, first: u32, mut due: Instant, gap: Duration) -> (Vec<Duration>, u64) {
    let mut latencies = Vec::new();
    let mut errors = 0;
    let end = due + plan.length;
    let template = format!("GET {} HTTP/1.1\r\nHost: bench\r\n\r\n", plan.path);
    let (mut stream, mut calls) = (None, None);
    for number in (first..).step_by(CONNECTIONS as usize) {
        if due >= end {
            break;
        }
        let request = template.replace("{n}", &number.to_string());
        let late = Instant::now() > due;
        sleep_until(due).await;
        let from = if late { due } else { Instant::now() };
        let answered = async {
            if plan.path == rpc::GET {
                call(&mut calls, plan.server).await
            } else {
                exchange(&mut stream, &plan, request.as_bytes()).await
            }
        };
        if timeout(Duration::from_secs(5), answered).await == Ok(Some(())) {
            latencies.push(from.elapsed());
        } else {
            errors += 1;
            (stream, calls) = (None, None);
        }
        due += gap;
    }
    (latencies, errors)
}

async fn call(calls: &mut Option<Calls>, server: SocketAddr) -> Option<()> {
    if calls.is_none() {
        *calls = Some(Calls::open(server).await?);
    }
    let cart = calls.as_mut()?.get(rpc::ARCHIVED).await;
    cart.ok().map(|_cart| ())
}

async fn exchange(stream: &mut Option<TcpStream>, plan: &Plan, request: &[u8]) -> Option<()> {
    if stream.is_none() {
        let fresh = TcpStream::connect(plan.server).await.ok()?;
        fresh.set_nodelay(true).ok()?;
        *stream = Some(fresh);
    }
    let stream = stream.as_mut()?;
    stream.write_all(request).await.ok()?;
    let mut buffer = Vec::with_capacity(2_048);
    loop {
        if stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
        if whole(&buffer) {
            return Some(());
        }
    }
}

/// Whether a response with a length is complete.
fn whole(buffer: &[u8]) -> bool {
    let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let text = String::from_utf8_lossy(&buffer[..head]);
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    buffer.len() >= head + 4 + length.unwrap_or(0)
}
