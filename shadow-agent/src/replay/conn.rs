//! One keep-alive connection to the shadow system.
//!
//! hyper splits a connection into a handle and a driver that is usually a task of its own. Here one task polls both,
//! so an exchange wakes one task and an idle connection none; it notices its end when it is polled next.

use std::{
    future::{Future, poll_fn},
    os::fd::AsFd as _,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::{body::Body as _, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use shadow_core::compare::{Failure, Outcome};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    Answer,
    body::RequestBody,
    failure,
    meter::{Marks, Metered},
    response::{BodyLimits, Collector, assemble},
    tcp_info,
};

/// Fields in a response head. hyper's own default is 100, fewer than servers may send and the capture accepts.
const MAX_FIELDS: usize = 256;

/// A connection with at most one request on it.
#[derive(Debug)]
pub(super) struct Conn {
    handle: http1::SendRequest<RequestBody>,
    driver: Driver,
    marks: Arc<Marks>,
    /// The round trip of the path: zero on the same host.
    rtt: Duration,
    /// Whether another request may follow.
    reusable: bool,
    /// When it carried something last.
    pub(super) used: Instant,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The shadow system answered, or failed to.
    Done(Answer),
    /// The connection had ended before anything was sent: the shadow system never saw the request.
    Unsent(Box<Request<RequestBody>>),
}

impl Conn {
    /// Starts HTTP on a fresh connection.
    pub(super) async fn start(stream: TcpStream) -> hyper::Result<Self> {
        let rtt = path_rtt(&stream);
        let marks = Marks::new();
        let io = TokioIo::new(Metered::new(stream, Arc::clone(&marks)));
        let (handle, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_headers(MAX_FIELDS)
            .handshake(io)
            .await?;
        Ok(Self {
            handle,
            driver: Driver(Some(Box::new(connection))),
            marks,
            rtt,
            reusable: true,
            used: Instant::now(),
        })
    }

    /// Whether another request may be sent. An idle connection that the shadow system closed says so here.
    pub(super) fn is_open(&mut self, cx: &mut Context<'_>) -> bool {
        self.driver.poll(cx);
        self.reusable && self.driver.0.is_some() && !self.handle.is_closed()
    }

    /// Sends one request and reads its response. Dropping the future closes the connection.
    pub(super) async fn exchange(
        &mut self,
        mut request: Box<Request<RequestBody>>,
        limits: BodyLimits,
        patience: Option<Duration>,
    ) -> Attempt {
        self.marks.reset();
        let marks = Arc::clone(&self.marks);
        hyper::ext::on_informational(&mut *request, move |_interim| marks.interim());

        let reply = self.handle.try_send_request(*request);
        let Some(reply) = within(patience, self.driver.alongside(reply)).await else {
            self.reusable = false;
            return Attempt::Done(Outcome::Failed(Failure::FirstByteTimeout).into());
        };
        let outcome = match reply {
            Ok(response) => self.receive(response, limits).await,
            Err(mut error) => {
                if let Some(request) = error.take_message() {
                    self.reusable = false;
                    return Attempt::Unsent(Box::new(request));
                }
                Err(failure::of_exchange(error.error()))
            }
        };
        self.used = Instant::now();
        self.reusable &= outcome.is_ok();
        Attempt::Done(match outcome {
            Ok(outcome) => outcome.into(),
            Err(failure @ (Failure::Closed | Failure::Reset)) if !self.marks.has_read() => {
                Answer::unanswered(failure)
            }
            Err(failure) => Outcome::Failed(failure).into(),
        })
    }

    async fn receive(
        &mut self,
        response: Response<Incoming>,
        limits: BodyLimits,
    ) -> Result<Outcome, Failure> {
        let (head, mut body) = response.into_parts();
        // After an HTTP/1.0 answer hyper would send HTTP/1.0 itself and add a Connection field; after 101 there is
        // no HTTP on the connection any more.
        self.reusable &=
            head.version == Version::HTTP_11 && head.status != http::StatusCode::SWITCHING_PROTOCOLS;
        if body.size_hint().lower() > limits.read {
            return Err(Failure::TooLarge);
        }
        let mut collector = Collector::new(limits);
        while let Some(frame) = self.driver.alongside(body.frame()).await {
            let frame = frame.map_err(|error| failure::of_exchange(&error))?;
            if let Ok(chunk) = frame.into_data() {
                collector
                    .push(chunk)
                    .map_err(|super::response::TooLarge| Failure::TooLarge)?;
            }
        }
        let spans = self.marks.spans(self.rtt);
        // A server may answer before it has read the request: it still gets all of it. An error here means that it
        // closed the connection, which it may.
        let idle = self.handle.ready();
        self.reusable &= self.driver.alongside(idle).await.is_ok();
        Ok(Outcome::Response(assemble(&head, collector.finish(), spans)))
    }
}

/// What comes within this time, if it is bounded at all.
async fn within<F: Future>(patience: Option<Duration>, reply: F) -> Option<F::Output> {
    match patience {
        Some(patience) => timeout(patience, reply).await.ok(),
        None => Some(reply.await),
    }
}

/// Zero to the own host, where latency is all there is to measure.
fn path_rtt(stream: &TcpStream) -> Duration {
    match stream.peer_addr() {
        Ok(peer) if !peer.ip().is_loopback() => tcp_info::min_rtt(stream.as_fd()).unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

/// The half of a hyper connection that moves bytes; empty once it has ended.
struct Driver(Option<Box<http1::Connection<TokioIo<Metered>, RequestBody>>>);

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Driver").field(&self.0.is_some()).finish()
    }
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) {
        // Its error has reached the request that it belongs to; here only the end matters.
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.0 = None;
        }
    }

    /// Waits for `other` and moves bytes meanwhile.
    async fn alongside<F: Future>(&mut self, other: F) -> F::Output {
        let mut other = pin!(other);
        poll_fn(|cx| {
            self.poll(cx);
            match other.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
