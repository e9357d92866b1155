//! Conditional requests (RFC 9110 section 13): a validator is of the system that gave it.
//!
//! Owns: what becomes of production's validators in a request for another system, whose own differ. Bias: never a write that
//! production refused, and no other request than production acted on: what production refused with 412 is sent as it was, so
//! that the shadow system refuses it, too.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::gate;
use shadow_proto::exchange::{Exchange, Headers};

/// What becomes of the validators in conditional requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conditional {
    /// They are left out where production did not refuse the request for them, so that the shadow system answers in full.
    #[default]
    Strip,
    /// They are sent as they were.
    Keep,
}

/// Fields that carry a validator, in lower case.
const FIELDS: [&str; 5] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
];

const PARTIAL: u16 = 206;
const NOT_MODIFIED: u16 = 304;
const PRECONDITION_FAILED: u16 = 412;

/// What is left out of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    validators: bool,
    range: bool,
    is_write: bool,
}

impl Conditional {
    /// What is left out of the request of this exchange.
    pub(super) fn left_out(self, exchange: &Exchange) -> LeftOut {
        let request = &exchange.request;
        // Where the answer is not known, nobody knows whether production refused.
        let Some(status) = exchange.response.as_ref().map(|response| response.status) else {
            return LeftOut::default();
        };
        let is_write = !gate::is_safe(request);
        let acted_on = if is_write {
            status < 400
        } else {
            status != PRECONDITION_FAILED
        };
        if self == Self::Keep || !acted_on || !is_conditional(&request.headers) {
            return LeftOut::default();
        }
        LeftOut {
            validators: true,
            // Whether it is looked at depends on the validator (RFC 9110 section 13.1.5); without both all is sent.
            range: matches!(status, 200 | PARTIAL | NOT_MODIFIED)
                && request.headers.get("if-range").is_some(),
            is_write,
        }
    }
}

impl LeftOut {
    /// Whether anything is.
    pub(super) fn is_anything(self) -> bool {
        self.validators
    }

    /// The value of a field as it is sent, if it is. `name` is in lower case.
    pub(super) fn value(self, name: &[u8], value: Bytes) -> Option<Bytes> {
        match name {
            _ if !self.validators || is_any(&value) => Some(value),
            // Servers that demand the field of every write (428) get it: it held, so there was something to match.
            b"if-match" if self.is_write => Some(Bytes::from_static(b"*")),
            b"range" if self.range => None,
            name if is_validator(name) => None,
            _ => Some(value),
        }
    }
}

/// Whether production did not send what it was asked for, as the client had it.
pub(crate) fn is_not_modified(status: u16, headers: &Headers) -> bool {
    status == NOT_MODIFIED && is_conditional(headers)
}

/// Whether production sent a part because of a validator that the client had.
pub(crate) fn is_part(status: u16, headers: &Headers) -> bool {
    status == PARTIAL && headers.get("if-range").is_some()
}

/// Whether a request depends on a validator. `*` is none: it means the same to every system.
fn is_conditional(headers: &Headers) -> bool {
    headers
        .iter()
        .any(|(name, value)| is_validator(name) && !is_any(value))
}

fn is_validator(name: &[u8]) -> bool {
    FIELDS
        .iter()
        .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
}

fn is_any(value: &[u8]) -> bool {
    value.trim_ascii() == b"*"
}
