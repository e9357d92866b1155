//! Pairs of answers that one system gave to the same request: their differences are noise.
//!
//! Owns: which replays are sent a second time, which of production's own answers are compared with each other, which
//! mismatches are compared with production's next answer, and which lanes get a control target's background. Bounds:
//! [`MOST`] exchanges and [`BYTES`] are remembered for pairing, as many mismatches for the next answer, shared with
//! other holders, and [`A_SECOND`] of them compared in a second. Drops: a second request for which there is no leave
//! under the target's limits. Bias: only what reads is sent a second time; pairs have every header field in common but
//! those that are new with each request ([`Fields`]), so that answers to two people are never compared as answers to
//! one.

use std::{
    hash::{BuildHasher as _, Hash as _, Hasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use shadow_proto::{
    exchange::{Exchange, Request},
    time::Timestamp,
};

use super::{
    fields::Fields,
    lane::Lane,
    queue::held_by,
    recent::{Doubt, Recent},
    settings::PairSettings,
};
use crate::replay::pace::Pace;

/// Exchanges that are remembered.
const MOST: usize = 512;

/// The bytes they may hold together.
const BYTES: usize = 16 << 20;

/// How long an answer is remembered, to see whether a write changed it.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Pairs compared in a second.
const A_SECOND: f64 = 50.0;

/// Second requests that may be saved up for undecided answers.
const SAVED: f64 = 32.0;

/// The reason why a request is sent once more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Draw {
    /// Regardless of the answer: such pairs show how often a system differs from itself.
    Random,
    /// Something in the answer is undecided.
    Needed,
}

/// An earlier exchange with the same request.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) exchange: Arc<Exchange>,
    /// Production should have answered both alike. Otherwise a write may have come between them.
    pub(super) is_close: bool,
}

/// Makes the pairs of one lane.
#[derive(Debug)]
pub(super) struct Pairs {
    settings: PairSettings,
    drawn: AtomicU64,
    /// Second requests that may be sent.
    budget: Mutex<f64>,
    last: Mutex<LastAnswers>,
    doubts: Mutex<Doubts>,
    /// The lanes that get the differences of a control target; empty for any other.
    pub(super) controlled: Vec<Arc<Lane>>,
}

impl Pairs {
    pub(super) fn new(settings: PairSettings, controlled: Vec<Arc<Lane>>) -> Self {
        Self {
            settings,
            drawn: AtomicU64::new(0),
            budget: Mutex::new(0.0),
            last: Mutex::new(LastAnswers::new(settings)),
            doubts: Mutex::new(Doubts::new(settings)),
            controlled,
        }
    }

    /// Whether a request that only reads is to be sent once more. A quarter of the share is drawn at random, the rest
    /// is for answers with something undecided, and the unused rest is drawn at random as well.
    pub(super) fn draws(&self, is_open: impl FnOnce() -> bool) -> Option<Draw> {
        let wanted = self.settings.twice;
        if wanted <= 0.0 {
            return None;
        }
        let budget = {
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            *budget = (*budget + wanted).min(SAVED);
            *budget
        };
        // Nothing here may depend on the answer.
        let random = if wanted >= 1.0 || budget >= SAVED / 2.0 {
            wanted
        } else {
            wanted / 4.0
        };
        let draw = if share(self.drawn.fetch_add(1, Relaxed)) < random {
            Draw::Random
        } else if budget >= 1.0 && is_open() {
            Draw::Needed
        } else {
            return None;
        };
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) -= 1.0;
        Some(draw)
    }

    /// An earlier exchange with the same request. Remembers this one.
    pub(super) fn earlier(&self, exchange: &Arc<Exchange>) -> Option<Earlier> {
        if self.settings.recurring.is_zero() {
            return None;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.swap(exchange)
    }

    /// Whether one more exchange may be compared with one that is not close.
    pub(super) fn may_compare_late(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.late.take(1)
    }

    /// An earlier mismatch of the same request, which production has now answered again.
    pub(super) fn doubt(&self, exchange: &Exchange) -> Option<Doubt> {
        let began = exchange.timing.request_first?;
        if self.settings.recurring.is_zero() {
            return None;
        }
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.take(&exchange.request, began)
    }

    /// Whether the same requester asked both times, close in time.
    pub(super) fn is_close(&self, before: &Exchange, now: &Exchange) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |exchange: &Exchange| exchange.timing.response_last.unwrap_or_default();
        at(now).since(at(before)) <= last.within && last.key(&before.request) == last.key(&now.request)
    }

    /// Remembers a mismatch until production answers the same request again.
    pub(super) fn remember(&self, doubt: Doubt) {
        if !self.settings.recurring.is_zero() {
            let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
            doubts.put(doubt);
        }
    }
}

/// A number from 0 to 1 that looks random (splitmix64, Steele et al. 2014); the same for the same draw, so that tests
/// are reproducible.
fn share(draw: u64) -> f64 {
    let mut mixed = draw.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
    f64::from(high) / f64::from(u32::MAX)
}

/// The last answers of production, by request and requester.
#[derive(Debug)]
struct LastAnswers {
    within: Duration,
    copies: bool,
    keys: RandomState,
    fields: Fields,
    known: Recent<(Arc<Exchange>, Timestamp)>,
    pace: Pace,
    late: Pace,
}

impl LastAnswers {
    fn new(settings: PairSettings) -> Self {
        Self {
            within: settings.recurring,
            copies: settings.copies,
            keys: RandomState::new(),
            fields: Fields::default(),
            known: Recent::new(MOST, BYTES),
            pace: Pace::new(A_SECOND, Duration::from_secs(1)),
            late: Pace::new(A_SECOND, Duration::from_secs(1)),
        }
    }

    fn swap(&mut self, exchange: &Arc<Exchange>) -> Option<Earlier> {
        let at = exchange.timing.response_last?;
        self.fields.learn(&exchange.request);
        let key = self.key(&exchange.request);
        let former = self.known.remove(key);
        self.known.forget(|(_, then)| at.since(*then) > REMEMBERED);
        let kept = kept(exchange, self.copies);
        self.known.put(key, (kept, at), held_by(exchange));
        let (former, then) = former.filter(|(former, _)| is_apart(former, exchange))?;
        // Replays end in any order.
        let is_close = at.since(then).max(then.since(at)) <= self.within;
        (!is_close || self.pace.take(1)).then_some(Earlier {
            exchange: former,
            is_close,
        })
    }

    /// A hash of the request and of the requester.
    fn key(&self, request: &Request) -> u64 {
        let mut hasher = self.keys.build_hasher();
        asked(request, &mut hasher);
        for (name, value) in request.headers.iter() {
            if self.fields.is_passing(name) {
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

/// Mismatches that wait for production's next answer to the same request, from any requester: the same answer to
/// another requester is evidence as well.
#[derive(Debug)]
struct Doubts {
    copies: bool,
    keys: RandomState,
    known: Recent<Doubt>,
    pace: Pace,
}

impl Doubts {
    fn new(settings: PairSettings) -> Self {
        Self {
            copies: settings.copies,
            keys: RandomState::new(),
            known: Recent::new(MOST, BYTES),
            pace: Pace::new(A_SECOND, Duration::from_secs(1)),
        }
    }

    /// One that was judged before `began`: the shadow system's answer is between production's two answers.
    fn take(&mut self, request: &Request, began: Timestamp) -> Option<Doubt> {
        let key = self.key(request);
        if self.known.get(key)?.judged > began || !self.pace.take(1) {
            return None;
        }
        self.known.remove(key)
    }

    fn put(&mut self, doubt: Doubt) {
        let key = self.key(&doubt.exchange.request);
        // The older one is more likely to be between two answers.
        if self.known.get(key).is_none() {
            let found = doubt.found.iter().map(|found| {
                size_of_val(found) + found.place.len() + found.production.len() + found.shadow.len()
            });
            let bytes = held_by(&doubt.exchange) + doubt.shadow.body.kept.len() + found.sum::<usize>();
            let exchange = kept(&doubt.exchange, self.copies);
            self.known.put(key, Doubt { exchange, ..doubt }, bytes);
        }
    }

    fn key(&self, request: &Request) -> u64 {
        let mut hasher = self.keys.build_hasher();
        asked(request, &mut hasher);
        hasher.finish()
    }
}

fn asked(request: &Request, hasher: &mut impl Hasher) {
    request.method.hash(hasher);
    request.target.hash(hasher);
    request.body.kept.hash(hasher);
}

/// Whether one of two exchanges was over when the other one began.
///
/// A request that a proxy passes on is seen twice, before the proxy and after it, and the answer was made once: two
/// views of one exchange, the one within the time of the other. Their equality proves nothing.
fn is_apart(one: &Exchange, other: &Exchange) -> bool {
    let over = |first: &Exchange, second: &Exchange| {
        first
            .timing
            .response_last
            .zip(second.timing.request_first)
            .is_some_and(|(end, begin)| end < begin)
    };
    over(one, other) || over(other, one)
}

fn kept(exchange: &Arc<Exchange>, copies: bool) -> Arc<Exchange> {
    if copies {
        Arc::new(Exchange::clone(exchange))
    } else {
        Arc::clone(exchange)
    }
}

#[cfg(test)]
mod tests {
    use shadow_core::compare::ShadowResponse;
    use shadow_proto::exchange::{Body, Headers};

    use super::{
        super::tests::{exchange, exchange_with},
        *,
    };

    fn at(mut exchange: Box<Exchange>, millis: u64) -> Arc<Exchange> {
        let at = Some(Timestamp::from_nanos(millis * 1_000_000));
        exchange.timing.request_first = at;
        exchange.timing.response_last = at;
        exchange.into()
    }

    fn pairs() -> Pairs {
        let settings = PairSettings {
            twice: 0.02,
            recurring: Duration::from_secs(2),
            copies: false,
        };
        Pairs::new(settings, Vec::new())
    }

    /// The time of the paired exchange that was found.
    fn earlier(pairs: &Pairs, exchange: &Arc<Exchange>) -> Option<Timestamp> {
        let earlier = pairs.earlier(exchange).filter(|earlier| earlier.is_close)?;
        earlier.exchange.timing.response_last
    }

    fn millis(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn the_share_that_is_drawn_is_the_one_that_was_asked_for() {
        let pairs = pairs();
        let drawn = (0..100_000).filter(|_| pairs.draws(|| false).is_some()).count();
        assert!((1_900..2_100).contains(&drawn), "{drawn} of 100000");
        let none = Pairs::new(PairSettings::default(), Vec::new());
        assert!(!(0..1000).any(|_| none.draws(|| true).is_some()));
    }

    #[test]
    fn undecided_answers_come_first_within_the_same_share() {
        let pairs = pairs();
        let mut needed = 0;
        let all = (0..100_000)
            .filter_map(|number| pairs.draws(|| number % 20 == 0))
            .inspect(|draw| needed += usize::from(*draw == Draw::Needed))
            .count();
        assert!((1_900..2_100).contains(&all), "{all} of 100000");
        assert!((1_350..1_600).contains(&needed), "{needed} of {all}");
    }

    fn doubt(target: &str, judged: u64) -> Doubt {
        Doubt {
            exchange: at(exchange("GET", target, "1"), judged),
            shadow: ShadowResponse {
                status: 200,
                headers: Headers::default(),
                trailers: Headers::default(),
                body: Body::default(),
                first_byte: Duration::ZERO,
                total: Duration::ZERO,
            },
            found: Vec::new(),
            judged: millis(judged),
        }
    }

    #[test]
    fn a_mismatch_is_held_against_productions_next_answer_of_any_time_and_to_anybody() {
        let pairs = pairs();
        let ask = |target: &str, cookie: &str, began: u64| {
            let mut exchange = exchange_with("GET", target, &[("Cookie", cookie)], "1");
            exchange.timing.request_first = Some(millis(began));
            pairs.doubt(&exchange)
        };
        pairs.remember(doubt("/a", 1_000));
        assert!(ask("/b", "anna", 2_000).is_none(), "another target");
        assert!(ask("/a", "anna", 900).is_none(), "asked before it was judged");
        assert!(ask("/a", "bert", 3_600_000).is_some());
        assert!(ask("/a", "bert", 3_700_000).is_none(), "once");
    }

    #[test]
    fn a_field_that_is_new_with_each_request_is_learnt() {
        let pairs = pairs();
        let ask = |number: u64, cookie: &str| {
            let started = number.to_string();
            let headers = [("X-Started", started.as_str()), ("Cookie", cookie)];
            at(exchange_with("GET", "/a", &headers, "1"), number)
        };
        let key = |number: u64, cookie: &str| {
            let last = pairs.last.lock().unwrap();
            last.key(&ask(number, cookie).request)
        };
        assert_ne!(
            key(1, "anna"),
            key(2, "anna"),
            "nothing is known of the field yet"
        );
        for number in 0..100 {
            earlier(&pairs, &ask(number, &format!("user {number}")));
        }
        assert_eq!(key(1, "anna"), key(2, "anna"), "it is new with each request");
        assert_ne!(
            key(1, "anna"),
            key(1, "bert"),
            "whose answer it is is never passed over"
        );
    }

    #[test]
    fn the_same_request_soon_after_is_a_twin() {
        let pairs = pairs();
        let first = at(exchange("GET", "/a", "1"), 0);
        assert_eq!(earlier(&pairs, &first), None);
        assert_eq!(
            earlier(&pairs, &at(exchange("GET", "/b", "1"), 100)),
            None,
            "another target"
        );
        let second = at(exchange("GET", "/a", "2"), 1000);
        assert_eq!(earlier(&pairs, &second), Some(millis(0)));
        let late = at(exchange("GET", "/a", "3"), 3001);
        assert_eq!(earlier(&pairs, &late), None, "too late");
        assert_eq!(
            earlier(&pairs, &at(exchange("GET", "/a", "4"), 4000)),
            Some(millis(3001))
        );
    }

    #[test]
    fn two_views_of_one_exchange_are_not_compared() {
        let view = |begin: u64, end: u64| {
            let mut view = exchange("GET", "/a", "1");
            view.timing.request_first = Some(millis(begin));
            view.timing.response_last = Some(millis(end));
            Arc::<Exchange>::from(view)
        };
        // Before a proxy and after it; the inner one ends first, and may be handled last.
        for [first, second] in [[(10, 40), (20, 30)], [(20, 30), (10, 40)], [(10, 40), (10, 40)]] {
            let pairs = pairs();
            assert_eq!(earlier(&pairs, &view(first.0, first.1)), None);
            assert_eq!(
                earlier(&pairs, &view(second.0, second.1)),
                None,
                "{first:?} and {second:?}"
            );
            assert!(earlier(&pairs, &view(100, 120)).is_some(), "asked again");
        }
    }

    #[test]
    fn another_persons_answer_is_no_twin_and_another_request_id_is() {
        let pairs = pairs();
        let ask = |cookie: &str, id: &str, millis| {
            let headers = [("Host", "a"), ("Cookie", cookie), ("X-Request-Id", id)];
            at(exchange_with("GET", "/me", &headers, "1"), millis)
        };
        assert_eq!(earlier(&pairs, &ask("anna", "1", 0)), None);
        assert_eq!(earlier(&pairs, &ask("bert", "2", 10)), None);
        assert!(earlier(&pairs, &ask("anna", "3", 20)).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let pairs = pairs();
        for number in 0..10_000 {
            let body = vec![b'x'; if number % 2 == 0 { 100 } else { 500_000 }];
            earlier(&pairs, &at(exchange("GET", &format!("/{number}"), body), 0));
            let last = pairs.last.lock().unwrap();
            let (count, bytes) = last.known.size();
            assert!(count <= MOST && bytes <= BYTES, "{count}, {bytes} bytes");
        }
        earlier(&pairs, &at(exchange("GET", "/later", "1"), 11 * 60_000));
        assert_eq!(
            pairs.last.lock().unwrap().known.size().0,
            1,
            "the old ones are forgotten"
        );
    }

    #[test]
    fn a_storm_of_identical_requests_costs_a_bounded_number_of_comparisons() {
        let pairs = pairs();
        let found = (0..10_000)
            .filter(|number| earlier(&pairs, &at(exchange("GET", "/a", "1"), *number)).is_some())
            .count();
        // The allowance of the first second, and that of the running time.
        assert!((50..200).contains(&found), "{found}");
    }
}
