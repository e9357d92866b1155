//! One exchange on its way from the queue to its verdict.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::SeqCst},
    thread,
    time::Duration,
};

use shadow_core::{
    case::Judged,
    compare::{Comparator, Failure, Outcome, Side, Verdict},
    gate::{Skip, SkipPolicy},
    values::Mapped,
};
use shadow_proto::exchange::Exchange;

use tokio::time::Instant;

use super::{Clock, lane::Lane, queue::Queued};
use crate::clock::now_ms;

/// Longer than any agent runs.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// Ensures that its exchange is counted exactly once and its bytes are released, whatever happens: also when the task
/// that holds it panics or is dropped.
pub(super) struct Pending {
    lane: Arc<Lane>,
    queued: Queued,
    now: Option<Clock>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Waiting,
    Begun,
    Counted,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pending").field(&self.stage).finish()
    }
}

impl Pending {
    /// The next one of a lane. At every moment exactly one owner is responsible for it.
    pub(super) fn next(lane: &Arc<Lane>, now: Option<&Clock>) -> Option<Self> {
        let (lane, now) = (Arc::clone(lane), now.cloned());
        let queued = lane.queue.pop()?;
        Some(Self {
            lane,
            queued,
            now,
            stage: Stage::Waiting,
        })
    }

    /// The time until which its request may be sent; a deadline beyond the range of time never comes.
    pub(super) fn deadline(&self, max_wait: Duration) -> Instant {
        let since = self.queued.since;
        since.checked_add(max_wait).unwrap_or_else(|| since + FOREVER)
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.queued.exchange
    }

    pub(super) fn bytes(&self) -> usize {
        self.queued.bytes
    }

    /// It is not replayed after all.
    pub(super) fn skip(mut self, reason: SkipPolicy) {
        self.stage = Stage::Counted;
        let books = &self.lane.books;
        books.dropped(self.exchange(), Skip::Policy(reason));
    }

    /// Its request is about to be sent.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Begun;
        self.lane.in_flight.fetch_add(1, SeqCst);
    }

    /// It was answered, and there is nothing to compare the answer with.
    pub(super) fn sent_only(mut self) {
        self.stage = Stage::Counted;
        let reason = Skip::Policy(SkipPolicy::SentOnly);
        self.lane.books.dropped(self.exchange(), reason);
        self.lane.in_flight.fetch_sub(1, SeqCst);
    }

    /// Compares, and counts the verdict. `mapped` says which differences are those of another object.
    pub(super) fn judge(mut self, outcome: &Outcome, comparator: &Comparator, mapped: &Mapped) -> Verdict {
        let lane = Arc::clone(&self.lane);
        let _busy = lane.unfinished.begin(self.exchange());
        let mut verdict = comparator.verdict(self.exchange(), outcome);
        if let Verdict::Mismatch(found) = &mut verdict {
            mapped.name(found);
        }
        let leaves = self.count(outcome, &verdict);
        if leaves
            && let Outcome::Response(shadow) = outcome
            && let Some(production) = &self.exchange().response
        {
            let (production, shadow) = (Side::from(production), Side::from(shadow));
            let checked = comparator.checked(&self.exchange().request, production, shadow);
            self.lane.books.checked(self.exchange(), checked);
        }
        verdict
    }

    /// The exchange, for use after the verdict.
    pub(super) fn shared(&self) -> Arc<Exchange> {
        Arc::clone(&self.queued.exchange)
    }

    /// Counts the verdict; returns whether the leaves of the answer are to be counted.
    fn count(&mut self, outcome: &Outcome, verdict: &Verdict) -> bool {
        self.stage = Stage::Counted;
        let now = match &self.now {
            Some(clock) => clock(),
            // The clock of a file is that of its segments.
            None => self.exchange().timing.response_last.unwrap_or_default(),
        };
        let lane = &*self.lane;
        let exchange = &self.queued.exchange;
        let wanted = lane.books.judged(exchange, outcome, verdict, now);
        let leaves = wanted.leaves;
        lane.in_flight.fetch_sub(1, SeqCst);
        if let Some(samples) = &lane.samples {
            let judged = Judged {
                exchange,
                outcome,
                verdict,
                target: lane.name(),
                at_ms: now_ms(),
            };
            samples.offer(judged, wanted);
        }
        leaves
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        match self.stage {
            Stage::Waiting => {
                let reason = if thread::panicking() {
                    SkipPolicy::Panicked
                } else {
                    SkipPolicy::Shutdown
                };
                self.lane.books.dropped(self.exchange(), Skip::Policy(reason));
            }
            Stage::Begun => {
                let failure = Failure::Cancelled;
                let _leaves = self.count(&Outcome::Failed(failure), &Verdict::ShadowError(failure));
            }
            Stage::Counted => (),
        }
        self.lane.queue.release(self.queued.bytes);
    }
}
