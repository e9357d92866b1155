//! Judgement of values where a name alone does not decide.

/// The meaning of a name for its value. Ordered: greater hides more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Says {
    Nothing,
    /// It is secret when it looks random.
    IfRandom,
    /// It is secret when it may be an identifier or a code.
    IfLikely,
    /// It is secret, unless it is a small number: `"tokens": 128`.
    UnlessCount,
    Secret,
}

/// Most digits of a count.
const COUNT: usize = 6;

impl Says {
    /// Whether this value is hidden. A value without information never is, so that the difference stays visible.
    pub(super) fn hides(self, value: &str) -> bool {
        let value = value.trim();
        if matches!(value, "" | "null" | "true" | "false") {
            return false;
        }
        match self {
            Self::Nothing => false,
            Self::IfRandom => value.split_whitespace().any(is_random),
            Self::IfLikely => value.split_whitespace().any(is_likely),
            Self::UnlessCount => value.len() > COUNT || value.chars().any(|c| !c.is_ascii_digit()),
            Self::Secret => true,
        }
    }

    /// Whether more than random values are hidden.
    pub(super) fn is_strong(self) -> bool {
        self >= Self::IfLikely
    }
}

fn is_random(word: &str) -> bool {
    (looks_random(word) || has_random_run(word)) && !word.contains("://")
}

/// Whether a part of a target looks random: long, one word, letters and digits mixed. UUIDs are kept: they are
/// identifiers, and secrets that are UUIDs have a name.
pub(super) fn looks_random(part: &str) -> bool {
    let word = part
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.~+=%".contains(c));
    let letters = part.chars().any(|c| c.is_ascii_alphabetic());
    let digits = part.chars().filter(char::is_ascii_digit).count();
    part.len() >= 20 && word && letters && digits >= 2 && part.matches('-').count() < 3
}

/// Whether a run of letters and digits in it looks random. Stricter than [`looks_random`]: names of members are words
/// joined by `_`.
pub(super) fn has_random_run(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        run.len() >= 16 && digits >= 2 && digits < run.len()
    })
}

/// Whether a word may be an identifier or a code that was given to a person: `f3a9c1`, `48213`, `deadbeef`,
/// `QwErTyUiOp`, but not `active`, `200`, `in_progress`, `2024-05-01`.
pub(super) fn is_likely(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    if word.chars().count() < 4 || is_date(word) {
        return false;
    }
    match (letters, digits) {
        (0, _) => digits >= 4 && !word.contains('.'),
        (_, 0) => word.split(['-', '_', '.', ' ']).any(is_no_word),
        (_, _) => word.len() >= 6,
    }
}

/// `2024-05-01`, and with a time after it.
fn is_date(word: &str) -> bool {
    let mut bytes = word.bytes();
    (0..10).all(|place| match bytes.next() {
        Some(b'-') => matches!(place, 4 | 7),
        Some(byte) => byte.is_ascii_digit() && !matches!(place, 4 | 7),
        None => false,
    }) && word.len() <= 35
}

/// Whether letters are not a word of a language: hexadecimal, of mixed case, with few vowels, or too many.
fn is_no_word(letters: &str) -> bool {
    let len = letters.len();
    let hexadecimal = letters.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = letters.as_bytes().windows(2);
    let turns = pairs
        .filter(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count();
    let vowels = letters
        .bytes()
        .filter(|byte| b"aeiouyAEIOUY".contains(byte))
        .count();
    (len >= 8 && (hexadecimal || turns.saturating_mul(4) >= len || vowels.saturating_mul(6) < len))
        || len >= 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_identifiers_are_likely_and_words_are_not() {
        for word in [
            "hunter2",
            "f3a9c1",
            "48213",
            "deadbeef",
            "QwErTyUiOp",
            "xkcdqrtz",
            "123e4567-e89b-12d3-a456-426614174000",
        ] {
            assert!(is_likely(word), "{word}");
        }
        for word in [
            "active",
            "200",
            "in_progress",
            "2024-05-01",
            "2024-05-01T10:00:00Z",
            "CA",
            "SUMMER",
            "awaiting_payment",
            "inProgress",
            "3.14159",
            "next",
            "",
        ] {
            assert!(!is_likely(word), "{word}");
        }
    }

    #[test]
    fn a_value_that_says_nothing_is_never_hidden() {
        for value in ["", " ", "null", "true", "false"] {
            assert!(!Says::Secret.hides(value), "{value}");
        }
        assert!(!Says::UnlessCount.hides("128"));
        assert!(Says::UnlessCount.hides("12x") && Says::UnlessCount.hides("1234567"));
        assert!(Says::Secret.hides("x") && !Says::Nothing.hides("hunter2hunter2hunter2"));
    }
}
