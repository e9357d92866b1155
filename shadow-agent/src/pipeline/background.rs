//! From pairs of answers of one system to the ledger's background.
//!
//! Drops: a pair with an unanswered half shows nothing, and is not counted.

use std::sync::Arc;

use shadow_core::{
    compare::{Discrepancy, Outcome, ShadowResponse, Side, Verdict},
    evidence::{Background, ThirdAnswer, ThirdSystem},
};
use shadow_proto::{exchange::Exchange, time::Timestamp};
use tokio::time::Instant;

use super::{
    dispatch::{Dispatcher, LARGE, SECOND, elsewhere},
    pairs::{Draw, Earlier},
    recent::Doubt,
    switch::Ticket,
};
use crate::replay::Shadow;

/// Differences between answers of one system.
impl<S: Shadow> Dispatcher<S> {
    /// Counts differences between production and a second deployment of it; any system may differ there too.
    pub(super) fn control(&self, exchange: &Exchange, verdict: &Verdict) {
        let found = match verdict {
            Verdict::Match => &[][..],
            Verdict::Mismatch(found) => found,
            Verdict::ShadowError(_) => return,
        };
        for lane in &self.pairs.controlled {
            let now = self.now(exchange);
            lane.books.background(exchange, Background::Control, found, now);
        }
    }

    /// Production's answers to the same request: close in time, or before and after a write. Call it before the
    /// exchange is judged.
    pub(super) async fn recurring(&self, exchange: &Arc<Exchange>) {
        let Some(Earlier {
            exchange: earlier,
            is_close,
        }) = self.pairs.earlier(exchange)
        else {
            return;
        };
        let (Some(before), Some(now)) = (&earlier.response, &exchange.response) else {
            return;
        };
        let then = earlier.timing.response_last.unwrap_or_default();
        let is_due = || self.lane.books.is_written(exchange, then) && self.pairs.may_compare_late();
        if !is_close && !is_due() {
            return;
        }
        let bytes = before.body.kept.len().max(now.body.kept.len());
        let (shared, comparator) = (Arc::clone(exchange), self.comparator());
        let (lane, earlier) = (Arc::clone(&self.lane), Arc::clone(&earlier));
        let compare = move || {
            let _busy = lane.unfinished.begin(&shared);
            let (before, now) = earlier.response.as_ref().zip(shared.response.as_ref())?;
            let (before, now) = (Side::from(before), Side::from(now));
            Some(comparator.compare(&shared.request, before, now))
        };
        if let Some(Some(found)) = beside(bytes, compare).await {
            let now = self.now(exchange);
            let books = &self.lane.books;
            if is_close {
                books.background(exchange, Background::Recurring, &found, now);
            }
            books.repeated(exchange, then, &found);
        }
    }

    /// Compares production's next answer to a request with an earlier mismatch, and remembers this one, whose
    /// differences are `found`.
    pub(super) async fn doubts(
        &self,
        exchange: &Arc<Exchange>,
        shadow: &ShadowResponse,
        found: &[Discrepancy],
    ) {
        if let Some(doubt) = self.pairs.doubt(exchange) {
            self.doubt(exchange, (shadow, found), doubt).await;
        }
        if !found.is_empty() {
            self.pairs.remember(Doubt {
                exchange: Arc::clone(exchange),
                shadow: shadow.clone(),
                found: found.to_vec(),
                judged: self.now(exchange),
            });
        }
    }

    /// Compares production's next answer with the two that differ; and if the shadow system's next answer differs from
    /// it, with the shadow system's former one.
    async fn doubt(
        &self,
        exchange: &Arc<Exchange>,
        (shadow, found): (&ShadowResponse, &[Discrepancy]),
        doubt: Doubt,
    ) {
        let (Some(before), Some(now)) = (&doubt.exchange.response, &exchange.response) else {
            return;
        };
        let bytes = [&before.body, &now.body, &doubt.shadow.body].map(|body| body.kept.len());
        let bytes = bytes.into_iter().max().unwrap_or_default();
        let doubt = Arc::new(doubt);
        let (shared, comparator) = (Arc::clone(exchange), self.comparator());
        let (lane, asked) = (Arc::clone(&self.lane), Arc::clone(&doubt));
        let next = (!found.is_empty()).then(|| shadow.clone());
        let compare = move || {
            let _busy = lane.unfinished.begin(&shared);
            let request = &asked.exchange.request;
            let (before, now) = asked.exchange.response.as_ref().zip(shared.response.as_ref())?;
            let (before, again) = (Side::from(before), Side::from(now));
            let itself = comparator.compare(request, before, again);
            let former = Side::from(&asked.shadow);
            let other = comparator.compare(request, again, former);
            let moved = next.map(|next| comparator.compare(request, former, Side::from(&next)));
            Some((itself, other, moved))
        };
        let Some(Some((itself, other, moved))) = beside(bytes, compare).await else {
            return;
        };
        let thirds = ThirdAnswer {
            found: &doubt.found,
            itself: &itself,
            other: &other,
            is_close: self.pairs.is_close(&doubt.exchange, exchange),
        };
        let now = self.now(exchange);
        self.lane
            .books
            .third(&doubt.exchange, ThirdSystem::Production, thirds, now);
        if let Some(moved) = moved {
            let books = &self.lane.books;
            books.moved(&doubt.exchange, found, [&itself, &moved]);
        }
    }

    /// The shadow system's answers to the same request, one after the other. `found` is the difference between
    /// production's and the first.
    pub(super) async fn twice(
        &self,
        exchange: &Arc<Exchange>,
        (first, found): (ShadowResponse, Vec<Discrepancy>),
        draw: Draw,
        (deadline, ticket): (Instant, &mut Ticket),
    ) {
        let Ok(request) = self.prepared(exchange, SECOND) else {
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
        self.lane.read(&answer.notes);
        leave.end(&answer.outcome);
        let Outcome::Response(second) = answer.outcome else {
            return;
        };
        let second = self.mapped(exchange, second);
        let (shared, comparator) = (Arc::clone(exchange), self.comparator());
        let lane = Arc::clone(&self.lane);
        let bytes = first.body.kept.len().max(second.body.kept.len());
        let is_mismatch = !found.is_empty();
        let compare = move || {
            let (request, again) = (&shared.request, Side::from(&second));
            let _busy = lane.unfinished.begin(&shared);
            let itself = comparator.compare(request, Side::from(&first), again);
            let production = shared.response.as_ref().filter(|_| is_mismatch);
            let other =
                production.map(|production| comparator.compare(request, Side::from(production), again));
            (itself, other)
        };
        let Some((itself, other)) = beside(bytes, compare).await else {
            return;
        };
        let now = self.now(exchange);
        if draw == Draw::Random {
            let books = &self.lane.books;
            books.background(exchange, Background::Twice, &itself, now);
        }
        if let Some(other) = other {
            let thirds = ThirdAnswer {
                found: &found,
                itself: &itself,
                other: &other,
                is_close: true,
            };
            self.lane.books.third(exchange, ThirdSystem::Shadow, thirds, now);
        }
    }

    /// The time by the clock of the exchanges.
    pub(super) fn now(&self, exchange: &Exchange) -> Timestamp {
        match &self.policy.now {
            Some(clock) => clock(),
            None => exchange.timing.response_last.unwrap_or_default(),
        }
    }
}

/// Runs a comparison: here, or where it delays no replay if the largest body has many bytes.
async fn beside<T: Send + 'static>(bytes: usize, compare: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes < LARGE {
        Some(compare())
    } else {
        elsewhere(compare).await
    }
}
