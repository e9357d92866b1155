//! Requests without a whole recorded answer from production.

use shadow_proto::exchange::{Exchange, Incomplete, Request};

/// Whether the request is whole although its recorded answer is not, or may belong to another request.
///
/// Bias: a body is considered whole only if its length was announced.
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
        | Incomplete::BodyNotSaved
        | Incomplete::BodyAltered
        | Incomplete::BadRecord
        | Incomplete::Multipath
        | Incomplete::PipelineFull
        | Incomplete::H2HeaderState
        | Incomplete::H2JoinedMidway
        | Incomplete::H2Gap
        | Incomplete::H2Reset
        | Incomplete::H2Unprocessed
        | Incomplete::H2Tunnel => false,
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
