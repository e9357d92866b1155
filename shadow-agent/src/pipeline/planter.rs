//! Faults that are planted into copies of answers, to measure what the comparison would find.
//!
//! Owns: which exchanges get one, of which kind, and the content of another answer. Nothing is sent, and nothing is
//! counted as an answer. Bounds: one part in [`SHARE`] of the processor time that the agent uses, in all lanes
//! together, and of one core. So the less there is to do, the fewer faults are planted, and the more exchanges there
//! are, the smaller is their part.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use shadow_core::{
    compare::{Comparator, ShadowResponse},
    plant::{MAX_CONTENT, Planted, Tried, compare_again, content_of},
};
use shadow_proto::exchange::Exchange;

/// One part in this number of the agent's processor time, and of a core's time.
const SHARE: u32 = 50;

/// How long to wait until the processor time is read again: reading it is a system call.
const AGAIN: Duration = Duration::from_millis(5);

/// The shortest time that a fault counts as.
const SHORTEST: Duration = Duration::from_micros(50);

/// Nanoseconds that the planters of all lanes have used.
static SPENT: AtomicU64 = AtomicU64::new(0);

/// Plants faults for one lane.
#[derive(Debug)]
pub(super) struct Planter {
    state: Mutex<State>,
    tries: AtomicU64,
    cpu: Cpu,
}

/// The processor time of the agent, and the part that went into planting.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    used: fn() -> Duration,
    spent: &'static AtomicU64,
}

impl Cpu {
    const AGENT: Self = Self {
        used: || {
            let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
            Duration::try_from(used).unwrap_or_default()
        },
        spent: &SPENT,
    };

    /// Whether the part is small enough for one more fault.
    fn has_room(self) -> bool {
        Duration::from_nanos(self.spent.load(Acquire)).saturating_mul(SHARE) <= (self.used)()
    }

    fn spend(self, took: Duration) {
        self.spent
            .fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), AcqRel);
    }
}

#[derive(Debug)]
struct State {
    /// The earliest time for the next fault.
    next: Instant,
    /// The content of an earlier answer.
    other: Option<Bytes>,
}

impl Planter {
    pub(super) fn new() -> Self {
        Self::within(Cpu::AGENT)
    }

    fn within(cpu: Cpu) -> Self {
        Self {
            cpu,
            state: Mutex::new(State {
                next: Instant::now(),
                other: None,
            }),
            tries: AtomicU64::new(0),
        }
    }

    /// Plants a fault into a copy of the shadow system's answer, if it is time for one. Then it holds what `note`
    /// returns until it has done so.
    pub(super) fn plant<B>(
        &self,
        comparator: &Comparator,
        exchange: &Exchange,
        shadow: &ShadowResponse,
        note: impl FnOnce() -> B,
    ) -> Option<Tried> {
        if shadow.body.kept.len() > MAX_CONTENT {
            return None;
        }
        let began = Instant::now();
        let other = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if began < state.next {
                return None;
            }
            if !self.cpu.has_room() {
                state.next = began + AGAIN;
                return None;
            }
            // Nobody else plants meanwhile.
            state.next = began + Duration::from_secs(1);
            state.other.take()
        };
        let _busy = note();
        let number = self.tries.fetch_add(1, Relaxed);
        let kind = usize::try_from(number).ok().and_then(|number| {
            let kinds = Planted::ALL;
            kinds.get(number % kinds.len()).copied()
        });
        let tried = kind
            .and_then(|kind| compare_again(comparator, exchange, shadow, (kind, other.as_deref(), number)));
        let content = content_of(comparator, shadow).map(Bytes::from);
        let took = began.elapsed().max(SHORTEST);
        self.cpu.spend(took);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.other = content;
        state.next = Instant::now() + took * (SHARE - 1);
        tried
    }
}

#[cfg(test)]
mod tests {
    use shadow_core::compare::Rules;
    use shadow_proto::exchange::{Body, Headers};

    use super::{super::tests::exchange, *};

    /// Processor time that the agent has used, in microseconds.
    static USED: AtomicU64 = AtomicU64::new(0);
    static SPENT_HERE: AtomicU64 = AtomicU64::new(0);
    static SPENT_FREELY: AtomicU64 = AtomicU64::new(0);

    fn plant(planter: &Planter) -> Option<Tried> {
        let comparator = Comparator::new(Rules::default()).expect("rules");
        let exchange = exchange("GET", "/a", "{\"a\":1,\"b\":[1,2,3]}");
        let shadow = ShadowResponse {
            status: 200,
            headers: Headers::from_pairs([("content-type", "application/json")]),
            trailers: Headers::default(),
            body: Body::whole("{\"a\":1,\"b\":[1,2,3]}"),
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
        };
        planter.plant(&comparator, &exchange, &shadow, || ())
    }

    fn now(planter: &Planter) -> Instant {
        std::mem::replace(&mut planter.state.lock().unwrap().next, Instant::now())
    }

    #[test]
    fn planting_takes_a_small_part_of_the_time_however_many_exchanges_there_are() {
        let planter = Planter::within(Cpu {
            used: || Duration::from_hours(1),
            spent: &SPENT_FREELY,
        });
        let began = Instant::now();
        // The first kinds may not be possible in this answer.
        let next = (0..10).find_map(|_| {
            let tried = plant(&planter);
            let next = now(&planter);
            tried.map(|_| next)
        });
        let next = next.expect("a fault");
        assert!(next >= began + SHORTEST * (SHARE - 1), "the others wait");
        planter.state.lock().unwrap().next = Instant::now() + Duration::from_hours(1);
        assert!(plant(&planter).is_none());
    }

    #[test]
    fn planting_takes_a_small_part_of_what_the_agent_uses_however_little_that_is() {
        let cpu = Cpu {
            used: || Duration::from_micros(USED.load(Relaxed)),
            spent: &SPENT_HERE,
        };
        // Two lanes share it.
        let planters = [Planter::within(cpu), Planter::within(cpu)];
        let tries = || {
            planters
                .iter()
                .map(|planter| planter.tries.load(Relaxed))
                .sum::<u64>()
        };
        for step in 0..2_000_u64 {
            USED.store(step * 100, Relaxed);
            for planter in &planters {
                let (before, spent) = (tries(), Duration::from_nanos(SPENT_HERE.load(Relaxed)));
                plant(planter);
                now(planter);
                let used = (cpu.used)();
                assert!(
                    tries() == before || spent * SHARE <= used,
                    "{spent:?} of {used:?}"
                );
            }
        }
        assert!(tries() > 4, "{}", tries());
        assert!((Cpu::AGENT.used)() > Duration::ZERO);
    }
}
