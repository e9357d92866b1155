//! From the queue to verdicts.
//!
//! Owns: the tasks that replay, of one lane. Bounds: `concurrency` of them. Drops: what waited too long, what cannot be
//! sent, and everything while the kill switch is on: counted skips. A replay that was begun always gets a verdict,
//! if only `cancelled`.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use shadow_core::{
    compare::{Comparator, Failure, Outcome},
    exchange::Exchange,
    gate::{SkipPolicy, is_idempotent},
    rewrite::{RewritePolicy, Rewritten, rewrite},
};
use tokio::time::Instant;

use super::{Clock, brakes::Leave, lane::Lane, pending::Pending, queue::Queued, switch::Ticket};
use crate::replay::{Answer, ReplaySettings, Shadow};

/// Bodies of this many bytes together are compared on a thread of their own: meanwhile the replay thread would
/// neither send nor take the time of answers.
const LARGE: usize = 128 << 10;

/// Sends what is queued to a shadow system and judges the answers.
pub(super) struct Dispatcher<S> {
    lane: Arc<Lane>,
    shadow: S,
    policy: Policy,
    /// Tasks that replay one exchange after the other; each ends when the queue is empty.
    workers: AtomicUsize,
}

/// How exchanges are replayed and judged.
#[derive(Clone)]
pub(super) struct Policy {
    pub(super) settings: ReplaySettings,
    pub(super) rewrite: RewritePolicy,
    pub(super) comparator: Arc<Comparator>,
    pub(super) now: Option<Clock>,
}

impl<S> fmt::Debug for Dispatcher<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

impl<S: Shadow> Dispatcher<S> {
    pub(super) fn new(lane: Arc<Lane>, shadow: S, policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            lane,
            shadow,
            policy,
            workers: AtomicUsize::new(0),
        })
    }

    /// Runs until the queue is closed and everything that was in it is counted.
    pub(super) async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.serve() => (),
            () = self.shadow.housekeeping() => (),
        }
    }

    async fn serve(self: &Arc<Self>) {
        let queue = &self.lane.queue;
        loop {
            // Read first: whatever was pushed before the close is then in the queue for certain.
            let closed = queue.is_closed();
            let waiting = queue.len();
            let busy = self.workers.load(SeqCst);
            if closed && waiting == 0 && busy == 0 {
                return;
            }
            for _ in 0..waiting.min(self.policy.settings.concurrency.saturating_sub(busy)) {
                self.workers.fetch_add(1, SeqCst);
                tokio::spawn(Arc::clone(self).work());
            }
            queue.flushed().await;
        }
    }

    async fn work(self: Arc<Self>) {
        let _place = Place(&self);
        let mut ticket = self.lane.switch.subscribe();
        while let Some(queued) = self.lane.queue.pop() {
            self.replay(queued, &mut ticket).await;
        }
    }

    async fn replay(&self, queued: Queued, ticket: &mut Ticket) {
        let Policy {
            settings,
            rewrite: policy,
            comparator,
            now,
        } = &self.policy;
        let deadline = queued.since + settings.max_wait;
        let mut pending = Pending::new(Arc::clone(&self.lane), queued, now.clone());
        ticket.renew();
        let refusal = self.lane.switch.refusal();
        let refusal = refusal.or((Instant::now() > deadline).then_some(SkipPolicy::Expired));
        if let Some(reason) = refusal {
            return pending.skip(reason);
        }
        let request = match rewrite(pending.exchange(), policy) {
            Ok(Rewritten::Send(request)) => request,
            Ok(Rewritten::Record(_)) => return pending.skip(SkipPolicy::RecordOnly),
            Err(reason) => return pending.skip(reason),
        };
        let Ok(request) = self.shadow.prepare(&request) else {
            return pending.skip(SkipPolicy::Unsendable);
        };
        let leave = match self.leave(pending.exchange(), deadline, ticket).await {
            Ok(leave) => leave,
            Err(reason) => return pending.skip(reason),
        };
        pending.begin();
        let outcome = self
            .ask(pending.exchange(), (request, leave), deadline, ticket)
            .await;
        if pending.bytes() < LARGE && kept(&outcome) < LARGE {
            return pending.judge(&outcome, comparator);
        }
        let comparator = Arc::clone(comparator);
        let judged = tokio::task::spawn_blocking(move || pending.judge(&outcome, &comparator));
        if let Err(error) = judged.await {
            // The exchange counted itself when it was dropped.
            tracing::error!(%error, "a comparison did not end");
        }
    }
}

impl<S: Shadow> Dispatcher<S> {
    /// Waits for a turn, unless that is cancelled.
    async fn leave(
        &self,
        exchange: &Exchange,
        deadline: Instant,
        ticket: &mut Ticket,
    ) -> Result<Leave, SkipPolicy> {
        let leave = Leave::get(&self.lane, exchange, deadline);
        let cancelled = || self.lane.switch.refusal().unwrap_or(SkipPolicy::Killed);
        ticket
            .unless_cancelled(leave)
            .await
            .unwrap_or_else(|| Err(cancelled()))
    }

    /// Sends a request, again where that is allowed and there is leave for it.
    async fn ask(
        &self,
        exchange: &Exchange,
        (mut request, mut leave): (S::Prepared, Leave),
        deadline: Instant,
        ticket: &mut Ticket,
    ) -> Outcome {
        let mut left = self.policy.settings.retries;
        if left > 0 && !is_idempotent(&exchange.request) {
            left = 0;
        }
        loop {
            let Some(answer) = ticket.unless_cancelled(self.shadow.answer(request)).await else {
                return Outcome::Failed(Failure::Cancelled);
            };
            let Answer {
                outcome,
                is_unanswered,
            } = answer;
            leave.end(&outcome);
            if left == 0 || !is_unanswered {
                return outcome;
            }
            left -= 1;
            let Ok(again) = self.leave(exchange, deadline, ticket).await else {
                return outcome;
            };
            let Ok(Rewritten::Send(same)) = rewrite(exchange, &self.policy.rewrite) else {
                return outcome;
            };
            let Ok(same) = self.shadow.prepare(&same) else {
                return outcome;
            };
            (request, leave) = (same, again);
            self.lane.brakes.retried();
        }
    }
}

fn kept(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Response(response) => response.body.kept.len(),
        Outcome::Failed(_) => 0,
    }
}

/// A worker's place among `concurrency`; given back even when it panics.
struct Place<'a, S>(&'a Dispatcher<S>);

impl<S> Drop for Place<'_, S> {
    fn drop(&mut self) {
        let Dispatcher { lane, workers, .. } = self.0;
        workers.fetch_sub(1, SeqCst);
        // What was pushed after this worker found the queue empty needs another one, and the end needs a last look.
        if lane.queue.len() > 0 || lane.queue.is_closed() {
            lane.queue.flush();
        }
    }
}
