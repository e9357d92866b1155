//! Learning from two values at the same place of two answers.

use shadow_proto::time::Timestamp;

use super::{
    super::{
        class::{self, Class},
        place::{Place, Role},
        table::{Space, State},
    },
    Knowledge, Learned, Noun, is_local_id, number,
};

/// Kinds of things that are distinguished in reports and in the search for a pair; of further ones nothing is learned.
const NOUNS: usize = 1024;

/// Kinds of things that are searched for a known pair.
const SEARCHED: usize = 64;

/// Fields of which it is known whether they have identifiers, and places of values that are renewed.
const PROVEN: usize = 4096;

impl Knowledge {
    /// Learns from two values at the same place of two answers. `new` says whether the exchange introduced production's
    /// value; `created`, whether it did so by creating something.
    pub(in crate::values) fn learn(
        &mut self,
        place: &Place<'_>,
        (production, shadow): (&[u8], &[u8]),
        (new, created): (bool, bool),
        now: Timestamp,
    ) -> Learned {
        let is_anywhere = Self::is_anywhere(place, production) && Self::is_anywhere(place, shadow);
        match place.role {
            Role::Current | Role::Token => self.renew(place, (production, shadow), is_anywhere, now),
            Role::Id | Role::Bare if is_anywhere => {
                self.unique(place, (production, shadow), (new, created), now)
            }
            Role::Id => self.local(place, (production, shadow), new && created, now),
            Role::Bare => self.prove(place, (production, shadow), now),
        }
    }

    /// The latest pair is the one in force.
    fn renew(
        &mut self,
        place: &Place<'_>,
        (production, shadow): (&[u8], &[u8]),
        is_anywhere: bool,
        now: Timestamp,
    ) -> Learned {
        let home = self.space(place);
        if !is_anywhere && place.role == Role::Token || Class::of(production) == Class::Other {
            return only_equal(production, shadow);
        }
        let space = if is_anywhere { Space::EVERYWHERE } else { home };
        let known = self.table.find(space, production, now);
        let is_same = known.map(|entry| entry.state == State::Paired && entry.shadow == shadow);
        match is_same {
            Some(true) => Learned::Same,
            // Where values are renewed, one that is the same in both systems is also known.
            None if production == shadow => {
                if self.renewed.contains(&home) {
                    self.set((space, home), (production, shadow), State::Paired, now);
                }
                Learned::Same
            }
            Some(false) | None => self.add(place, (space, home), (production, shadow), now),
        }
    }

    fn unique(
        &mut self,
        place: &Place<'_>,
        (production, shadow): (&[u8], &[u8]),
        (new, created): (bool, bool),
        now: Timestamp,
    ) -> Learned {
        let home = self.space(place);
        let mut found = None;
        for space in [home, Space::EVERYWHERE] {
            let entry = self.table.find(space, production, now);
            let entry = entry.filter(|entry| entry.state.is_pair());
            if let Some(entry) = entry {
                found = Some((entry.shadow == shadow, entry.home, space));
                break;
            }
        }
        match found {
            Some((true, ..)) => return Learned::Same,
            // The same value for two things that are created apart.
            Some((false, other, Space::EVERYWHERE)) if other != home && new && created => {
                if self.is_taken(home, (production, shadow), now) {
                    return Learned::Conflict;
                }
                self.table.keep_at_home(Space::EVERYWHERE, production);
                return self.add(place, (home, home), (production, shadow), now);
            }
            Some(_) => return Learned::Conflict,
            None => {}
        }
        if self.is_taken(Space::EVERYWHERE, (production, shadow), now) {
            return Learned::Conflict;
        }
        if production == shadow && !new {
            return Learned::Same;
        }
        if !new || !class::same_shape(production, shadow) {
            return Learned::Nothing;
        }
        self.add(place, (Space::EVERYWHERE, home), (production, shadow), now)
    }

    /// An identifier that is unique among those of its kind only.
    fn local(
        &mut self,
        place: &Place<'_>,
        (production, shadow): (&[u8], &[u8]),
        created: bool,
        now: Timestamp,
    ) -> Learned {
        let space = self.space(place);
        let entry = self.table.find(space, production, now);
        if let Some(entry) = entry.filter(|entry| entry.state.is_pair()) {
            return if entry.shadow == shadow {
                Learned::Same
            } else {
                Learned::Conflict
            };
        }
        if self.is_taken(space, (production, shadow), now) {
            return Learned::Conflict;
        }
        if created && is_local_id(production) && is_local_id(shadow) {
            return self.add(place, (space, space), (production, shadow), now);
        }
        if production == shadow || self.corresponds_elsewhere((production, shadow), now) {
            return Learned::Same;
        }
        Learned::Nothing
    }

    /// Whether a pair is one of another kind of thing: the name of an object is not always known from its place.
    pub(super) fn corresponds_elsewhere(
        &mut self,
        (production, shadow): (&[u8], &[u8]),
        now: Timestamp,
    ) -> bool {
        let Self { table, nouns, .. } = self;
        nouns.keys().take(SEARCHED).any(|space| {
            let entry = table.find(*space, production, now);
            entry.is_some_and(|entry| entry.state.is_pair() && entry.shadow == shadow)
        })
    }

    /// Notes whether a field with the name of a thing has its identifiers: it does if the pair is a known one.
    fn prove(&mut self, place: &Place<'_>, (production, shadow): (&[u8], &[u8]), now: Timestamp) -> Learned {
        let equal = only_equal(production, shadow);
        if place.is_plain() || self.is_empty() {
            return equal;
        }
        let space = self.space(place);
        let entry = self.table.find(space, production, now);
        let Some(entry) = entry.filter(|entry| entry.state.is_pair() && entry.shadow != production) else {
            return equal;
        };
        let is_pair = entry.shadow == shadow;
        let room = self.proven.len() < PROVEN || self.proven.contains_key(&space);
        if (is_pair || production == shadow) && room {
            // One proof that it is none is enough: the pair may be one by chance.
            let proof = self.proven.entry(space).or_insert(is_pair);
            *proof = *proof && is_pair;
        }
        match self.proven.get(&space) {
            Some(true) if is_pair => Learned::Same,
            Some(true) => Learned::Conflict,
            _ => equal,
        }
    }

    /// Whether a shadow value is the partner of another production value.
    fn is_taken(&mut self, space: Space, (production, shadow): (&[u8], &[u8]), now: Timestamp) -> bool {
        let entry = self.table.find_back(space, shadow, now);
        entry.is_some_and(|entry| entry.production != production)
    }

    /// The kind of thing at a place; `None` where there are too many.
    pub(super) fn noun(&mut self, place: &Place<'_>) -> Option<&mut Noun> {
        let home = self.space(place);
        if self.nouns.len() >= NOUNS && !self.nouns.contains_key(&home) {
            return None;
        }
        let named = || Noun {
            name: shown(&place.noun).into(),
            ..Noun::default()
        };
        Some(self.nouns.entry(home).or_insert_with(named))
    }

    fn add(
        &mut self,
        place: &Place<'_>,
        (space, home): (Space, Space),
        (production, shadow): (&[u8], &[u8]),
        now: Timestamp,
    ) -> Learned {
        if place.role != Role::Current {
            let Some(noun) = self.noun(place) else {
                self.counters.unnamed = self.counters.unnamed.saturating_add(1);
                return Learned::Nothing;
            };
            noun.learned = noun.learned.saturating_add(1);
            if space == home
                && let Some(number) = number(production)
            {
                noun.counts_from(number);
            }
        } else if self.renewed.len() < PROVEN {
            self.renewed.insert(home);
        }
        self.set((space, home), (production, shadow), State::Paired, now);
        self.counters.learned = self.counters.learned.saturating_add(1);
        Learned::New
    }
}

/// The result where nothing can be learned.
fn only_equal(production: &[u8], shadow: &[u8]) -> Learned {
    if production == shadow {
        Learned::Same
    } else {
        Learned::Nothing
    }
}

/// The name of a kind of thing as it is shown: names come from captured messages, so that those that are no plain word
/// stay here.
fn shown(noun: &str) -> &str {
    let is_word = noun.len() <= 40 && noun.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'/');
    if is_word { noun } else { "(other)" }
}
