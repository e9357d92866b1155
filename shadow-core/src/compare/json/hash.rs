//! A hash for every value of a document, equal for equal values, so that array elements can be matched in linear
//! time.

use core::hash::BuildHasher as _;

use hashbrown::DefaultHashBuilder;

use crate::compare::{
    Arrays, Rules,
    paths::{Key, Level, PathSet, Walk},
};

use super::{
    number::Decimal,
    tape::{Kind, Tape, Value},
};

/// Hashes by the number of the value. Ignored places do not count; numbers, under a tolerance, count as being there.
pub(super) fn hashes(
    tape: &Tape<'_>,
    rules: &Rules,
    ignore: &PathSet,
    state: &DefaultHashBuilder,
) -> Vec<u64> {
    let (walk, level) = Walk::new(ignore);
    let mut hashing = Hashing {
        rules,
        state,
        walk,
        hashes: vec![0; tape.len()],
    };
    if let Some(root) = tape.root() {
        hashing.value(root, level);
    }
    hashing.hashes
}

struct Hashing<'h> {
    rules: &'h Rules,
    state: &'h DefaultHashBuilder,
    walk: Walk<'h>,
    hashes: Vec<u64>,
}

impl Hashing<'_> {
    fn value(&mut self, value: Value<'_>, level: Level) -> u64 {
        let kind = value.kind();
        let hash = match kind {
            Kind::Null | Kind::False | Kind::True => self.state.hash_one(kind as u8),
            Kind::Number if self.rules.tolerance.is_some() => self.state.hash_one(kind as u8),
            Kind::Number => self.state.hash_one((kind as u8, Decimal::new(value.raw()))),
            Kind::Plain | Kind::Escaped => self.state.hash_one((Kind::Plain as u8, value.string())),
            Kind::Array => self.array(value, level),
            Kind::Object => self.object(value, level),
        };
        if let Some(slot) = self.hashes.get_mut(value.index()) {
            *slot = hash;
        }
        hash
    }

    fn array(&mut self, array: Value<'_>, level: Level) -> u64 {
        let mut combined = 0u64;
        for (index, element) in array.elements().enumerate() {
            let Some(below) = self.walk.enter(level, Key::Index(index)) else {
                continue;
            };
            let hash = self.value(element, below);
            self.walk.leave(below);
            combined = match self.rules.arrays {
                Arrays::Ordered => self.state.hash_one((combined, hash)),
                Arrays::Unordered => combined.wrapping_add(self.state.hash_one(hash)),
            };
        }
        self.state.hash_one((Kind::Array as u8, combined))
    }

    /// Members have no order, so their hashes are added up.
    fn object(&mut self, object: Value<'_>, level: Level) -> u64 {
        let mut combined = 0u64;
        for (name, member) in object.members() {
            let name = name.string();
            let below = if level.is_closed() {
                Some(level)
            } else {
                self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&name)))
            };
            let Some(below) = below else { continue };
            let hash = self.value(member, below);
            if !level.is_closed() {
                self.walk.leave(below);
            }
            combined = combined.wrapping_add(self.state.hash_one((name, hash)));
        }
        self.state.hash_one((Kind::Object as u8, combined))
    }
}
