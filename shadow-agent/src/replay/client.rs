//! The real shadow system, over HTTP/1.1.

use std::{io, time::Duration};

use http::Request;
use shadow_core::{
    compare::{Failure, Outcome},
    rewrite::ShadowRequest,
};
use tokio::time::timeout;

use super::{
    Answer, LiveSettings, Shadow, Target, Unsendable,
    body::RequestBody,
    case::CaseCache,
    conn::{Attempt, Conn},
    pool::Pool,
    request::prepare,
    response::BodyLimits,
    socket,
};

/// How often idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// Sends requests to one shadow system over a pool of keep-alive connections.
///
/// A request is sent once. Only when a reused connection turns out to have ended before anything was written is
/// another one used: the shadow system cannot have seen that request.
#[derive(Debug)]
pub struct HttpShadow {
    target: Target,
    mark: Option<u32>,
    settings: LiveSettings,
    /// Bytes of a body that are kept.
    kept: usize,
    pool: Pool,
    cases: CaseCache,
}

/// A request as it will be written. Boxed, because it passes through futures that are moved as a whole.
#[derive(Debug)]
pub struct PreparedRequest(Box<Request<RequestBody>>);

/// The mark that keeps replays out of the capture cannot be set.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot set SO_MARK {mark} on a socket: replays could not be told from production traffic; grant CAP_NET_ADMIN"
)]
pub struct MarkError {
    /// The mark.
    pub mark: u32,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

impl HttpShadow {
    /// `body` is how much of a response is kept: the same as of production's (`limits.body`).
    pub fn new(
        target: Target,
        mark: Option<u32>,
        body: usize,
        settings: LiveSettings,
    ) -> Result<Self, MarkError> {
        if let (Some(mark), Some(&address)) = (mark, target.addresses().first()) {
            socket::open(address, Some(mark)).map_err(|source| MarkError { mark, source })?;
        }
        Ok(Self {
            kept: body,
            pool: Pool::new(settings.clone()),
            cases: CaseCache::default(),
            target,
            mark,
            settings,
        })
    }

    /// Connections that wait for a request.
    pub fn idle(&self) -> usize {
        self.pool.len()
    }

    async fn send(&self, mut request: Box<Request<RequestBody>>) -> Answer {
        while let Some(conn) = self.pool.take().await {
            match self.attempt(conn, request).await {
                Attempt::Done(answer) => return answer,
                Attempt::Unsent(again) => request = again,
            }
        }
        let conn = match self.connect().await {
            Ok(conn) => conn,
            Err(failure) => return Answer::unanswered(failure),
        };
        match self.attempt(conn, request).await {
            Attempt::Done(answer) => answer,
            Attempt::Unsent(_) => Answer::unanswered(Failure::Closed),
        }
    }

    async fn attempt(&self, mut conn: Conn, request: Box<Request<RequestBody>>) -> Attempt {
        let settings = self.settings.get();
        let limits = BodyLimits {
            kept: self.kept,
            read: settings.max_response,
        };
        let attempt = conn.exchange(request, limits, settings.first_byte_timeout).await;
        self.pool.give(conn).await;
        attempt
    }

    async fn connect(&self) -> Result<Conn, Failure> {
        let connecting = socket::connect(self.target.addresses(), self.mark);
        let stream = timeout(self.settings.get().connect_timeout, connecting)
            .await
            .map_err(|_elapsed| Failure::ConnectTimeout)?
            .map_err(|error| {
                tracing::debug!(target = %self.target, %error, "cannot connect to the shadow system");
                Failure::Connect
            })?;
        Conn::start(stream).await.map_err(|_closed| Failure::Closed)
    }
}

impl Shadow for HttpShadow {
    type Prepared = PreparedRequest;

    fn prepare(&self, request: &ShadowRequest) -> Result<Self::Prepared, Unsendable> {
        prepare(request, self.target.authority(), &self.cases)
            .map(|request| PreparedRequest(Box::new(request)))
    }

    async fn answer(&self, PreparedRequest(request): PreparedRequest) -> Answer {
        timeout(self.settings.get().timeout, self.send(request))
            .await
            .unwrap_or_else(|_elapsed| Outcome::Failed(Failure::Timeout).into())
    }

    async fn housekeeping(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.pool.sweep().await;
        }
    }
}
