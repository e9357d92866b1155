//! Limits on the replays to one target.
//!
//! Owns: the pace of requests and bytes, and the breaker, of one lane. Two paces count the same requests: one where an
//! exchange is admitted to the queue, so that requests over the limit are skipped while they are fresh, and one right
//! before the request is sent, so that a queue that has filled up meanwhile is never sent in a burst. Bounds: a wait
//! for a turn ends with the exchange's own `max_wait`. Drops: `rate_limited`, `breaker_open`.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use shadow_core::{
    compare::{Failure, Outcome},
    gate::SkipPolicy,
};
use shadow_proto::exchange::Exchange;
use tokio::time::Instant;

use crate::replay::{
    BreakerState, ReplaySettings,
    breaker::{Breaker, BreakerPermit, Change},
    pace::{BURST, Pace},
};

/// Burst that the queue may take above the pace: it is sent in order afterwards.
const ADMITTED: Duration = Duration::from_secs(1);

/// Unread changes of the breaker that are kept; older ones are dropped.
const CHANGES: usize = 16;

/// The limits of one lane.
#[derive(Debug)]
pub(super) struct LaneLimits {
    paces: ArcSwap<Paces>,
    breaker: Mutex<Breaker>,
    changes: Mutex<Vec<Change>>,
    /// Requests that were sent again.
    pub(super) retries: AtomicU64,
    /// Requests that were sent a second time, to measure nondeterminism.
    pub(super) second: AtomicU64,
}

/// The paced quantities, each with its rate.
#[derive(Debug)]
struct Paces {
    admitted: Option<(f64, Arc<Pace>)>,
    requests: Option<(f64, Arc<Pace>)>,
    bytes: Option<(f64, Arc<Pace>)>,
}

impl Paces {
    /// The paces of these settings; a pace whose rate does not change is kept as it is.
    fn new(settings: &ReplaySettings, former: Option<&Self>) -> Self {
        type Former<'k> = Option<&'k (f64, Arc<Pace>)>;
        let pace = |rate: Option<f64>, burst: Duration, former: Former<'_>| {
            let rate = rate?;
            let pace = match former {
                Some((same, pace)) if same.total_cmp(&rate).is_eq() => Arc::clone(pace),
                Some((_, pace)) => Arc::new(pace.changed(rate, burst)),
                None => Arc::new(Pace::new(rate, burst)),
            };
            Some((rate, pace))
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a limit of bytes a second, not an account"
        )]
        let bytes = settings.bytes_per_second.map(|rate| rate as f64);
        let requests = settings.requests_per_second;
        Self {
            admitted: pace(
                requests,
                ADMITTED,
                former.and_then(|former| former.admitted.as_ref()),
            ),
            requests: pace(
                requests,
                BURST,
                former.and_then(|former| former.requests.as_ref()),
            ),
            bytes: pace(bytes, BURST, former.and_then(|former| former.bytes.as_ref())),
        }
    }
}

impl LaneLimits {
    pub(super) fn new(settings: &ReplaySettings) -> Self {
        Self {
            paces: ArcSwap::from_pointee(Paces::new(settings, None)),
            breaker: Mutex::new(Breaker::new(settings.breaker, Instant::now())),
            changes: Mutex::default(),
            retries: AtomicU64::new(0),
            second: AtomicU64::new(0),
        }
    }

    /// Applies other limits from now on. A request that already waits for a turn keeps its time.
    pub(super) fn set(&self, settings: &ReplaySettings) {
        let former = self.paces.load_full();
        self.paces.store(Arc::new(Paces::new(settings, Some(&former))));
        self.breaker().set(settings.breaker, Instant::now());
    }

    /// The reason why an exchange need not be queued now.
    pub(super) fn refusal(&self) -> Option<SkipPolicy> {
        let over = |(_, pace): &(f64, Arc<Pace>)| (!pace.take(1)).then_some(SkipPolicy::RateLimited);
        self.open()
            .or_else(|| self.paces.load().admitted.as_ref().and_then(over))
    }

    /// The same if a request over a rate can wait for its turn.
    pub(super) fn open(&self) -> Option<SkipPolicy> {
        let admits = self.breaker().admits(Instant::now());
        (!admits).then_some(SkipPolicy::BreakerOpen)
    }

    /// Counts a request that is sent in addition to those that were admitted: one less is admitted for it.
    pub(super) fn extra(&self) {
        if let Some((_, pace)) = &self.paces.load().admitted {
            pace.charge(1);
        }
    }

    /// A request that was answered is sent a second time; one less is admitted for it.
    pub(super) fn again(&self) {
        self.second.fetch_add(1, Relaxed);
        self.extra();
    }

    /// A request is sent again; one less is admitted for it.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Relaxed);
        self.extra();
    }

    /// Waits until one more request may be sent.
    pub(super) async fn turn(&self, bytes: u64, deadline: Instant) -> Result<(), SkipPolicy> {
        let paces = self.paces.load_full();
        for (pace, units) in [(&paces.requests, 1), (&paces.bytes, bytes)] {
            let Some((_, pace)) = pace else {
                continue;
            };
            let patience = deadline.saturating_duration_since(Instant::now());
            let wait = pace.reserve(units, patience).ok_or(SkipPolicy::RateLimited)?;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        Ok(())
    }

    pub(super) fn state(&self) -> (BreakerState, u64) {
        let breaker = self.breaker();
        (breaker.state(), breaker.opened())
    }

    /// The breaker's changes since the last call.
    pub(super) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes())
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // A panic inside it loses at most one count.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, pass: BreakerPermit, answered: Option<bool>) {
        let Some(change) = self.breaker().end(pass, answered, Instant::now()) else {
            return;
        };
        let mut changes = self.changes();
        if changes.len() == CHANGES {
            changes.remove(0);
        }
        changes.push(change);
    }
}

/// Permission to send one request. Dropped without [`Permit::end`], it counts neither for nor against the target.
#[derive(Debug)]
pub(super) struct Permit {
    brakes: Arc<LaneLimits>,
    pass: Option<BreakerPermit>,
    /// The bytes that the exchange is assumed to move, both ways.
    bytes: u64,
}

impl Permit {
    /// Waits for it, or returns the reason why there is none.
    pub(super) async fn get(
        brakes: &Arc<LaneLimits>,
        exchange: &Exchange,
        deadline: Instant,
    ) -> Result<Self, SkipPolicy> {
        let bytes = moved(exchange);
        brakes.turn(bytes, deadline).await?;
        let pass = brakes.breaker().begin(Instant::now());
        Ok(Self {
            brakes: Arc::clone(brakes),
            pass: Some(pass.ok_or(SkipPolicy::BreakerOpen)?),
            bytes,
        })
    }

    /// Records the outcome of the request.
    pub(super) fn end(mut self, outcome: &Outcome) {
        let answered = match outcome {
            Outcome::Response(response) => {
                let more = response.body.len.saturating_sub(self.bytes);
                if let Some((_, pace)) = &self.brakes.paces.load().bytes
                    && more > 0
                {
                    pace.charge(more);
                }
                Some(true)
            }
            Outcome::Failed(Failure::Cancelled) => None,
            // The target does answer, with more than enough.
            Outcome::Failed(Failure::TooLarge) => Some(true),
            Outcome::Failed(_) => Some(false),
        };
        if let Some(pass) = self.pass.take() {
            self.brakes.end(pass, answered);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.brakes.end(pass, None);
        }
    }
}

/// The bytes that a replay moves both ways, if the shadow system answers as production did.
fn moved(exchange: &Exchange) -> u64 {
    let request = &exchange.request;
    let head = request.target.len().saturating_add(request.headers.allocated());
    let answer = exchange.response.as_ref().map_or(0, |response| {
        response
            .body
            .len
            .saturating_add(response.headers.allocated() as u64)
    });
    request
        .body
        .len
        .saturating_add(head as u64)
        .saturating_add(answer)
}
