//! Values without a partner: of exchanges that were not replayed, and of those that the capture lost.
//!
//! Bias: after a loss a value that was never seen and may be one that the lost exchange introduced is not sent.

use core::time::Duration;

use shadow_proto::time::Timestamp;

use super::{
    super::{
        class::Class,
        place::{self, Place, Role},
        table::{Space, State},
    },
    Knowledge, number,
};

/// Places of values that requests had.
const PLACES: usize = 4096;

/// A place at which requests have had values for this long without one that an answer introduced has those of clients,
/// or older ones.
const PROVEN: Duration = Duration::from_mins(1);

/// Objects that may have been created before the first one that was seen.
const UNSEEN: u64 = 1000;

/// The values that requests had at one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    since: Timestamp,
    /// The largest number before the first loss.
    most: u64,
}

impl Knowledge {
    /// An exchange that may have introduced values was not captured whole. If it was to create a thing, `noun` is the
    /// name of it.
    pub(in crate::values) fn miss(&mut self, noun: Option<&Place<'_>>) {
        self.missed = true;
        if let Some(place) = noun {
            self.noun(place);
        }
    }

    /// Notes the value of a request.
    pub(in crate::values) fn ask(&mut self, place: &Place<'_>, value: &[u8], now: Timestamp) {
        let number = number(value);
        let is_noted = match place.role {
            Role::Current => true,
            Role::Token => is_authorization(place),
            Role::Id => number.is_some(),
            Role::Bare => false,
        };
        if !is_noted {
            return;
        }
        let space = self.space(place);
        if self.asked.len() >= PLACES && !self.asked.contains_key(&space) {
            return;
        }
        let asked = self.asked.entry(space).or_insert(Asked { since: now, most: 0 });
        if let Some(number) = number.filter(|_| !self.missed) {
            asked.most = asked.most.max(number);
        }
    }

    /// Notes a value of a request that no answer gave: it is older than what is known, and the same in both systems.
    pub(in crate::values) fn keep(&mut self, place: &Place<'_>, value: &[u8], now: Timestamp) {
        // The fields of a request mostly have what a client made.
        let is_given =
            place.role != Role::Token || is_authorization(place) || place::is_token_name(&place.noun);
        if self.missed || !is_given || !Self::is_anywhere(place, value) {
            return;
        }
        let home = self.space(place);
        if self.table.find(Space::EVERYWHERE, value, now).is_some() {
            return;
        }
        self.set((Space::EVERYWHERE, home), (value, value), State::Older, now);
    }

    /// Whether a value that was never seen may be one that a lost answer gave.
    pub(super) fn may_be_missed(
        &self,
        (place, space): (&Place<'_>, Space),
        value: &[u8],
        now: Timestamp,
    ) -> bool {
        let is_created = self.nouns.contains_key(&space);
        let is_recent = || {
            let asked = self.asked.get(&space);
            asked.is_some_and(|asked| now.since(asked.since) < PROVEN)
        };
        match place.role {
            // A short cookie that was never renewed is a preference.
            Role::Current => self.renewed.contains(&space) || Self::is_anywhere(place, value) && is_recent(),
            Role::Token if is_authorization(place) => {
                let mut nouns = self.nouns.values();
                Self::is_anywhere(place, value)
                    && (nouns.any(|noun| place::is_token_name(&noun.name)) || is_recent())
            }
            Role::Id if Class::of(value) == Class::Digits => {
                let number = number(value).unwrap_or(u64::MAX);
                let from = self.nouns.get(&space).and_then(|noun| noun.from).unwrap_or(0);
                let most = self.asked.get(&space).map_or(0, |asked| asked.most);
                number > most && number >= from.saturating_sub(UNSEEN) && (is_created || is_recent())
            }
            Role::Token | Role::Id | Role::Bare => is_created && Self::is_anywhere(place, value),
        }
    }

    /// Notes that a value of production will have no partner.
    pub(in crate::values) fn lose(&mut self, place: &Place<'_>, production: &[u8], now: Timestamp) {
        let home = self.space(place);
        let is_anywhere = Self::is_anywhere(place, production);
        let space = if is_anywhere { Space::EVERYWHERE } else { home };
        if self.table.find(space, production, now).is_some() {
            return;
        }
        if let Some(number) = number(production).filter(|_| place.role == Role::Id)
            && let Some(noun) = self.noun(place)
        {
            noun.counts_from(number);
        }
        self.set((space, home), (production, b""), State::Lost, now);
        self.counters.lost = self.counters.lost.saturating_add(1);
    }
}

fn is_authorization(place: &Place<'_>) -> bool {
    place.noun.eq_ignore_ascii_case("authorization")
}
