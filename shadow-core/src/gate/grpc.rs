//! gRPC calls: how they are recognised, and whether their messages can be sent in the order in which they were.
//!
//! Bias: a call whose response had begun before its request had ended may have been a dialogue, and is not replayed.
//! The first byte of the response counts, although only its first message can be an answer to something.

use super::matcher::media_type;
use crate::connect;
use shadow_proto::exchange::{Exchange, Request};

/// Whether a request is a gRPC call, over HTTP/2 or as gRPC-Web.
pub(crate) fn is_grpc(request: &Request) -> bool {
    media_type(request).starts_with(b"application/grpc")
}

/// Whether its content is a sequence of messages, which may be a part of a dialogue.
fn is_sequence(request: &Request) -> bool {
    is_grpc(request) || media_type(request).starts_with(b"application/connect+")
}

/// Whether a request is a call of gRPC or of Connect: its path names a method, and its content is one.
pub(super) fn is_call(request: &Request) -> bool {
    is_grpc(request) || connect::has_version(request)
}

/// Whether the request went on after the response had begun.
pub(super) fn is_interleaved(exchange: &Exchange) -> bool {
    let timing = &exchange.timing;
    let ends = timing.request_last.zip(timing.response_first);
    is_sequence(&exchange.request) && ends.is_some_and(|(asked, answered)| asked > answered)
}
