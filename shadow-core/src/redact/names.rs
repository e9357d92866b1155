//! Names, and their meaning for the values.
//!
//! A name is split into words: `X-Reset-Token`, `resetToken2`, `user[reset_token]` and `RESET_TOKEN` all have the words
//! `reset` and `token`. Words that always mean a secret are one list; for ambiguous words the value is judged.

use hashbrown::HashSet;

use super::{
    judge::{Says, is_likely},
    words::{ABOUT, BEGINNINGS, ENDINGS, FIELD, GIVEN, LIKELY, PARAMETER, SECRET},
};

/// The built-in words with the configured names.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    configured: HashSet<Box<str>>,
}

impl Names {
    pub(super) fn new(further: &[String]) -> Self {
        Self {
            configured: further.iter().map(|name| normal(name).into()).collect(),
        }
    }

    /// A name of a JSON member, an XML element or attribute, or in any text.
    pub(super) fn document(&self, name: &str) -> Says {
        self.judged(name, |words| match words {
            [word] if PARAMETER.contains(&word.as_str()) => Says::IfRandom,
            _ => Says::Nothing,
        })
    }

    /// A name of a header or trailer field.
    pub(super) fn field(&self, name: &str) -> Says {
        self.judged(name, |words| match words.last() {
            Some(word)
                if FIELD.contains(&word.as_str()) || word.ends_with("key") || word.ends_with("auth") =>
            {
                Says::Secret
            }
            _ => Says::Nothing,
        })
    }

    /// A decoded parameter name of a query, a form or a path: also `user[password]`.
    pub(super) fn parameter(&self, name: &str) -> Says {
        self.judged(name, |words| match words {
            [.., word] if LIKELY.contains(&word.as_str()) => Says::Secret,
            _ if words.iter().any(|word| PARAMETER.contains(&word.as_str()))
                && (words.len() == 1 || name.contains(['[', '.'])) =>
            {
                Says::IfLikely
            }
            _ => Says::Nothing,
        })
    }

    /// Whether a path segment was given to a person, judging by the segment before it.
    pub(super) fn path_segment(&self, before: &str, segment: &str) -> bool {
        if !is_likely(segment) && segment.len() < 20 {
            return false;
        }
        let given = GIVEN.iter().any(|name| names_a_segment(before, name));
        given || (segment.len() >= 8 && is_likely(segment) && self.parameter(before).hides(segment))
    }

    /// `place` judges names that are secret only in their place.
    fn judged(&self, name: &str, place: impl Fn(&[String]) -> Says) -> Says {
        let configured = |part: &str| !part.is_empty() && self.configured.contains(normal(part).as_str());
        if configured(name) || name.split(['[', ']', '.', ':']).any(configured) {
            return Says::Secret;
        }
        let words = words(name);
        let joined = |words: &[String]| is_listed(&words.concat());
        let secret = words.iter().any(|word| is_secret(word))
            || words.windows(2).any(joined)
            || words.windows(3).any(joined);
        let last = words.last().map_or("", String::as_str);
        let likely = words.iter().any(|word| LIKELY.contains(&word.as_str()));
        if (secret || likely) && ABOUT.contains(&last) {
            return Says::IfRandom;
        }
        let here = place(&words);
        let said = match (secret, likely) {
            (true, _) if last.ends_with('s') && last.len() > 4 => Says::UnlessCount,
            (true, _) => Says::Secret,
            (false, true) => Says::IfLikely,
            (false, false) => Says::Nothing,
        };
        said.max(here)
    }
}

fn is_listed(word: &str) -> bool {
    SECRET.binary_search(&word).is_ok()
}

fn is_secret(word: &str) -> bool {
    is_listed(word)
        || ENDINGS.iter().any(|ending| word.ends_with(ending))
        || BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
}

/// The words of a name in lower case: split at characters that are neither letter nor digit, before a capital that
/// begins a word, and after digits. Without digits at the end of a word, and without a leading `x`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut chars = name.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        let lower_next = chars.peek().is_some_and(char::is_ascii_lowercase);
        let begins = c.is_uppercase()
            && (last.is_lowercase() || last.is_ascii_digit() || (last.is_uppercase() && lower_next));
        if begins || !c.is_alphanumeric() {
            finish(&mut word, &mut words);
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        last = c;
    }
    finish(&mut word, &mut words);
    if words.len() > 1 && words.first().is_some_and(|first| first == "x") {
        words.remove(0);
    }
    words
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    let text = core::mem::take(word);
    let text = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if !text.is_empty() {
        words.push(text.to_owned());
    }
}

fn normal(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Whether a path segment is this word, or ends with it.
fn names_a_segment(segment: &str, word: &str) -> bool {
    let start = segment.len().saturating_sub(word.len());
    segment
        .get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(word))
        && segment
            .get(..start)
            .is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_in_order() {
        assert!(SECRET.is_sorted());
    }

    #[test]
    fn a_name_is_read_by_its_words() {
        for (name, expected) in [
            ("X-Reset-Token", "reset token"),
            ("APIKey2", "api key"),
            ("user[newPassword1]", "user new password"),
            ("cvv2", "cvv"),
            ("DB_PASS", "db pass"),
            ("x", "x"),
            ("oauth2Token", "oauth token"),
            ("", ""),
            ("123", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn words_decide_and_not_letters() {
        let names = Names::new(&["X-Tenant".into()]);
        let long = format!("{}_password", "very_long_".repeat(20));
        for name in [
            "password_confirmation",
            "passwordconfirmation",
            "password1",
            "db_pass",
            "cvv2",
            "apiKey",
            "API_KEY",
            "accesstoken",
            "X-Csrf",
            "x-otp",
            "user:password",
            "aws_secret_access_key",
            "x_tenant",
            "user[xtenant]",
            &long,
        ] {
            assert_eq!(names.document(name), Says::Secret, "{name}");
        }
        for name in [
            "author",
            "keyboard",
            "passed",
            "secretary",
            "compass",
            "pinned",
            "zip_code",
            "primary_key",
            "assignment",
            "sidebar",
            "authenticated",
            "monkey",
            "tokenizer",
            "bypass",
            "",
        ] {
            assert_eq!(names.document(name), Says::Nothing, "{name}");
        }
        for name in [
            "token_count",
            "sessions_total",
            "passwordUpdatedAt",
            "auth_method",
        ] {
            assert_eq!(names.document(name), Says::IfRandom, "{name}");
            assert_eq!(names.parameter(name), Says::IfRandom, "{name}");
        }
        assert_eq!(names.document("tokens"), Says::UnlessCount);
        assert_eq!(names.document("session"), Says::IfLikely);
        assert_eq!(names.field("X-Session"), Says::Secret);
        assert_eq!(names.field("X-Functions-Key"), Says::Secret);
        assert_eq!(names.parameter("state"), Says::IfLikely);
        assert_eq!(names.parameter("zip_code"), Says::Nothing);
    }
}
