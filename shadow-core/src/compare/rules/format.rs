//! Formats of values that differ by nature: identifiers, timestamps, nonces.

use core::str::FromStr;

use crate::compare::instant;

use super::mask::problem;
use crate::compare::as_text::written_as_text;

/// Compiled bytes of one expression. Matching is linear in the value whatever the expression.
const REGEX_SIZE: usize = 1 << 20;

/// Longest value that can have a format: identifiers, timestamps and nonces are short, and the cost per byte may be
/// proportional to the size of the expression.
const LONGEST: usize = 64 << 10;

/// A format that two different values can share.
#[derive(Clone, Debug)]
pub struct Format {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Uuid,
    Rfc3339,
    Epoch,
    EpochMs,
    Integer,
    Hex,
    Regex(regex::Regex),
}

/// Error for text that is not a format.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// The name is unknown.
    #[error(
        "there is no format {0:?}; there are uuid, rfc3339, epoch, epoch_ms, integer, hex and regex:EXPRESSION"
    )]
    Unknown(String),
    /// An expression that cannot be used.
    #[error("{expression:?} is no regular expression that can be used: {problem}")]
    Regex {
        /// The expression.
        expression: String,
        /// The problem and its position.
        problem: String,
    },
}

impl Format {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a value, without the quotes of a string, has this format.
    pub(crate) fn fits(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        if bytes.len() > LONGEST {
            return false;
        }
        match &self.kind {
            Kind::Uuid => is_uuid(bytes),
            Kind::Rfc3339 => instant::rfc3339(value).is_some(),
            Kind::Epoch => instant::is_seconds(value),
            Kind::EpochMs => instant::is_millis(value),
            Kind::Integer => {
                let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
                !unsigned.is_empty() && unsigned.iter().all(u8::is_ascii_digit)
            }
            Kind::Hex => !bytes.is_empty() && bytes.iter().all(u8::is_ascii_hexdigit),
            Kind::Regex(regex) => regex.is_match(value),
        }
    }

    /// A further property that two values of this format must share: the number of hexadecimal digits, so that a
    /// truncated digest does not pass.
    pub(crate) fn extent(&self, value: &str) -> usize {
        match self.kind {
            Kind::Hex => value.len(),
            _ => 0,
        }
    }
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562 section 4).
pub(crate) fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Format {}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let kind = match text {
            "uuid" => Kind::Uuid,
            "rfc3339" => Kind::Rfc3339,
            "epoch" => Kind::Epoch,
            "epoch_ms" => Kind::EpochMs,
            "integer" => Kind::Integer,
            "hex" => Kind::Hex,
            _ => match text.strip_prefix("regex:") {
                Some(expression) => Kind::Regex(whole(expression)?),
                None => return Err(FormatError::Unknown(text.to_owned())),
            },
        };
        let text = text.to_owned();
        Ok(Self { text, kind })
    }
}

/// The whole value must match: an expression that may match anywhere in it would pass nearly everything.
fn whole(expression: &str) -> Result<regex::Regex, FormatError> {
    let wrong = |problem: String| FormatError::Regex {
        expression: expression.to_owned(),
        problem,
    };
    if expression.is_empty() {
        return Err(wrong("it is empty".to_owned()));
    }
    regex::RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| wrong(problem(&error)))
}

impl TryFrom<String> for Format {
    type Error = FormatError;

    fn try_from(text: String) -> Result<Self, FormatError> {
        text.parse()
    }
}

written_as_text!(Format, "a format such as uuid");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_a_format_or_not() {
        for (format, fit, unfit) in [
            (
                "uuid",
                &[
                    "123e4567-e89b-12d3-a456-426614174000",
                    "00000000-0000-0000-0000-00000000000F",
                ][..],
                &[
                    "",
                    "123e4567-e89b-12d3-a456-42661417400",
                    "123e4567+e89b-12d3-a456-426614174000",
                    "g23e4567-e89b-12d3-a456-426614174000",
                ][..],
            ),
            (
                "rfc3339",
                &["2026-11-22T20:00:00Z", "2026-11-22t20:00:00.123+01:00"],
                &["2026-11-22", "2026-13-22T20:00:00Z", "now"],
            ),
            (
                "epoch",
                &["1790000000", "1790000000.25"],
                &["1790000000000", "17", "-1790000000", "1790000000.", "179000000x"],
            ),
            ("epoch_ms", &["1790000000000"], &["1790000000", "1790000000000.5"]),
            (
                "integer",
                &["0", "-17", "123456789012345678901234567890"],
                &["", "-", "1.0", "1e3", "x"],
            ),
            ("hex", &["deadBEEF", "0"], &["", "0x10", "xyz"]),
            (
                "regex:ord-[0-9]+",
                &["ord-1"],
                &["ord-", "x ord-1", "ord-1 x", "ord-1\n"],
            ),
            ("regex:a|b", &["a", "b"], &["ab", "xb"]),
        ] {
            let parsed: Format = format.parse().unwrap_or_else(|error| panic!("{error}"));
            for value in fit {
                assert!(parsed.fits(value), "{format} {value}");
            }
            for value in unfit {
                assert!(!parsed.fits(value), "{format} {value:?}");
            }
        }
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for (text, part) in [
            ("uid", "there are uuid"),
            ("regex:", "empty"),
            ("regex:[a", "unclosed character class"),
            ("regex:(a{1000}){1000}", "larger than"),
        ] {
            let error = text.parse::<Format>().expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
