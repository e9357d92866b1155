//! From the start of a frame to its IP header.

use super::Skip;

/// VLAN tags, or MPLS labels, that are followed in one frame.
pub const MAX_TAGS: usize = 8;

/// What a captured frame begins with: the link-layer types of <https://www.tcpdump.org/linktypes.html> that are decoded.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LinkType {
    /// Ethernet.
    Ethernet,
    /// An IP header, of either version.
    Ip,
    /// BSD loopback: an address family in the byte order of the capturing host, or (LOOP) in network order.
    Null,
    /// Linux cooked capture v1 (`tcpdump -i any`).
    LinuxSll,
    /// Linux cooked capture v2.
    LinuxSll2,
    /// PPP, with or without HDLC framing, and Cisco HDLC.
    Ppp,
    /// A PPPoE session header.
    Pppoe,
    /// Anything else, by its number.
    Other(u16),
}

impl LinkType {
    /// From the number in a pcap or pcapng file. RAW has three of them, because DLT values differ between systems.
    pub const fn from_code(code: u16) -> Self {
        match code {
            0 | 108 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 | 104 => Self::Ppp,
            51 => Self::Pppoe,
            12 | 14 | 101 | 228 | 229 => Self::Ip,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }
}

/// Where the IP header begins.
pub(super) fn network_offset(link: LinkType, frame: &[u8]) -> Result<usize, Skip> {
    match link {
        LinkType::Ethernet => behind_ethertype(frame, 12),
        LinkType::Ip => Ok(0),
        LinkType::Null => loopback(frame),
        LinkType::LinuxSll => behind_ethertype(frame, 14),
        // In v2 the protocol comes first; the header is 20 bytes.
        LinkType::LinuxSll2 => follow(frame, be16(frame, 0)?, 20),
        LinkType::Ppp => ppp(frame, 0),
        LinkType::Pppoe => pppoe(frame, 0),
        LinkType::Other(_) => Err(Skip::LinkType),
    }
}

/// The EtherType is at `at` and ends the link-layer header.
fn behind_ethertype(frame: &[u8], at: usize) -> Result<usize, Skip> {
    follow(frame, be16(frame, at)?, at + 2)
}

/// `at` is behind `ethertype`; follows tags up to IP.
fn follow(frame: &[u8], mut ethertype: u16, mut at: usize) -> Result<usize, Skip> {
    for _ in 0..=MAX_TAGS {
        match ethertype {
            0x0800 | 0x86dd => return Ok(at),
            // 802.1Q, 802.1ad, and the types that switches used for stacked tags before it.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                ethertype = be16(frame, at + 2)?;
                at += 4;
            }
            0x8847 | 0x8848 => return mpls(frame, at),
            0x8864 => return pppoe(frame, at),
            0..=0x05ff => return Err(Skip::Llc),
            _ => return Err(Skip::NotIp),
        }
    }
    Err(Skip::TooDeep)
}

/// A stack of labels (RFC 3032). What is under the last one is not named: only the IP version can be tested.
fn mpls(frame: &[u8], mut at: usize) -> Result<usize, Skip> {
    const BOTTOM_OF_STACK: u8 = 1;
    for _ in 0..MAX_TAGS {
        let bottom = byte(frame, at + 2)? & BOTTOM_OF_STACK != 0;
        at += 4;
        if bottom {
            return match byte(frame, at)? >> 4 {
                4 | 6 => Ok(at),
                _ => Err(Skip::NotIp),
            };
        }
    }
    Err(Skip::TooDeep)
}

/// RFC 2516: version and type 1, code 0 in a session, session id, length; then PPP.
fn pppoe(frame: &[u8], at: usize) -> Result<usize, Skip> {
    match be16(frame, at)? {
        0x1100 => ppp(frame, at + 6),
        _ => Err(Skip::Malformed),
    }
}

/// RFC 1661, 1662: address and control may be left out, and the protocol may be compressed to its low byte.
fn ppp(frame: &[u8], at: usize) -> Result<usize, Skip> {
    let at = match be16(frame, at)? {
        0xff03 => at + 2,
        // Cisco HDLC: unicast or multicast, then an EtherType.
        0x0f00 | 0x8f00 => return behind_ethertype(frame, at + 2),
        _ => at,
    };
    let first = byte(frame, at)?;
    let (protocol, at) = if first & 1 == 1 {
        (u16::from(first), at + 1)
    } else {
        (be16(frame, at)?, at + 2)
    };
    match protocol {
        0x0021 | 0x0057 => Ok(at),
        _ => Err(Skip::NotIp),
    }
}

/// Four bytes of address family; IPv6 has another number on every BSD.
fn loopback(frame: &[u8]) -> Result<usize, Skip> {
    let family = match frame.first_chunk() {
        Some(&[0, 0, high, low]) => u16::from_be_bytes([high, low]),
        Some(&[low, high, 0, 0]) => u16::from_be_bytes([high, low]),
        Some(_) => return Err(Skip::NotIp),
        None => return Err(Skip::CutHeaders),
    };
    match family {
        2 | 10 | 24 | 28 | 30 => Ok(4),
        _ => Err(Skip::NotIp),
    }
}

fn byte(frame: &[u8], at: usize) -> Result<u8, Skip> {
    frame.get(at).copied().ok_or(Skip::CutHeaders)
}

fn be16(frame: &[u8], at: usize) -> Result<u16, Skip> {
    let bytes = frame.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().map(u16::from_be_bytes).ok_or(Skip::CutHeaders)
}
