//! Small files that expand to very large ones: YAML aliases in lists of aliases.
//!
//! The reader limits how often it follows an alias, but not the size of its value. So the values are counted first,
//! without keeping any; a file with more than [`MOST`] values is refused.

use core::{cell::Cell, fmt};

use serde::{Deserializer as _, de};

/// Values of one file with all aliases expanded.
const MOST: usize = 100_000;

/// The message for a file that expands to too much. A file that cannot be parsed is left to the reader.
pub(super) fn bomb(text: &str) -> Option<String> {
    let left = Cell::new(MOST);
    let read = serde_yaml_ng::Deserializer::from_str(text).deserialize_any(Values(&left));
    (read.is_err() && left.get() == 0).then(|| {
        format!("the file expands to more than {MOST} values, which no configuration has; look at its lists and aliases (*name)")
    })
}

/// Counts values down.
#[derive(Clone, Copy)]
struct Values<'c>(&'c Cell<usize>);

impl<'de> de::DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        let left = self.0.get().saturating_sub(1);
        self.0.set(left);
        if left == 0 {
            return Err(de::Error::custom("too many values"));
        }
        from.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i128<E>(self, _: i128) -> Result<(), E> {
        Ok(())
    }

    fn visit_u128<E>(self, _: u128) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: de::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        de::DeserializeSeed::deserialize(self, from)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry_seed(self, self)?.is_some() {}
        Ok(())
    }

    /// A value with a tag.
    fn visit_enum<A: de::EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let ((), value) = tagged.variant_seed(self)?;
        de::VariantAccess::newtype_variant_seed(value, self)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, example};

    /// The message for a file that is refused.
    fn refused(text: &str) -> String {
        let error = Config::parse(Path::new("a.yaml"), text).expect_err("no configuration");
        error.to_string()
    }

    #[test]
    fn aliases_that_stand_for_too_much_are_refused() {
        let routes = |count: usize| {
            let items = "'$.a',".repeat(1_000);
            let entries = "{route: /a, ignore: *list},".repeat(count);
            format!("compare: {{ignore: &list [{items}], routes: [{entries}]}}")
        };
        assert!(refused(&routes(200)).contains("more than 100000 values"));
        // Few aliases are fine.
        let few = Config::parse(Path::new("a.yaml"), &routes(20)).expect("a configuration");
        assert_eq!(few.compare.routes.len(), 20);
        // A billion laughs, where the reader itself would build them.
        let laughs = ["b", "c", "d", "e", "f", "g", "h"]
            .iter()
            .zip("abcdefg".chars())
            .map(|(name, of)| format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(",")))
            .fold("a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |all, line| {
                all + &line
            });
        assert!(refused(&laughs).contains("more than 100000 values"));
        Config::parse(Path::new("example"), example::EXAMPLE).expect("the example is no bomb");
    }

    #[test]
    fn oddities_end_with_a_short_message() {
        /// The reader's work grows with the square of some of these: a megabyte would take minutes.
        const LONG: usize = 16 << 10;
        for text in [
            "[".repeat(LONG),
            "{a: ".repeat(LONG / 4),
            "- ".repeat(LONG / 2),
            "? ".repeat(LONG / 2),
            format!("{}: 1", "k".repeat(LONG)),
            format!("shadow: {{{}: 1}}", "k".repeat(LONG)),
            format!("shadow: {{url: {}}}", "u".repeat(LONG)),
            "&a ".repeat(LONG / 4),
            "a: &a\n".repeat(LONG / 8),
            "!".repeat(LONG),
            "\"\\x".repeat(LONG / 4),
            "<<: *a\n".repeat(LONG / 16),
        ] {
            // Some of these expand to nothing, and are valid configurations.
            if let Err(error) = Config::parse(Path::new("a.yaml"), &text) {
                let said = error.to_string();
                let start: String = said.chars().take(80).collect();
                assert!(
                    said.len() < 20_000 && said.starts_with("a.yaml:"),
                    "{} bytes: {start}",
                    said.len()
                );
            }
        }
    }
}
