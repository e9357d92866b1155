//! Settings with a fixed set of values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How close two status codes must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statuses {
    /// The same code, or two that `same_status` lists together.
    #[default]
    Exact,
    /// Of the same class (RFC 9110 section 15).
    Class,
}

/// Comparison of two error responses, 4xx or 5xx.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// The type of the error, where one of them states it; messages are for people. Else the whole content.
    #[default]
    Type,
    /// The status only.
    Status,
    /// The whole content, as for any other response.
    Whole,
}

/// Equality of two JSON numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// The same decimal number in every digit, in any notation: 2000 is 2000.0 and 2e3, never 2000.0000000000001.
    #[default]
    Value,
    /// The same text: 2000 is not 2000.0, which some readers treat as another type.
    Exact,
}

/// How the kind of a body is chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// By the content, where the media type says only text or bytes, or does not fit.
    #[default]
    Content,
    /// By the media type alone.
    Type,
}

/// Whether text in documents is split into parts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Texts {
    /// By its content: JSON, references, forms, tokens, words.
    #[default]
    Parts,
    /// Each text differs as a whole.
    Whole,
}

/// Comparison of the content of redirects (RFC 9110 section 15.4).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// The target. A text that repeats it, and its media type, are for people without a browser.
    #[default]
    Target,
    /// The whole content, as for any other response.
    Whole,
}
