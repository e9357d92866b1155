//! Faults that are planted into copies of answers, to measure what the comparison would find.
//!
//! Owns: which exchanges get one, of which kind, and the content of another answer. Nothing is sent, and nothing is
//! counted as an answer. Bounds: one core is used for it for at most [`SHARE`] of the time: after each fault the next
//! waits [`SHARE`]'s inverse of what this one took, so the more exchanges there are, the smaller is their part.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use shadow_core::{
    compare::{Comparator, ShadowResponse},
    plant::{MAX_CONTENT, Planted, Tried, compare_again, content_of},
};
use shadow_proto::exchange::Exchange;

/// One part in this number of a core's time.
const SHARE: u32 = 50;

/// The shortest time that a fault counts as.
const SHORTEST: Duration = Duration::from_micros(50);

/// Plants faults for one lane.
#[derive(Debug)]
pub(super) struct Planter {
    state: Mutex<State>,
    tries: AtomicU64,
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
        Self {
            state: Mutex::new(State {
                next: Instant::now(),
                other: None,
            }),
            tries: AtomicU64::new(0),
        }
    }

    /// Plants a fault into a copy of the shadow system's answer, if it is time for one.
    pub(super) fn plant(
        &self,
        comparator: &Comparator,
        exchange: &Exchange,
        shadow: &ShadowResponse,
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
            // Nobody else plants meanwhile.
            state.next = began + Duration::from_secs(1);
            state.other.take()
        };
        let number = self.tries.fetch_add(1, Relaxed);
        let kind = usize::try_from(number).ok().and_then(|number| {
            let kinds = Planted::ALL;
            kinds.get(number % kinds.len()).copied()
        });
        let tried = kind
            .and_then(|kind| compare_again(comparator, exchange, shadow, (kind, other.as_deref(), number)));
        let content = content_of(comparator, shadow).map(Bytes::from);
        let took = began.elapsed().max(SHORTEST);
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

    #[test]
    fn planting_takes_a_small_part_of_the_time_however_many_exchanges_there_are() {
        let planter = Planter::new();
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
        let began = Instant::now();
        let fault = (0..10).find_map(|_| {
            // The first kinds may not be possible in this answer.
            let tried = planter.plant(&comparator, &exchange, &shadow);
            let mut state = planter.state.lock().unwrap();
            let next = std::mem::replace(&mut state.next, Instant::now());
            tried.map(|_| next)
        });
        let next = fault.expect("a fault");
        assert!(next >= began + SHORTEST * (SHARE - 1), "the others wait");
        planter.state.lock().unwrap().next = Instant::now() + Duration::from_hours(1);
        assert!(planter.plant(&comparator, &exchange, &shadow).is_none());
    }
}
