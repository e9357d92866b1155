//! How responses end: complete, cut, over a gap, or without a request to answer.

use super::{
    body::Progress,
    conn::{Conn, report},
    head::{self, ResponseHead},
    responses::State,
};
use crate::{
    exchange::{Body, Headers, Incomplete, Orphan, Response, Timing},
    protocol::{Abandon, Context, End, Event},
};

impl Conn {
    /// Ends the response at stream offset `end`, complete or with the reason why not.
    pub(super) fn end_response(&mut self, fault: Option<Incomplete>, end: u64, ctx: &mut Context<'_>) {
        self.server.head.clear();
        let state = core::mem::replace(&mut self.server.state, State::Head);
        let Some(current) = self.server.current.take() else {
            return;
        };
        let (body, trailers, trailer_fault) = match state {
            State::Body(reader) => match reader.finish(ctx.settings) {
                Ok((body, trailers)) => (body, trailers, None),
                Err((body, reason)) => (body, Headers::default(), Some(reason)),
            },
            _ => (Body::default(), Headers::default(), None),
        };
        let missing = (body.missing > 0).then_some(Incomplete::ResponseGap);
        let conflict = current.conflict.then_some(Incomplete::ConflictingOverlap);
        let fault = fault.or(missing).or(trailer_fault).or(current.odd).or(conflict);
        let (first, last) = (Some(current.start.at), Some(current.last));
        let response = current.head.map(|head| {
            let ResponseHead {
                status,
                version,
                reason,
                headers,
                said: _,
            } = head;
            Response {
                status,
                version,
                reason,
                headers,
                body,
                trailers,
            }
        });
        match (current.orphan, self.pair.front()) {
            (None, Some(front)) => {
                let refused = response
                    .as_ref()
                    .is_some_and(|response| front.was_refused(response.status));
                front.fault = front.fault.or(fault);
                front.exchange.timing.response_first = first;
                front.exchange.timing.response_last = last;
                front.given_up |= response.is_none();
                front.exchange.response = response;
                self.finish_front(Some(end), ctx);
                if refused {
                    // A server that did not understand the head may read the content as the next request.
                    self.leave(Abandon::OutOfStep, ctx);
                }
            }
            (orphan, _) => {
                let timing = Timing {
                    response_first: first,
                    response_last: last,
                    ..Timing::default()
                };
                self.report_orphan(response, timing, orphan.or(fault), current.start.ack, ctx);
            }
        }
        if trailer_fault.is_some() {
            self.doubt_response(ctx);
        }
    }

    /// Reports a response that answers no request: from here on the count is wrong.
    fn report_orphan(
        &mut self,
        response: Option<Response>,
        timing: Timing,
        reason: Option<Incomplete>,
        ack: Option<u64>,
        ctx: &mut Context<'_>,
    ) {
        let incomplete = reason.unwrap_or(Incomplete::Unrequested);
        if self.pair.is_in_step() {
            self.give_up_pending(Incomplete::NoResponse, ctx);
            self.lose_step(ctx);
        } else {
            for pending in self.pair.orphaned(ack) {
                report(pending, ctx);
            }
            self.settle(ctx);
        }
        if let Some(response) = response {
            ctx.out.counters.orphans += 1;
            let orphan = Orphan {
                flow: ctx.flow,
                response,
                timing,
                incomplete,
            };
            ctx.out.events.push_back(Event::Orphan(Box::new(orphan)));
        }
    }

    /// Ends the current response before its end.
    pub(super) fn cut_response(&mut self, reason: Incomplete, ctx: &mut Context<'_>) {
        let pos = self.server.pos;
        if let Some(current) = &mut self.server.current
            && current.head.is_none()
            && !self.server.head.is_empty()
        {
            current.head = Some(head::lenient_response(self.server.head.so_far()));
        }
        self.end_response(Some(reason), pos, ctx);
    }

    pub(super) fn response_gap(&mut self, lost: u64, ctx: &mut Context<'_>) {
        self.server.pos = self.server.pos.saturating_add(lost);
        match &mut self.server.state {
            State::Closed | State::Search => return,
            State::Body(reader) => match reader.skip(lost) {
                Some(Progress::More) => return,
                Some(Progress::Done) => return self.end_response(None, self.server.pos, ctx),
                None => self.cut_response(Incomplete::ResponseGap, ctx),
            },
            State::Head => self.cut_response(Incomplete::ResponseGap, ctx),
        }
        if matches!(self.server.state, State::Closed) {
            return;
        }
        self.server.state = State::Search;
        self.give_up_pending(Incomplete::ResponseGap, ctx);
        self.lose_step(ctx);
    }

    pub(super) fn end_responses(&mut self, end: End, ctx: &mut Context<'_>) {
        match &self.server.state {
            State::Body(reader) if reader.ends_at_close() && end == End::Fin => {
                self.end_response(None, self.server.pos, ctx);
            }
            State::Closed => return,
            _ => self.cut_response(end.reason(Incomplete::ResponseCut), ctx),
        }
        self.give_up_pending(end.reason(Incomplete::NoResponse), ctx);
        self.server.close();
        // No request needs to wait for more of the server's bytes.
        self.server.pos = u64::MAX;
    }
}
