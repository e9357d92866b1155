//! A hash for every value of a document, equal for equal values, so that array elements can be matched in linear
//! time.

use std::borrow::Cow;

use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashSet};

use crate::compare::{
    leaf::{self, Class, Leaf},
    paths::Key,
    rules::{Added, Nulls},
    scope::{Level, Matching, Scope, Walk},
};

use super::tape::{Kind, Tape, Value};

/// Hashes and weights of the values of one document, by their number.
#[derive(Debug)]
pub(super) struct Hashes {
    /// Equal for equal values, under the rules. Ignored places are left out.
    pub(super) of: Vec<u64>,
    /// The order of values with the same hash; empty unless rules let different values be equal.
    pub(super) weights: Vec<f64>,
}

impl Hashes {
    pub(super) fn hash(&self, value: Value<'_>) -> u64 {
        self.of.get(value.index()).copied().unwrap_or_default()
    }

    pub(super) fn weight(&self, value: Value<'_>) -> f64 {
        self.weights.get(value.index()).copied().unwrap_or_default()
    }
}

/// Names of members that may be left out where the objects of the other document have no member of that name.
pub(super) type Names<'d> = HashSet<Cow<'d, [u8]>>;

/// The state of the rules walk at the start of a document.
#[derive(Debug)]
pub(super) struct At<'s> {
    pub(super) scope: &'s Scope<'s>,
    pub(super) walk: Walk<'s>,
    pub(super) level: Level<'s>,
}

/// Hashes one document. With `known`, members with other names are left out where added ones are allowed.
pub(super) fn hashes(
    At { scope, walk, level }: At<'_>,
    tape: &Tape<'_>,
    known: Option<&Names<'_>>,
    state: &DefaultHashBuilder,
) -> Hashes {
    let mut hashing = Hashing {
        state,
        walk,
        known,
        hashes: Hashes {
            of: vec![0; tape.len()],
            weights: vec![0.0; if scope.is_loose() { tape.len() } else { 0 }],
        },
    };
    if let Some(root) = tape.root() {
        hashing.value(root, level);
    }
    hashing.hashes
}

/// All member names of a document.
pub(super) fn names<'d>(tape: &'d Tape<'d>) -> Names<'d> {
    tape.values()
        .filter(|value| value.kind() == Kind::Object)
        .flat_map(Value::members)
        .map(|(name, _)| name.string())
        .collect()
}

struct Hashing<'h, 's> {
    state: &'h DefaultHashBuilder,
    walk: Walk<'s>,
    known: Option<&'h Names<'h>>,
    hashes: Hashes,
}

impl<'s> Hashing<'_, 's> {
    /// The hash and the weight of a value.
    fn value(&mut self, value: Value<'_>, level: Level<'s>) -> (u64, f64) {
        let kind = value.kind();
        let (hash, weight) = match kind {
            Kind::Null | Kind::False | Kind::True => (self.state.hash_one(kind as u8), 0.0),
            Kind::Number => self.leaf(&level, Leaf::Number(value.raw())),
            Kind::Plain | Kind::Escaped => match core::str::from_utf8(&value.string()) {
                Ok(text) => self.leaf(&level, Leaf::Text(text)),
                Err(_) => (self.state.hash_one((kind as u8, value.string())), 0.0),
            },
            Kind::Array => self.array(value, level),
            Kind::Object => self.object(value, level),
        };
        if let Some(slot) = self.hashes.of.get_mut(value.index()) {
            *slot = hash;
        }
        if let Some(slot) = self.hashes.weights.get_mut(value.index()) {
            *slot = weight;
        }
        (hash, weight)
    }

    fn leaf(&self, level: &Level<'_>, leaf: Leaf<'_>) -> (u64, f64) {
        let Class { hash, weight } = leaf::class(level, leaf, self.state);
        (hash, weight.unwrap_or_default())
    }

    fn array(&mut self, array: Value<'_>, level: Level<'s>) -> (u64, f64) {
        let mut weights = 0.0;
        let mut hashes = Vec::with_capacity(array.len());
        for (index, element) in array.elements().enumerate() {
            let below = self.walk.enter(level, Key::Item(index, array.len(), element));
            if below.ignored.is_none() {
                let (hash, weight) = self.value(element, below);
                hashes.push(hash);
                weights += weight;
            }
            self.walk.leave(below);
        }
        if !matches!(level.matching, Matching::Ordered) {
            hashes.sort_unstable();
        }
        if matches!(level.matching, Matching::Set) {
            hashes.dedup();
        }
        (self.state.hash_one((Kind::Array as u8, hashes)), weights)
    }

    /// Members have no order, so their hashes are added up.
    fn object(&mut self, object: Value<'_>, level: Level<'s>) -> (u64, f64) {
        let (mut combined, mut weights) = (0u64, 0.0);
        for (name, member) in object.members() {
            let name = name.string();
            let below = if level.is_closed() {
                self.walk.below(level)
            } else {
                self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&name)))
            };
            let left_out = below.ignored.is_some()
                || (member.kind() == Kind::Null && below.below.nulls == Nulls::Missing)
                || (below.below.added == Added::Allow
                    && self.known.is_some_and(|known| !known.contains(&name)));
            if !left_out {
                let (hash, weight) = self.value(member, below);
                let hash = self.state.hash_one((&name, hash));
                combined = combined.wrapping_add(hash);
                // Each name has its own factor; otherwise a surplus in one member could offset a deficit in another.
                weights += weight
                    * (1.0 + f64::from(u8::try_from(self.state.hash_one(&name) & 0xff).unwrap_or(0)) / 97.0);
            }
            self.walk.leave(below);
        }
        (self.state.hash_one((Kind::Object as u8, combined)), weights)
    }
}
