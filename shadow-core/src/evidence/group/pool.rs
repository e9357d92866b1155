//! Detection of steps that are data: an object or a list whose parts are different in each answer.
//!
//! A part of such a place is written as `*`, so that all its parts share their counts. The look of a name is not
//! evidence: `price_change_percentage_24h` is a name, and a word may be a key.
//! Bounds: objects and lists that are observed ([`PARENTS`]), parts of each ([`PARTS`]) and of all ([`ALL_PARTS`]).

use hashbrown::{HashMap, hash_map::Entry};

use crate::compare::Category;

use super::{
    Fingerprint, fingerprint,
    place::{self, Step},
};

/// Maximum number of observed objects and lists.
const PARENTS: usize = 4096;

/// Maximum number of distinct parts of one parent; with more it is data.
const PARTS: usize = 512;

/// Maximum number of remembered parts of all parents; nothing beyond it is recognised as data.
const ALL_PARTS: usize = 1 << 16;

/// Number of parts that any list may have.
const FEW: usize = 12;

/// Number of members that any object may have. Members of a type that seldom differ recur only after about as many
/// differences as the square root of their number, so it takes more of them to tell keys from names.
const FEW_NAMES: usize = 32;

/// Number of members of any object that now one system lacks and now the other. They are optional members; with more of
/// them, all are keys.
const FEW_OPTIONAL: usize = 16;

/// The first exchange with which an object may be recognised as data.
const EXCHANGES: usize = 3;

/// Observed objects and lists, by route and place.
#[derive(Debug, Default)]
pub(super) struct Pools {
    parents: HashMap<Fingerprint, Parent>,
    /// Total number of parts.
    parts: usize,
}

#[derive(Debug, Default)]
struct Parent {
    /// The exchanges in which each part differed.
    parts: HashMap<Fingerprint, Part>,
    /// Parts that differed in a single exchange.
    once: usize,
    /// Parts that now one system lacked and now the other.
    optional: usize,
    /// How often a part differed in an exchange, and in how many exchanges at least one did.
    occurrences: usize,
    exchanges: usize,
    latest: u64,
    is_data: bool,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    /// The last exchange in which it differed.
    last: u64,
    /// Whether it differed in others before.
    again: bool,
    /// Which systems lacked it.
    lacked: Lacked,
}

/// The systems that lacked a part so far, or in one difference.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Lacked {
    production: bool,
    shadow: bool,
}

impl Lacked {
    /// By the category of a difference.
    pub(super) fn by(category: &str) -> Self {
        Self {
            production: category == Category::Added.as_str(),
            shadow: category == Category::Missing.as_str(),
        }
    }

    fn is_both(self) -> bool {
        self.production && self.shadow
    }

    fn or(self, other: Self) -> Self {
        Self {
            production: self.production || other.production,
            shadow: self.shadow || other.shadow,
        }
    }
}

/// A place with its data steps replaced.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Pooled {
    pub(super) place: String,
    /// Whether a step was recognised as data just now.
    pub(super) is_new: bool,
}

impl Pools {
    /// Records a difference in an exchange and returns its place.
    pub(super) fn observe(&mut self, route: &str, found: &str, lacked: Lacked, exchange: u64) -> Pooled {
        let (steps, rest) = place::steps(found);
        let mut out = String::with_capacity(found.len());
        let mut is_new = false;
        let last = steps.len();
        for (number, step) in (1usize..).zip(steps) {
            out.push_str(step.before);
            // Only the last step is lacked, not what it is in.
            let lacked = if number == last && rest.is_empty() {
                lacked
            } else {
                Lacked::default()
            };
            let part = self.part(route, &out, (&step, lacked), exchange);
            is_new |= part == Some((true, true));
            out.push_str(if matches!(part, Some((true, _))) {
                step.pooled
            } else {
                step.text
            });
        }
        out.push_str(rest);
        Pooled { place: out, is_new }
    }

    /// The place with the steps replaced that are known to be data so far.
    pub(super) fn known(&self, route: &str, found: &str) -> String {
        let (steps, rest) = place::steps(found);
        let mut out = String::with_capacity(found.len());
        for step in steps {
            out.push_str(step.before);
            let parent = self.parents.get(&fingerprint(route, "", &out));
            out.push_str(if parent.is_some_and(|parent| parent.is_data) {
                step.pooled
            } else {
                step.text
            });
        }
        out.push_str(rest);
        out
    }

    /// The objects and lists that are known to be data.
    pub(super) fn data(&self) -> Vec<Fingerprint> {
        let data = self.parents.iter().filter(|(_, parent)| parent.is_data);
        data.map(|(id, _)| *id).collect()
    }

    /// Takes over that these are data.
    pub(super) fn are_data(&mut self, ids: &[Fingerprint]) {
        for id in ids {
            self.parents.entry(*id).or_default().is_data = true;
        }
    }

    /// Whether a part is data, and whether this became known just now; `None` over a bound.
    fn part(
        &mut self,
        route: &str,
        before: &str,
        (step, lacked): (&Step<'_>, Lacked),
        exchange: u64,
    ) -> Option<(bool, bool)> {
        let id = fingerprint(route, "", before);
        let full = self.parts >= ALL_PARTS;
        if self.parents.len() >= PARENTS && !self.parents.contains_key(&id) {
            return None;
        }
        let parent = self.parents.entry(id).or_default();
        let part = fingerprint("", "", step.text);
        if full && !parent.is_data && !parent.parts.contains_key(&part) {
            return None;
        }
        let before = parent.parts.len();
        let observed = parent.observe(part, lacked, exchange, step.is_name());
        self.parts = self
            .parts
            .saturating_sub(before)
            .saturating_add(parent.parts.len());
        Some(observed)
    }
}

impl Parent {
    /// Whether its parts are data, and whether this became known just now.
    fn observe(&mut self, part: Fingerprint, lacked: Lacked, exchange: u64, is_name: bool) -> (bool, bool) {
        if self.is_data {
            return (true, false);
        }
        if self.latest != exchange {
            self.latest = exchange;
            self.exchanges = self.exchanges.saturating_add(1);
        }
        self.count(part, lacked, exchange);
        let parts = self.parts.len();
        self.is_data = parts > PARTS
            || if is_name {
                // The members of a type recur, keys do not.
                let once = self.once.saturating_mul(4) >= parts.saturating_mul(3);
                let keys = parts > FEW_NAMES && once || self.optional > FEW_OPTIONAL;
                self.exchanges >= EXCHANGES && keys
            } else {
                let seldom = self.occurrences.saturating_mul(2) < parts.saturating_mul(self.exchanges);
                parts > FEW && seldom
            };
        if self.is_data {
            self.parts = HashMap::new();
        }
        (self.is_data, self.is_data)
    }

    fn count(&mut self, part: Fingerprint, lacked: Lacked, exchange: u64) {
        match self.parts.entry(part) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let lacked = known.lacked.or(lacked);
                if lacked.is_both() && !known.lacked.is_both() {
                    self.optional = self.optional.saturating_add(1);
                }
                known.lacked = lacked;
                if known.last == exchange {
                    return;
                }
                self.once = self.once.saturating_sub(usize::from(!known.again));
                known.last = exchange;
                known.again = true;
            }
            Entry::Vacant(new) => {
                new.insert(Part {
                    last: exchange,
                    again: false,
                    lacked,
                });
                self.once = self.once.saturating_add(1);
            }
        }
        self.occurrences = self.occurrences.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(places: impl Iterator<Item = (u64, String)>) -> String {
        let mut pools = Pools::default();
        let mut shown = String::new();
        for (exchange, place) in places {
            shown = pools.observe("GET /", &place, Lacked::default(), exchange).place;
            assert_eq!(pools.known("GET /", &place), shown);
        }
        shown
    }

    #[test]
    fn keys_are_data_and_names_are_not() {
        // Twenty different words in each answer.
        let words = (1..=10)
            .flat_map(|answer| (0..20).map(move |word| (answer, format!("$.stock.w{answer}x{word}"))));
        assert_eq!(last(words), "$.stock.*");
        let ids = (1..=60).map(|answer| (answer, format!("$.items[id={answer}].price")));
        assert_eq!(last(ids), "$.items[*].price");
        // Forty members of one type, in each answer.
        let names =
            (1..=10).flat_map(|answer| (0..40).map(move |name| (answer, format!("$.last_{name}_days"))));
        assert_eq!(last(names), "$.last_39_days");
        // Twenty members of one type, of which one or two differ in each answer.
        let seldom = (1..=400u64).flat_map(|answer| {
            [answer * 7 % 20, answer * 11 % 20].map(|name| (answer, format!("$.price_change_{name}_days")))
        });
        assert_eq!(last(seldom), "$.price_change_0_days");
        let mut random = shadow_proto::testing::Random(3);
        let one = (1..=400u64).map(|answer| (answer, format!("$.price_{}_days", random.number() % 40)));
        assert!(last(one).ends_with("_days"), "one of forty at a time");
        let twice =
            (1..=2).flat_map(|answer| (0..40).map(move |word| (answer, format!("$.w{answer}x{word}"))));
        assert_eq!(last(twice), "$.w2x39", "two answers may be of two kinds");
        let contexts = (1..=100).map(|answer| (answer, "$['@odata.context']".to_owned()));
        assert_eq!(last(contexts), "$['@odata.context']");
        let long = (1..=2).flat_map(|answer| (0..600).map(move |index| (answer, format!("$[{index}]"))));
        assert_eq!(last(long), "$[*]");
    }

    #[test]
    fn keys_of_a_small_vocabulary_are_data_and_optional_members_are_not() {
        let last = |names: u64, both_ways: bool| {
            let (mut pools, mut shown) = (Pools::default(), String::new());
            for exchange in 1..=200u64 {
                for number in [exchange % names, exchange * 7 % names, exchange * 11 % names] {
                    let lacks = both_ways && exchange.is_multiple_of(2);
                    let category = if lacks { Category::Added } else { Category::Missing };
                    let place = format!("$.stock.w{number}x");
                    let lacked = Lacked::by(category.as_str());
                    shown = pools.observe("GET /", &place, lacked, exchange).place;
                }
            }
            shown
        };
        assert_eq!(last(31, true), "$.stock.*");
        assert!(
            last(31, false).ends_with('x'),
            "a system lacks them, the other has them"
        );
        assert!(last(13, true).ends_with('x'), "a few are optional");
    }
}
