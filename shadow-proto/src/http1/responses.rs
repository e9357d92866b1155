//! The server's direction: responses.

use super::pair::Target;
use super::{
    begins,
    body::{BodyReader, Progress},
    conn::{Conn, Switch},
    fast_path, foreign,
    framing::{self, Framing, RequestKind},
    head::{self, HeadBuffer, HeadStep, RawHead, ResponseHead},
    odd,
};
use crate::{
    exchange::Incomplete,
    protocol::{Abandon, Chunk, Context, MessageStart},
    time::Timestamp,
    wire::Direction,
};

/// The read state of the server's direction.
#[derive(Debug)]
pub(crate) struct Responses {
    pub(super) state: State,
    pub(super) head: HeadBuffer,
    pub(super) current: Option<Current>,
    pub(super) pos: u64,
    /// The first bytes, if they are not a response.
    foreign: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum State {
    Head,
    Body(Box<BodyReader>),
    /// Message boundaries are unknown.
    Search,
    Closed,
}

/// The response being read.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) start: MessageStart,
    pub(super) last: Timestamp,
    pub(super) conflict: bool,
    /// The fault of an invalid head whose end is certain.
    pub(super) odd: Option<Incomplete>,
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
            foreign: Vec::new(),
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
            // The request that this answers acknowledged everything before it: the message being read has ended.
            self.cut_response(Incomplete::Midstream, ctx);
            self.server.state = State::Head;
        }
        let mut used = 0;
        while let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty()) {
            if self.switch.is_some() {
                break;
            }
            let ahead = self.waits(Direction::ToClient, chunk.ack);
            match self.server.state {
                State::Closed => used += ctx.pass_over(Direction::ToClient, chunk, rest),
                State::Search if ahead => break,
                State::Search if used == 0 && chunk.starts_segment && begins::looks_like_response(rest) => {
                    self.server.state = State::Head;
                }
                State::Search => used += ctx.pass_over(Direction::ToClient, chunk, rest),
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

    /// Whether the current response is certain to be one.
    fn is_sure(&self) -> bool {
        self.pair.is_in_step()
            && self
                .server
                .current
                .as_ref()
                .is_none_or(|current| current.orphan.is_none())
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
            // Some servers send an empty line after a body without counting it; it begins no message.
            let foreign = !self.server.foreign.is_empty();
            let blank = begins::blank(rest);
            if blank > 0 && !foreign {
                let sure = self.pair.is_in_step();
                return Some(ctx.pass_blank(Direction::ToClient, chunk, rest, blank, sure));
            }
            let orphan = match self.pair.target(offset, chunk.ack, self.client.pos()) {
                Target::Wait => return None,
                Target::Front => None,
                Target::Nobody(reason) => Some(reason),
            };
            if foreign || !begins::looks_like_response(rest) {
                self.refuse_garbage(rest, orphan.is_none(), ctx);
                return Some(ctx.pass_over(Direction::ToClient, chunk, rest));
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
                odd: None,
                orphan,
                head: None,
            });
            self.touch(chunk);
            let settings = ctx.settings;
            if let Some((used, head)) = fast_path::response(rest, &settings.limits, settings.fields) {
                let raw = rest.get(..used).unwrap_or_default();
                let sure = self.is_sure();
                ctx.roles(Direction::ToClient, offset, sure).head(used, raw);
                self.framed_response(head, None, offset + used as u64, ctx);
                return Some(used);
            }
        }
        Some(self.push_response_head(chunk, offset, rest, ctx))
    }

    /// Adds to a head that did not arrive in one piece, or has an odd line.
    fn push_response_head(
        &mut self,
        chunk: &Chunk<'_>,
        offset: u64,
        rest: &[u8],
        ctx: &mut Context<'_>,
    ) -> usize {
        self.touch(chunk);
        let (used, step) = self.server.head.push(rest, ctx.settings.limits.head);
        match step {
            HeadStep::More if begins::looks_like_response(self.server.head.so_far()) => {}
            HeadStep::More => {
                let current = self.server.current.as_ref();
                let answers = current.is_some_and(|current| current.orphan.is_none());
                let seen = self.server.head.so_far().iter().copied();
                let seen: Vec<u8> = seen.take(foreign::FIRST).collect();
                self.refuse_garbage(&seen, answers, ctx);
            }
            HeadStep::TooLarge => {
                let head = head::lenient_response(self.server.head.so_far());
                self.refuse_response(head, Incomplete::HeadTooLarge, ctx);
            }
            HeadStep::Complete(raw) => {
                let sure = self.is_sure();
                if self.response_head(&raw, offset + used as u64, ctx) {
                    ctx.roles(Direction::ToClient, offset, sure)
                        .head(used, &raw.bytes);
                }
            }
        }
        used
    }

    /// Records the segment that the current response is read from.
    fn touch(&mut self, chunk: &Chunk<'_>) {
        if let Some(current) = &mut self.server.current {
            current.last = current.last.max(chunk.at);
            current.conflict |= chunk.conflict;
        }
    }

    /// Handles bytes that begin no response.
    fn refuse_garbage(&mut self, bytes: &[u8], answers: bool, ctx: &mut Context<'_>) {
        if !self.pair.is_in_step() && !answers {
            self.server.state = State::Search;
            self.server.current = None;
            self.server.head.clear();
            return;
        }
        let fresh = self.pair.is_fresh();
        if !answers && !fresh {
            // More bytes than the content of the previous response.
            return self.doubt_response(ctx);
        }
        let seen = &mut self.server.foreign;
        let room = foreign::FIRST.saturating_sub(seen.len());
        seen.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let Some(protocol) = foreign::of_server(seen) else {
            return;
        };
        if answers && let Some(front) = self.pair.front() {
            front.fault.get_or_insert(Incomplete::Malformed);
        }
        let lost = protocol == Abandon::NotHttp && !fresh;
        self.abandon(if lost { Abandon::OutOfStep } else { protocol }, ctx);
    }

    /// Parses a response head; returns whether the end of the response is certain.
    fn response_head(&mut self, raw: &RawHead<'_>, end: u64, ctx: &mut Context<'_>) -> bool {
        let parsed = match head::response(raw, ctx.settings.limits.fields, ctx.settings.fields) {
            Ok(_) | Err(Incomplete::Malformed) if raw.suspicious => Err(Incomplete::AmbiguousFraming),
            parsed => parsed,
        };
        let (head, odd) = match parsed {
            Ok(head) => (Ok(head), None),
            Err(Incomplete::HeadTooLarge) => (Err(Incomplete::HeadTooLarge), None),
            Err(reason) => {
                let head = odd::response(raw, ctx.settings.limits.fields);
                (head.ok_or(reason), Some(reason))
            }
        };
        let certain = head.is_ok();
        match head {
            Ok(head) => self.framed_response(head, odd, end, ctx),
            Err(reason) => self.refuse_response(head::lenient_response(&raw.bytes), reason, ctx),
        }
        certain
    }

    /// `odd`: the fault of an invalid head whose end is certain.
    fn framed_response(
        &mut self,
        head: ResponseHead,
        odd: Option<Incomplete>,
        end: u64,
        ctx: &mut Context<'_>,
    ) {
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
            Ok(framing) => {
                if let Some(current) = &mut self.server.current {
                    current.odd = odd.or(framing::response_fault(&head, framing));
                }
                self.begin_response(head, framing, end, ctx);
            }
            Err(reason) => self.refuse_response(head, reason, ctx),
        }
    }

    /// Framing properties of the current response's request. An orphan may well answer a request that the server had:
    /// that guess decides only how far it is skipped.
    fn asked(&mut self) -> RequestKind {
        let (Some(current), Some(front)) = (&self.server.current, self.pair.front()) else {
            return RequestKind::Other;
        };
        if current.orphan.is_none() || current.start.ack >= Some(front.head_end) {
            RequestKind::by(&front.exchange.request.method)
        } else {
            RequestKind::Other
        }
    }

    fn begin_response(&mut self, head: ResponseHead, framing: Framing, end: u64, ctx: &mut Context<'_>) {
        let status = head.status;
        let upgraded = head.said.protocol.unwrap_or(Abandon::Upgraded);
        let Some(current) = &mut self.server.current else {
            return;
        };
        let orphan = current.orphan.is_some();
        current.head = Some(head);
        if orphan && framing == Framing::UntilClose && !self.pair.is_in_step() {
            // The request is unknown and may have been HEAD: what follows may be the next response.
            return self.leave_response(Incomplete::Midstream, ctx);
        }
        let h2 = status == 101 && upgraded == Abandon::Http2 && !orphan && framing == Framing::Switch;
        if h2 && let Some(asked) = self.pair.take_upgraded() {
            self.switch = Some(Switch::Upgraded(Box::new(asked)));
            self.server.current = None;
            return;
        }
        match BodyReader::new(framing, ctx.settings) {
            Some(reader) => self.server.state = State::Body(Box::new(reader)),
            None => self.end_response(None, end, ctx),
        }
        if framing == Framing::Switch && !orphan {
            self.abandon(if status == 101 { upgraded } else { Abandon::Tunnel }, ctx);
        }
    }

    /// Handles a head that is clear enough to be shown, but not to continue after it.
    fn refuse_response(&mut self, head: ResponseHead, reason: Incomplete, ctx: &mut Context<'_>) {
        if let Some(current) = &mut self.server.current {
            current.head = Some(head);
        }
        self.leave_response(reason, ctx);
    }

    /// Stops reading a response that cannot be delimited. Without its request that proves nothing: the framing was a
    /// guess (RFC 9112 section 6.3, rule 1), and the search continues.
    fn leave_response(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        let current = self.server.current.as_ref();
        let guessed = !self.pair.is_in_step() && current.is_some_and(|current| current.orphan.is_some());
        self.cut_response(reason, ctx);
        if guessed {
            self.server.state = State::Search;
        } else {
            self.doubt_response(ctx);
        }
    }

    /// Handles a response with an uncertain end. Requests and responses are still counted: when none is expected, the
    /// next one that begins where the client knew that everything before it had ended shows where to continue.
    pub(super) fn doubt_response(&mut self, ctx: &mut Context<'_>) {
        if !matches!(self.server.state, State::Closed) && self.leaving.is_none() && self.pair.doubt() {
            ctx.out.counters.out_of_step += 1;
            self.server.state = State::Search;
            self.server.current = None;
            self.server.head.clear();
        } else {
            self.abandon(Abandon::OutOfStep, ctx);
        }
    }

    fn read_response_body(&mut self, chunk: &Chunk<'_>, rest: &[u8], ctx: &mut Context<'_>) -> usize {
        self.touch(chunk);
        let sure = self.is_sure();
        let State::Body(reader) = &mut self.server.state else {
            return 0;
        };
        let settings = ctx.settings;
        let mut roles = ctx.roles(Direction::ToClient, chunk.offset_of(rest), sure);
        match reader.read(rest, settings, &mut roles) {
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
