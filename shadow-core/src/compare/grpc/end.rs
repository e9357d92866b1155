//! The end of a stream of Connect: a JSON object in place of trailers, with the error if there is one.
//!
//! It becomes the lines that gRPC-Web has there, so that a status is compared alike in every protocol.

use std::borrow::Cow;

use base64::Engine as _;
use serde::Deserialize;
use shadow_proto::request_target::{decoded, encoded};

use super::{
    BASE64, web_fields,
    wire::{Value, put},
};

/// The codes of Connect in the order of gRPC's numbers, from 1.
const CODES: [&str; 16] = [
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// `EndStreamResponse`.
#[derive(Deserialize)]
struct End<'e> {
    #[serde(borrow)]
    error: Option<Error<'e>>,
}

#[derive(Deserialize)]
struct Error<'e> {
    code: Cow<'e, str>,
    #[serde(default)]
    message: Cow<'e, str>,
    #[serde(borrow, default)]
    details: Vec<Detail<'e>>,
}

/// A message of `google.protobuf.Any`.
#[derive(Deserialize)]
struct Detail<'e> {
    #[serde(rename = "type")]
    name: Cow<'e, str>,
    value: Cow<'e, str>,
}

/// The status as lines of fields, or `None` if this is no such end.
pub(super) fn lines(end: &[u8]) -> Option<Vec<u8>> {
    let End { error } = serde_json::from_slice(end).ok()?;
    let Some(Error {
        code,
        message,
        details,
    }) = error
    else {
        return Some(b"grpc-status: 0\r\n".to_vec());
    };
    let number = CODES.iter().zip(1..).find(|(name, _)| **name == code)?.1;
    let mut status = Vec::new();
    for Detail { name, value } in &details {
        let mut any = Vec::new();
        let name = format!("type.googleapis.com/{name}");
        put(1, Value::Bytes(name.as_bytes()), &mut any);
        put(2, Value::Bytes(&BASE64.decode(value.as_bytes()).ok()?), &mut any);
        put(3, Value::Bytes(&any), &mut status);
    }
    let head = format!("grpc-status: {number}\r\ngrpc-message: {}\r\n", encoded(&message));
    let details = if status.is_empty() {
        String::new()
    } else {
        format!("grpc-status-details-bin: {}\r\n", BASE64.encode(status))
    };
    Some((head + &details).into_bytes())
}

/// The object with the status in these lines. `None` if it has details, whose object is not made from them, or if it is
/// no status.
pub(super) fn object(lines: &[u8]) -> Option<Vec<u8>> {
    let fields = web_fields(lines);
    let number = core::str::from_utf8(fields.get("grpc-status")?).ok()?;
    let number: usize = number.parse().ok()?;
    if number == 0 {
        return Some(b"{}".to_vec());
    }
    if fields.get("grpc-status-details-bin").is_some() {
        return None;
    }
    let message = decoded(fields.get("grpc-message").unwrap_or_default());
    let error = serde_json::json!({
        "code": CODES.get(number.checked_sub(1)?)?,
        "message": String::from_utf8_lossy(&message),
    });
    serde_json::to_vec(&serde_json::json!({ "error": error })).ok()
}
