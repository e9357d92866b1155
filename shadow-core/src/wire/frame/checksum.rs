//! The TCP checksum of a datagram that was put together.
//!
//! Identifications come back, and then the fragments of two datagrams fit each other (RFC 4963): the checksum tells. Bias: only
//! asked behind fragments. What is captured in one piece may not have its checksum yet, because the network card was to
//! fill it in; who makes fragments has to do it before.

/// Whether the TCP segment in an IP packet adds up (RFC 9293 section 3.1), and so where it cannot be told.
pub(super) fn holds(packet: &[u8]) -> bool {
    let Some((ends, tcp)) = parts(packet) else {
        return true;
    };
    let sum = words(ends) + words(tcp) + PROTOCOL + tcp.len() as u64;
    fold(sum) == 0xffff
}

const PROTOCOL: u64 = 6;

/// Both addresses, and the segment.
fn parts(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    match packet.first()? {
        head if head >> 4 == 4 => {
            let total = u16::from_be_bytes(*packet.get(2..)?.first_chunk()?);
            let start = usize::from(head & 0x0f) * 4;
            Some((packet.get(12..20)?, packet.get(start..usize::from(total))?))
        }
        head if head >> 4 == 6 && u64::from(*packet.get(6)?) == PROTOCOL => {
            let length = u16::from_be_bytes(*packet.get(4..)?.first_chunk()?);
            Some((packet.get(8..40)?, packet.get(40..40 + usize::from(length))?))
        }
        _ => None,
    }
}

fn words(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    };
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
