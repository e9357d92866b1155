//! One request and its answer on a connection of HTTP/2.
//!
//! Latency is taken where a request is given to the connection and where its answer is taken from it: some tens of
//! microseconds more than at the socket. Bias: against the shadow system.

use std::{future::poll_fn, pin::pin, time::Instant};

use bytes::Bytes;
use h2::{Reason, SendStream, client::ResponseFuture};
use http::HeaderMap;
use shadow_core::compare::Failure;
use shadow_proto::{
    exchange::Headers,
    http1::{AnswerContent, ReadAnswer, Unread},
};
use tokio::time::{timeout, timeout_at};

use super::{
    super::{
        conn::{Bounds, Lost, Received, STILL_READS},
        meter::{Marks, Paths},
    },
    Request, StreamPermit,
};

/// The reason why an answer is not whole.
enum Broken {
    /// By the library, before the head of the answer had come or after that.
    Stream(h2::Error, Answered),
    /// By a bound.
    Bound(Failure),
}

/// Whether a byte of the answer had come.
#[derive(Clone, Copy)]
enum Answered {
    No,
    Yes,
}

/// An answer and the times of its first and its last byte.
struct Taken {
    answer: ReadAnswer,
    first: Instant,
    last: Instant,
}

impl StreamPermit {
    /// Sends one request and reads its response. The stream is reset when the future is dropped.
    pub(in super::super) async fn exchange(
        &self,
        request: &Request,
        bounds: Bounds<'_>,
        paths: &Paths,
    ) -> Result<Received, Lost> {
        let unsent = |error: h2::Error| {
            self.end();
            Lost {
                failure: self.cause(&error),
                is_sent: false,
                is_silent: true,
                is_unprocessed: false,
            }
        };
        let Request {
            head, body, trailers, ..
        } = request;
        let mut sender = self.sender().ready().await.map_err(unsent)?;
        let whole = body.is_empty() && trailers.is_none();
        let mut marks = Marks::new();
        let (response, stream) = sender.send_request(head.clone(), whole).map_err(unsent)?;
        let mut sending = pin!(send(stream, (!whole).then_some((body.clone(), trailers.clone()))));
        let mut taking = pin!(take(response, bounds));
        let mut sent = false;
        let taken = loop {
            tokio::select! {
                biased;
                last = &mut sending, if !sent => {
                    sent = true;
                    if let Some(at) = last {
                        marks.wrote(at);
                    }
                }
                taken = &mut taking => break taken,
            }
        };
        let Taken { answer, first, last } = taken.map_err(|broken| self.lost(&broken))?;
        if !sent {
            // A server may answer before it has read the request: it still gets all of it, unless it resets the stream
            // or reads no further. The answer counts in any case, and took no time.
            let given_up = bounds.end.min(tokio::time::Instant::now() + STILL_READS);
            drop(timeout_at(given_up, sending).await);
            marks.wrote(Instant::now());
        }
        marks.read(first, true);
        marks.read(last, true);
        Ok(Received {
            answer,
            spans: marks.spans(paths.known(self.peer())),
        })
    }

    /// The failure for an error. That of the socket is known to the connection alone.
    fn cause(&self, error: &h2::Error) -> Failure {
        if error.is_io() {
            self.failure()
        } else {
            failure(error)
        }
    }

    fn lost(&self, broken: &Broken) -> Lost {
        let (failure, is_silent) = match broken {
            Broken::Bound(failure) => (*failure, false),
            // Part of the request was processed, whatever the error says.
            Broken::Stream(error, Answered::Yes) => match self.cause(error) {
                Failure::Unprocessed => (Failure::StreamReset, false),
                failure => (failure, false),
            },
            Broken::Stream(error, Answered::No) => (self.cause(error), error.is_io()),
        };
        Lost {
            failure,
            is_sent: true,
            is_silent,
            is_unprocessed: failure == Failure::Unprocessed,
        }
    }
}

/// An error of a stream or of its connection, other than one of the socket.
fn failure(error: &h2::Error) -> Failure {
    let refused = error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM);
    if !error.is_remote() {
        // The library found that the other end broke a rule, or is no server of HTTP/2.
        Failure::Protocol
    } else if refused {
        // RFC 9113 section 8.7. GOAWAY ends the streams above the one that it names, and no other.
        Failure::Unprocessed
    } else {
        Failure::StreamReset
    }
}

/// Sends content and trailers, as fast as the windows permit. Returns the time of the last part, or `None` when the
/// shadow system accepts no more.
async fn send(mut stream: SendStream<Bytes>, rest: Option<(Bytes, Option<HeaderMap>)>) -> Option<Instant> {
    let (mut body, trailers) = rest?;
    let mut at = Instant::now();
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
        if room == 0 {
            tokio::task::yield_now().await;
            continue;
        }
        let part = body.split_to(room.min(body.len()));
        at = Instant::now();
        stream
            .send_data(part, body.is_empty() && trailers.is_none())
            .ok()?;
    }
    if let Some(trailers) = trailers {
        at = Instant::now();
        stream.send_trailers(trailers).ok()?;
    }
    Some(at)
}

/// Takes the final response, its content and its trailers.
async fn take(response: ResponseFuture, bounds: Bounds<'_>) -> Result<Taken, Broken> {
    let head = match bounds.patience {
        Some(patience) => timeout(patience, response)
            .await
            .map_err(|_elapsed| Broken::Bound(Failure::FirstByteTimeout))?,
        None => response.await,
    };
    let (head, mut body) = head
        .map_err(|error| Broken::Stream(error, Answered::No))?
        .into_parts();
    let first = Instant::now();
    let broken = |error| Broken::Stream(error, Answered::Yes);
    let mut content = AnswerContent::new(bounds.most, bounds.answer);
    while let Some(part) = body.data().await {
        let part = part.map_err(broken)?;
        body.flow_control().release_capacity(part.len()).map_err(broken)?;
        content.push(&part).map_err(|unread| {
            Broken::Bound(match unread {
                Unread::Protocol => Failure::Protocol,
                Unread::TooLarge => Failure::TooLarge,
            })
        })?;
    }
    let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
    let last = Instant::now();
    Ok(Taken {
        answer: ReadAnswer {
            status: head.status.as_u16(),
            headers: Headers::from_pairs(&head.headers),
            body: content.finish(),
            trailers: Headers::from_pairs(&trailers),
            keeps_open: true,
            odd: Vec::new(),
        },
        first,
        last,
    })
}
