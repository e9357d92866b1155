//! Requests of which production's whole answer was not recorded.

use shadow_proto::exchange::{Exchange, Incomplete, Request};

/// Whether the request is whole, though what was recorded of its answer is not, or may be another one's.
///
/// Bias: a body is only taken for whole when its length was announced.
pub(super) fn is_whole(exchange: &Exchange, reason: Incomplete) -> bool {
    let answer_only = match reason {
        Incomplete::Midstream
        | Incomplete::ResponseGap
        | Incomplete::ResponseCut
        | Incomplete::NoResponse
        | Incomplete::Evicted
        | Incomplete::Idle
        | Incomplete::CaptureEnd => true,
        Incomplete::RequestGap
        | Incomplete::RequestCut
        | Incomplete::Unrequested
        | Incomplete::AmbiguousFraming
        | Incomplete::AmbiguousHost
        | Incomplete::Malformed
        | Incomplete::HeadTooLarge
        | Incomplete::ConflictingOverlap
        | Incomplete::UrgentData
        | Incomplete::PipelineFull => false,
    };
    let Request { headers, body, .. } = &exchange.request;
    let announced = match headers.get("content-length") {
        Some(length) => {
            core::str::from_utf8(length).is_ok_and(|length| length.trim().parse() == Ok(body.len))
        }
        None => body.len == 0,
    };
    answer_only && announced && body.missing == 0 && headers.get("transfer-encoding").is_none()
}
