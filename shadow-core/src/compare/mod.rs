//! Match, mismatch, and where.

pub mod decode;
pub mod headers;
pub mod json;
pub mod status;
pub mod text;

use core::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::exchange::{Body, Headers, reasons};

/// What the shadow system answered.
#[derive(Clone, Debug)]
pub struct ShadowResponse {
    /// Status code.
    pub status: u16,
    /// Header fields in order; names as sent where the client can tell.
    pub headers: Headers,
    /// The content, kept up to the same cap as production's.
    pub body: Body,
    /// Last request byte written to first response byte read.
    pub first_byte: Duration,
    /// Last request byte written to last response byte read.
    pub total: Duration,
}

/// What the shadow system did with a replayed request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It answered.
    Response(ShadowResponse),
    /// It did not.
    Failed(Failure),
}

reasons! {
    /// How the shadow system failed to answer.
    Failure {
        /// No connection: refused or unreachable.
        Connect = "connect",
        /// No connection in time.
        ConnectTimeout = "connect_timeout",
        /// No whole response in time.
        Timeout = "timeout",
        /// The connection was reset.
        Reset = "reset",
        /// The connection was closed before the response was whole.
        Closed = "closed_early",
        /// The answer was not HTTP/1.
        Protocol = "protocol",
        /// The answer was larger than the agent reads.
        TooLarge = "response_over_limit",
        /// The kill switch, or the end, cancelled it in flight.
        Cancelled = "cancelled",
    }
}

/// The result for one replayed exchange.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No discrepancy under the rules.
    Match,
    /// What differed; never empty.
    Mismatch(Vec<Discrepancy>),
    /// The shadow system did not answer.
    ShadowError(Failure),
}

/// One difference between the production and the shadow response.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// What kind of difference.
    pub category: Category,
    /// Where: `status`, `header content-type`, `$.items[3].price`, `line 12`, `body`.
    pub place: String,
    /// The production value, shortened.
    pub production: String,
    /// The shadow value, shortened.
    pub shadow: String,
}

/// What kind of difference a [`Discrepancy`] is.
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
    /// Another JSON type.
    Type,
    /// Another value.
    Value,
    /// Another order of the same elements.
    Order,
    /// Another length.
    Length,
    /// The body could not be decoded or parsed on one side only.
    Decode,
}

/// The value shown for a part of a message that is not there.
pub const ABSENT: &str = "(absent)";

/// A body to compare, with what its headers say about it.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: &'a Headers,
    /// Content.
    pub body: &'a Body,
}

/// Decoded content of one side.
#[derive(Clone, Debug)]
pub enum Content {
    /// All of it.
    Whole(Bytes),
    /// Only the length (of the encoded content) and, when known, the digest.
    Digest {
        /// Bytes, encoded.
        len: u64,
        /// BLAKE3, encoded.
        digest: Option<[u8; 32]>,
    },
}
