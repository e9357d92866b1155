//! Link layers that a capturing system or a switch puts before, or into, another one.
//!
//! Numbers and layouts are those of <https://www.tcpdump.org/linktypes.html>.

use super::{
    Skip,
    link::{Layer, LinkType, be16, byte, network_offset, walk},
};

pub(super) const TOKEN_RING: u16 = 6;
pub(super) const SLIP: u16 = 8;
pub(super) const FRAME_RELAY: u16 = 107;
pub(super) const PRISM: u16 = 119;
pub(super) const IP_OVER_FC: u16 = 122;
pub(super) const SUN_ATM: u16 = 123;
pub(super) const APPLE_1394: u16 = 138;
/// Apple's programs write PKTAP with a number that others may use for anything.
pub(super) const PKTAP_APPLE: u16 = 149;
pub(super) const AVS: u16 = 163;
pub(super) const PPI: u16 = 192;
pub(super) const ERF: u16 = 197;
pub(super) const FRAME_RELAY_DIRECTED: u16 = 206;
pub(super) const MPLS: u16 = 219;
pub(super) const IPNET: u16 = 226;
pub(super) const NET_ANALYZER: u16 = 240;
pub(super) const NET_ANALYZER_PREAMBLE: u16 = 241;
pub(super) const IP_OVER_IB: u16 = 242;
pub(super) const PKTAP: u16 = 258;
pub(super) const MPACKET: u16 = 274;
pub(super) const BROADCOM: u16 = 281;
pub(super) const BROADCOM_BEFORE: u16 = 282;
pub(super) const DSA: u16 = 284;
pub(super) const EDSA: u16 = 285;

/// Where the IP header begins.
pub(super) fn offset(code: u16, frame: &[u8]) -> Result<usize, Skip> {
    let (layer, at) = match code {
        // Length, and the type of the next header.
        PKTAP => return inside(frame, word(frame, 0)?, word(frame, 8)?),
        PKTAP_APPLE if is_pktap(frame) => return inside(frame, word(frame, 0)?, word(frame, 8)?),
        PPI => return inside(frame, le16(frame, 2)?.into(), word(frame, 4)?),
        // The tag precedes the EtherType; if marked as extended, it has four more bytes.
        DSA => {
            const EXTENDED: u8 = 0x10;
            let end = if byte(frame, 14)? & EXTENDED != 0 { 20 } else { 16 };
            (Layer::Type(be16(frame, end)?), end + 2)
        }
        EDSA => (Layer::Ethernet, 0),
        BROADCOM => (Layer::Type(be16(frame, 16)?), 18),
        BROADCOM_BEFORE | NET_ANALYZER => (Layer::Ethernet, 4),
        NET_ANALYZER_PREAMBLE => (Layer::Ethernet, 12),
        MPACKET => match byte(frame, 7)? {
            // A complete frame: preempted frames come in pieces.
            0xd5 => (Layer::Ethernet, 8),
            _ => return Err(Skip::NotIp),
        },
        MPLS => (Layer::Mpls, 0),
        SLIP => (Layer::Ip, 16),
        IPNET => (Layer::Ip, 24),
        // After the global route header.
        IP_OVER_IB => (Layer::Type(be16(frame, 40)?), 44),
        FRAME_RELAY => frame_relay(frame, 0)?,
        FRAME_RELAY_DIRECTED => frame_relay(frame, 1)?,
        PRISM => (Layer::Wlan, word(frame, 4)?),
        AVS => (Layer::Wlan, be32(frame, 4)?),
        TOKEN_RING => {
            const ROUTED: u8 = 0x80;
            let route = if byte(frame, 8)? & ROUTED == 0 {
                0
            } else {
                byte(frame, 14)? & 0x1f
            };
            (Layer::Llc, 14 + usize::from(route))
        }
        IP_OVER_FC => (Layer::Llc, 16),
        SUN_ATM => match byte(frame, 0)? & 0x0f {
            1 => (Layer::Ethernet, 6),
            2 => (Layer::Llc, 4),
            _ => return Err(Skip::NotIp),
        },
        APPLE_1394 => (Layer::Type(be16(frame, 16)?), 18),
        ERF => erf(frame)?,
        _ => return Err(Skip::LinkType),
    };
    walk(frame, layer, at)
}

/// Whether a frame begins with the length and the record type of a PKTAP header.
fn is_pktap(frame: &[u8]) -> bool {
    const SHORTEST: usize = 108;
    const LONGEST: usize = 1024;
    const PACKET: usize = 1;
    let length = word(frame, 0).unwrap_or_default();
    (SHORTEST..=LONGEST).contains(&length) && word(frame, 4) == Ok(PACKET)
}

/// A frame of another type that begins at `at`; a nested PKTAP or PPI header is refused.
fn inside(frame: &[u8], at: usize, code: usize) -> Result<usize, Skip> {
    let link = LinkType::from_code(u16::try_from(code).unwrap_or(u16::MAX));
    if matches!(link, LinkType::Prefixed(PKTAP | PKTAP_APPLE | PPI)) {
        return Err(Skip::TooDeep);
    }
    let rest = frame.get(at..).ok_or(Skip::CutHeaders)?;
    Ok(at.saturating_add(network_offset(link, rest)?))
}

/// RFC 2427: address, control and the protocol's number; Cisco has an EtherType after the address.
fn frame_relay(frame: &[u8], start: usize) -> Result<(Layer, usize), Skip> {
    const LAST: u8 = 1;
    const UNNUMBERED: u8 = 3;
    let mut at = start + 1;
    while byte(frame, at)? & LAST == 0 {
        at += 1;
        if at > start + 4 {
            return Err(Skip::Malformed);
        }
    }
    at += 1;
    if byte(frame, at)? != UNNUMBERED {
        return Ok((Layer::Type(be16(frame, at)?), at + 2));
    }
    at += 1;
    if byte(frame, at)? == 0 {
        at += 1;
    }
    match byte(frame, at)? {
        0xcc | 0x8e => Ok((Layer::Ip, at + 1)),
        // An organisation's number, then an EtherType.
        0x80 => Ok((Layer::Type(be16(frame, at + 4)?), at + 6)),
        _ => Err(Skip::NotIp),
    }
}

/// Endace records: a fixed header, optional further ones as announced, two bytes before Ethernet.
fn erf(frame: &[u8]) -> Result<(Layer, usize), Skip> {
    const MORE: u8 = 0x80;
    const FURTHER: usize = 8;
    let kind = byte(frame, 8)?;
    let (mut more, mut at) = (kind & MORE != 0, 16);
    for _ in 0..FURTHER {
        if !more {
            break;
        }
        more = byte(frame, at)? & MORE != 0;
        at += 8;
    }
    match kind & !MORE {
        2 | 11 | 16 | 20 => Ok((Layer::Ethernet, at + 2)),
        22 | 23 => Ok((Layer::Ip, at)),
        _ => Err(Skip::NotIp),
    }
}

fn le16(frame: &[u8], at: usize) -> Result<u16, Skip> {
    be16(frame, at).map(u16::swap_bytes)
}

fn be32(frame: &[u8], at: usize) -> Result<usize, Skip> {
    let bytes = frame.get(at..).and_then(<[u8]>::first_chunk);
    let number = bytes.copied().map(u32::from_be_bytes).ok_or(Skip::CutHeaders)?;
    usize::try_from(number).map_err(|_error| Skip::Malformed)
}

/// A small number in the byte order of the capturing host: in the other order it would be large.
fn word(frame: &[u8], at: usize) -> Result<usize, Skip> {
    let number = be32(frame, at)?;
    let number = u32::try_from(number).map_err(|_error| Skip::Malformed)?;
    usize::try_from(number.min(number.swap_bytes())).map_err(|_error| Skip::Malformed)
}
