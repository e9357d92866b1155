//! From pairs of answers of one system to the ledger's background.
//!
//! Drops: a pair of which one half has no answer says nothing, and is not counted.

use std::sync::Arc;

use shadow_core::{
    compare::{Outcome, ShadowResponse, Verdict},
    evidence::Background,
};
use shadow_proto::{exchange::Exchange, time::Timestamp};
use tokio::time::Instant;

use super::{
    dispatch::{Dispatcher, LARGE, elsewhere},
    pairs,
    switch::Ticket,
};
use crate::replay::Shadow;

/// What differs between answers of one system.
impl<S: Shadow> Dispatcher<S> {
    /// Where a second deployment of production differs from production, so may any system.
    pub(super) fn control(&self, exchange: &Exchange, verdict: &Verdict) {
        let found = match verdict {
            Verdict::Match => &[][..],
            Verdict::Mismatch(found) => found,
            Verdict::ShadowError(_) => return,
        };
        for lane in &self.pairs.told {
            let now = self.now(exchange);
            lane.books
                .background(&exchange.request, Background::Control, found, now);
        }
    }

    /// Production's answers to the same request, close in time.
    pub(super) fn twins(&self, exchange: &Arc<Exchange>) {
        let Some(twin) = self.pairs.twin(exchange) else {
            return;
        };
        if let (Some(before), Some(now)) = (&twin.response, &exchange.response) {
            let request = &exchange.request;
            let comparator = &self.comparator();
            let found = comparator.compare(request, pairs::production(before), pairs::production(now));
            let now = self.now(exchange);
            self.lane
                .books
                .background(request, Background::Twins, &found, now);
        }
    }

    /// The shadow system's answers to the same request, one after the other.
    pub(super) async fn twice(
        &self,
        exchange: &Arc<Exchange>,
        first: ShadowResponse,
        deadline: Instant,
        ticket: &mut Ticket,
    ) {
        let Ok(request) = self.prepared(exchange) else {
            return;
        };
        ticket.renew();
        if self.lane.switch.refusal().is_some() {
            return;
        }
        let Ok(leave) = self.leave(exchange, deadline, ticket).await else {
            return;
        };
        self.lane.brakes.again();
        let Some(answer) = ticket.unless_cancelled(self.shadow.answer(request)).await else {
            return;
        };
        leave.end(&answer.outcome);
        let Outcome::Response(second) = answer.outcome else {
            return;
        };
        let (request, comparator) = (Arc::clone(exchange), self.comparator());
        let large = first.body.kept.len() >= LARGE || second.body.kept.len() >= LARGE;
        let compare = move || {
            let sides = (pairs::shadow(&first), pairs::shadow(&second));
            comparator.compare(&request.request, sides.0, sides.1)
        };
        let found = if large {
            elsewhere(compare).await
        } else {
            Some(compare())
        };
        if let Some(found) = found {
            let now = self.now(exchange);
            self.lane
                .books
                .background(&exchange.request, Background::Twice, &found, now);
        }
    }

    fn now(&self, exchange: &Exchange) -> Timestamp {
        match &self.policy.now {
            Some(clock) => clock(),
            None => exchange.timing.response_last.unwrap_or_default(),
        }
    }
}
