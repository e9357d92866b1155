//! Identifiers within texts: `Order #8123 was paid`.

use shadow_proto::time::Timestamp;

use super::{
    super::{
        class::{Class, is_word_byte},
        place::{self, Place, Role},
        table::Space,
    },
    Knowledge,
};

/// Parts of a text that are read: words, and what is between them.
const PARTS: usize = 1024;

impl Knowledge {
    /// Whether two texts differ only in words that correspond. A word that is not unique everywhere must stand behind
    /// the name of its kind or a `#`: alone it may be a count or a price.
    pub(in crate::values) fn same_words(
        &mut self,
        (production, shadow): (&[u8], &[u8]),
        now: Timestamp,
    ) -> bool {
        if self.is_empty() {
            return false;
        }
        let (ours, theirs) = (parts(production), parts(shadow));
        if ours.len() != theirs.len() || ours.len() > PARTS {
            return false;
        }
        // The last two words.
        let mut before: [&[u8]; 2] = [b"", b""];
        let mut is_numbered = false;
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            if ours != theirs && !self.corresponds((ours, theirs), before, is_numbered, now) {
                return false;
            }
            if ours.first().is_some_and(|byte| is_word_byte(*byte)) {
                before = [before[1], ours];
            } else {
                is_numbered = ours.ends_with(b"#");
            }
        }
        true
    }

    fn corresponds(
        &mut self,
        (production, shadow): (&[u8], &[u8]),
        before: [&[u8]; 2],
        is_numbered: bool,
        now: Timestamp,
    ) -> bool {
        let is_pair = |known: &mut Self, space| {
            let entry = known.table.find(space, production, now);
            entry.is_some_and(|entry| entry.state.is_pair() && entry.shadow == shadow)
        };
        if Class::of(production).is_unique() {
            return is_pair(self, Space::EVERYWHERE);
        }
        if !production.first().is_some_and(|byte| is_word_byte(*byte)) {
            return false;
        }
        let is_named = before.iter().any(|name| {
            let name = String::from_utf8_lossy(name);
            let place = Place {
                role: Role::Id,
                noun: place::singular(&name),
            };
            let space = self.space(&place);
            is_pair(self, space)
        });
        is_named || is_numbered && self.corresponds_elsewhere((production, shadow), now)
    }
}

/// The words of a text, and what is between them.
fn parts(text: &[u8]) -> Vec<&[u8]> {
    text.chunk_by(|a, b| is_word_byte(*a) == is_word_byte(*b))
        .take(PARTS + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{super::TableLimits, *};

    const NOW: Timestamp = Timestamp::from_nanos(1);

    #[test]
    fn an_identifier_in_a_text_stands_behind_its_name() {
        let mut known = Knowledge::new(TableLimits {
            entries: 10,
            bytes: 1 << 20,
            ttl: Duration::from_hours(1),
        });
        let order = Place::field("order", "id");
        known.learn(&order, (b"100", b"7"), (true, true), NOW);
        let mut same = |ours: &str, theirs: &str| known.same_words((ours.as_bytes(), theirs.as_bytes()), NOW);
        assert!(same("Order 100 is paid", "Order 7 is paid"));
        assert!(same("Orders: #100, again 1", "Orders: #7, again 1"));
        assert!(!same("Order 100 is paid", "Order 8 is paid"));
        assert!(!same("Order 100 is paid", "Order 7 is late"));
        assert!(!same("100 Euro", "7 Euro"), "a price");
        assert!(!same("Order of 2 for 100", "Order of 2 for 7"));
        assert!(!same("Order 100", "Order 7 7"));
    }
}
