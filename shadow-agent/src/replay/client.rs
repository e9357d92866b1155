//! The real shadow system, over HTTP/1.1 or HTTP/2.

use std::{io, time::Duration};

use http::uri::Scheme;

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
    deadline,
    downgrade::for_http1,
    h2::{self, Session, StreamPermit},
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

/// Sends requests to one shadow system over a pool of connections.
///
/// A request is sent once, with three exceptions. A reused connection may turn out to have ended before anything was
/// written: then the shadow system cannot have seen the request. Or it may end later, before one byte of an answer,
/// because the shadow system closed it as idle at the same time: then a request that may be repeated is sent once more
/// on a new connection (RFC 9112 section 9.3.1). Or HTTP/2 says there that the request was not processed, by
/// REFUSED_STREAM or GOAWAY: then any request is (RFC 9113 section 8.7).
#[derive(Debug)]
pub struct HttpShadow {
    target: Target,
    mark: Option<u32>,
    settings: LiveSettings,
    answers: AnswerSettings,
    /// Bytes of one head.
    head: usize,
    paths: Paths,
    pool: Pool,
}

/// A request as it will be written.
#[derive(Debug)]
pub struct PreparedRequest {
    form: Form,
    /// The time that the client gave the call, if it said so.
    within: Option<Duration>,
}

/// A request in the version in which it is sent. Boxed, because it passes through futures that are moved as a whole.
#[derive(Debug)]
enum Form {
    Http1(Box<Wire>),
    Http2(Box<h2::Request>),
}

impl Form {
    fn is_repeatable(&self) -> bool {
        match self {
            Self::Http1(request) => request.is_repeatable,
            Self::Http2(request) => request.is_repeatable,
        }
    }
}

/// A connection that is free for a request, and that request.
enum Line<'r> {
    Http1(Conn, &'r Wire),
    Http2(StreamPermit, &'r h2::Request),
}

/// The mark that keeps replays out of the capture cannot be set.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot set SO_MARK {mark} on a socket: replays could not be distinguished from production traffic; grant CAP_NET_ADMIN"
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
            head: limits.head,
            answers: AnswerSettings::new(limits),
            pool: Pool::new(settings.clone()),
            paths: Paths::default(),
            target,
            mark,
            settings,
        })
    }

    /// Connections that may take another request.
    pub fn idle(&self) -> usize {
        self.pool.len()
    }

    async fn send(&self, request: &Form, end: Instant) -> Answer {
        let is_repeatable = request.is_repeatable();
        let (mut reconnected, mut unprocessed) = (false, false);
        while let Some(line) = self.reuse(request) {
            match self.attempt(line, end).await {
                Ok(received) if is_repeatable && says_idle(&received.answer) => reconnected = true,
                Err(lost) if !lost.is_sent => continue,
                Err(lost) if lost.is_unprocessed => unprocessed = true,
                Err(lost) if is_repeatable && lost.is_silent => reconnected = true,
                other => return answer(other),
            }
            break;
        }
        let mut answer = match self.connect(request).await {
            Ok(line) => answer(self.attempt(line, end).await),
            Err(failure) => Answer::unanswered(failure),
        };
        answer.notes.reconnected = reconnected;
        answer.notes.unprocessed = unprocessed;
        answer
    }

    /// An open connection that is free.
    fn reuse<'r>(&self, request: &'r Form) -> Option<Line<'r>> {
        Some(match request {
            Form::Http1(request) => Line::Http1(self.pool.take(!request.is_repeatable)?, request),
            Form::Http2(request) => Line::Http2(self.pool.join()?, request),
        })
    }

    async fn attempt(&self, line: Line<'_>, end: Instant) -> Result<Received, Lost> {
        let settings = self.settings.get();
        let bounds = Bounds {
            answer: &self.answers,
            most: settings.max_response,
            patience: settings.first_byte_timeout,
            end,
        };
        let (mut conn, request) = match line {
            Line::Http1(conn, request) => (conn, request),
            Line::Http2(place, request) => return place.exchange(request, bounds, &self.paths).await,
        };
        let received = conn.exchange(request, bounds, &self.paths).await?;
        if conn.peer().is_some_and(|peer| self.target.has(peer)) {
            self.pool.give(conn);
        }
        Ok(received)
    }

    /// A new connection for a request. Its other end is known to be the shadow system, where it is reached over TLS.
    async fn connect<'r>(&self, request: &'r Form) -> Result<Line<'r>, Failure> {
        let connecting = async {
            let stream = self.stream(matches!(request, Form::Http2(_))).await?;
            match request {
                Form::Http1(request) => Ok(Line::Http1(Conn::new(stream, &self.paths), request)),
                Form::Http2(request) => {
                    let session = Session::begin(stream, self.head, &self.paths).await?;
                    let place = self.pool.add(session).ok_or(Failure::Unprocessed)?;
                    Ok(Line::Http2(place, request))
                }
            }
        };
        timeout(self.settings.get().connect_timeout, connecting)
            .await
            .map_err(|_elapsed| Failure::ConnectTimeout)?
    }

    /// A new stream to the shadow system.
    async fn stream(&self, is_h2: bool) -> Result<Stream, Failure> {
        let addresses = self.target.addresses();
        let stream = socket::connect(&addresses, self.mark).await.map_err(|error| {
            tracing::debug!(target = %self.target, %error, "cannot connect to the shadow system");
            Failure::Connect
        })?;
        let Some(tls) = self.target.tls() else {
            return Ok(Stream::Plain(stream));
        };
        match tls.greet(stream, is_h2).await {
            Ok(stream) => Ok(Stream::Tls(Box::new((stream, tls.clone())))),
            Err(error) if tls.explain(&error) => Err(Failure::Tls),
            Err(error) => {
                tracing::debug!(target = %self.target, %error, "the handshake of TLS was not completed");
                Err(Failure::Connect)
            }
        }
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
        trailers,
        keeps_open: _,
        odd,
    } = answer;
    Answer {
        notes: Notes {
            reconnected: false,
            unprocessed: false,
            under_path: spans.is_under_path,
            odd,
        },
        ..Outcome::Response(ShadowResponse {
            status,
            headers,
            trailers,
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
        let authority = self.target.authority();
        let form = if self.settings.get().protocol.is_h2(request.version) {
            let is_tls = self.target.tls().is_some();
            let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
            Form::Http2(Box::new(h2::Request::new(request, scheme, authority)?))
        } else {
            Form::Http1(Box::new(Wire::new(&for_http1(request), authority)?))
        };
        Ok(PreparedRequest {
            form,
            within: deadline::of(request),
        })
    }

    async fn answer(&self, PreparedRequest { form, within }: PreparedRequest) -> Answer {
        let limit = self.settings.get().timeout;
        let end = Instant::now() + within.map_or(limit, |within| within.min(limit));
        timeout_at(end, self.send(&form, end))
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
        let following = self
            .target
            .follow(|| self.pool.keep_only(|peer| self.target.has(peer)));
        tokio::join!(sweeping, following);
    }
}
