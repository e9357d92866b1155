//! IP packets inside IP packets.
//!
//! Bias: a tunnel is identified by its IP protocol or by the registered port of its UDP datagrams, never by content.

use super::{
    Skip,
    link::{Layer, be16, byte, walk},
};

/// Most packets inside packets that are followed.
pub const MAX_TUNNELS: usize = 4;

const IPV4: u8 = 4;
const UDP: u8 = 17;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const ETHERNET: u8 = 97;
const MPLS: u8 = 137;

/// Where the IP header inside the packet at `at`, which is not a TCP segment, begins.
pub(super) fn inside(frame: &[u8], at: usize) -> Result<usize, Skip> {
    let (protocol, at) = match byte(frame, at)? >> 4 {
        4 => upper_v4(frame, at)?,
        _ => upper_v6(frame, at)?,
    };
    match protocol {
        IPV4 | IPV6 => Ok(at),
        GRE => gre(frame, at),
        UDP => udp(frame, at),
        // EtherIP (RFC 3378) has a header of two bytes.
        ETHERNET => walk(frame, Layer::Ethernet, at + 2),
        MPLS => walk(frame, Layer::Mpls, at),
        _ => Err(Skip::NotTcp),
    }
}

const fn is_tunnel(protocol: u8) -> bool {
    matches!(protocol, IPV4 | UDP | IPV6 | GRE | ETHERNET | MPLS)
}

fn upper_v4(frame: &[u8], at: usize) -> Result<(u8, usize), Skip> {
    let protocol = byte(frame, at + 9)?;
    if is_tunnel(protocol) && be16(frame, at + 6)? & 0x3fff != 0 {
        return Err(Skip::Fragment);
    }
    Ok((protocol, at + usize::from(byte(frame, at)? & 0x0f) * 4))
}

/// Skips hop-by-hop options, routing, destination options and an atomic fragment.
fn upper_v6(frame: &[u8], at: usize) -> Result<(u8, usize), Skip> {
    const MOST: usize = 6;
    let (mut next, mut at) = (byte(frame, at + 6)?, at + 40);
    for _ in 0..MOST {
        let size = match next {
            0 | 43 | 60 => (usize::from(byte(frame, at + 1)?) + 1) * 8,
            44 if be16(frame, at + 2)? & 0xfff9 == 0 => 8,
            44 if is_tunnel(byte(frame, at)?) => return Err(Skip::Fragment),
            _ => break,
        };
        next = byte(frame, at)?;
        at += size;
    }
    Ok((next, at))
}

/// RFC 2784, 2890, and version 1 of RFC 2637 with PPP in it.
fn gre(frame: &[u8], at: usize) -> Result<usize, Skip> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGED: u16 = 0x0080;
    let (flags, kind) = (be16(frame, at)?, be16(frame, at + 2)?);
    if flags & ROUTING != 0 {
        return Err(Skip::NotTcp);
    }
    let fields = [CHECKSUM, KEY, SEQUENCE, ACKNOWLEDGED];
    let present = fields.iter().filter(|field| flags & **field != 0).count();
    let at = at + 4 + present * 4;
    match kind {
        // ERSPAN: the first type has no header of its own, and no sequence number.
        0x88be if flags & SEQUENCE == 0 => walk(frame, Layer::Ethernet, at),
        0x88be => walk(frame, Layer::Ethernet, at + 8),
        0x22eb => {
            let platform = byte(frame, at + 11)? & 1 != 0;
            walk(frame, Layer::Ethernet, at + if platform { 20 } else { 12 })
        }
        kind => walk(frame, Layer::Type(kind), at),
    }
}

fn udp(frame: &[u8], at: usize) -> Result<usize, Skip> {
    let (source, destination) = (be16(frame, at)?, be16(frame, at + 2)?);
    let inside = match destination {
        // VXLAN (RFC 7348), and its extension with a next protocol.
        4789 if byte(frame, at + 8)? & 0x08 != 0 => walk(frame, Layer::Ethernet, at + 16),
        4790 => vxlan_gpe(frame, at + 8),
        // Geneve (RFC 8926): options in words of four bytes, then an EtherType.
        6081 => {
            let options = usize::from(byte(frame, at + 8)? & 0x3f) * 4;
            walk(frame, Layer::Type(be16(frame, at + 10)?), at + 16 + options)
        }
        6635 => walk(frame, Layer::Mpls, at + 8),
        2152 => gtp(frame, at + 8),
        1701 => l2tp(frame, at + 8),
        _ if destination == 3544 || source == 3544 => teredo(frame, at + 8),
        _ => return Err(Skip::NotTcp),
    };
    // A port is no proof: another protocol on it is not a fault.
    inside.map_err(|skip| match skip {
        Skip::CutHeaders => skip,
        _ => Skip::NotTcp,
    })
}

fn vxlan_gpe(frame: &[u8], at: usize) -> Result<usize, Skip> {
    match byte(frame, at + 3)? {
        1 | 2 => Ok(at + 8),
        3 => walk(frame, Layer::Ethernet, at + 8),
        4 => walk(frame, Layer::Nsh, at + 8),
        _ => Err(Skip::NotTcp),
    }
}

/// GTP-U version 1 (3GPP TS 29.281 section 5): a user's packet after any number of extension headers.
fn gtp(frame: &[u8], at: usize) -> Result<usize, Skip> {
    const MOST: usize = 4;
    const ANY_OPTION: u8 = 0x07;
    let (flags, kind) = (byte(frame, at)?, byte(frame, at + 1)?);
    if flags & 0xf0 != 0x30 || kind != 0xff {
        return Err(Skip::NotTcp);
    }
    if flags & ANY_OPTION == 0 {
        return ip_at(frame, at + 8);
    }
    let (mut next, mut at) = (byte(frame, at + 11)?, at + 12);
    if flags & 0x04 == 0 {
        next = 0;
    }
    for _ in 0..MOST {
        if next == 0 {
            return ip_at(frame, at);
        }
        let size = usize::from(byte(frame, at)?) * 4;
        if size == 0 {
            return Err(Skip::NotTcp);
        }
        at += size;
        next = byte(frame, at - 1)?;
    }
    Err(Skip::NotTcp)
}

/// L2TP version 2 (RFC 2661 section 3.1): a data message.
fn l2tp(frame: &[u8], at: usize) -> Result<usize, Skip> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    let flags = be16(frame, at)?;
    if flags & CONTROL != 0 || flags & 0x0f != 2 {
        return Err(Skip::NotTcp);
    }
    let mut at = at + 6;
    at += if flags & LENGTH != 0 { 2 } else { 0 };
    at += if flags & SEQUENCE != 0 { 4 } else { 0 };
    if flags & OFFSET != 0 {
        at += 2 + usize::from(be16(frame, at)?);
    }
    walk(frame, Layer::Ppp, at)
}

/// RFC 4380 section 5.1.1: authentication and origin may come before the packet.
fn teredo(frame: &[u8], mut at: usize) -> Result<usize, Skip> {
    if be16(frame, at)? == 1 {
        at += 13 + usize::from(byte(frame, at + 2)?) + usize::from(byte(frame, at + 3)?);
    }
    if be16(frame, at)? == 0 {
        at += 8;
    }
    match byte(frame, at)? >> 4 {
        6 => Ok(at),
        _ => Err(Skip::NotTcp),
    }
}

fn ip_at(frame: &[u8], at: usize) -> Result<usize, Skip> {
    match byte(frame, at)? >> 4 {
        4 | 6 => Ok(at),
        _ => Err(Skip::NotTcp),
    }
}
