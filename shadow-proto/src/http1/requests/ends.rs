//! Gaps in the requests, and their end.

use super::State;
use crate::{
    exchange::Incomplete,
    http1::{body::Progress, conn::Conn},
    protocol::{Context, End},
};

impl Conn {
    pub(in crate::http1) fn request_gap(&mut self, lost: u64, ctx: &mut Context<'_>) {
        self.client.pos = self.client.pos.saturating_add(lost);
        match &mut self.client.state {
            State::Closed | State::Search | State::Wait => return,
            State::Body(reader) => match reader.skip(lost) {
                Some(Progress::More) => return,
                Some(Progress::Done) => return self.end_request(None, ctx),
                None => self.end_request(Some(Incomplete::RequestGap), ctx),
            },
            State::Head => {
                ctx.out.counters.requests_lost += u64::from(!self.client.head.is_empty());
                self.client.head.clear();
            }
        }
        if !matches!(self.client.state, State::Closed) {
            self.client.state = State::Search;
        }
        self.lose_step(ctx);
    }

    pub(in crate::http1) fn end_requests(&mut self, end: End, ctx: &mut Context<'_>) {
        match self.client.state {
            State::Body(_) => self.end_request(Some(end.reason(Incomplete::RequestCut)), ctx),
            State::Head => ctx.out.counters.requests_lost += u64::from(!self.client.head.is_empty()),
            State::Wait | State::Search | State::Closed => {}
        }
        self.client.close();
        // No response needs to wait for more of the client's bytes.
        self.client.pos = u64::MAX;
    }
}
