//! The rules by which two values are taken to correspond, and the state that they lead to.
//!
//! Bias: a correspondence that is not certain is not learned, and a value for which two partners are possible is not
//! replaced. A wrong partner would be worse than none: the request would be about another object.

mod learn;
mod missed;
mod words;

use core::hash::BuildHasher as _;
use std::hash::RandomState;

use hashbrown::{HashMap, HashSet};
use shadow_proto::time::Timestamp;

use self::missed::Asked;
use super::{
    class::{self, Class},
    counters::Counters,
    place::{Place, Role},
    table::{Space, State, Table, TableLimits},
};

/// The shadow system's value for one of production's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Partner {
    /// This one.
    Is(Vec<u8>),
    /// There is none, because the exchange that introduced the value was not replayed, or its answer did not have one;
    /// or the shadow system has the value for something else.
    None,
    /// Nothing is known: the value is the same in both systems, or it names nothing.
    Unknown,
}

/// The result of comparing two values at one place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Learned {
    /// They correspond from now on.
    New,
    /// They correspond, or are equal.
    Same,
    /// One of them has another partner.
    Conflict,
    /// They differ, which proves nothing.
    Nothing,
}

/// One kind of thing.
#[derive(Debug, Default)]
struct Noun {
    name: Box<str>,
    /// The smallest number that production gave to a new one. Production counts up, so larger ones are also new.
    from: Option<u64>,
    learned: u64,
}

impl Noun {
    /// Production gave this number to a new one.
    fn counts_from(&mut self, number: u64) {
        self.from = Some(self.from.map_or(number, |from| from.min(number)));
    }
}

/// Everything that was learned.
#[derive(Debug)]
pub(super) struct Knowledge {
    seed: RandomState,
    table: Table,
    nouns: HashMap<Space, Noun>,
    /// Whether a field with the name of a thing has its identifiers.
    proven: HashMap<Space, bool>,
    /// Cookies and tagged resources of which pairs were learned.
    renewed: HashSet<Space>,
    /// Whether an exchange whose values are not known may have introduced some.
    missed: bool,
    /// Places of values that requests had.
    asked: HashMap<Space, Asked>,
    pub(super) counters: Counters,
}

impl Knowledge {
    pub(super) fn new(limits: TableLimits) -> Self {
        let seed = RandomState::new();
        Self {
            table: Table::new(limits, seed.clone()),
            seed,
            nouns: HashMap::new(),
            proven: HashMap::new(),
            renewed: HashSet::new(),
            missed: false,
            asked: HashMap::new(),
            counters: Counters::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.nouns.clear();
        self.proven.clear();
        self.renewed.clear();
        self.missed = false;
        self.asked.clear();
    }

    /// The names of things, and how many of each were learned.
    pub(super) fn nouns(&self) -> impl Iterator<Item = (&str, u64)> {
        self.nouns.values().map(|noun| (&*noun.name, noun.learned))
    }

    pub(super) fn noun_at(&self, space: Space) -> Option<&str> {
        self.nouns.get(&space).map(|noun| &*noun.name)
    }

    /// A hash of a value at a place, the same for every place at which it means the same.
    pub(super) fn key(&self, place: &Place<'_>, value: &[u8]) -> u64 {
        let space = match Class::of(value) {
            class if class.is_unique() => Space::EVERYWHERE,
            _ if place.role == Role::Token => Space::EVERYWHERE,
            _ => self.space(place),
        };
        self.seed.hash_one((space, value))
    }

    /// Whether a value is looked up in the places where it was not learned.
    fn is_anywhere(place: &Place<'_>, value: &[u8]) -> bool {
        match place.role {
            Role::Token => class::is_token(value) || Class::of(value).is_unique(),
            Role::Current => class::is_token(value),
            Role::Id | Role::Bare => Class::of(value).is_unique(),
        }
    }

    fn space(&self, place: &Place<'_>) -> Space {
        let kind = u8::from(place.role == Role::Current);
        let hash = self.seed.hash_one((kind, &*place.noun));
        Space(hash.max(1))
    }

    /// The partner of a value of production at a place.
    pub(super) fn partner(&mut self, place: &Place<'_>, value: &[u8], now: Timestamp) -> Partner {
        let is_useless = self.is_empty() && !self.missed;
        if is_useless || value.is_empty() || value.len() > class::LONGEST {
            return Partner::Unknown;
        }
        let space = self.space(place);
        if self.missed && !self.may_have(value) && self.may_be_missed((place, space), value, now) {
            return Partner::None;
        }
        let may_be_anywhere = value.len() >= class::SHORTEST_UNIQUE;
        if let Some(entry) = self.table.find(space, value, now) {
            let found = match entry.state {
                State::Lost => Partner::None,
                State::Older => Partner::Unknown,
                State::Paired | State::PairedAtHome => Partner::Is(entry.shadow.to_vec()),
            };
            return self.if_proven(place, space, value, found);
        }
        if may_be_anywhere && let Some(entry) = self.table.find(Space::EVERYWHERE, value, now) {
            return match entry.state {
                State::Paired => Partner::Is(entry.shadow.to_vec()),
                State::PairedAtHome if entry.home == space => Partner::Is(entry.shadow.to_vec()),
                State::PairedAtHome | State::Lost => Partner::None,
                State::Older => Partner::Unknown,
            };
        }
        if place.role == Role::Id && self.is_foreign(space, value, now) {
            return Partner::None;
        }
        Partner::Unknown
    }

    /// A field with the name of a thing has an identifier of it if answers have shown so; if they have not shown
    /// anything, the request is not sent with a guess.
    fn if_proven(&self, place: &Place<'_>, space: Space, value: &[u8], found: Partner) -> Partner {
        if place.role != Role::Bare {
            return found;
        }
        match self.proven.get(&space) {
            _ if place.is_plain() => Partner::Unknown,
            Some(false) => Partner::Unknown,
            Some(true) => found,
            None if found == Partner::Is(value.to_vec()) => Partner::Unknown,
            None => Partner::None,
        }
    }

    /// Whether a value without a partner certainly is not the same in the shadow system.
    fn is_foreign(&mut self, space: Space, value: &[u8], now: Timestamp) -> bool {
        let from = self.nouns.get(&space).and_then(|noun| noun.from);
        let is_new = from.is_some_and(|from| number(value).is_some_and(|number| number >= from));
        is_new
            || self
                .table
                .find_back(space, value, now)
                .is_some_and(|entry| entry.production != value)
    }

    /// Sets an entry, and counts those that were forgotten for it.
    fn set(&mut self, at: (Space, Space), values: (&[u8], &[u8]), state: State, now: Timestamp) {
        let gone = self.table.set(at, values, state, now);
        self.counters.forgotten = self.counters.forgotten.saturating_add(gone);
    }

    /// Whether a value may be one of either system's, at any place.
    pub(super) fn may_have(&self, value: &[u8]) -> bool {
        self.table.may_have(value)
    }

    /// Whether anything can be learned from a value of production at a place.
    pub(super) fn matters(&self, place: &Place<'_>, production: &[u8]) -> bool {
        place.role != Role::Bare
            || Class::of(production).is_unique()
            || !place.is_plain() && self.nouns.contains_key(&self.space(place))
    }

    /// The value of production for one of the shadow system at a place, if it is another one.
    pub(super) fn back(&mut self, place: &Place<'_>, shadow: &[u8], now: Timestamp) -> Option<Vec<u8>> {
        if self.is_empty() || shadow.is_empty() {
            return None;
        }
        if place.role == Role::Bare && self.proven.is_empty() && shadow.len() < class::SHORTEST_UNIQUE {
            return None;
        }
        let space = self.space(place);
        let is_id = place.role != Role::Bare || self.proven.get(&space) == Some(&true);
        if is_id && let Some(entry) = self.table.find_back(space, shadow, now) {
            return (entry.production != shadow).then(|| entry.production.to_vec());
        }
        if shadow.len() < class::SHORTEST_UNIQUE {
            return None;
        }
        let entry = self.table.find_back(Space::EVERYWHERE, shadow, now)?;
        let is_here = entry.state == State::Paired || entry.home == space;
        (is_here && entry.production != shadow).then(|| entry.production.to_vec())
    }
}

/// Whether a value may be an identifier among those of its kind: digits, or a word with digits. A word alone may be a
/// state or a page, where a difference is one.
pub(super) fn is_local_id(value: &[u8]) -> bool {
    Class::of(value) != Class::Other && value.len() <= 256 && value.iter().any(u8::is_ascii_digit)
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(value).ok().filter(|_| digits)?;
    text.parse().ok()
}
