//! Values that the shadow system gives in place of production's: identifiers, tokens, cookies, entity tags.
//!
//! Owns: learning which of the two systems' values correspond, replacing them in requests before a replay, mapping them
//! back in answers before a comparison, and the order in which replays depend on each other ([`order`]). No clock: time
//! is an argument. Bounds: entries and bytes of the table, the content that is read, and the values of one exchange.
//! Bias: a wrong value is worse than none. A value whose partner is not certain is not replaced, and a request that has
//! a value which is known to have no partner is not sent.
//!
//! Values stay in memory. Those that are listed are shown as keyed hashes.

mod answers;
mod class;
mod counters;
mod edit;
mod glance;
mod known;
mod members;
mod message;
pub mod order;
mod pairs;
mod place;
mod table;

use std::{hash::RandomState, sync::LazyLock};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use crate::{
    gate::{self, SkipPolicy},
    redact::Redactor,
    rewrite::ShadowRequest,
};

pub use answers::Mapped;
pub use counters::Counters;
pub use table::TableLimits;

use self::{
    class::Class,
    known::{Knowledge, Partner},
    place::{Place, Role},
    table::State,
};

/// Values of one exchange that are followed.
const FOLLOWED: usize = 1024;

/// Learned values of one target.
#[derive(Debug)]
pub struct Values {
    known: Knowledge,
}

/// Production's values that an exchange introduces: its answer has them, its request does not, and their partners are
/// not known yet.
#[derive(Debug, Default)]
pub struct Introduced {
    values: Vec<(Place<'static>, Vec<u8>)>,
    keys: Vec<u64>,
    created: bool,
    /// The state of the table in which nothing in the answer's document could matter, if there was nothing.
    quiet: Option<u64>,
}

impl Introduced {
    /// The hashes of the values, as in [`Carried`].
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }
}

/// The values that a request has.
#[derive(Debug, Default)]
pub struct Carried {
    /// Hashes of identifiers.
    pub ids: Vec<u64>,
    /// Hashes of what a session is recognised by; of the connection, if the request has neither cookie nor credentials.
    pub session: Vec<u64>,
}

/// The state, as it is shown.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct KnownValues {
    /// Counts since the start.
    pub counters: Counters,
    /// Pairs that are remembered now.
    pub entries: u64,
    /// The bytes that they hold.
    pub bytes: u64,
    /// Kinds of things, and how many values of each were learned, the most first.
    pub kinds: Vec<(String, u64)>,
    /// The pairs that were used last.
    pub latest: Vec<Listed>,
}

/// One correspondence, as it is shown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed {
    /// The kind of thing, such as `order`.
    pub of: String,
    /// A keyed hash of production's value.
    pub production: String,
    /// A keyed hash of the shadow system's value; none where the value has no partner.
    pub shadow: Option<String>,
}

impl Values {
    /// Nothing is known yet.
    pub fn new(limits: TableLimits) -> Self {
        Self {
            known: Knowledge::new(limits),
        }
    }

    /// Counts since the start.
    pub fn counters(&self) -> Counters {
        self.known.counters
    }

    /// Entries, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.known.table().len(), self.known.table().bytes())
    }

    /// Forgets everything that was learned.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Kinds of things, and how many values of each were learned, the most first.
    pub fn kinds(&self) -> Vec<(String, u64)> {
        let mut all: Vec<_> = self
            .known
            .nouns()
            .map(|(name, learned)| (name.to_owned(), learned))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }

    /// The state, with so many pairs of those that were used last.
    pub fn shown(&self, redactor: &Redactor, most: usize) -> KnownValues {
        let (entries, bytes) = self.size();
        KnownValues {
            counters: self.counters(),
            entries: entries as u64,
            bytes: bytes as u64,
            kinds: self.kinds(),
            latest: self.list(redactor, most),
        }
    }

    /// The latest used entries, by keyed hashes.
    pub fn list(&self, redactor: &Redactor, most: usize) -> Vec<Listed> {
        let entries = self.known.table().entries();
        let entries = entries.filter(|entry| entry.state != State::Older).take(most);
        let listed = entries.map(|entry| Listed {
            of: self.known.noun_at(entry.home).unwrap_or("(current)").to_owned(),
            production: redactor.keyed(entry.production),
            shadow: (entry.state != State::Lost).then(|| redactor.keyed(entry.shadow)),
        });
        listed.collect()
    }

    /// The values that the request of an exchange has.
    pub fn carried(&self, exchange: &Exchange) -> Carried {
        let mut carried = Carried::default();
        message::visit_request(&exchange.request, &mut |place, value| {
            let is_session =
                place.noun.starts_with("cookie ") || place.noun.eq_ignore_ascii_case("authorization");
            let key = self.known.key(place, value);
            if is_session {
                carried.session.push(key);
            } else if is_followed(place, value) && carried.ids.len() < FOLLOWED {
                carried.ids.push(key);
            }
            None
        });
        if carried.session.is_empty() {
            let client = exchange.flow.client;
            let text = format!("{client:?} {}", exchange.flow.server.port);
            let connection = Place {
                role: Role::Current,
                noun: "connection".into(),
            };
            carried.session.push(self.known.key(&connection, text.as_bytes()));
        }
        carried
    }

    /// The values that production's answer introduces. Without an answer there are none.
    pub fn introduced(&mut self, exchange: &Exchange, now: Timestamp) -> Introduced {
        let Some(answer) = &exchange.response else {
            return Introduced::default();
        };
        let created = is_creation(exchange, answer.status);
        if answer.status >= 400 {
            return Introduced::default();
        }
        let path = message::path(&exchange.request);
        let mut found: HashMap<u64, (Place<'static>, Vec<u8>)> = HashMap::new();
        let document = message::document_of(&answer.headers, &answer.body);
        let is_known = |value: &[u8]| self.known.may_have(value);
        // A read introduces only what is unique, or a token.
        let matters = created
            || document
                .as_ref()
                .is_some_and(|document| document.may_matter(&is_known));
        let document = document.filter(|_| matters);
        let quiet = (!matters).then(|| self.known.table().added());
        let known = &mut self.known;
        let mut visit = |place: &Place<'_>, value: &[u8]| {
            if found.len() < FOLLOWED && is_new(place, value, created) {
                let key = known.key(place, value);
                if !found.contains_key(&key) && known.partner(place, value, now) == Partner::Unknown {
                    found.insert(key, (place.to_static(), value.to_vec()));
                }
            }
            None
        };
        message::visit_answer((&answer.headers, document.as_ref()), &path, &mut visit);
        if !found.is_empty() {
            let own = self.request_keys(exchange);
            found.retain(|key, _| !own.contains(key));
        }
        Introduced {
            keys: found.keys().copied().collect(),
            values: found.into_values().collect(),
            created,
            quiet,
        }
    }

    /// The exchange will have no answer of the shadow system: requests that depend on its values cannot be sent. A
    /// value that was only read may be the same in both systems, so it is not lost.
    pub fn lost(&mut self, introduced: &Introduced, now: Timestamp) {
        for (place, value) in &introduced.values {
            if introduced.created || matches!(place.role, Role::Token | Role::Current) {
                self.known.lose(place, value, now);
            }
        }
    }

    /// An exchange was not captured whole: values that its answer introduced are not known. From now on values that
    /// were not seen before have no certain partner.
    pub fn missed(&mut self, exchange: Option<&Exchange>) {
        let path = exchange
            .filter(|exchange| !gate::is_safe(&exchange.request))
            .map(|exchange| message::path(&exchange.request));
        let noun = path.as_deref().map(|path| Place {
            role: Role::Id,
            noun: place::Segments::subject(path),
        });
        self.known.miss(noun.as_ref());
    }

    /// Whether a change depends on an entity tag of which nothing is known although tags of that resource are learned.
    pub fn has_unknown_tag(&mut self, exchange: &Exchange, now: Timestamp) -> bool {
        let path = message::path(&exchange.request);
        let mut is_unknown = false;
        for tags in exchange.request.headers.get_all("if-match") {
            edit::etags(tags, &path, &mut |place, tag| {
                is_unknown |= tag != b"*" && self.known.partner(place, tag, now) == Partner::None;
                // All of them are visited.
                Some(tag.to_vec())
            });
        }
        is_unknown
    }

    /// The validator to send in place of production's, if it is known as a whole.
    pub fn validator(
        &mut self,
        exchange: &Exchange,
        name: &[u8],
        value: &[u8],
        now: Timestamp,
    ) -> Option<Bytes> {
        if !message::is_validator(name) {
            return None;
        }
        let path = message::path(&exchange.request);
        let made = edit::etags(
            value,
            &path,
            &mut |place, tag| match self.known.partner(place, tag, now) {
                Partner::Is(partner) => Some(partner),
                Partner::None | Partner::Unknown => None,
            },
        );
        made.map(Bytes::from)
    }

    /// Replaces production's values in a request; returns how many, or why it cannot be sent.
    pub fn substitute(&mut self, request: &mut ShadowRequest, now: Timestamp) -> Result<u64, SkipPolicy> {
        let mut replaced = 0u64;
        let mut is_lost = false;
        message::edit_request(request, &mut |place, value| {
            self.known.ask(place, value, now);
            match self.known.partner(place, value, now) {
                Partner::Is(partner) if partner == value => None,
                Partner::Is(partner) => {
                    replaced = replaced.saturating_add(1);
                    Some(partner)
                }
                Partner::None => {
                    is_lost = true;
                    None
                }
                Partner::Unknown => {
                    self.known.keep(place, value, now);
                    None
                }
            }
        });
        if is_lost {
            return Err(SkipPolicy::ValueUnknown);
        }
        let counters = &mut self.known.counters;
        counters.rewritten = counters.rewritten.saturating_add(u64::from(replaced > 0));
        counters.replaced = counters.replaced.saturating_add(replaced);
        Ok(replaced)
    }

    fn request_keys(&self, exchange: &Exchange) -> HashSet<u64> {
        let mut keys = HashSet::new();
        message::visit_request(&exchange.request, &mut |place, value| {
            if keys.len() < FOLLOWED {
                keys.insert(self.known.key(place, value));
            }
            None
        });
        keys
    }
}

/// The seed of hashes of content. A fixed one would let a client choose contents that are mistaken for each other; this
/// one is of the process.
fn seed() -> &'static RandomState {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    &SEED
}

/// Whether an exchange created something: it is no read, and production accepted it.
fn is_creation(exchange: &Exchange, status: u16) -> bool {
    !gate::is_safe(&exchange.request) && (200..400).contains(&status)
}

/// Whether other exchanges may depend on a value of a request.
fn is_followed(place: &Place<'_>, value: &[u8]) -> bool {
    match place.role {
        Role::Current => true,
        Role::Token => value.len() >= class::SHORTEST_UNIQUE,
        Role::Id => value.iter().any(u8::is_ascii_digit),
        Role::Bare => !place.is_plain() && value.iter().any(u8::is_ascii_digit),
    }
}

/// Whether a value of an answer can be one that its exchange introduced.
fn is_new(place: &Place<'_>, value: &[u8], created: bool) -> bool {
    let class = Class::of(value);
    match place.role {
        Role::Current => class != Class::Other,
        Role::Token => class.is_unique() || class::is_token(value),
        Role::Bare => class.is_unique(),
        Role::Id => class.is_unique() || created && known::is_local_id(value),
    }
}
