//! One stream: a request and its response, each in frames of its own direction.

use crate::{
    exchange::{Body, Exchange, Flow, Headers, Incomplete, Orphan, Place, Request, Timing, Version},
    http1::body::Content,
    protocol::Settings,
    time::Timestamp,
    wire::Direction,
};

/// The progress of one message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    /// Its head has not come.
    #[default]
    Before,
    /// Its head came.
    Open,
    /// It ended.
    Done,
}

/// One message of a stream.
#[derive(Debug, Default)]
pub(super) struct Half {
    pub(super) phase: Phase,
    body: Option<Box<Content>>,
    /// The announced length of the content.
    pub(super) length: Option<u64>,
    pub(super) trailers: Headers,
    /// Whether its head began where a segment did, in the same run of frames as all of it.
    pub(super) strict: bool,
    pub(super) last: Option<Timestamp>,
    /// Whether the content is already in the exchange.
    kept: bool,
}

impl Half {
    fn held(&self) -> usize {
        let body = self
            .body
            .as_ref()
            .map_or(0, |body| size_of::<Content>() + body.held());
        body + self.trailers.allocated()
    }

    fn content(&mut self, settings: &Settings) -> &mut Content {
        let expected = self.length.unwrap_or(0);
        self.body
            .get_or_insert_with(|| Box::new(Content::expecting(settings, expected)))
    }

    /// Adds content.
    pub(super) fn push(&mut self, bytes: &[u8], settings: &Settings) {
        if !bytes.is_empty() {
            self.content(settings).push(bytes);
        }
    }

    /// Skips content that was not captured.
    pub(super) fn lose(&mut self, lost: u64, settings: &Settings) {
        if lost > 0 {
            self.content(settings).lose(lost);
        }
    }

    /// Ends the message.
    pub(super) fn end(&mut self, at: Timestamp) {
        self.phase = Phase::Done;
        self.last = self.last.max(Some(at));
    }

    fn finish(&mut self) -> (Body, Headers) {
        let body = self.body.take().map(|body| body.finish());
        (body.unwrap_or_default(), core::mem::take(&mut self.trailers))
    }
}

/// A stream that is open in at least one direction.
#[derive(Debug)]
pub(super) struct Stream {
    /// The known part of the exchange; the request is made up when it was not seen.
    pub(super) exchange: Box<Exchange>,
    /// Whether the request was seen.
    pub(super) asked: bool,
    /// Client stream offset after the request's head.
    pub(super) head_end: u64,
    /// Bytes of the server's stream that the client had received when it began to send.
    pub(super) ack: Option<u64>,
    pub(super) request: Half,
    pub(super) response: Half,
    pub(super) fault: Option<Incomplete>,
    /// Bytes that are counted for it.
    pub(super) charged: usize,
}

impl Stream {
    /// Without a request.
    pub(super) fn new(flow: Flow) -> Self {
        Self {
            exchange: Box::new(Exchange {
                flow,
                index: 0,
                place: Place::default(),
                request: Request {
                    method: bytes::Bytes::new(),
                    target: bytes::Bytes::new(),
                    version: Version::Http2,
                    headers: Headers::default(),
                    body: Body::default(),
                    trailers: Headers::default(),
                },
                response: None,
                timing: Timing::default(),
                incomplete: None,
            }),
            asked: false,
            head_end: 0,
            ack: None,
            request: Half::default(),
            response: Half::default(),
            fault: None,
            charged: 0,
        }
    }

    /// Its request was whole before the connection changed to HTTP/2.
    pub(super) fn upgraded(&mut self) {
        self.asked = true;
        self.request.phase = Phase::Done;
        self.request.kept = true;
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        let Request { target, headers, .. } = &self.exchange.request;
        let response = self.exchange.response.as_ref();
        size_of::<Self>()
            + size_of::<Exchange>()
            + headers.allocated().max(target.len())
            + response.map_or(0, |response| response.headers.allocated())
            + self.request.held()
            + self.response.held()
    }

    /// The message of one direction.
    pub(super) fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        }
    }

    /// Whether it shows that frames of client and server are read from where they begin.
    pub(super) fn proves(&self) -> (bool, bool) {
        let whole = self.asked && self.is_done();
        (whole && self.request.strict, whole && self.response.strict)
    }

    /// Records a reason why the exchange is incomplete. The first one stays.
    pub(super) fn blame(&mut self, reason: Option<Incomplete>) {
        self.fault = self.fault.or(reason);
    }

    /// Whether both messages ended.
    pub(super) fn is_done(&self) -> bool {
        let asked = self.request.phase == Phase::Done || !self.asked;
        asked && self.response.phase == Phase::Done
    }

    /// Ends the stream. `reason`: why it ends before both messages did.
    pub(super) fn finish(mut self, reason: Option<Incomplete>) -> Ended {
        let (body, trailers) = if self.request.kept {
            let request = &mut self.exchange.request;
            (
                core::mem::take(&mut request.body),
                core::mem::take(&mut request.trailers),
            )
        } else {
            self.request.finish()
        };
        let announced = self.request.length;
        if self.request.phase == Phase::Done
            && body.missing == 0
            && announced.is_some_and(|announced| announced != body.len)
        {
            // Section 8.1.1.
            self.blame(Some(Incomplete::Malformed));
        }
        let gap = body.missing > 0;
        self.blame(gap.then_some(Incomplete::RequestGap));
        let Exchange {
            request,
            response,
            timing,
            ..
        } = &mut *self.exchange;
        request.body = body;
        request.trailers = trailers;
        timing.request_last = self.request.last;
        timing.response_last = self.response.last;
        let (body, trailers) = self.response.finish();
        let (gap, len) = (body.missing > 0, body.len);
        let mut mismatch = false;
        if let Some(response) = response {
            // A response to HEAD, and one with 304, announce the length of content that they do not have.
            let bare = request.method == "HEAD" || matches!(response.status, 204 | 304);
            let announced = self.response.length.filter(|_| !bare);
            mismatch = !gap && announced.is_some_and(|announced| announced != len);
            response.body = body;
            response.trailers = trailers;
        }
        let done = self.response.phase == Phase::Done;
        self.blame((mismatch && done).then_some(Incomplete::Malformed));
        self.blame(gap.then_some(Incomplete::ResponseGap));
        self.blame(reason);
        if !self.is_done() || self.exchange.response.is_none() {
            self.blame(Some(Incomplete::NoResponse));
        }
        self.ended()
    }

    fn ended(self) -> Ended {
        let Self {
            exchange: mut exchange_box,
            asked,
            fault,
            ..
        } = self;
        if asked {
            exchange_box.incomplete = fault;
            return Ended::Exchange(exchange_box);
        }
        let Exchange {
            flow,
            response,
            timing,
            ..
        } = *exchange_box;
        match response {
            Some(response) => Ended::Orphan(Box::new(Orphan {
                flow,
                response,
                timing,
                incomplete: fault.unwrap_or(Incomplete::Unrequested),
            })),
            None => Ended::Nothing,
        }
    }
}

/// The result of a stream.
#[derive(Debug)]
pub(super) enum Ended {
    Exchange(Box<Exchange>),
    Orphan(Box<Orphan>),
    /// Neither a request nor a status is known.
    Nothing,
}
