//! What counts as a difference: configuration, checked once.

use serde::{Deserialize, Serialize};

use super::paths::PathError;

/// What is compared, and what is let pass.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Response header fields whose values are compared. Nothing else in the head is.
    pub headers: Vec<String>,
    /// Response header fields that must be there on both sides or on neither; their values differ by nature.
    pub header_presence: Vec<String>,
    /// JSON places that are not compared, as JSONPath (RFC 9535) with names, indices, wildcards and descendants:
    /// `$.meta.request_id`, `$.items[*].updated_at`, `$..trace_id`.
    pub ignore: Vec<String>,
    /// How far two JSON numbers may be apart. Without it they must be the same decimal number.
    pub tolerance: Option<Tolerance>,
    /// Whether the order of JSON array elements matters.
    pub arrays: Arrays,
    /// Discrepancies kept for one exchange; one more entry says that there were more.
    pub discrepancies: usize,
    /// Bytes that one body may have once its content coding is removed. A larger one is compared by length and digest.
    pub decoded: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            headers: ["content-type", "cache-control", "location"]
                .map(String::from)
                .to_vec(),
            header_presence: vec!["etag".to_owned()],
            ignore: Vec::new(),
            tolerance: None,
            arrays: Arrays::Ordered,
            discrepancies: 64,
            decoded: 32 << 20,
        }
    }
}

/// How far two numbers may be apart and still be called equal: within either of the two.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// The largest distance.
    pub absolute: f64,
    /// The largest distance as a share of the larger magnitude (`0.01` is 1 %).
    pub relative: f64,
}

/// Whether the order of array elements matters.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrays {
    /// Element by element.
    #[default]
    Ordered,
    /// As multisets.
    Unordered,
}

/// A rule that cannot work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// An ignore path that is not understood.
    #[error("compare.ignore[{index}]: {source}")]
    Path {
        /// Which entry of the list, from 0.
        index: usize,
        /// What is wrong with it.
        source: PathError,
    },
    /// A header name that is not a token (RFC 9110 section 5.1).
    #[error("compare.{list}: {name:?} is no header field name")]
    HeaderName {
        /// The key of the list.
        list: &'static str,
        /// The entry.
        name: String,
    },
    /// A tolerance below zero, or not a number.
    #[error("compare.tolerance.{name} must be a number of at least 0, not {given}")]
    Tolerance {
        /// Which one.
        name: &'static str,
        /// What was given.
        given: f64,
    },
    /// A cap under which nothing could be compared.
    #[error("compare.{name} must be at least {least}, not {given}")]
    Cap {
        /// The key.
        name: &'static str,
        /// Its smallest workable value.
        least: usize,
        /// What was given.
        given: usize,
    },
}

impl Rules {
    /// Refuses values that cannot work. Paths are checked when they are compiled.
    pub(crate) fn validate(&self) -> Result<(), RuleError> {
        for (list, names) in [
            ("headers", &self.headers),
            ("header_presence", &self.header_presence),
        ] {
            if let Some(name) = names
                .iter()
                .find(|name| http::HeaderName::from_bytes(name.as_bytes()).is_err())
            {
                let name = name.clone();
                return Err(RuleError::HeaderName { list, name });
            }
        }
        if let Some(Tolerance { absolute, relative }) = self.tolerance {
            for (name, given) in [("absolute", absolute), ("relative", relative)] {
                if !(given.is_finite() && given >= 0.0) {
                    return Err(RuleError::Tolerance { name, given });
                }
            }
        }
        for (name, given, least) in [
            ("discrepancies", self.discrepancies, 1),
            ("decoded", self.decoded, 1024),
        ] {
            if given < least {
                return Err(RuleError::Cap { name, least, given });
            }
        }
        Ok(())
    }
}
