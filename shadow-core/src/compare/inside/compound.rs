//! Comparison of composed identifiers by part: `order_5f2a90c1`, `arn:aws:s3:eu:12:9c1c09e9`, `f3a0c9d8@shop.example`.
//!
//! Bias: dates, addresses and identifiers of one kind are values of their own and are not split. A text is composed
//! only if it has a word, and a part that is new each time. Parts of the form of such a part, but for UUIDs, are one
//! value with the whole text: a process number in it is the same each time, and means nothing.

use super::{Texts, words};
use crate::compare::{findings::shorten, rules::is_uuid};

/// Parts of one identifier.
const MAX_PARTS: usize = 16;

/// Letters of a word; a longer part may be random.
const WORD: usize = 11;

/// Compares two composed identifiers; false when one of the texts is no such identifier, or they are composed
/// differently.
pub(super) fn compare(texts: &mut Texts<'_, '_>) -> bool {
    let (a, b) = (texts.production, texts.shadow);
    let (Some(left), Some(right)) = (split(a), split(b)) else {
        return false;
    };
    let alike = left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| a.gap == b.gap);
    let named = |parts: &[Part<'_>]| parts.iter().any(|part| is_word(part.text));
    // Without a part that is new each time, the whole is a name: `room-3`.
    let any_new = left
        .iter()
        .zip(&right)
        .any(|(a, b)| is_new(a.text) && is_new(b.text));
    if !alike || !any_new || !named(&left) || !named(&right) {
        return false;
    }
    let of_one_answer = |part: &str| is_new(part) && uuid(part).is_none();
    let mut is_whole = false;
    for (number, (a, b)) in (1usize..).zip(left.iter().zip(&right)) {
        if of_one_answer(a.text) && of_one_answer(b.text) {
            is_whole |= a.text != b.text;
        } else if a.text != b.text {
            texts.composed(Some(number));
        }
    }
    if is_whole {
        texts.composed(None);
    }
    true
}

impl Texts<'_, '_> {
    /// A part that differs, or the text because of those that are new. The whole text is shown: its form says whether
    /// it is a secret.
    fn composed(&mut self, number: Option<usize>) {
        // All parts are one value.
        let leaves = u32::from(self.parts == 0);
        self.parts = self.parts.saturating_add(1);
        let part = number.map(|number| format!("word {number}"));
        if !part.as_ref().is_some_and(|part| self.without.leave_out(part)) {
            let place = match part {
                Some(part) => format!("{} {part}", self.place),
                None => self.place.to_owned(),
            };
            let [a, b] = [self.production, self.shadow].map(|text| shorten(text.as_bytes()));
            self.findings.push_element(self.category, place, a, b, leaves);
        }
    }
}

struct Part<'t> {
    text: &'t str,
    /// The characters after it.
    gap: &'t str,
}

/// Letters and digits, and what is between them; a UUID, a date and an address are one part each. `None` for one part,
/// for text with blanks, and for more than a few parts.
fn split(text: &str) -> Option<Vec<Part<'_>>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    if !rest.starts_with(char::is_alphanumeric) || text.contains(char::is_whitespace) {
        return None;
    }
    while !rest.is_empty() {
        let word = || rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let length = uuid(rest).or_else(|| number(rest)).unwrap_or_else(word);
        let (text, behind) = rest.split_at_checked(length)?;
        let next = behind.find(char::is_alphanumeric).unwrap_or(behind.len());
        let (gap, behind) = behind.split_at_checked(next)?;
        parts.push(Part { text, gap });
        rest = behind;
        if parts.len() > MAX_PARTS {
            return None;
        }
    }
    (parts.len() > 1).then_some(parts)
}

/// The length of the UUID that a text begins with.
fn uuid(text: &str) -> Option<usize> {
    const LENGTH: usize = 36;
    let (uuid, rest) = text.split_at_checked(LENGTH)?;
    (is_uuid(uuid.as_bytes()) && !rest.starts_with(char::is_alphanumeric)).then_some(LENGTH)
}

/// The length of the date, the time, the address or the version that a text begins with: groups of digits.
fn number(text: &str) -> Option<usize> {
    let dated = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z' | ':' | '.' | '-' | '+');
    let is_date = text.bytes().take(10).enumerate().all(|(at, byte)| {
        if matches!(at, 4 | 7) {
            byte == b'-'
        } else {
            byte.is_ascii_digit()
        }
    });
    let grouped = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.');
    let end = |kind: &dyn Fn(char) -> bool| text.find(|c| !kind(c)).unwrap_or(text.len());
    let end = if is_date && text.len() >= 10 {
        end(&dated)
    } else {
        end(&grouped)
    };
    let digits = text
        .get(..end)?
        .trim_end_matches(|c: char| !c.is_ascii_digit() && c != 'Z');
    let ends = !text.get(digits.len()..)?.starts_with(char::is_alphanumeric);
    (ends && digits.contains(['.', ':', '-'])).then_some(digits.len())
}

/// Whether a part is new each time. By chance, an identifier may have no digit.
fn is_new(part: &str) -> bool {
    const HEX: usize = 8;
    let hex = part.len() >= HEX && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex || part.chars().count() > WORD || words::is_volatile(part)
}

/// Whether a part is a word: only letters, some and not many, and no hexadecimal digits by chance.
fn is_word(part: &str) -> bool {
    let letters = part.chars().all(char::is_alphabetic);
    letters
        && (2..=WORD).contains(&part.chars().count())
        && !part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{
        Category,
        findings::{Findings, stated},
    };

    fn differ(a: &str, b: &str) -> (bool, Vec<String>) {
        let mut findings = Findings::new(20);
        let done = compare(&mut Texts::new("$.x", [a, b], Category::Value, &mut findings));
        (done, stated(findings.finish()))
    }

    #[test]
    fn a_composed_identifier_differs_by_part() {
        for (a, b, words) in [
            (
                "order:5f2a90c1-1c2d-4e5f-8a9b-0c1d2e3f4a5b",
                "order:0b4b7f3e-1c2d-4e5f-8a9b-0c1d2e3f4a5b",
                &[2][..],
            ),
            ("order_5f2a90c1", "item_0b4b7f3e", &[1, 0]),
            ("web-0000a3f1-000123", "web-0000b7c2-000456", &[3, 0]),
            ("arn:s3:eu:123:9c1c09e9", "arn:s3:eu:999:9c1c09e8", &[4, 0]),
            ("f3a0c9d8@shop.example", "f3a0c9d8@evil.example", &[2]),
            (
                "ts=2025-10-09T08:55:54.059298Z",
                "at=2025-10-09T08:05:05.378596+02:00",
                &[1, 0],
            ),
            ("node-10.0.0.1:80", "host-10.0.0.12:80", &[1, 0]),
        ] {
            let place = |word: &i32| match word {
                0 => "$.x".to_owned(),
                word => format!("$.x word {word}"),
            };
            let found = words
                .iter()
                .map(|word| format!("value {}: {a} | {b}", place(word)));
            assert_eq!(differ(a, b), (true, found.collect()), "{a}");
        }
    }

    #[test]
    fn other_values_are_not_split() {
        for (a, b) in [
            ("2025-10-09T08:55:54.059298Z", "2025-10-09T08:05:05.378596Z"),
            ("10.0.0.1", "10.0.0.2"),
            ("ab:12:cd:00:9f:fe", "00:12:cd:ab:9f:fe"),
            (
                "5f2a90c1-1c2d-4e5f-8a9b-0c1d2e3f4a5b",
                "0b4b7f3e-1c2d-4e5f-8a9b-0c1d2e3f4a5b",
            ),
            ("order_5f2a", "order-5f2a"),
            ("order_5f2a", "order_5f_2a"),
            ("well-known", "well-done"),
            ("12ms", "15s"),
            ("room-3", "series-7"),
            ("p-000012ab-000123", "r-00008cd1-000099"),
            ("V1StGXR8Z5jdHi6BmyT", "bQ3StGXR8Z5jdHi6Bmy"),
            ("", "a_1"),
        ] {
            assert_eq!(differ(a, b), (false, Vec::new()), "{a} {b}");
        }
    }
}
