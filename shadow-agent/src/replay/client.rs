//! The real shadow system, over HTTP/1.1.

use std::{io, time::Duration};

use shadow_core::{
    compare::{Failure, Outcome, ShadowResponse},
    rewrite::ShadowRequest,
};
use shadow_proto::{
    http1::{AnswerSettings, ReadAnswer},
    limits::Limits,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Answer, LiveSettings, Notes, Shadow, Target, Unsendable,
    conn::{Bounds, Conn, Lost, Received},
    meter::Paths,
    pool::Pool,
    request::Wire,
    socket,
    stream::Stream,
};

/// The answer of a server that closes an idle connection and says so (RFC 9110 section 15.5.9).
const REQUEST_TIMEOUT: u16 = 408;

/// How often idle connections are checked.
const SWEEP: Duration = Duration::from_secs(1);

/// Sends requests to one shadow system over a pool of keep-alive connections.
///
/// A request is sent once, with two exceptions. A reused connection may turn out to have ended before anything was
/// written: then the shadow system cannot have seen the request. Or it may end later, before one byte of an answer,
/// because the shadow system closed it as idle at the same time: then a request that may be repeated is sent once more
/// on a new connection (RFC 9112 section 9.3.1).
#[derive(Debug)]
pub struct HttpShadow {
    target: Target,
    mark: Option<u32>,
    settings: LiveSettings,
    answers: AnswerSettings,
    paths: Paths,
    pool: Pool,
}

/// A request as it will be written. Boxed, because it passes through futures that are moved as a whole.
#[derive(Debug)]
pub struct PreparedRequest(Box<Wire>);

/// The mark that keeps replays out of the capture cannot be set.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot set SO_MARK {mark} on a socket: replays could not be told from production traffic; grant CAP_NET_ADMIN"
)]
pub struct MarkError {
    /// The mark.
    pub mark: u32,
    /// The kernel's error.
    #[source]
    pub source: io::Error,
}

impl HttpShadow {
    /// An answer is read within these limits, which are production's.
    pub fn new(
        target: Target,
        mark: Option<u32>,
        limits: Limits,
        settings: LiveSettings,
    ) -> Result<Self, MarkError> {
        if let (Some(mark), Some(&address)) = (mark, target.addresses().first()) {
            socket::open(address, Some(mark)).map_err(|source| MarkError { mark, source })?;
        }
        Ok(Self {
            answers: AnswerSettings::new(limits),
            pool: Pool::new(settings.clone()),
            paths: Paths::default(),
            target,
            mark,
            settings,
        })
    }

    /// Connections that wait for a request.
    pub fn idle(&self) -> usize {
        self.pool.len()
    }

    async fn send(&self, request: &Wire, end: Instant) -> Answer {
        let mut reconnected = false;
        while let Some(conn) = self.pool.take() {
            match self.attempt(conn, request, end).await {
                Ok(received) if request.is_repeatable && says_idle(&received.answer) => reconnected = true,
                Err(lost) if !lost.is_sent => continue,
                Err(lost) if request.is_repeatable && lost.is_silent => reconnected = true,
                other => return answer(other),
            }
            break;
        }
        let mut answer = match self.connect().await {
            Ok(conn) => answer(self.attempt(conn, request, end).await),
            Err(failure) => Answer::unanswered(failure),
        };
        answer.notes.reconnected = reconnected;
        answer
    }

    async fn attempt(&self, mut conn: Conn, request: &Wire, end: Instant) -> Result<Received, Lost> {
        let settings = self.settings.get();
        let bounds = Bounds {
            answer: &self.answers,
            most: settings.max_response,
            patience: settings.first_byte_timeout,
            end,
        };
        let received = conn.exchange(request, bounds, &self.paths).await?;
        if conn.peer().is_some_and(|peer| self.target.has(peer)) {
            self.pool.give(conn);
        }
        Ok(received)
    }

    /// A connection whose other end is known to be the shadow system, where it is reached over TLS.
    async fn connect(&self) -> Result<Conn, Failure> {
        let connecting = async {
            let addresses = self.target.addresses();
            let stream = socket::connect(&addresses, self.mark).await.map_err(|error| {
                tracing::debug!(target = %self.target, %error, "cannot connect to the shadow system");
                Failure::Connect
            })?;
            let Some(tls) = self.target.tls() else {
                return Ok(Stream::Plain(stream));
            };
            match tls.greet(stream).await {
                Ok(stream) => Ok(Stream::Tls(Box::new((stream, tls.clone())))),
                Err(error) if tls.explain(&error) => Err(Failure::Tls),
                Err(error) => {
                    tracing::debug!(target = %self.target, %error, "the handshake of TLS was not completed");
                    Err(Failure::Connect)
                }
            }
        };
        let stream = timeout(self.settings.get().connect_timeout, connecting)
            .await
            .map_err(|_elapsed| Failure::ConnectTimeout)??;
        Ok(Conn::new(stream, &self.paths))
    }
}

/// Whether an answer on a reused connection concerns that connection, and not the request.
fn says_idle(answer: &ReadAnswer) -> bool {
    answer.status == REQUEST_TIMEOUT && !answer.keeps_open
}

/// Result of the last attempt.
fn answer(attempt: Result<Received, Lost>) -> Answer {
    let Received { answer, spans } = match attempt {
        Ok(received) => received,
        Err(lost) if lost.is_silent => return Answer::unanswered(lost.failure),
        Err(lost) => return Outcome::Failed(lost.failure).into(),
    };
    let ReadAnswer {
        status,
        headers,
        body,
        keeps_open: _,
        odd,
    } = answer;
    Answer {
        notes: Notes {
            reconnected: false,
            under_path: spans.is_under_path,
            odd,
        },
        ..Outcome::Response(ShadowResponse {
            status,
            headers,
            body,
            first_byte: spans.first_byte,
            total: spans.total,
        })
        .into()
    }
}

impl Shadow for HttpShadow {
    type Prepared = PreparedRequest;

    fn prepare(&self, request: &ShadowRequest) -> Result<Self::Prepared, Unsendable> {
        Wire::new(request, self.target.authority()).map(|wire| PreparedRequest(Box::new(wire)))
    }

    async fn answer(&self, PreparedRequest(request): PreparedRequest) -> Answer {
        let end = Instant::now() + self.settings.get().timeout;
        timeout_at(end, self.send(&request, end))
            .await
            .unwrap_or_else(|_elapsed| Outcome::Failed(Failure::Timeout).into())
    }

    async fn housekeeping(&self) {
        let sweeping = async {
            loop {
                tokio::time::sleep(SWEEP).await;
                self.pool.sweep();
            }
        };
        let is_current = |conn: &Conn| conn.peer().is_some_and(|peer| self.target.has(peer));
        let following = self.target.follow(|| self.pool.keep_only(is_current));
        tokio::join!(sweeping, following);
    }
}
