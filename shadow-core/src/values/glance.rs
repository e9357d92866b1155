//! A quick look at a JSON document: whether any value in it can matter.
//!
//! Owns: the answer "no" at a small part of the cost of reading the document. Bias: "yes" where it would take more than
//! a look. Bounds: one pass over the text.

use super::{
    class::{Class, SHORTEST_UNIQUE, is_word_byte},
    edit::is_reference,
    place::{TOKENS, is_token_name},
};

/// Properties of bytes besides their letters, which are the lowest 26 bits, without regard to case.
const DIGIT: u32 = 1 << 26;
const UPPER: u32 = 1 << 27;
const LOWER: u32 = 1 << 28;
/// A blank, or a `#`, between the words of a text.
const BLANK: u32 = 1 << 29;
/// The end of a string, or the beginning of an escape in it.
const END: u32 = 1 << 30;

/// The properties of each byte.
const PROPERTIES: [u32; 256] = {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < all.len() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "a byte is an index"
        )]
        {
            all[byte] = properties(byte as u8);
        }
        byte = byte.wrapping_add(1);
    }
    all
};

const fn properties(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' => LOWER | 1 << (byte.wrapping_sub(b'a')),
        b'A'..=b'Z' => UPPER | 1 << (byte.wrapping_sub(b'A')),
        b'0'..=b'9' => DIGIT,
        b'"' | b'\\' => END,
        b'#' | b' ' | b'\t' | b'\n' | b'\r' => BLANK,
        _ => 0,
    }
}

/// The letters of each word that makes a name one of a token.
const LETTERS: [u32; TOKENS.len()] = {
    let mut all = [0; TOKENS.len()];
    let mut word = 0;
    while word < all.len() {
        let mut at = 0;
        #[expect(clippy::indexing_slicing, reason = "within both lengths")]
        while at < TOKENS[word].len() {
            all[word] |= properties(TOKENS[word].as_bytes()[at]) & (DIGIT - 1);
            at = at.wrapping_add(1);
        }
        word = word.wrapping_add(1);
    }
    all
};

fn of(byte: u8) -> u32 {
    PROPERTIES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Whether a document has a field for tokens, a value that is unique wherever it occurs, or one of those that are
/// known.
pub(super) fn may_matter(text: &[u8], is_known: &impl Fn(&[u8]) -> bool) -> bool {
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match first {
            b'"' => {
                let mut found = 0;
                let end = behind.iter().position(|byte| {
                    found |= of(*byte);
                    found & END != 0
                });
                let Some((value, behind)) = end.and_then(|end| behind.split_at_checked(end)) else {
                    return true;
                };
                // An escaped string is not written as its value.
                let Some(behind) = behind.strip_prefix(b"\"") else {
                    return true;
                };
                rest = behind;
                let matters = if rest.first() == Some(&b':') {
                    name_matters(value, found)
                } else {
                    string_matters(value, found, is_known)
                };
                if matters {
                    return true;
                }
            }
            b'0'..=b'9' => {
                let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
                let end = rest.iter().position(|byte| !is_in(byte)).unwrap_or(rest.len());
                let (number, behind) = rest.split_at_checked(end).unwrap_or_default();
                if is_known(number) {
                    return true;
                }
                rest = behind;
            }
            _ => rest = behind,
        }
    }
    false
}

fn name_matters(name: &[u8], found: u32) -> bool {
    let may_be = LETTERS.iter().any(|letters| found & letters == *letters);
    may_be && core::str::from_utf8(name).is_ok_and(is_token_name)
}

/// `found` are the properties of the bytes of the string.
fn string_matters(value: &[u8], found: u32, is_known: &impl Fn(&[u8]) -> bool) -> bool {
    let has_both = found & UPPER != 0 && found & LOWER != 0;
    // An identifier has a digit, and a token without one both cases.
    if found & DIGIT == 0 && !(has_both && value.len() >= SHORTEST_UNIQUE) {
        return false;
    }
    if is_known(value) || value.len() >= SHORTEST_UNIQUE && Class::of(value).is_unique() {
        return true;
    }
    let may_be_reference = matches!(value.first(), Some(b'/' | b'h'));
    if may_be_reference && core::str::from_utf8(value).is_ok_and(is_reference) {
        return value
            .split(|byte| matches!(byte, b'/' | b'?' | b'&' | b'=' | b'#'))
            .any(|part| part.contains(&b'%') || is_known(part) || Class::of(part).is_unique());
    }
    found & BLANK != 0
        && value
            .split(|byte| !is_word_byte(*byte))
            .filter(|word| word.iter().any(u8::is_ascii_digit))
            .any(|word| is_known(word) || Class::of(word).is_unique())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matters(text: &str) -> bool {
        may_matter(text.as_bytes(), &|value| value == b"8123" || value == b"a 1")
    }

    #[test]
    fn a_known_value_is_seen_in_every_notation() {
        for text in [
            r#"{"id":8123}"#,
            "[1, 8123]",
            "8123",
            r#"{"id" : "8123" }"#,
            r#"{"link":"/orders/8123/lines"}"#,
            r#"{"link":"http://a.example/orders?id=8123"}"#,
            r#"{"text":"Order #8123 was paid"}"#,
            r#"{"name":"a 1"}"#,
        ] {
            assert!(matters(text), "{text}");
        }
        assert!(!matters(
            r#"{"8123":1,"id":81230,"price":8123.5,"link":"/a/b","at":"2026-12-01T10:00:00Z"}"#
        ));
    }

    #[test]
    fn what_is_no_plain_value_is_read_as_a_whole() {
        for text in [
            r#"{"a":"\u0038123"}"#,
            r#"{"link":"/a/%38123"}"#,
            r#"{"next_Cursor":"x"}"#,
            r#"{"XSRF":"x"}"#,
            r#"{"a":"6f9619ff-8b86-d011-b42d-00cf4fc964ff"}"#,
            r#"{"a":"/x/6f9619ff-8b86-d011-b42d-00cf4fc964ff"}"#,
            r#"{"a":"b"#,
        ] {
            assert!(matters(text), "{text}");
        }
    }
}
