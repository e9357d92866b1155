//! Comparison of production and shadow answers.
//!
//! Owns: the verdict for one replayed exchange. A [`Comparator`] is compiled once from [`Rules`] and then only read.
//! Bounds: discrepancies per exchange, the length of a shown value, decoded bytes, JSON depth and elements, lines that
//! are aligned. Content over a bound is compared by length and digest, never skipped. Bias: a difference that the rules
//! do not explain is reported; two representations of the same value (`1.0` and `1`, a different member order, a
//! different coding of the same content) are not a difference.

mod align;
mod as_text;
mod binary;
mod charset;
mod checked;
mod clocks;
mod comparator;
mod compiled;
#[cfg(test)]
mod content_tests;
pub(crate) mod decode;
mod encoded;
mod errors;
pub(crate) mod events;
mod findings;
pub(crate) mod form;
pub(crate) mod grpc;
mod headers;
mod inside;
mod instant;
mod json;
mod kinds;
mod leaf;
mod leaves;
mod likeness;
mod lists;
mod logged;
pub(crate) mod markup;
#[cfg(test)]
mod meaning_tests;
pub(crate) mod media;
mod metrics;
pub(crate) mod multipart;
mod number;
mod parts;
pub(crate) mod paths;
mod rules;
mod scope;
mod status;
mod table;
mod text;
mod usage;

use core::time::Duration;

use serde::{Deserialize, Serialize};

use shadow_proto::exchange::{Body, Headers, Response};

pub use comparator::Comparator;
pub(crate) use instant::nanos;
pub(crate) use json::{Element, scan as scan_json, tape};
pub use leaves::{Checked, Leaves};
pub use logged::{LengthTolerance, Logged};
pub use paths::{JsonPath, PathError, PlacePath};
pub use rules::{
    Added, Arrays, Errors, FieldName, FieldNameError, Format, FormatError, Mask, MaskError, Nulls, Numbers,
    PlaceRule, Pointer, PointerError, Redirects, RouteError, RoutePattern, RouteRules, RuleError, Rules,
    Statuses, Structure, Texts, Tolerance,
};
pub use usage::RuleUsage;

/// The answer of the shadow system.
#[derive(Clone, Debug)]
pub struct ShadowResponse {
    /// Status code.
    pub status: u16,
    /// Header fields in order; names as sent where the client preserves them.
    pub headers: Headers,
    /// Trailer fields.
    pub trailers: Headers,
    /// The content, kept up to the same cap as production's.
    pub body: Body,
    /// Last request byte written to first response byte read.
    pub first_byte: Duration,
    /// Last request byte written to last response byte read.
    pub total: Duration,
}

/// The outcome of a replayed request.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "failures are rare, and a box would cost every answer an allocation"
)]
pub enum Outcome {
    /// It answered.
    Response(ShadowResponse),
    /// It did not.
    Failed(Failure),
}

shadow_proto::catalogue! {
    /// The reason why there is no shadow answer.
    Failure {
        /// No connection: refused or unreachable.
        Connect = "connect",
        /// No connection in time.
        ConnectTimeout = "connect_timeout",
        /// No TLS: the certificate or the protocol was refused, by one end or the other.
        Tls = "tls",
        /// No first byte of a response in time.
        FirstByteTimeout = "first_byte_timeout",
        /// No complete response in time.
        Timeout = "timeout",
        /// The connection was reset.
        Reset = "reset",
        /// The connection was closed before the response was complete.
        Closed = "closed_early",
        /// The answer was not one of the version of HTTP that was spoken.
        Protocol = "protocol",
        /// HTTP/2: the shadow system reset the stream.
        StreamReset = "stream_reset",
        /// HTTP/2: the shadow system did not process the request: it refused the stream, or GOAWAY named a lower one.
        Unprocessed = "unprocessed",
        /// The answer was larger than the agent's limit.
        TooLarge = "response_over_limit",
        /// Cancelled in flight by the kill switch or at shutdown.
        Cancelled = "cancelled",
    }
}

impl Failure {
    /// Whether the agent, and not the shadow system, caused the failure.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::TooLarge | Self::Cancelled)
    }

    /// Whether it is a timeout.
    pub const fn is_timeout(self) -> bool {
        matches!(
            self,
            Self::ConnectTimeout | Self::FirstByteTimeout | Self::Timeout
        )
    }
}

/// The result for one replayed exchange.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No discrepancy under the rules.
    Match,
    /// The differences; never empty.
    Mismatch(Vec<Discrepancy>),
    /// The shadow system did not answer.
    ShadowError(Failure),
}

/// One difference between the production and the shadow response.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// The kind of difference.
    pub category: Category,
    /// The place: `status`, `header content-type`, `$.items[3].price`, `line 12`, `body`.
    pub place: String,
    /// The production value, shortened.
    pub production: String,
    /// The shadow value, shortened.
    pub shadow: String,
    /// Leaves of production's answer that it covers: more than one where an element is missing as a whole.
    #[serde(skip, default = "one")]
    pub leaves: u32,
}

fn one() -> u32 {
    1
}

/// The kind of a [`Discrepancy`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The status code.
    Status,
    /// A compared header field.
    Header,
    /// A member or line that only production has.
    Missing,
    /// A member or line that only the shadow system has.
    Added,
    /// A different JSON type.
    Type,
    /// A different value.
    Value,
    /// A different order of the same elements.
    Order,
    /// A different length.
    Length,
    /// Two error responses of different types.
    ErrorType,
    /// The body could not be decoded or parsed on one side only.
    Decode,
    /// Another object: the shadow system's value is not the one that corresponds to production's.
    Identity,
    /// Not a difference itself: there are more than were kept.
    More,
}

impl Category {
    /// The stable name in JSON, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Header => "header",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Type => "type",
            Self::Value => "value",
            Self::Order => "order",
            Self::Length => "length",
            Self::ErrorType => "error_type",
            Self::Decode => "decode",
            Self::Identity => "identity",
            Self::More => "more",
        }
    }
}

/// The result of comparing two contents as one kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Compared {
    /// All differences were reported.
    Done,
    /// They cannot be compared as that kind: neither is of that kind, or one is over a bound.
    Not,
}

/// The beginning of every replacement of a secret.
pub(crate) const REDACTED: &str = "[redacted:";

/// The value shown for an absent part of a message.
pub const ABSENT: &str = "(absent)";

/// Shown for a part that is only there or not.
pub(crate) const PRESENT: &str = "(present)";

/// One answer to compare: production's, or the shadow system's.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: &'a Headers,
    /// Trailer fields.
    pub trailers: &'a Headers,
    /// Content.
    pub body: &'a Body,
}

impl<'a> From<&'a Response> for Side<'a> {
    fn from(response: &'a Response) -> Self {
        Self {
            status: response.status,
            headers: &response.headers,
            trailers: &response.trailers,
            body: &response.body,
        }
    }
}

impl<'a> From<&'a ShadowResponse> for Side<'a> {
    fn from(response: &'a ShadowResponse) -> Self {
        Self {
            status: response.status,
            headers: &response.headers,
            trailers: &response.trailers,
            body: &response.body,
        }
    }
}
