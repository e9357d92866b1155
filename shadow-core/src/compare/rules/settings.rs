//! Settings that are one of a few words.

use serde::{Deserialize, Serialize};

/// How close two status codes must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statuses {
    /// The same code, or two that `same_status` lists together.
    #[default]
    Exact,
    /// Of the same class (RFC 9110 section 15).
    Class,
}

/// What is compared of two error responses, 4xx or 5xx.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// The kind of error, where one of them says it; messages are for people. Else the whole content.
    #[default]
    Type,
    /// The status only.
    Status,
    /// The whole content, as of any other response.
    Whole,
}

/// When two JSON numbers are the same.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// The same decimal number by every digit, however it is written: 2000 is 2000.0 and 2e3, never 2000.0000000000001.
    #[default]
    Value,
    /// The same text: 2000 is not 2000.0, which some readers take for another type.
    Exact,
}

/// What decides as what a body is compared.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// The content, where the media type says only that it is text or bytes, or says what it is not.
    #[default]
    Content,
    /// The media type alone.
    Type,
}

/// Whether text in documents is taken apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Texts {
    /// By what is in it: JSON, references, forms, tokens, words.
    #[default]
    Parts,
    /// Each text differs as a whole.
    Whole,
}

/// What is compared of the content of redirects (RFC 9110 section 15.4).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// Where they lead. A text that says so again, and its media type, are for people without a browser.
    #[default]
    Target,
    /// The whole content, as of any other response.
    Whole,
}
