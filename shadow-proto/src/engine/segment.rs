//! Facts about single segments.

use crate::{
    http1::begins::{is_request_line, looks_like_response},
    wire::{Direction, Flags, Segment},
};

/// Payload bytes of a segment on the wire.
pub(super) fn size(segment: &Segment<'_>) -> u64 {
    segment.payload.len() as u64 + u64::from(segment.missing)
}

/// The direction of the first segment of a flow.
pub(super) fn client_side(segment: &Segment<'_>) -> Direction {
    if segment.flags.contains(Flags::SYN) {
        let answer = segment.flags.contains(Flags::ACK);
        return if answer {
            Direction::ToClient
        } else {
            Direction::ToServer
        };
    }
    if let Some(direction) = segment.direction {
        return direction;
    }
    if is_request_line(segment.payload) {
        return Direction::ToServer;
    }
    // The capture began inside a message: servers usually have the lower port.
    if looks_like_response(segment.payload) || segment.src.port < segment.dst.port {
        Direction::ToClient
    } else {
        Direction::ToServer
    }
}
