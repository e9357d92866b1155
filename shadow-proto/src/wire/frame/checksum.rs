//! The TCP checksum of a reassembled datagram.
//!
//! Identifications are reused, and then fragments of two datagrams can fit together (RFC 4963): the checksum detects
//! this. Bias: only checked after reassembly. A packet captured in one piece may not have its checksum yet, because
//! the network card was to fill it in; a sender of fragments must do it before.

use super::super::checksum::Sum;

/// Whether the checksum of the TCP segment is valid (RFC 9293 section 3.1); also true if it cannot be checked.
pub(super) fn holds(packet: &[u8]) -> bool {
    let Some((ends, tcp)) = parts(packet) else {
        return true;
    };
    let length = u32::try_from(tcp.len()).unwrap_or_default().to_be_bytes();
    Sum::default()
        .with(ends)
        .with(&[0, PROTOCOL])
        .with(&length)
        .with(tcp)
        .fold()
        == 0
}

const PROTOCOL: u8 = 6;

/// Both addresses, and the segment.
fn parts(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    match packet.first()? {
        head if head >> 4 == 4 => {
            let total = u16::from_be_bytes(*packet.get(2..)?.first_chunk()?);
            let start = usize::from(head & 0x0f) * 4;
            Some((packet.get(12..20)?, packet.get(start..usize::from(total))?))
        }
        head if head >> 4 == 6 && *packet.get(6)? == PROTOCOL => {
            let length = u16::from_be_bytes(*packet.get(4..)?.first_chunk()?);
            Some((packet.get(8..40)?, packet.get(40..40 + usize::from(length))?))
        }
        _ => None,
    }
}
