//! The discrepancies of one exchange, up to a limit.

use super::{ABSENT, Category, Discrepancy, REDACTED};

/// Characters kept of a value. More than a report shows, so that redaction sees more of a secret than remains
/// afterwards.
pub(crate) const VALUE_CHARS: usize = 240;

/// Collects discrepancies; beyond the limit it only records that there were more.
#[derive(Debug)]
pub(crate) struct Findings {
    kept: Vec<Discrepancy>,
    limit: usize,
    more: bool,
    /// A prefix of every place: the part of the body that is compared.
    within: String,
    /// Whether production's values may be marks of redaction, which do not reveal the value.
    redacted: bool,
    /// Whether values are shown by their digest: their structure is unknown, and so is which parts are secret.
    hidden: bool,
    /// The port that the shadow system listens on.
    port: Option<u16>,
}

impl Findings {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            limit,
            more: false,
            within: String::new(),
            redacted: false,
            hidden: false,
            port: None,
        }
    }

    /// Sets whether a redacted production value matches any value.
    pub(crate) fn of_redacted(self, redacted: bool) -> Self {
        Self { redacted, ..self }
    }

    /// Sets the port that the shadow system listens on.
    pub(crate) fn of_port(self, port: Option<u16>) -> Self {
        Self { port, ..self }
    }

    /// The port that the shadow system listens on, if it is known.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether a value of production is unknown because it was redacted.
    pub(crate) fn is_redacted(&self, production: &[u8]) -> bool {
        self.redacted && memchr::memmem::find(production, REDACTED.as_bytes()).is_some()
    }

    /// Whether it would keep no more, so the search can stop.
    pub(crate) fn is_full(&self) -> bool {
        self.more
    }

    /// Whether it keeps nothing, and only detects whether there is a difference.
    pub(crate) fn is_probe(&self) -> bool {
        self.limit == 0
    }

    /// Whether the next one would be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.kept.len() < self.limit
    }

    /// Records that there are more than are kept.
    pub(crate) fn overflow(&mut self) {
        self.more = true;
    }

    pub(crate) fn push(
        &mut self,
        category: Category,
        place: impl Into<String>,
        production: impl Into<String>,
        shadow: impl Into<String>,
    ) {
        self.push_element(category, place, production, shadow, 1);
    }

    /// Adds a difference of an element with this many leaves, unless there are too many.
    pub(crate) fn push_element(
        &mut self,
        category: Category,
        place: impl Into<String>,
        production: impl Into<String>,
        shadow: impl Into<String>,
        leaves: u32,
    ) {
        let (production, shadow) = (production.into(), shadow.into());
        if self.redacted && is_unknown(category, &production, &shadow) {
            return;
        }
        if !self.has_room() {
            return self.overflow();
        }
        let (production, shadow) = if self.hidden {
            (digest(production), digest(shadow))
        } else {
            (production, shadow)
        };
        let place = match (self.within.as_str(), place.into()) {
            ("", place) => place,
            (within, place) if place == "body" => within.to_owned(),
            (within, place) => format!("{within} {place}"),
        };
        self.kept.push(Discrepancy {
            category,
            place,
            production,
            shadow,
            leaves,
        });
    }

    /// Looks for differences in a part of the body and prefixes their places with its name.
    pub(crate) fn within(&mut self, part: &str, look: impl FnOnce(&mut Self)) {
        let outside = self.within.len();
        if outside > 0 {
            self.within.push(' ');
        }
        self.within.push_str(part);
        look(self);
        self.within.truncate(outside);
    }

    /// Looks for differences whose values are shown by their digest. Their places must reveal nothing of the values.
    pub(crate) fn hiding(&mut self, look: impl FnOnce(&mut Self)) {
        let before = core::mem::replace(&mut self.hidden, true);
        look(self);
        self.hidden = before;
    }

    /// Whether values are shown by their digest.
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub(crate) fn finish(mut self) -> Vec<Discrepancy> {
        if self.more {
            self.kept.push(Discrepancy {
                category: Category::More,
                place: "response".to_owned(),
                production: format!("more than {} differences", self.limit),
                shadow: format!("more than {} differences", self.limit),
                leaves: 1,
            });
        }
        self.kept
    }
}

fn digest(value: String) -> String {
    if value == ABSENT {
        return value;
    }
    let hash = blake3::hash(value.as_bytes()).to_hex();
    format!("BLAKE3 {}", hash.get(..16).unwrap_or_default())
}

/// Whether both sides have a value, and production's is no longer known. An empty string is no value.
fn is_unknown(category: Category, production: &str, shadow: &str) -> bool {
    matches!(category, Category::Value | Category::Header)
        && production.contains(REDACTED)
        && ![ABSENT, "", "\"\""].contains(&shadow)
}

/// The beginning of a value as text: at most [`VALUE_CHARS`] characters, control characters shown as escapes, and
/// an ellipsis where something was cut.
pub(crate) fn shorten(value: &[u8]) -> String {
    // No character is longer than four bytes, so nothing after this can be shown.
    let head = value.get(..VALUE_CHARS.saturating_mul(4)).unwrap_or(value);
    let mut shown = String::new();
    let mut cut = head.len() < value.len();
    for (count, c) in String::from_utf8_lossy(head).chars().enumerate() {
        if count == VALUE_CHARS {
            cut = true;
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if cut {
        shown.push('…');
    }
    shown
}

/// As used in tests: category, place, both values.
#[cfg(test)]
pub(crate) fn stated(found: Vec<Discrepancy>) -> Vec<String> {
    found
        .into_iter()
        .map(|f| {
            format!(
                "{} {}: {} | {}",
                f.category.as_str(),
                f.place,
                f.production,
                f.shadow
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_on_a_character_and_say_so() {
        assert_eq!(shorten(b"plain"), "plain");
        assert_eq!(shorten(b"a\nb\x00"), "a\\nb\\u{0}");
        let long = "é".repeat(1000);
        assert_eq!(shorten(long.as_bytes()), "é".repeat(VALUE_CHARS) + "…");
        assert_eq!(
            shorten("é".repeat(VALUE_CHARS).as_bytes()),
            "é".repeat(VALUE_CHARS)
        );
        assert_eq!(shorten(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn a_redacted_value_passes_for_any_value_but_not_for_none() {
        let secret = "\"[redacted:1f9a03b2]\"";
        let mut findings = Findings::new(1).of_redacted(true);
        for _ in 0..3 {
            findings.push(Category::Value, "$.email", secret, "\"a@b.example\"");
        }
        findings.push(Category::Type, "$.email", secret, "null");
        assert_eq!(findings.finish().len(), 1);
        let mut live = Findings::new(1);
        live.push(Category::Value, "$.email", secret, "\"a@b.example\"");
        assert_eq!(live.finish().len(), 1);
    }

    #[test]
    fn past_the_limit_one_entry_says_more() {
        let mut findings = Findings::new(2);
        for number in 0..5 {
            findings.push(Category::Value, format!("$[{number}]"), "1", "2");
        }
        let kept = findings.finish();
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert_eq!(kept.last().map(|last| last.category), Some(Category::More));
        let mut exact = Findings::new(1);
        exact.push(Category::Value, "$", "1", "2");
        assert_eq!(exact.finish().len(), 1);
    }
}
