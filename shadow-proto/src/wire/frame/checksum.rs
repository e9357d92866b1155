//! The TCP checksum of a datagram that was put together.
//!
//! Identifications come back, and then the fragments of two datagrams fit each other (RFC 4963): the checksum tells. Bias: only
//! asked behind fragments. What is captured in one piece may not have its checksum yet, because the network card was to
//! fill it in; who makes fragments has to do it before.

use super::super::checksum::Sum;

/// Whether the TCP segment in an IP packet adds up (RFC 9293 section 3.1), and so where it cannot be told.
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
