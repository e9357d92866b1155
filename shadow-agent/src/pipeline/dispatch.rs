//! From the queue to verdicts.
//!
//! Owns: the tasks that replay, of one lane. Bounds: `concurrency` of them, which may change meanwhile. Drops:
//! exchanges that waited too long or cannot be sent, and everything while the kill switch is on: counted skips. A
//! replay that was begun always gets a verdict, even if only `cancelled`.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use shadow_core::{
    compare::{Comparator, Failure, Outcome, ShadowResponse, Verdict},
    gate::{SkipPolicy, is_idempotent},
    rewrite::{RewritePolicy, Rewritten},
    values::Mapped,
};
use shadow_proto::exchange::Exchange;
use tokio::time::Instant;

use super::{
    Clock, causal::Turn, lane::Lane, lane_limits::Permit, pairs::Pairs, pending::Pending, planter::Planter,
    settings::PairSettings, switch::Ticket,
};
use crate::replay::{Answer, Shadow};

/// Bodies of this many bytes together are compared on a separate thread: otherwise the replay thread would neither send
/// nor time answers meanwhile.
pub(super) const LARGE: usize = 128 << 10;

/// How often exchanges that wait for others are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Copies of a request that may be sent, each with ids of its own.
pub(super) const FIRST: u64 = 0;
pub(super) const SECOND: u64 = 1;

/// Sends queued exchanges to a shadow system and compares the answers.
pub(super) struct Dispatcher<S> {
    pub(super) lane: Arc<Lane>,
    pub(super) shadow: S,
    pub(super) policy: Policy,
    pub(super) pairs: Pairs,
    pub(super) planter: Planter,
    /// Tasks that replay one exchange after the other; each ends when the queue is empty.
    workers: AtomicUsize,
}

/// How exchanges are replayed and compared.
#[derive(Clone)]
pub(super) struct Policy {
    pub(super) rewrite: RewritePolicy,
    pub(super) comparator: Arc<Comparator>,
    pub(super) pairs: PairSettings,
    pub(super) now: Option<Clock>,
}

impl<S> fmt::Debug for Dispatcher<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

impl<S: Shadow> Dispatcher<S> {
    pub(super) fn new(lane: Arc<Lane>, shadow: S, policy: Policy, pairs: Pairs) -> Arc<Self> {
        Arc::new(Self {
            lane,
            shadow,
            policy,
            pairs,
            planter: Planter::new(),
            workers: AtomicUsize::new(0),
        })
    }

    /// Runs until the queue is closed and everything in it is counted.
    pub(super) async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.serve() => (),
            () = self.shadow.housekeeping() => (),
        }
    }

    async fn serve(self: &Arc<Self>) {
        let queue = &self.lane.queue;
        loop {
            // Read first: everything pushed before the close is then certainly in the queue.
            let closed = queue.is_closed();
            self.expire();
            let waiting = queue.len().saturating_add(self.lane.freed());
            let busy = self.workers.load(SeqCst);
            let parked = self.waiting();
            if closed && waiting == 0 && busy == 0 && parked == 0 {
                return;
            }
            let most = self.lane.live().get().concurrency;
            for _ in 0..waiting.min(most.saturating_sub(busy)) {
                self.workers.fetch_add(1, SeqCst);
                tokio::spawn(Arc::clone(self).work());
            }
            if parked == 0 {
                queue.flushed().await;
            } else {
                // Those that wait have a deadline. A wake-up that comes first is no error.
                let _in_time = tokio::time::timeout(LOOK, queue.flushed()).await.is_ok();
            }
        }
    }

    async fn work(self: Arc<Self>) {
        let _place = WorkerPermit(&self);
        let mut ticket = self.lane.switch.subscribe();
        while !self.is_too_many()
            && let Some((pending, turn)) = self.next()
        {
            self.replay((pending, turn), &mut ticket).await;
        }
    }

    /// Whether more exchanges are being replayed at once than are now allowed.
    fn is_too_many(&self) -> bool {
        self.workers.load(SeqCst) > self.lane.live().get().concurrency
    }

    async fn replay(&self, (mut pending, turn): (Pending, Option<Turn>), ticket: &mut Ticket) {
        let deadline = pending.deadline(self.lane.live().get().max_wait);
        ticket.renew();
        let refusal = self.lane.switch.refusal();
        let refusal = refusal.or((Instant::now() > deadline).then_some(SkipPolicy::Expired));
        let ended = || self.lane.unfinished.is_offender(pending.exchange());
        let refusal = refusal.or_else(|| ended().then_some(SkipPolicy::EndedAgent));
        if let Some(reason) = refusal {
            return pending.skip(reason);
        }
        let request = match self.prepared(pending.exchange(), FIRST) {
            Ok(request) => request,
            Err(reason) => return pending.skip(reason),
        };
        let leave = match self.leave(pending.exchange(), deadline, ticket).await {
            Ok(leave) => leave,
            Err(reason) => return pending.skip(reason),
        };
        pending.begin();
        self.note(pending.exchange());
        let outcome = self
            .ask(pending.exchange(), (request, leave), deadline, ticket)
            .await;
        let exchange = pending.shared();
        let (outcome, mapped) = self.learned(&exchange, turn, outcome).await;
        if exchange.incomplete.is_some() && matches!(outcome, Outcome::Response(_)) {
            return pending.sent_only();
        }
        self.recurring(&exchange).await;
        let Some((outcome, verdict)) = self.judged(pending, outcome, mapped).await else {
            return;
        };
        self.control(&exchange, &verdict);
        let Outcome::Response(first) = &outcome else {
            return;
        };
        self.plant(&exchange, first);
        // The part that a third answer may explain.
        let found = match verdict {
            Verdict::Mismatch(found) if self.lane.books.may_ask_again(&exchange, &outcome) => found,
            _ => Vec::new(),
        };
        self.doubts(&exchange, first, &found).await;
        // Of a replayed write only production's own answers to equal ones are known.
        if !self.is_read(&exchange) {
            return;
        }
        let is_open = || !found.is_empty() && self.lane.books.is_open(&exchange, &found);
        if let Some(draw) = self.pairs.draws(is_open)
            && let Outcome::Response(first) = outcome
        {
            self.twice(&exchange, (first, found), draw, (deadline, ticket))
                .await;
        }
    }

    /// Plants a fault into a copy of an answer, now and then.
    fn plant(&self, exchange: &Exchange, first: &ShadowResponse) {
        if exchange
            .response
            .as_ref()
            .is_none_or(|answer| answer.body.kept.len().max(first.body.kept.len()) >= LARGE)
        {
            return;
        }
        let note = || self.lane.unfinished.begin(exchange);
        if let Some(tried) = self.planter.plant(&self.comparator(), exchange, first, note) {
            self.lane.books.planted(exchange, &tried);
        }
    }

    /// Compares and counts; large bodies on another thread. A comparison that panics has no result except its count.
    async fn judged(&self, pending: Pending, outcome: Outcome, mapped: Mapped) -> Option<(Outcome, Verdict)> {
        let comparator = self.comparator();
        if pending.bytes() < LARGE && kept(&outcome) < LARGE {
            let verdict = pending.judge(&outcome, &comparator, &mapped);
            return Some((outcome, verdict));
        }
        let judge = move || {
            let verdict = pending.judge(&outcome, &comparator, &mapped);
            (outcome, verdict)
        };
        elsewhere(judge).await
    }
}

/// Runs a long computation on a thread where it delays nothing else.
pub(super) async fn elsewhere<T: Send + 'static>(long: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(long).await {
        Ok(done) => Some(done),
        Err(error) => {
            // Its values have counted themselves when they were dropped.
            tracing::error!(%error, "a comparison did not end");
            None
        }
    }
}

impl<S: Shadow> Dispatcher<S> {
    /// The rules that are in force.
    pub(super) fn comparator(&self) -> Arc<Comparator> {
        match &*self.lane.rules.load() {
            Some(rules) => Arc::clone(&rules.comparator),
            None => Arc::clone(&self.policy.comparator),
        }
    }

    /// Uses the rules for rewriting that are in force.
    pub(super) fn rewriting<T>(&self, with: impl FnOnce(&RewritePolicy) -> T) -> T {
        let rules = self.lane.rules.load();
        with(
            rules
                .as_ref()
                .map_or(&self.policy.rewrite, |rules| &rules.rewrite),
        )
    }

    /// The request as it is sent. One that is only to be recorded is saved here.
    pub(super) fn prepared(&self, exchange: &Exchange, copy: u64) -> Result<S::Prepared, SkipPolicy> {
        match self.rewritten(exchange, copy)? {
            Rewritten::Send(request) => self
                .shadow
                .prepare(&request)
                .map_err(|_why| SkipPolicy::Unsendable),
            Rewritten::Record(request) => {
                if let Some(samples) = &self.lane.samples {
                    let _busy = self.lane.unfinished.begin(exchange);
                    samples.record(exchange, &request, self.lane.name());
                }
                Err(SkipPolicy::RecordOnly)
            }
        }
    }

    /// Whether the request of this exchange only reads, so that it may be sent more than once, and asked again.
    fn is_read(&self, exchange: &Exchange) -> bool {
        self.rewriting(|policy| policy.is_read(exchange))
    }

    /// Notes the parts that are removed from the request of this exchange.
    fn note(&self, exchange: &Exchange) {
        self.rewriting(|policy| self.lane.notes.sent(exchange, policy));
    }

    /// Waits for a turn, unless that is cancelled. Then the request may be sent at once.
    pub(super) async fn leave(
        &self,
        exchange: &Exchange,
        deadline: Instant,
        ticket: &mut Ticket,
    ) -> Result<Permit, SkipPolicy> {
        let leave = Permit::get(&self.lane.brakes, exchange, deadline);
        let cancelled = || self.lane.switch.refusal().unwrap_or(SkipPolicy::Killed);
        let leave = ticket
            .unless_cancelled(leave)
            .await
            .unwrap_or_else(|| Err(cancelled()))?;
        match self.lane.switch.refusal_now() {
            None => Ok(leave),
            Some(reason) => Err(reason),
        }
    }

    /// Sends a request, and again if that is allowed and there is leave for it.
    async fn ask(
        &self,
        exchange: &Exchange,
        (mut request, mut leave): (S::Prepared, Permit),
        deadline: Instant,
        ticket: &mut Ticket,
    ) -> Outcome {
        let mut left = self.lane.live().get().retries;
        if left > 0 && !is_idempotent(&exchange.request) && !self.is_read(exchange) {
            left = 0;
        }
        loop {
            let Some(answer) = ticket.unless_cancelled(self.shadow.answer(request)).await else {
                return Outcome::Failed(Failure::Cancelled);
            };
            let Answer {
                outcome,
                is_unanswered,
                notes,
            } = answer;
            self.lane.read(&notes);
            leave.end(&outcome);
            if left == 0 || !is_unanswered {
                return outcome;
            }
            left -= 1;
            let Ok(again) = self.leave(exchange, deadline, ticket).await else {
                return outcome;
            };
            let Ok(same) = self.prepared(exchange, FIRST) else {
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
struct WorkerPermit<'a, S>(&'a Dispatcher<S>);

impl<S> Drop for WorkerPermit<'_, S> {
    fn drop(&mut self) {
        let Dispatcher { lane, workers, .. } = self.0;
        workers.fetch_sub(1, SeqCst);
        // An exchange pushed after this worker found the queue empty needs another worker; the end needs a last check.
        if lane.queue.len() > 0 || lane.queue.is_closed() || lane.freed() > 0 {
            lane.queue.flush();
        }
    }
}
