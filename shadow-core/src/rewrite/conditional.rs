//! Conditional requests (RFC 9110 section 13): a validator is only valid for the system that issued it.
//!
//! Owns: the handling of production's validators in a request for another system, which has different ones. Bias: never
//! send a write that production refused, nor a request other than the one production acted on. A request that
//! production refused with 412 is sent unchanged, so that the shadow system refuses it too, as is one that it refused
//! with 400: perhaps because a validator is malformed.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate;
use shadow_proto::exchange::{Exchange, Headers};

/// Handling of validators in conditional requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conditional {
    /// They are removed unless production refused the request for them, so that the shadow system answers in full.
    #[default]
    Strip,
    /// They are sent unchanged.
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
const BAD_REQUEST: u16 = 400;
const PRECONDITION_FAILED: u16 = 412;

/// Fields to remove from one request.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    validators: bool,
    range: bool,
    if_match: IfMatch,
}

/// Treatment of the field `If-Match`.
#[derive(Clone, Copy, Debug, Default)]
enum IfMatch {
    /// As with the other validators.
    #[default]
    LeftOut,
    /// `*` is sent in place of the next one.
    Any,
    /// `*` was sent.
    Sent,
}

impl Conditional {
    /// The fields to remove from the request of this exchange.
    pub(super) fn left_out(self, exchange: &Exchange) -> LeftOut {
        let request = &exchange.request;
        // Without the answer it is not known whether production refused.
        let Some(status) = exchange.response.as_ref().map(|response| response.status) else {
            return LeftOut::default();
        };
        let is_write = !gate::is_safe(request);
        let acted_on = if is_write {
            status < 400
        } else {
            !matches!(status, BAD_REQUEST | PRECONDITION_FAILED)
        };
        if self == Self::Keep || !acted_on || !is_conditional(&request.headers) {
            return LeftOut::default();
        }
        LeftOut {
            validators: true,
            // Whether it is used depends on the validator (RFC 9110 section 13.1.5); without both, everything is sent.
            range: matches!(status, 200 | PARTIAL | NOT_MODIFIED)
                && request.headers.get("if-range").is_some(),
            if_match: if is_write { IfMatch::Any } else { IfMatch::LeftOut },
        }
    }
}

impl LeftOut {
    /// Whether any field is removed.
    pub(super) fn is_anything(&self) -> bool {
        self.validators
    }

    /// The value of a field to send, or `None` to remove the field. `name` is in lower case.
    pub(super) fn value(&mut self, name: &[u8], value: Bytes) -> Option<Bytes> {
        match name {
            _ if !self.validators => Some(value),
            // The condition was true, so production had a representation (RFC 9110 section 13.1.1): that much of it can
            // be asked of another system, and servers that require the field in every write (428) accept it. It is
            // sent once: `*` is no element of the list that several fields are.
            b"if-match" if matches!(self.if_match, IfMatch::Any) => {
                self.if_match = IfMatch::Sent;
                Some(Bytes::from_static(b"*"))
            }
            b"if-match" if matches!(self.if_match, IfMatch::Sent) => None,
            _ if is_any(&value) => Some(value),
            b"range" if self.range => None,
            name if is_validator(name) => None,
            _ => Some(value),
        }
    }
}

/// Whether production omitted the content because of a validator that the client had.
pub(crate) fn is_not_modified(status: u16, headers: &Headers) -> bool {
    status == NOT_MODIFIED && is_conditional(headers)
}

/// Whether production sent a part because of a validator that the client had.
pub(crate) fn is_part(status: u16, headers: &Headers) -> bool {
    status == PARTIAL && headers.get("if-range").is_some()
}

/// Whether a request depends on a validator. `*` does not count: it has the same meaning for every system.
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
