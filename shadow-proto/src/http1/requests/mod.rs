//! The client's direction: requests.

mod ends;

use super::{
    begins,
    body::{BodyReader, Progress},
    conn::{Conn, Switch, report},
    fast_path,
    framing::{self, Framing},
    head::{self, HeadBuffer, HeadStep, RawHead, RequestHead},
    odd,
};
use crate::http1::pair::{Pending, Trust};
use crate::{
    exchange::{Body, Exchange, Headers, Incomplete, Place, Request, Timing},
    protocol::{Abandon, Chunk, Context, MessageStart},
    seq::SeqNum,
    time::Timestamp,
    wire::Direction,
};

/// The read state of the client's direction.
#[derive(Debug)]
pub(crate) struct Requests {
    state: State,
    head: HeadBuffer,
    start: Option<MessageStart>,
    /// The sequence number there.
    begins: SeqNum,
    conflict: bool,
    last: Timestamp,
    /// Offset after the last byte that was read.
    pub(super) pos: u64,
}

#[derive(Debug)]
enum State {
    Head,
    Body(Box<BodyReader>),
    /// After CONNECT or Upgrade: what follows is HTTP only if the response allows it.
    Wait,
    /// Message boundaries are unknown.
    Search,
    Closed,
}

impl Requests {
    pub(crate) fn new(in_step: bool) -> Self {
        Self {
            state: if in_step { State::Head } else { State::Search },
            head: HeadBuffer::default(),
            start: None,
            begins: SeqNum::default(),
            conflict: false,
            last: Timestamp::default(),
            pos: 0,
        }
    }

    pub(super) fn pos(&self) -> u64 {
        self.pos
    }

    /// The sequence number of a head that is being read.
    pub(super) fn begun(&self) -> Option<SeqNum> {
        (!self.head.is_empty()).then_some(self.begins)
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.head.clear();
    }

    pub(crate) fn buffered(&self) -> usize {
        let body = match &self.state {
            State::Body(reader) => reader.buffered(),
            _ => 0,
        };
        self.head.buffered() + body
    }
}

impl Conn {
    pub(super) fn read_requests(&mut self, chunk: &Chunk<'_>, ctx: &mut Context<'_>) -> usize {
        let mut used = 0;
        while self.switch.is_none()
            && let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty())
        {
            // A request is read only after everything that the client had received when it sent it. Otherwise it
            // would appear to have been sent earlier.
            let ahead = self.waits(Direction::ToServer, chunk.ack);
            match self.client.state {
                State::Search if ahead => break,
                State::Head if ahead && self.client.head.is_empty() => break,
                State::Body(ref reader) if ahead && reader.awaits_content() => break,
                State::Wait if self.pair.is_empty() => self.client.state = State::Head,
                State::Wait => break,
                State::Search if used == 0 && chunk.starts_segment && begins::is_request_line(rest) => {
                    self.client.state = State::Head;
                }
                State::Search | State::Closed => used += ctx.pass_over(Direction::ToServer, chunk, rest),
                State::Head => used += self.read_request_head(chunk, used as u64, rest, ctx),
                State::Body(_) => used += self.read_request_body(chunk, rest, ctx),
            }
        }
        self.client.pos = chunk.offset + used as u64;
        used
    }

    fn read_request_head(
        &mut self,
        chunk: &Chunk<'_>,
        skip: u64,
        rest: &[u8],
        ctx: &mut Context<'_>,
    ) -> usize {
        if self.client.head.is_empty() {
            // RFC 9112 section 2.2: empty lines before a request line are ignored.
            let blank = begins::blank(rest);
            if blank > 0 {
                let sure = self.pair.is_in_step();
                return ctx.pass_blank(Direction::ToServer, chunk, rest, blank, sure);
            }
            if !begins::looks_like_request(rest) {
                self.leave_garbage(rest, ctx);
                return ctx.pass_over(Direction::ToServer, chunk, rest);
            }
            self.client.start = Some(MessageStart {
                at: chunk.at,
                offset: chunk.offset + skip,
                ack: chunk.ack,
            });
            self.client.begins = chunk.seq.after(skip);
            self.client.conflict = chunk.conflict;
            self.client.last = chunk.at;
            let settings = ctx.settings;
            if let Some((used, head)) = fast_path::request(rest, &settings.limits, settings.fields) {
                let end = chunk.offset + skip + used as u64;
                self.framed_request(head, None, end, ctx);
                self.report_head(rest.get(..used).unwrap_or_default(), end, ctx);
                return used;
            }
        }
        self.client.conflict |= chunk.conflict;
        self.client.last = self.client.last.max(chunk.at);
        let (used, step) = self.client.head.push(rest, ctx.settings.limits.head);
        // The method may have arrived in pieces, none of which was too long for one.
        let begins = match &step {
            HeadStep::Complete(raw) => begins::looks_like_request(&raw.bytes),
            HeadStep::More | HeadStep::TooLarge => begins::looks_like_request(self.client.head.so_far()),
        };
        match step {
            _ if !begins => self.leave_garbage(&[], ctx),
            HeadStep::More => {}
            HeadStep::TooLarge => {
                let raw = self.client.head.so_far().to_vec();
                self.refuse_request(head::lenient_request(&raw), Incomplete::HeadTooLarge, ctx);
            }
            HeadStep::Complete(raw) => {
                let end = chunk.offset + skip + used as u64;
                self.request_head(&raw, end, ctx);
                self.report_head(&raw.bytes, end, ctx);
            }
        }
        used
    }

    fn request_head(&mut self, raw: &RawHead<'_>, end: u64, ctx: &mut Context<'_>) {
        if self.pair.is_fresh() && *raw.bytes == *begins::HTTP2_PREFACE {
            self.switch = Some(Switch::Preface);
            return;
        }
        let parsed = match head::request(raw, ctx.settings.limits.fields, ctx.settings.fields) {
            Ok(_) if raw.suspicious => Err(Incomplete::AmbiguousFraming),
            Err(Incomplete::Malformed) if raw.suspicious => Err(Incomplete::AmbiguousFraming),
            Err(Incomplete::Malformed) if self.pair.is_fresh() && !begins::names_http(&raw.bytes) => {
                return self.abandon(Abandon::NotHttp, ctx);
            }
            parsed => parsed,
        };
        match parsed {
            Ok(head) => self.framed_request(head, None, end, ctx),
            Err(reason) => {
                let odd = (reason != Incomplete::HeadTooLarge)
                    .then(|| odd::request(raw, ctx.settings.limits.fields))
                    .flatten();
                match odd {
                    Some(head) => self.framed_request(head, Some(reason), end, ctx),
                    None => self.refuse_request(head::lenient_request(&raw.bytes), reason, ctx),
                }
            }
        }
    }

    /// `odd`: the fault of an invalid head whose end is certain.
    fn framed_request(
        &mut self,
        head: RequestHead,
        odd: Option<Incomplete>,
        end: u64,
        ctx: &mut Context<'_>,
    ) {
        match framing::request(&head) {
            Ok(framing) => self.begin_request(head, framing, odd, end, ctx),
            Err(reason) => self.refuse_request(head, reason, ctx),
        }
    }

    fn begin_request(
        &mut self,
        head: RequestHead,
        framing: Framing,
        odd: Option<Incomplete>,
        end: u64,
        ctx: &mut Context<'_>,
    ) {
        let switch = head.method == "CONNECT" || head.said.protocol.is_some();
        // Its boundaries are certain, so what follows it can be read.
        let fault = odd.or(head.ambiguous_host.then_some(Incomplete::AmbiguousHost));
        self.push_request(head, end, fault, ctx);
        match BodyReader::new(framing, ctx.settings) {
            Some(reader) => {
                self.client.state = State::Body(Box::new(reader));
                if let Some(back) = self.pair.back() {
                    back.reading = true;
                }
            }
            None if switch => self.client.state = State::Wait,
            None => self.client.state = State::Head,
        }
    }

    /// Handles a request after which nothing can be read. While the directions are not synchronised its start was
    /// only a guess, perhaps in the text of a body: then the search continues.
    fn lose_requests(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        if self.pair.is_in_step() || reason == Incomplete::AmbiguousFraming || self.leaving.is_some() {
            return self.leave(Abandon::OutOfStep, ctx);
        }
        self.give_up_pending(reason, ctx);
        self.client.state = State::Search;
    }

    /// Handles a head that is clear enough to be answered, but not to continue after it.
    fn refuse_request(&mut self, head: RequestHead, reason: Incomplete, ctx: &mut Context<'_>) {
        let end = self.client.start.map_or(0, |start| start.offset);
        self.push_request(head, end, Some(reason), ctx);
        self.lose_requests(reason, ctx);
    }

    fn push_request(
        &mut self,
        head: RequestHead,
        end: u64,
        fault: Option<Incomplete>,
        ctx: &mut Context<'_>,
    ) {
        let Some(start) = self.client.start.take() else {
            return;
        };
        ctx.out.counters.requests += 1;
        let trust = self.pair.trust(start.offset, start.ack);
        if trust != Trust::Sure {
            // Only one request at a time is followed without proof; the previous response was not recognised.
            for pending in self.pair.give_up(Incomplete::Midstream, Pending::is_unsure) {
                report(pending, ctx);
            }
        }
        let RequestHead {
            method,
            target,
            version,
            headers,
            said,
            ambiguous_host: _,
        } = head;
        let (body, trailers) = (Body::default(), Headers::default());
        let conflict = self.client.conflict.then_some(Incomplete::ConflictingOverlap);
        let pending = Pending {
            exchange: Box::new(Exchange {
                flow: ctx.flow,
                index: self.pair.take_index(),
                place: Place {
                    opened: ctx.opened,
                    begins: Some(self.client.begins),
                },
                request: Request {
                    method,
                    target,
                    version,
                    headers,
                    body,
                    trailers,
                },
                response: None,
                timing: Timing {
                    request_first: Some(start.at),
                    request_last: Some(self.client.last),
                    ..Timing::default()
                },
                incomplete: None,
            }),
            head_end: end,
            ack: start.ack,
            trust,
            reading: false,
            expects: said.expect,
            given_up: false,
            fault: fault.or(conflict),
        };
        self.pair.push(pending);
        if self.pair.len() > ctx.settings.limits.pipeline {
            self.give_up_pending(Incomplete::PipelineFull, ctx);
            self.lose_step(ctx);
        }
        if self.pair.is_hopeless() {
            self.leave(Abandon::OutOfStep, ctx);
        }
    }

    fn read_request_body(&mut self, chunk: &Chunk<'_>, rest: &[u8], ctx: &mut Context<'_>) -> usize {
        let State::Body(reader) = &mut self.client.state else {
            return 0;
        };
        self.client.conflict |= chunk.conflict;
        self.client.last = self.client.last.max(chunk.at);
        let unasked = self.pair.back().is_some_and(|back| back.was_answered_unasked());
        let skipped = unasked && chunk.ack >= Some(self.server.pos()) && reader.awaits_content();
        let read = if skipped && begins::may_begin_request(rest) {
            // The response came instead of 100 (Continue), and some clients then continue without the body. A server
            // that expects one reads the next request as it.
            Err(Incomplete::AmbiguousFraming)
        } else {
            let (settings, sure) = (ctx.settings, self.pair.is_in_step());
            let mut roles = ctx.roles(Direction::ToServer, chunk.offset_of(rest), sure);
            reader.read(rest, settings, &mut roles)
        };
        match read {
            Ok((used, Progress::More)) => used,
            Ok((used, Progress::Done)) => {
                self.end_request(None, ctx);
                used
            }
            Err(reason) => {
                self.end_request(Some(reason), ctx);
                self.lose_requests(reason, ctx);
                rest.len()
            }
        }
    }

    /// Ends the body, complete or with the reason why not.
    fn end_request(&mut self, fault: Option<Incomplete>, ctx: &mut Context<'_>) {
        let State::Body(reader) = core::mem::replace(&mut self.client.state, State::Head) else {
            return;
        };
        let (body, trailers, trailer_fault) = match reader.finish(ctx.settings) {
            Ok((body, trailers)) => (body, trailers, None),
            Err((body, reason)) => (body, Headers::default(), Some(reason)),
        };
        let missing = (body.missing > 0).then_some(Incomplete::RequestGap);
        let conflict = self.client.conflict.then_some(Incomplete::ConflictingOverlap);
        if let Some(back) = self.pair.back() {
            back.reading = false;
            back.fault = back.fault.or(fault).or(missing).or(trailer_fault).or(conflict);
            back.exchange.timing.request_last = Some(self.client.last);
            back.exchange.request.body = body;
            back.exchange.request.trailers = trailers;
        }
        // A response that was early, or was given up, only waited for this.
        if let Some(given_up) = self.pair.pop_given_up() {
            report(given_up, ctx);
        }
        self.finish_front(None, ctx);
        if trailer_fault.is_some() {
            self.leave(Abandon::OutOfStep, ctx);
        }
    }

    /// Stops reading requests. One whose body was being read is incomplete, whatever its response.
    pub(super) fn stop_requests(&mut self, ctx: &mut Context<'_>) {
        self.end_request(Some(Incomplete::RequestCut), ctx);
        self.client.close();
    }
}
