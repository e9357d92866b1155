//! Learned values of one lane, and the replays that wait for each other.
//!
//! Owns: which exchange may be replayed next, so that a request that has a value of production's leaves after the
//! exchange that introduces it, and never with a value of another system. Bounds: exchanges that wait
//! ([`ValueSettings::waiting`], and the bytes of the queue), the time for which they do, and those that were dropped
//! before they came here. Drops: `waiting_for_value`, `value_unknown`. A waiting exchange takes no place among those
//! that are replayed at once, so it delays none that is not related to it.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam_queue::SegQueue;
use shadow_core::{
    gate::{SkipPolicy, is_safe},
    values::{
        Introduced, TableLimits, Values,
        order::{Claims, Order},
    },
};
use shadow_proto::{
    exchange::{Exchange, Incomplete},
    time::Timestamp,
};
use tokio::time::Instant;

use super::{pending::Pending, queue::held_by};

/// Exchanges that were not admitted and whose values are still to be noted, and their bytes.
const NOTED: usize = 1024;
const NOTED_BYTES: usize = 16 << 20;

/// How learned values are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueSettings {
    /// Limits of the table.
    pub limits: TableLimits,
    /// Replace values in requests.
    pub replace: bool,
    /// Map values back before the comparison.
    pub compare: bool,
    /// Keep the order of exchanges that depend on each other.
    pub order: bool,
    /// The longest wait for a value.
    pub wait: Duration,
    /// Exchanges that wait at once.
    pub waiting: usize,
}

/// Learned values, and what waits for them.
pub(super) struct Causal {
    pub(super) settings: ValueSettings,
    values: Mutex<Values>,
    state: Mutex<State>,
    /// Exchanges that will not be replayed and introduce values.
    dropped: SegQueue<Arc<Exchange>>,
    dropped_bytes: AtomicUsize,
    /// Whether values of an exchange are lost since they were last settled.
    missed: AtomicBool,
}

#[derive(Default)]
struct State {
    order: Order,
    next: u64,
    parked: HashMap<u64, Parked>,
    ready: VecDeque<Parked>,
}

/// An exchange that waits for others.
struct Parked {
    pending: Pending,
    turn: Turn,
    until: Instant,
}

/// The place of one exchange in the order; it ends with the exchange's answer, or when it is dropped.
pub(super) struct Turn {
    causal: Arc<Causal>,
    id: u64,
    now: Timestamp,
    /// The values that it introduces, until they are resolved.
    introduced: Option<Introduced>,
}

/// The next step for an exchange.
pub(super) enum Begun {
    /// It may be sent.
    Free(Pending, Turn),
    /// It waits.
    Parked,
    /// Too many wait.
    Full(Pending),
}

impl fmt::Debug for Causal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Causal").finish_non_exhaustive()
    }
}

impl Causal {
    pub(super) fn new(settings: ValueSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            values: Mutex::new(Values::new(settings.limits)),
            state: Mutex::default(),
            dropped: SegQueue::new(),
            dropped_bytes: AtomicUsize::new(0),
            missed: AtomicBool::new(false),
        })
    }

    /// The learned values.
    pub(super) fn values(&self) -> MutexGuard<'_, Values> {
        // An operation that panics leaves the table without its pair at most.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an exchange that will not be replayed. Called by the capture thread: the values are read later.
    pub(super) fn note(&self, exchange: &Arc<Exchange>) {
        let is_lost = exchange.incomplete.is_some_and(is_loss);
        if is_lost {
            self.missed.store(true, Relaxed);
        }
        let is_write = !is_safe(&exchange.request);
        let introduces = exchange.response.as_ref().is_some_and(|answer| {
            answer.status < 400 && (is_write || answer.headers.get("set-cookie").is_some())
        });
        if !(introduces || is_lost && is_write) {
            return;
        }
        let bytes = held_by(exchange);
        let held = self.dropped_bytes.load(Relaxed).saturating_add(bytes);
        if held <= NOTED_BYTES && self.dropped.len() < NOTED {
            self.dropped_bytes.fetch_add(bytes, Relaxed);
            self.dropped.push(Arc::clone(exchange));
        } else {
            self.missed.store(true, Relaxed);
        }
    }

    /// Reads the values of noted exchanges: they have no partners.
    pub(super) fn settle(&self, now: impl Fn(&Exchange) -> Timestamp) {
        if self.missed.load(Relaxed) && self.missed.swap(false, Relaxed) {
            self.values().missed(None);
        }
        while let Some(exchange) = self.dropped.pop() {
            self.dropped_bytes.fetch_sub(held_by(&exchange), Relaxed);
            let now = now(&exchange);
            let mut values = self.values();
            if exchange.incomplete.is_some_and(is_loss) {
                values.missed(Some(&exchange));
            }
            let introduced = values.introduced(&exchange, now);
            values.lost(&introduced, now);
        }
    }

    /// The next exchange that waited and need not any more.
    pub(super) fn ready(&self) -> Option<(Pending, Turn)> {
        let Parked { pending, turn, .. } = self.state().ready.pop_front()?;
        Some((pending, turn))
    }

    /// Gives the next exchange of the queue its place.
    pub(super) fn begin(self: &Arc<Self>, pending: Pending, deadline: Instant, now: Timestamp) -> Begun {
        let exchange = pending.exchange();
        let (carried, introduced) = {
            let mut values = self.values();
            (values.carried(exchange), values.introduced(exchange, now))
        };
        let mut state = self.state();
        let id = state.next;
        state.next = state.next.wrapping_add(1);
        let claims = Claims {
            ids: &carried.ids,
            session: &carried.session,
            introduces: introduced.keys(),
            is_write: !is_safe(&exchange.request),
        };
        let is_free = !self.settings.order || state.order.begin(id, claims);
        let is_full = state.parked.len() >= self.settings.waiting;
        let turn = Turn {
            causal: Arc::clone(self),
            id,
            now,
            introduced: Some(introduced),
        };
        if is_free {
            return Begun::Free(pending, turn);
        }
        if is_full {
            // Its turn ends when it is dropped, which takes the lock.
            drop(state);
            drop(turn);
            return Begun::Full(pending);
        }
        let wait = Instant::now().checked_add(self.settings.wait);
        let until = wait.map_or(deadline, |wait| wait.min(deadline));
        let parked = Parked { pending, turn, until };
        state.parked.insert(id, parked);
        Begun::Parked
    }

    /// Skips exchanges that have waited too long, or all if there is a reason for all.
    pub(super) fn expire(&self, refusal: Option<SkipPolicy>) {
        loop {
            let now = Instant::now();
            let mut state = self.state();
            let is_over = |parked: &Parked| refusal.is_some() || parked.until <= now;
            let over: Vec<u64> = state
                .parked
                .iter()
                .filter(|(_, parked)| is_over(parked))
                .map(|(id, _)| *id)
                .collect();
            let over: Vec<Parked> = over.iter().filter_map(|id| state.parked.remove(id)).collect();
            drop(state);
            if over.is_empty() {
                return;
            }
            for Parked { pending, turn, .. } in over {
                pending.skip(refusal.unwrap_or(SkipPolicy::WaitingForValue));
                drop(turn);
            }
        }
    }

    /// Exchanges that wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().parked.len()
    }

    /// Exchanges that waited and may be sent.
    pub(super) fn free(&self) -> usize {
        self.state().ready.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only lists are changed under the lock, so a panic leaves them whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, id: u64) {
        let mut state = self.state();
        for free in state.order.end(id) {
            if let Some(parked) = state.parked.remove(&free) {
                state.ready.push_back(parked);
            }
        }
    }
}

impl Turn {
    /// The values that the exchange introduces, to be resolved by its answer.
    pub(super) fn take(&mut self) -> Introduced {
        self.introduced.take().unwrap_or_default()
    }
}

impl Drop for Turn {
    /// Values that are not resolved have no partner.
    fn drop(&mut self) {
        if let Some(introduced) = self.introduced.take() {
            self.causal.values().lost(&introduced, self.now);
        }
        self.causal.end(self.id);
    }
}

/// Whether parts of an exchange were there and were not read. Of a connection that is older than the capture it is not
/// known, and an answer that was never given introduced nothing.
const fn is_loss(reason: Incomplete) -> bool {
    matches!(
        reason,
        Incomplete::RequestGap
            | Incomplete::ResponseGap
            | Incomplete::ConflictingOverlap
            | Incomplete::PipelineFull
            | Incomplete::Evicted
            | Incomplete::H2Gap
    )
}
