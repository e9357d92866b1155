//! Link layers with headers of variable length.

use super::{
    Skip,
    link::{Layer, be16, byte},
};

/// Unencrypted data frames of IEEE 802.11 (section 9.3.2 of 802.11-2020): the offset of LLC.
pub(super) fn wlan(frame: &[u8], at: usize) -> Result<usize, Skip> {
    const DATA: u8 = 2;
    const QOS: u8 = 0x80;
    const NO_DATA: u8 = 0x40;
    const BOTH_SYSTEMS: u8 = 0x03;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const AGGREGATE: u8 = 0x80;
    let (control, flags) = (byte(frame, at)?, byte(frame, at + 1)?);
    if (control >> 2) & 3 != DATA || control & NO_DATA != 0 || flags & PROTECTED != 0 {
        return Err(Skip::NotIp);
    }
    let mut end = at + 24;
    if flags & BOTH_SYSTEMS == BOTH_SYSTEMS {
        end += 6;
    }
    if control & QOS != 0 {
        if byte(frame, end)? & AGGREGATE != 0 {
            return Err(Skip::NotIp);
        }
        end += if flags & ORDER != 0 { 6 } else { 2 };
    }
    Ok(end)
}

/// A network service header (RFC 8300 section 2.2): its length in words, and what follows it.
pub(super) fn nsh(frame: &[u8], at: usize) -> Result<(Layer, usize), Skip> {
    let words = usize::from(byte(frame, at + 1)? & 0x3f);
    let behind = at + words * 4;
    match byte(frame, at + 3)? {
        _ if words < 2 => Err(Skip::Malformed),
        1 | 2 => Ok((Layer::Ip, behind)),
        3 => Ok((Layer::Ethernet, behind)),
        5 => Ok((Layer::Mpls, behind)),
        _ => Err(Skip::NotIp),
    }
}

/// Attributes in the byte order of the capturing host; one of them is the packet.
pub(super) fn nflog(frame: &[u8]) -> Result<usize, Skip> {
    const HEADER: usize = 4;
    const PAYLOAD: u16 = 9;
    const MOST: usize = 64;
    let mut at = HEADER;
    for _ in 0..MOST {
        let (mut size, mut kind) = (be16(frame, at)?, be16(frame, at + 2)?);
        // Kinds are small numbers: if this reading is the larger one, it has the wrong byte order.
        if kind.swap_bytes() < kind {
            (size, kind) = (size.swap_bytes(), kind.swap_bytes());
        }
        if kind == PAYLOAD {
            return Ok(at + HEADER);
        }
        if usize::from(size) < HEADER {
            return Err(Skip::Malformed);
        }
        at += usize::from(size).next_multiple_of(4);
    }
    Err(Skip::TooDeep)
}
