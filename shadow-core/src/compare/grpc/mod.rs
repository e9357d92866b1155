//! Comparison of gRPC answers: the status, and the messages as trees.
//!
//! Owns: the framing of messages (`frames`), their structure (`shape`), and the status (`status`). Messages become JSON
//! documents (`document`), whose members are named by the set of descriptors, or else by field numbers (`$.1.3[2]`), so
//! that rules, noise and redaction apply to them as to JSON. Bounds: messages of one answer, their decoded bytes, depth
//! and fields. Bias: content that cannot be read as messages is compared by length and digest, never skipped.

mod document;
mod end;
mod frames;
mod scalar;
mod shape;
mod status;
mod wire;

use std::borrow::Cow;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::MessageDescriptor;
use shadow_proto::exchange::Headers;

use super::{
    Compared, events,
    findings::Findings,
    json,
    kinds::Content,
    media::{self, Kind},
    scope::Scope,
};

use frames::Framing;
pub(crate) use frames::{Read, framed};
pub(super) use scalar::digest;
pub(super) use status::compare as statuses;
pub(crate) use status::{is_status, web_fields};
pub(crate) use wire::{Value, fields, put, text};

/// Binary values are padded by some senders, and not by others.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decoded bytes of the messages of one answer.
const DECODED: usize = 32 << 20;

/// Whether these are the fields of an answer with a status of gRPC.
pub(crate) fn is_grpc(headers: &Headers) -> bool {
    media::kind(headers) == Kind::Grpc && Framing::of(headers) != Framing::Bare
}

/// Compares two sequences of messages; `Not` if one of them cannot be read.
pub(super) fn compare(
    scope: &Scope<'_>,
    (left, production): Content<'_>,
    (right, shadow): Content<'_>,
    data: &events::CompareData<'_>,
    findings: &mut Findings,
) -> Compared {
    let (Some(a), Some(b)) = (
        Read::of(left, production, DECODED),
        Read::of(right, shadow, DECODED),
    ) else {
        return Compared::Not;
    };
    let documents = if media::is_grpc_json(left) || media::is_grpc_json(right) {
        Some([a.documents(), b.documents()])
    } else {
        // Both sides have one structure: a field is a message only if it is one in both.
        document::documents([&a.messages, &b.messages], scope.answer_type())
    };
    let Some([a, b]) = documents else {
        return Compared::Not;
    };
    if let ([a], [b]) = (a.as_slice(), b.as_slice()) {
        return json::compare(scope, a, b, json::ROOT, findings);
    }
    events::documents(
        a.iter().map(Vec::as_slice).collect(),
        b.iter().map(Vec::as_slice).collect(),
        data,
        findings,
    )
}

/// The messages of one answer as JSON documents, or `None` if they cannot be read.
pub(crate) fn documents(
    headers: &Headers,
    content: &[u8],
    of: Option<&MessageDescriptor>,
) -> Option<Vec<Vec<u8>>> {
    let read = Read::of(headers, content, DECODED)?;
    if media::is_grpc_json(headers) {
        return Some(read.documents());
    }
    let [documents, _] = document::documents([&read.messages, &[]], of)?;
    Some(documents)
}

/// Two messages outside gRPC as JSON documents of one structure, or `None` if they cannot be read.
pub(super) fn messages(sides: [&[u8]; 2]) -> Option<[Vec<u8>; 2]> {
    let [a, b] = sides.map(|message| [Cow::Borrowed(message)]);
    let [a, b] = document::documents([&a, &b], None)?.map(|mut side| side.pop());
    Some([a?, b?])
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod typed_tests;
