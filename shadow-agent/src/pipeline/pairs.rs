//! Pairs of answers that one system gave to the same request: what differs in them is noise.
//!
//! Owns: which replays are sent a second time, which of production's own answers are compared with each other, and
//! whose background a control target tells. Bounds: [`MOST`] exchanges and [`BYTES`] are remembered for their twins,
//! shared with whoever else holds them, and [`A_SECOND`] of them compared in a second. Drops: a second request for which there is no leave
//! under the target's limits. Bias: only safe requests; twins have every header field in common but those that are new
//! with each request, so that two people's answers are never taken for one's.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use shadow_core::{
    compare::{ShadowResponse, Side},
    gate::is_safe,
};
use shadow_proto::{
    exchange::{Exchange, Request, Response},
    time::Timestamp,
};

use super::{lane::Lane, queue::held_by, settings::PairSettings};
use crate::replay::pace::Pace;

/// Exchanges that are remembered.
const MOST: usize = 512;

/// The bytes they may hold together.
const BYTES: usize = 16 << 20;

/// Twins compared in a second.
const A_SECOND: f64 = 50.0;

/// Fields that are new with each request and say nothing about what is asked for.
const PASSING: [&[u8]; 15] = [
    b"x-request-id",
    b"x-correlation-id",
    b"request-id",
    b"traceparent",
    b"tracestate",
    b"baggage",
    b"x-amzn-trace-id",
    b"x-cloud-trace-context",
    b"b3",
    b"x-b3-traceid",
    b"x-b3-spanid",
    b"x-b3-parentspanid",
    b"x-b3-sampled",
    b"uber-trace-id",
    b"date",
];

/// Makes the pairs of one lane.
#[derive(Debug)]
pub(super) struct Pairs {
    settings: PairSettings,
    drawn: AtomicU64,
    twins: Mutex<Twins>,
    /// The lanes that are told what a control target differs in; empty for any other.
    pub(super) told: Vec<Arc<Lane>>,
}

impl Pairs {
    pub(super) fn new(settings: PairSettings, told: Vec<Arc<Lane>>) -> Self {
        Self {
            settings,
            drawn: AtomicU64::new(0),
            twins: Mutex::new(Twins::new(settings)),
            told,
        }
    }

    /// Whether this request is to be sent once more.
    pub(super) fn draws(&self, request: &Request) -> bool {
        self.settings.twice > 0.0
            && is_safe(request)
            && share(self.drawn.fetch_add(1, Relaxed)) < self.settings.twice
    }

    /// A former exchange that production should have answered alike. Remembers this one.
    pub(super) fn twin(&self, exchange: &Arc<Exchange>) -> Option<Arc<Exchange>> {
        if self.settings.twins.is_zero() || !is_safe(&exchange.request) {
            return None;
        }
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        twins.swap(exchange)
    }
}

/// A number from 0 to 1 that looks random (splitmix64, Steele et al. 2014); the same for the same draw, so that tests
/// can count on it.
fn share(draw: u64) -> f64 {
    let mut mixed = draw.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
    f64::from(high) / f64::from(u32::MAX)
}

/// The last answers of production, by what was asked.
#[derive(Debug)]
struct Twins {
    within: Duration,
    copies: bool,
    keys: RandomState,
    known: HashMap<u64, Known>,
    /// What was remembered when, oldest first; one that was replaced since is passed over.
    order: VecDeque<(u64, Timestamp)>,
    bytes: usize,
    pace: Pace,
}

#[derive(Debug)]
struct Known {
    exchange: Arc<Exchange>,
    at: Timestamp,
    bytes: usize,
}

impl Twins {
    fn new(settings: PairSettings) -> Self {
        Self {
            within: settings.twins,
            copies: settings.copies,
            keys: RandomState::new(),
            known: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            pace: Pace::new(A_SECOND, Duration::from_secs(1)),
        }
    }

    fn swap(&mut self, exchange: &Arc<Exchange>) -> Option<Arc<Exchange>> {
        let at = exchange.timing.response_last?;
        let key = self.key(&exchange.request);
        let former = self.remove(key);
        let bytes = held_by(exchange);
        if bytes <= BYTES / 16 {
            self.make_room(bytes, at);
            self.order.push_back((key, at));
            self.bytes += bytes;
            let exchange = if self.copies {
                Arc::new(Exchange::clone(exchange))
            } else {
                Arc::clone(exchange)
            };
            self.known.insert(key, Known { exchange, at, bytes });
        }
        former
            // Replays end in any order.
            .filter(|former| at.since(former.at).max(former.at.since(at)) <= self.within)
            .filter(|_| self.pace.take(1))
            .map(|former| former.exchange)
    }

    fn make_room(&mut self, bytes: usize, now: Timestamp) {
        while let Some(&(key, at)) = self.order.front() {
            let old = now.since(at) > self.within;
            if !old && self.order.len() < MOST && self.bytes + bytes <= BYTES {
                return;
            }
            self.order.pop_front();
            if self.known.get(&key).is_some_and(|known| known.at == at) {
                self.remove(key);
            }
        }
    }

    fn remove(&mut self, key: u64) -> Option<Known> {
        let known = self.known.remove(&key)?;
        self.bytes -= known.bytes;
        Some(known)
    }

    /// What is asked for, and by whom.
    fn key(&self, request: &Request) -> u64 {
        let mut hasher = self.keys.build_hasher();
        request.method.hash(&mut hasher);
        request.target.hash(&mut hasher);
        request.body.kept.hash(&mut hasher);
        for (name, value) in request.headers.iter() {
            if PASSING.iter().any(|passing| name.eq_ignore_ascii_case(passing)) {
                continue;
            }
            hasher.write(name);
            hasher.write_u8(b':');
            hasher.write(value);
            hasher.write_u8(b'\n');
        }
        hasher.finish()
    }
}

/// Production's answer as one side of a comparison.
pub(super) fn production(response: &Response) -> Side<'_> {
    Side {
        status: response.status,
        headers: &response.headers,
        body: &response.body,
    }
}

/// A shadow system's answer, likewise.
pub(super) fn shadow(response: &ShadowResponse) -> Side<'_> {
    Side {
        status: response.status,
        headers: &response.headers,
        body: &response.body,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{exchange, exchange_with},
        *,
    };

    fn at(mut exchange: Box<Exchange>, millis: u64) -> Arc<Exchange> {
        exchange.timing.response_last = Some(Timestamp::from_nanos(millis * 1_000_000));
        exchange.into()
    }

    fn pairs() -> Pairs {
        let settings = PairSettings {
            twice: 0.02,
            twins: Duration::from_secs(2),
            copies: false,
        };
        Pairs::new(settings, Vec::new())
    }

    /// The time of the twin that was found.
    fn twin(pairs: &Pairs, exchange: &Arc<Exchange>) -> Option<Timestamp> {
        pairs.twin(exchange)?.timing.response_last
    }

    fn millis(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn the_share_that_is_drawn_is_the_one_that_was_asked_for() {
        let pairs = pairs();
        let get = exchange("GET", "/", "ok");
        let drawn = (0..100_000).filter(|_| pairs.draws(&get.request)).count();
        assert!((1_900..2_100).contains(&drawn), "{drawn} of 100000");
        let post = exchange("POST", "/", "ok");
        assert!(
            !(0..1000).any(|_| pairs.draws(&post.request)),
            "a write is never sent twice"
        );
        let none = Pairs::new(PairSettings::default(), Vec::new());
        assert!(!(0..1000).any(|_| none.draws(&get.request)));
    }

    #[test]
    fn the_same_request_soon_after_is_a_twin() {
        let pairs = pairs();
        let first = at(exchange("GET", "/a", "1"), 0);
        assert_eq!(twin(&pairs, &first), None);
        assert_eq!(
            twin(&pairs, &at(exchange("GET", "/b", "1"), 100)),
            None,
            "another target"
        );
        let second = at(exchange("GET", "/a", "2"), 1000);
        assert_eq!(twin(&pairs, &second), Some(millis(0)));
        let late = at(exchange("GET", "/a", "3"), 3001);
        assert_eq!(twin(&pairs, &late), None, "too late");
        assert_eq!(
            twin(&pairs, &at(exchange("GET", "/a", "4"), 4000)),
            Some(millis(3001))
        );
        for number in 0..3 {
            assert_eq!(
                twin(&pairs, &at(exchange("POST", "/a", "1"), 5000 + number)),
                None
            );
        }
    }

    #[test]
    fn another_persons_answer_is_no_twin_and_another_request_id_is() {
        let pairs = pairs();
        let ask = |cookie: &str, id: &str, millis| {
            let headers = [("Host", "a"), ("Cookie", cookie), ("X-Request-Id", id)];
            at(exchange_with("GET", "/me", &headers, "1"), millis)
        };
        assert_eq!(twin(&pairs, &ask("anna", "1", 0)), None);
        assert_eq!(twin(&pairs, &ask("bert", "2", 10)), None);
        assert!(twin(&pairs, &ask("anna", "3", 20)).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let pairs = pairs();
        for number in 0..10_000 {
            let body = vec![b'x'; if number % 2 == 0 { 100 } else { 500_000 }];
            twin(&pairs, &at(exchange("GET", &format!("/{number}"), body), 0));
            let twins = pairs.twins.lock().unwrap();
            assert!(
                twins.order.len() <= MOST && twins.bytes <= BYTES,
                "{} bytes",
                twins.bytes
            );
            assert_eq!(
                twins.bytes,
                twins.known.values().map(|known| known.bytes).sum::<usize>()
            );
        }
        twin(&pairs, &at(exchange("GET", "/later", "1"), 60_000));
        assert_eq!(
            pairs.twins.lock().unwrap().known.len(),
            1,
            "the old ones are forgotten"
        );
    }

    #[test]
    fn a_storm_of_identical_requests_costs_a_bounded_number_of_comparisons() {
        let pairs = pairs();
        let found = (0..10_000)
            .filter(|_| twin(&pairs, &at(exchange("GET", "/a", "1"), 0)).is_some())
            .count();
        // The first second's worth, and what passes while this runs.
        assert!((50..200).contains(&found), "{found}");
    }
}
