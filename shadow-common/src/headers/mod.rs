//! Finds the TCP segment in an IP packet.
//!
//! Everything is relative to the network header, so link layers and VLAN tags need no case of their own. The payload
//! length is what IP says, not what the buffer holds: Ethernet pads short frames. Checksums are not looked at; with
//! offload they are not there yet. Fragments are not put together: a fragment is a named skip.
//!
//! Bias: a packet that contradicts itself is skipped, never repaired.

use crate::{bytes::Load, flow::Endpoint};

/// No more data from sender.
pub const FIN: u8 = 0x01;
/// Synchronise sequence numbers.
pub const SYN: u8 = 0x02;
/// Reset the connection.
pub const RST: u8 = 0x04;

/// IPv6 extension headers that are followed in one packet. RFC 8200 section 4.1 lists at most seven before the upper
/// layer, of which real TCP traffic carries none or one.
pub const MAX_EXTENSIONS: usize = 6;

const TCP: u8 = 6;

/// The facts of one TCP segment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Headers {
    /// The sender.
    pub src: Endpoint,
    /// The receiver.
    pub dst: Endpoint,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP control bits (CWR to FIN).
    pub flags: u8,
    /// Bytes of TCP options, which end where the payload starts.
    pub options: usize,
    /// Where the payload starts, from the network header.
    pub payload_offset: usize,
    /// Payload bytes.
    pub payload_len: usize,
}

/// Why a packet is no TCP segment that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skip {
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// Another protocol than TCP.
    NotTcp,
    /// A part of a larger packet.
    Fragment,
    /// Shorter than its headers, lengths that contradict each other, or more than [`MAX_EXTENSIONS`].
    Malformed,
}

/// The facts of an IP header.
struct Ip {
    src: [u8; 16],
    dst: [u8; 16],
    /// Where TCP starts, and where the packet ends.
    tcp: usize,
    end: usize,
}

/// Finds the segment in a packet.
///
/// `len` is the length of the packet from the network header on. It is only used where IP does not say it itself: a
/// total length of 0 is a packet of over 64 KiB inside one host (BIG TCP, IPv6 since Linux 5.19, IPv4 since 6.3).
#[inline(always)]
pub fn parse<L: Load>(packet: &L, len: usize) -> Result<Headers, Skip> {
    // One load for the usual packet: IPv4 and TCP without options, or the whole IPv6 header.
    let Some(first) = packet.load::<40>(0) else {
        return Err(short(packet));
    };
    let [version, ..] = first;
    match version >> 4 {
        4 => {
            let ip = ipv4(first.first_chunk().ok_or(Skip::Malformed)?, len)?;
            if ip.tcp == 20 {
                segment(&ip, *first.last_chunk().ok_or(Skip::Malformed)?)
            } else {
                segment(&ip, packet.load(ip.tcp).ok_or(Skip::Malformed)?)
            }
        }
        6 => {
            let ip = ipv6(packet, &first, len)?;
            segment(&ip, packet.load(ip.tcp).ok_or(Skip::Malformed)?)
        }
        _ => Err(Skip::NotIp),
    }
}

/// A packet of less than 40 bytes is no TCP segment; this says what it is instead.
fn short<L: Load>(packet: &L) -> Skip {
    let Some(header) = packet.load::<20>(0) else {
        return Skip::NotIp;
    };
    let [version, ..] = header;
    match version >> 4 {
        4 => ipv4(&header, 0).err().unwrap_or(Skip::Malformed),
        6 => Skip::Malformed,
        _ => Skip::NotIp,
    }
}

/// RFC 791 section 3.1.
#[inline(always)]
fn ipv4(header: &[u8; 20], len: usize) -> Result<Ip, Skip> {
    let &[
        version_ihl,
        _,
        len_high,
        len_low,
        _,
        _,
        frag_high,
        frag_low,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = header;
    if protocol != TCP {
        return Err(Skip::NotTcp);
    }
    // More-fragments and the offset; the don't-fragment and reserved bits say nothing.
    if u16::from_be_bytes([frag_high, frag_low]) & 0x3fff != 0 {
        return Err(Skip::Fragment);
    }
    let tcp = usize::from(version_ihl & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([len_high, len_low]));
    if tcp < 20 {
        return Err(Skip::Malformed);
    }
    Ok(Ip {
        src: Endpoint::v4([s0, s1, s2, s3], 0).addr,
        dst: Endpoint::v4([d0, d1, d2, d3], 0).addr,
        tcp,
        end: if total == 0 { len } else { total },
    })
}

/// RFC 8200 sections 3 and 4.
#[inline(always)]
fn ipv6<L: Load>(packet: &L, header: &[u8; 40], len: usize) -> Result<Ip, Skip> {
    let &[_, _, _, _, len_high, len_low, next, _, ref addresses @ ..] = header;
    let payload = usize::from(u16::from_be_bytes([len_high, len_low]));
    let (Some(src), Some(dst)) = (addresses.first_chunk::<16>(), addresses.last_chunk::<16>()) else {
        return Err(Skip::Malformed);
    };
    Ok(Ip {
        src: *src,
        dst: *dst,
        tcp: if next == TCP {
            40
        } else {
            packet.forget(extensions(packet, next)?)
        },
        end: if payload == 0 { len } else { payload + 40 },
    })
}

/// Follows the extension headers to TCP; where it starts.
#[inline(always)]
fn extensions<L: Load>(packet: &L, mut next: u8) -> Result<usize, Skip> {
    let mut offset = 40;
    for _ in 0..MAX_EXTENSIONS {
        let size = match next {
            // Hop-by-hop options, routing, destination options, mobility, HIP, shim6: units of 8 bytes (RFC 6564).
            0 | 43 | 60 | 135 | 139 | 140 => {
                let [after, units] = packet.load(offset).ok_or(Skip::Malformed)?;
                next = after;
                (usize::from(units) + 1) * 8
            }
            // Fragment (RFC 8200 section 4.5). Offset 0 without more-fragments is a whole packet (RFC 6946).
            44 => {
                let [after, _, high, low] = packet.load(offset).ok_or(Skip::Malformed)?;
                next = after;
                if u16::from_be_bytes([high, low]) & 0xfff9 != 0 {
                    let ours = next == TCP || is_extension(next);
                    return Err(if ours { Skip::Fragment } else { Skip::NotTcp });
                }
                8
            }
            // Authentication header: units of 4 bytes, less 2 (RFC 4302 section 2.2).
            51 => {
                let [after, units] = packet.load(offset).ok_or(Skip::Malformed)?;
                next = after;
                (usize::from(units) + 2) * 4
            }
            _ => return Err(Skip::NotTcp),
        };
        offset += size;
        if next == TCP {
            return Ok(offset);
        }
    }
    Err(Skip::Malformed)
}

const fn is_extension(next: u8) -> bool {
    matches!(next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140)
}

/// RFC 9293 section 3.1.
#[inline(always)]
fn segment(ip: &Ip, header: [u8; 20]) -> Result<Headers, Skip> {
    let [
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        data_offset,
        flags,
        ..,
    ] = header;
    let size = usize::from(data_offset >> 4) * 4;
    let payload_offset = ip.tcp + size;
    if size < 20 || payload_offset > ip.end {
        return Err(Skip::Malformed);
    }
    Ok(Headers {
        src: Endpoint::v6(ip.src, u16::from_be_bytes([s0, s1])),
        dst: Endpoint::v6(ip.dst, u16::from_be_bytes([d0, d1])),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        options: size - 20,
        payload_offset,
        payload_len: ip.end - payload_offset,
    })
}

/// The bytes of options that the reader needs: those of Multipath TCP (RFC 8684) show whether other connections carry
/// parts of the same stream.
///
/// It goes by length, which is cheap: of the options of Multipath TCP those that matter have at least 12 bytes with a SYN,
/// and more than the 12 bytes of time stamps with payload, where otherwise only selective acknowledgements are as long.
/// Of segments without payload the third of the handshake has keys, as the first option or after the time stamps.
#[inline(always)]
pub fn needed_options<L: Load>(packet: &L, headers: &Headers) -> usize {
    const TIME_STAMPS: usize = 12;
    const KEYS: usize = 20;
    let needed = if headers.flags & SYN != 0 {
        headers.options >= TIME_STAMPS
    } else if headers.payload_len > 0 {
        headers.options > TIME_STAMPS
    } else {
        headers.options >= KEYS && has_keys(packet.load(headers.payload_offset - headers.options))
    };
    packet.forget(if needed { headers.options } else { 0 })
}

#[inline(always)]
fn has_keys(options: Option<[u8; 16]>) -> bool {
    let Some([first, _, of_first, .., later, _, of_later, _]) = options else {
        return false;
    };
    is_capable(first, of_first) || is_capable(later, of_later)
}

/// MP_CAPABLE, by its kind and subtype.
const fn is_capable(kind: u8, subtype: u8) -> bool {
    kind == 30 && subtype >> 4 == 0
}

#[cfg(test)]
mod tests;
