//! The field by which the agent recognises its own requests.

use crate::fields;

/// The field that identifies a replayed request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker {
    name: String,
    value: String,
}

/// A marker that cannot be a header field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MarkerError {
    /// The name is not a token (RFC 9110 section 5.1).
    #[error("{0:?} is no header field name")]
    Name(String),
    /// The name has another meaning.
    #[error(
        "{0:?} has a meaning in HTTP and cannot mark replayed requests; choose a name of your own, e.g. Shadow-Replay"
    )]
    Taken(String),
    /// The value has characters that are not allowed in a field value (RFC 9110 section 5.5).
    #[error("the value of the marker must be visible ASCII")]
    Value,
}

impl Default for Marker {
    fn default() -> Self {
        Self {
            name: "Shadow-Replay".to_owned(),
            value: "1".to_owned(),
        }
    }
}

impl Marker {
    /// A marker with this name and value. The field's presence alone marks a request, whatever its value.
    pub fn new(name: &str, value: &str) -> Result<Self, MarkerError> {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(MarkerError::Name(name.to_owned()));
        }
        if fields::is_taken(name.as_bytes()) {
            return Err(MarkerError::Taken(name.to_owned()));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MarkerError::Value);
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// The field name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The field value.
    pub fn value(&self) -> &str {
        &self.value
    }
}
