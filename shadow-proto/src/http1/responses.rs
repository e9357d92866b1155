//! The server's direction: responses.

use super::pair::Target;
use super::{
    body::{BodyReader, Progress},
    conn::Conn,
    framing::{self, Asked, Framing},
    head::{self, HeadBuffer, HeadStep, RawHead, ResponseHead},
    quick,
};
use crate::{
    exchange::Incomplete,
    protocol::{Abandon, Chunk, Context, MessageStart},
    time::Timestamp,
    wire::Direction,
};

/// What the server's direction is in the middle of.
#[derive(Debug)]
pub(crate) struct Responses {
    pub(super) state: State,
    pub(super) head: HeadBuffer,
    pub(super) current: Option<Current>,
    pub(super) pos: u64,
}

#[derive(Debug)]
pub(super) enum State {
    Head,
    Body(Box<BodyReader>),
    /// Message borders are unknown.
    Search,
    Closed,
}

/// The response that is being read.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) start: MessageStart,
    pub(super) last: Timestamp,
    pub(super) conflict: bool,
    /// `None` when it answers the front request.
    pub(super) orphan: Option<Incomplete>,
    pub(super) head: Option<ResponseHead>,
}

impl Responses {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            head: HeadBuffer::default(),
            current: None,
            pos: 0,
        }
    }

    pub(super) fn pos(&self) -> u64 {
        self.pos
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.head.clear();
        self.current = None;
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
    pub(super) fn read_responses(&mut self, chunk: &Chunk<'_>, ctx: &mut Context<'_>) -> usize {
        if chunk.starts_segment && self.pair.expects_unsure_at(chunk.offset) && self.server.current.is_some()
        {
            // The request that this answers acknowledged everything before it: what was being read is over.
            self.cut_response(Incomplete::Midstream, ctx);
            self.server.state = State::Head;
        }
        let mut used = 0;
        while let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let ahead = self.waits(Direction::ToClient, chunk.ack);
            match self.server.state {
                State::Closed => used = chunk.bytes.len(),
                State::Search if ahead => break,
                State::Search if used == 0 && chunk.starts_segment && head::looks_like_response(rest) => {
                    self.server.state = State::Head;
                }
                State::Search => used = chunk.bytes.len(),
                State::Head => match self.read_response_head(chunk, used as u64, rest, ctx) {
                    Some(taken) => used += taken,
                    None => break,
                },
                State::Body(_) => used += self.read_response_body(chunk, rest, ctx),
            }
        }
        self.server.pos = chunk.offset + used as u64;
        if used > 0 {
            self.pair.server_read(self.server.pos, chunk.ack);
        }
        used
    }

    /// `None` when the request it answers was not read yet.
    fn read_response_head(
        &mut self,
        chunk: &Chunk<'_>,
        skip: u64,
        rest: &[u8],
        ctx: &mut Context<'_>,
    ) -> Option<usize> {
        let offset = chunk.offset + skip;
        if self.server.current.is_none() {
            // Some servers send an empty line behind a body that they did not count; it begins no message.
            let blank = head::blank(rest);
            if blank > 0 {
                return Some(blank);
            }
            let orphan = match self.pair.target(offset, chunk.ack, self.client.pos()) {
                Target::Wait => return None,
                Target::Front => None,
                Target::Nobody(reason) => Some(reason),
            };
            if !head::looks_like_response(rest) {
                self.refuse_garbage(orphan.is_none(), ctx);
                return Some(rest.len());
            }
            let start = MessageStart {
                at: chunk.at,
                offset,
                ack: chunk.ack,
            };
            self.server.current = Some(Current {
                start,
                last: chunk.at,
                conflict: false,
                orphan,
                head: None,
            });
            self.touch(chunk);
            let settings = ctx.settings;
            if let Some((used, head)) = quick::response(rest, &settings.limits, settings.fields) {
                self.framed_response(head, offset + used as u64, ctx);
                return Some(used);
            }
        }
        self.touch(chunk);
        let (used, step) = self.server.head.push(rest, ctx.settings.limits.head);
        match step {
            HeadStep::More if head::looks_like_response(self.server.head.so_far()) => {}
            HeadStep::More => {
                let current = self.server.current.as_ref();
                let answers = current.is_some_and(|current| current.orphan.is_none());
                self.refuse_garbage(answers, ctx);
            }
            HeadStep::TooLarge => {
                let head = head::lenient_response(self.server.head.so_far());
                self.refuse_response(head, Incomplete::HeadTooLarge, ctx);
            }
            HeadStep::Complete(raw) => self.response_head(&raw, offset + used as u64, ctx),
        }
        Some(used)
    }

    /// Notes the segment that the current response is read from.
    fn touch(&mut self, chunk: &Chunk<'_>) {
        if let Some(current) = &mut self.server.current {
            current.last = current.last.max(chunk.at);
            current.conflict |= chunk.conflict;
        }
    }

    /// Bytes that begin no response.
    fn refuse_garbage(&mut self, answers: bool, ctx: &mut Context<'_>) {
        if !self.pair.is_in_step() && !answers {
            self.server.state = State::Search;
            self.server.current = None;
            self.server.head.clear();
            return;
        }
        let fresh = self.pair.is_fresh();
        if answers && let Some(front) = self.pair.front() {
            front.fault.get_or_insert(Incomplete::Malformed);
        }
        self.abandon(
            if fresh {
                Abandon::NotHttp
            } else {
                Abandon::OutOfStep
            },
            ctx,
        );
    }

    fn response_head(&mut self, raw: &RawHead<'_>, end: u64, ctx: &mut Context<'_>) {
        let parsed = match head::response(raw, ctx.settings.limits.fields, ctx.settings.fields) {
            Ok(_) | Err(Incomplete::Malformed) if raw.suspicious => Err(Incomplete::AmbiguousFraming),
            parsed => parsed,
        };
        match parsed {
            Ok(head) => self.framed_response(head, end, ctx),
            Err(reason) => self.refuse_response(head::lenient_response(&raw.bytes), reason, ctx),
        }
    }

    fn framed_response(&mut self, head: ResponseHead, end: u64, ctx: &mut Context<'_>) {
        if (100..200).contains(&head.status) && head.status != 101 {
            // Interim responses (RFC 9110 section 15.2) belong to the request, and end nothing.
            ctx.out.counters.interim_responses += 1;
            let current = self.server.current.take();
            if head.status == 100
                && current.is_some_and(|current| current.orphan.is_none())
                && let Some(front) = self.pair.front()
            {
                front.expects = false;
            }
            return;
        }
        ctx.out.counters.responses += 1;
        let asked = self.asked();
        match framing::response(&head, asked) {
            Ok(framing) => self.begin_response(head, framing, end, ctx),
            Err(reason) => self.refuse_response(head, reason, ctx),
        }
    }

    /// What the request of the current response says about it. An orphan may well be the answer to a request that
    /// the server had: that guess decides only how far it is skipped.
    fn asked(&mut self) -> Asked {
        let (Some(current), Some(front)) = (&self.server.current, self.pair.front()) else {
            return Asked::Other;
        };
        if current.orphan.is_none() || current.start.ack >= Some(front.head_end) {
            Asked::by(&front.exchange.request.method)
        } else {
            Asked::Other
        }
    }

    fn begin_response(&mut self, head: ResponseHead, framing: Framing, end: u64, ctx: &mut Context<'_>) {
        let status = head.status;
        let Some(current) = &mut self.server.current else {
            return;
        };
        let orphan = current.orphan.is_some();
        current.head = Some(head);
        if orphan && framing == Framing::UntilClose && !self.pair.is_in_step() {
            // The request is unknown and may have been HEAD: what follows may be the next response.
            return self.leave_response(Incomplete::Midstream, ctx);
        }
        match BodyReader::new(framing, ctx.settings) {
            Some(reader) => self.server.state = State::Body(Box::new(reader)),
            None => self.end_response(None, end, ctx),
        }
        if framing == Framing::Switch && !orphan {
            self.abandon(
                if status == 101 {
                    Abandon::Upgraded
                } else {
                    Abandon::Tunnel
                },
                ctx,
            );
        }
    }

    /// A head that says enough to be shown, and not enough to go on behind it.
    fn refuse_response(&mut self, head: ResponseHead, reason: Incomplete, ctx: &mut Context<'_>) {
        if let Some(current) = &mut self.server.current {
            current.head = Some(head);
        }
        self.leave_response(reason, ctx);
    }

    /// Stops reading a response that cannot be delimited. Without its request that proves nothing: the framing was
    /// a guess (RFC 9112 section 6.3, rule 1), and the search goes on.
    fn leave_response(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        let current = self.server.current.as_ref();
        let guessed = !self.pair.is_in_step() && current.is_some_and(|current| current.orphan.is_some());
        self.cut_response(reason, ctx);
        if guessed {
            self.server.state = State::Search;
        } else {
            self.abandon(Abandon::OutOfStep, ctx);
        }
    }

    fn read_response_body(&mut self, chunk: &Chunk<'_>, rest: &[u8], ctx: &mut Context<'_>) -> usize {
        self.touch(chunk);
        let State::Body(reader) = &mut self.server.state else {
            return 0;
        };
        match reader.read(rest, ctx.settings) {
            Ok((used, Progress::More)) => used,
            Ok((used, Progress::Done)) => {
                // `rest` ends where the run ends.
                let behind = rest.len() - used;
                self.end_response(None, chunk.offset + (chunk.bytes.len() - behind) as u64, ctx);
                used
            }
            Err(reason) => {
                self.leave_response(reason, ctx);
                rest.len()
            }
        }
    }
}
