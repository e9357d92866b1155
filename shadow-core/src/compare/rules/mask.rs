//! Parts of a line of text that differ by nature.

use core::str::FromStr;

use crate::compare::as_text::written_as_text;

/// Compiled bytes of one expression. Matching is linear in the line whatever the expression.
const REGEX_SIZE: usize = 1 << 20;

/// An expression for parts of a line that are not compared.
#[derive(Clone, Debug)]
pub struct Mask {
    text: String,
    regex: regex::bytes::Regex,
}

/// Error for text that is not a usable expression.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{expression:?} is no regular expression that can be used: {problem}")]
pub struct MaskError {
    expression: String,
    problem: String,
}

impl Mask {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn regex(&self) -> &regex::bytes::Regex {
        &self.regex
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl FromStr for Mask {
    type Err = MaskError;

    fn from_str(text: &str) -> Result<Self, MaskError> {
        let wrong = |problem: String| MaskError {
            expression: text.to_owned(),
            problem,
        };
        let regex = regex::bytes::RegexBuilder::new(text)
            .size_limit(REGEX_SIZE)
            .build()
            .map_err(|error| wrong(problem(&error)))?;
        if regex.is_match(b"") {
            return Err(wrong("it matches where there is nothing".to_owned()));
        }
        let text = text.to_owned();
        Ok(Self { text, regex })
    }
}

impl TryFrom<String> for Mask {
    type Error = MaskError;

    fn try_from(text: String) -> Result<Self, MaskError> {
        text.parse()
    }
}

/// The problem on one line.
pub(super) fn problem(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("compiled it is larger than {limit} bytes"),
        // The problem follows the lines that show its position.
        error => error
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

written_as_text!(Mask, "a regular expression such as took \\d+ ms");
