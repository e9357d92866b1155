//! The set of all values of a table, whatever their place.
//!
//! Owns: the answer whether a value may be in the table. Bounds: as many entries as the table has values. Bias: "yes",
//! where two values have the same hash.

use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

/// Bytes of one value, with the room that a table of hashes leaves.
pub(super) const OVERHEAD: usize = 2 * size_of::<(u32, u32)>() + 2;

/// The values.
#[derive(Debug, Default)]
pub(super) struct Members {
    state: DefaultHashBuilder,
    /// Hashes, and how many values have each.
    hashes: HashTable<(u32, u32)>,
    /// For the last five bits of a first byte: the lengths that have occurred. Nothing is taken back.
    forms: [u64; 32],
}

impl Members {
    pub(super) fn add(&mut self, value: &[u8]) {
        let hash = self.hash(value);
        if let Some(lengths) = self.forms.get_mut(form(value).0) {
            *lengths |= form(value).1;
        }
        let same = |known: &(u32, u32)| known.0 == hash;
        match self.hashes.entry(spread(hash), same, |known| spread(known.0)) {
            Entry::Occupied(mut known) => known.get_mut().1 = known.get().1.saturating_add(1),
            Entry::Vacant(free) => {
                free.insert((hash, 1));
            }
        }
    }

    pub(super) fn remove(&mut self, value: &[u8]) {
        let hash = self.hash(value);
        let Ok(mut known) = self.hashes.find_entry(spread(hash), |known| known.0 == hash) else {
            return;
        };
        let count = known.get().1.saturating_sub(1);
        if count == 0 {
            known.remove();
        } else {
            known.get_mut().1 = count;
        }
    }

    /// Whether a value may be one of them.
    pub(super) fn may_have(&self, value: &[u8]) -> bool {
        let (first, length) = form(value);
        if self.forms.get(first).is_none_or(|lengths| lengths & length == 0) {
            return false;
        }
        let hash = self.hash(value);
        self.hashes.find(spread(hash), |known| known.0 == hash).is_some()
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is one")]
    fn hash(&self, value: &[u8]) -> u32 {
        self.state.hash_one(value) as u32
    }
}

/// The first byte, and a bit for the length.
fn form(value: &[u8]) -> (usize, u64) {
    let first = value.first().copied().unwrap_or_default();
    (usize::from(first & 31), 1 << value.len().min(63))
}

/// The table looks at the highest bits, too.
fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_member_until_each_of_its_kind_is_removed() {
        let mut members = Members::default();
        members.add(b"8123");
        members.add(b"8123");
        assert!(members.may_have(b"8123"));
        assert!(!members.may_have(b"8124") && !members.may_have(b"") && !members.may_have(b"812"));
        members.remove(b"8123");
        assert!(members.may_have(b"8123"));
        members.remove(b"8123");
        members.remove(b"8123");
        assert!(!members.may_have(b"8123"));
    }
}
