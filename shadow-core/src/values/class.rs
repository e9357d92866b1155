//! The class of a value by its form: whether it can stand for the same thing wherever it occurs.
//!
//! Bias: a value that a person may have written, such as a number, a word or a date, is never taken for unique.

/// The longest value that is learned, in bytes.
pub(super) const LONGEST: usize = 4096;

/// The shortest value that is looked up without regard to its place.
pub(super) const SHORTEST_UNIQUE: usize = 12;

/// Characters of a random text that are needed to take it for unique.
const RANDOM: usize = 16;

/// The class of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// 8-4-4-4-12 hexadecimal digits (RFC 9562).
    Uuid,
    /// A long text that looks random, with this many dots: parts of a JWT, for example.
    Random(u8),
    /// Digits alone.
    Digits,
    /// Any other value without white space.
    Word,
    /// Text, an empty value, or one that is too long.
    Other,
}

impl Class {
    pub(super) fn of(value: &[u8]) -> Self {
        if value.is_empty() || value.len() > LONGEST {
            return Self::Other;
        }
        if value.iter().all(u8::is_ascii_digit) {
            return Self::Digits;
        }
        if is_uuid(value) {
            return Self::Uuid;
        }
        if is_random(value) {
            let dots = memchr::memchr_iter(b'.', value).count();
            return Self::Random(u8::try_from(dots).unwrap_or(u8::MAX));
        }
        if value.iter().all(u8::is_ascii_graphic) {
            Self::Word
        } else {
            Self::Other
        }
    }

    /// Whether a value is the same thing wherever it occurs.
    pub(super) fn is_unique(self) -> bool {
        matches!(self, Self::Uuid | Self::Random(_))
    }
}

/// Whether two values have the same form, so that one may stand for the other.
pub(super) fn same_shape(a: &[u8], b: &[u8]) -> bool {
    let class = Class::of(a);
    let lengths = a.len().max(b.len()) <= a.len().min(b.len()).saturating_mul(2);
    class == Class::of(b) && lengths
}

/// Whether a byte is one of a word within a text.
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || !byte.is_ascii()
}

/// Whether a byte stands between the words of a text in which one may be an identifier.
pub(super) fn is_between_words(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'#'
}

/// Whether a value that a field calls a token can be one: long enough, of the characters of tokens, and no plain word.
pub(super) fn is_token(value: &[u8]) -> bool {
    let digits = value.iter().any(u8::is_ascii_digit);
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let lower = value.iter().any(u8::is_ascii_lowercase);
    (SHORTEST_UNIQUE..=LONGEST).contains(&value.len())
        && value.iter().all(|byte| is_token_byte(*byte))
        && (upper && lower || digits && (upper || lower))
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Base64 in both alphabets, hexadecimal digits, and the parts of a JWT or a signed cookie.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.=+/~:%".contains(&byte)
}

/// Whether letters and digits, or both cases, take turns as often as in random text. Words, dates and versions change
/// between them only at their borders.
fn is_random(value: &[u8]) -> bool {
    let clean = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.=+/~:".contains(byte);
    if value.len() < RANDOM || value.first() == Some(&b'/') || !value.iter().all(clean) {
        return false;
    }
    let (mut letters, mut digits, mut turns) = (0usize, 0usize, 0usize);
    let mut before = 0u8;
    for byte in value {
        let kind = match byte {
            b'0'..=b'9' => 1,
            b'a'..=b'z' => 2,
            b'A'..=b'Z' => 3,
            _ => continue,
        };
        letters = letters.saturating_add(usize::from(kind > 1));
        digits = digits.saturating_add(usize::from(kind == 1));
        // A capital and what follows it are one word.
        let turns_here = before != 0 && before != kind && (before, kind) != (3, 2);
        turns = turns.saturating_add(usize::from(turns_here));
        before = kind;
    }
    let needed = letters.saturating_add(digits).div_ceil(5).max(4);
    letters > 0 && digits > 0 && turns >= needed && !is_moment(value) && !has_scheme(value)
}

/// A date with a time (RFC 3339), with or without fractions of a second.
fn is_moment(value: &[u8]) -> bool {
    let digit = |at: usize| value.get(at).is_some_and(u8::is_ascii_digit);
    digit(0) && digit(3) && digit(5) && value.get(4) == Some(&b'-') && value.get(7) == Some(&b'-')
        || digit(1) && value.get(2) == Some(&b':')
}

fn has_scheme(value: &[u8]) -> bool {
    memchr::memmem::find(value, b"://").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_by_hand_is_unique() {
        for unique in [
            "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "4f3c2a9be01d47758c6b",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "8sdf7hg2kq9wz1m4x0c5v6b3n7l2p8q1",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27u",
            "507f1f77bcf86cd799439011",
        ] {
            assert!(Class::of(unique.as_bytes()).is_unique(), "{unique}");
        }
        for common in [
            "7",
            "12345678901234567890",
            "shipping",
            "summer-sale-2024-03-01-v2",
            "2026-11-30T22:10:00.123456+00:00",
            "20261130T221000Z",
            "ModelX2000ProductSeries",
            "http://a1b2.example/c3d4e5f6g7h8i9",
            "/a1b2c3d4e5f6g7h8",
            "two words with 1 digit and 2 more",
            "",
        ] {
            assert!(!Class::of(common.as_bytes()).is_unique(), "{common}");
        }
    }

    #[test]
    fn a_shape_is_the_class_and_about_the_length() {
        let uuid = b"6f9619ff-8b86-d011-b42d-00cf4fc964ff";
        assert!(same_shape(b"8123", b"977"));
        assert!(!same_shape(b"8123", b"ORD-8"));
        assert!(!same_shape(uuid, b"8123"));
        assert!(same_shape(uuid, b"00000000-8b86-d011-b42d-00cf4fc964f1"));
        assert!(!same_shape(b"1", b"9999999999"), "nor a counter and a timestamp");
    }
}
