//! One exchange for human inspection: the request, both answers and the differences. Redacted when it is made.
//!
//! Owns: the shape in which a discrepancy leaves the agent (journal, report, export, bundle). Bounds: a body is cut at
//! [`CaseLimits::body`], a head at [`CaseLimits::fields`]; true lengths are kept. Bias: content that cannot be redacted
//! is left out and marked as such.

mod make;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{compare::Discrepancy, redact::RedactedBody};

pub use make::Judged;

/// The version of [`Case`] in JSON. It changes when a reader of the previous version would misread this one.
pub const FORMAT: u32 = 1;

/// Limits of one case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CaseLimits {
    /// Bytes kept of one body.
    pub body: usize,
    /// Header fields kept of one message.
    pub fields: usize,
}

impl Default for CaseLimits {
    fn default() -> Self {
        Self {
            body: 64 << 10,
            fields: 128,
        }
    }
}

/// One exchange with a difference, redacted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Case {
    /// [`FORMAT`].
    pub format: u32,
    /// The identifier: 16 hexadecimal digits.
    pub id: String,
    /// When it was judged, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// The name of the shadow target that answered.
    pub target: String,
    /// Method and path template.
    pub route: String,
    /// The groups that its discrepancies belong to.
    pub groups: Vec<String>,
    /// The client's end of the connection, `ADDR:PORT`.
    pub client: String,
    /// The production system's end.
    pub server: String,
    /// The index of the exchange on that connection, from 0.
    pub index: u64,
    /// The request.
    pub request: CaseRequest,
    /// The production answer.
    pub production: Answered,
    /// The shadow answer, if there was one.
    pub shadow: Option<Answered>,
    /// The name of the failure if there was no answer.
    pub failure: Option<String>,
    /// The differences.
    pub discrepancies: Vec<Discrepancy>,
}

impl Case {
    /// The approximate size in bytes.
    pub fn weight(&self) -> usize {
        let fields = |fields: &[Field]| -> usize {
            fields
                .iter()
                .map(|field| {
                    field
                        .name
                        .len()
                        .saturating_add(field.value.len())
                        .saturating_add(64)
                })
                .fold(0, usize::saturating_add)
        };
        let body = |body: &RedactedBody| body.text.as_ref().map_or(0, String::len);
        let answer = |answer: &Answered| fields(&answer.headers).saturating_add(body(&answer.body));
        let found = self.discrepancies.len().saturating_mul(512);
        [
            1024,
            self.request.target.len(),
            fields(&self.request.headers),
            body(&self.request.body),
            answer(&self.production),
            self.shadow.as_ref().map_or(0, answer),
            found,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// A request.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CaseRequest {
    /// Method.
    pub method: String,
    /// Request target.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// Header fields, in order, names as sent.
    pub headers: Vec<Field>,
    /// Content.
    pub body: RedactedBody,
}

/// A response.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answered {
    /// Status code.
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<Field>,
    /// Content.
    pub body: RedactedBody,
    /// Last request byte to first response byte, in microseconds.
    pub first_byte_us: Option<u64>,
    /// Last request byte to last response byte.
    pub total_us: Option<u64>,
}

/// A header field.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}
