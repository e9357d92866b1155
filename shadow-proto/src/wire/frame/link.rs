//! From the start of a frame to its IP header.

use super::{Skip, other, pseudo};

/// Most VLAN tags, MPLS labels or other layers that are followed in one frame.
pub const MAX_TAGS: usize = 8;

/// Supported link-layer types of captured frames (<https://www.tcpdump.org/linktypes.html>).
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
    /// PPP after a byte that gives the direction.
    PppDirected,
    /// A PPPoE session header.
    Pppoe,
    /// LLC: classical IP over ATM.
    Llc,
    /// FDDI.
    Fddi,
    /// IEEE 802.11.
    Wlan,
    /// IEEE 802.11 after a radiotap header.
    Radiotap,
    /// Linux netfilter log.
    Nflog,
    /// BSD packet filter log.
    Pflog,
    /// OpenBSD encapsulating interface.
    Enc,
    /// A header of the capturing system or of a switch before another link layer, by its number.
    Prefixed(u16),
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
            10 => Self::Fddi,
            51 => Self::Pppoe,
            12 | 14 | 101 | 228 | 229 => Self::Ip,
            100 => Self::Llc,
            105 => Self::Wlan,
            109 => Self::Enc,
            113 => Self::LinuxSll,
            117 => Self::Pflog,
            127 => Self::Radiotap,
            166 | 204 | 205 => Self::PppDirected,
            239 => Self::Nflog,
            276 => Self::LinuxSll2,
            pseudo::TOKEN_RING
            | pseudo::FRAME_RELAY
            | pseudo::PRISM
            | pseudo::IP_OVER_FC
            | pseudo::SUN_ATM
            | pseudo::APPLE_1394
            | pseudo::AVS
            | pseudo::PPI
            | pseudo::ERF
            | pseudo::FRAME_RELAY_DIRECTED
            | pseudo::MPLS
            | pseudo::NET_ANALYZER
            | pseudo::NET_ANALYZER_PREAMBLE
            | pseudo::PKTAP
            | pseudo::PKTAP_APPLE
            | pseudo::SLIP
            | pseudo::IPNET
            | pseudo::IP_OVER_IB
            | pseudo::MPACKET
            | pseudo::BROADCOM
            | pseudo::BROADCOM_BEFORE
            | pseudo::DSA
            | pseudo::EDSA => Self::Prefixed(code),
            other => Self::Other(other),
        }
    }
}

/// Kind of layer at an offset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer {
    Ip,
    Ethernet,
    /// The layer after an EtherType, by its value.
    Type(u16),
    Llc,
    Mpls,
    Nsh,
    Ppp,
    Pppoe,
    Wlan,
}

/// Where the IP header begins.
pub(super) fn network_offset(link: LinkType, frame: &[u8]) -> Result<usize, Skip> {
    let (layer, at) = match link {
        LinkType::Ethernet => (Layer::Ethernet, 0),
        LinkType::Ip => return Ok(0),
        LinkType::Null => return loopback(frame),
        LinkType::LinuxSll => (Layer::Type(be16(frame, 14)?), 16),
        // In v2 the protocol comes first; the header is 20 bytes.
        LinkType::LinuxSll2 => (Layer::Type(be16(frame, 0)?), 20),
        LinkType::Ppp => (Layer::Ppp, 0),
        LinkType::PppDirected => (Layer::Ppp, 1),
        LinkType::Pppoe => (Layer::Pppoe, 0),
        LinkType::Llc => (Layer::Llc, 0),
        // Frame control and two addresses.
        LinkType::Fddi => (Layer::Llc, 13),
        LinkType::Wlan => (Layer::Wlan, 0),
        LinkType::Radiotap => {
            let length = [byte(frame, 2)?, byte(frame, 3)?];
            (Layer::Wlan, u16::from_le_bytes(length).into())
        }
        LinkType::Nflog => return other::nflog(frame),
        // Its first byte is its length without the padding.
        LinkType::Pflog => return Ok(usize::from(byte(frame, 0)?).next_multiple_of(4)),
        LinkType::Enc => return Ok(12),
        LinkType::Prefixed(code) => return pseudo::offset(code, frame),
        LinkType::Other(_) => return Err(Skip::LinkType),
    };
    walk(frame, layer, at)
}

/// Follows layers up to IP.
pub(super) fn walk(frame: &[u8], mut layer: Layer, mut at: usize) -> Result<usize, Skip> {
    // In addition to the tags: the layer that they begin in, and the type after the last.
    for _ in 0..MAX_TAGS + 2 {
        (layer, at) = match layer {
            Layer::Ip => return Ok(at),
            Layer::Ethernet => (Layer::Type(be16(frame, at + 12)?), at + 14),
            Layer::Type(ethertype) => behind_type(frame, ethertype, at)?,
            Layer::Llc => llc(frame, at)?,
            Layer::Mpls => mpls(frame, at)?,
            Layer::Nsh => other::nsh(frame, at)?,
            Layer::Ppp => ppp(frame, at)?,
            Layer::Pppoe => pppoe(frame, at)?,
            Layer::Wlan => (Layer::Llc, other::wlan(frame, at)?),
        };
    }
    match layer {
        Layer::Ip => Ok(at),
        _ => Err(Skip::TooDeep),
    }
}

/// `at` is the offset after `ethertype`.
fn behind_type(frame: &[u8], ethertype: u16, at: usize) -> Result<(Layer, usize), Skip> {
    Ok(match ethertype {
        0x0800 | 0x86dd => (Layer::Ip, at),
        // 802.1Q, 802.1ad, and the types that switches used for stacked tags before it.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => (Layer::Type(be16(frame, at + 2)?), at + 4),
        // Cisco's VN-Tag, and the E-Tag of 802.1BR.
        0x8926 => (Layer::Type(be16(frame, at + 4)?), at + 6),
        // A Marvell switch tag has the type at the same offset.
        0x893f | 0xdada => (Layer::Type(be16(frame, at + 6)?), at + 8),
        // Provider backbone (802.1ah), FabricPath, and the value that tunnels use for Ethernet.
        0x88e7 => (Layer::Ethernet, at + 4),
        0x8903 => (Layer::Ethernet, at + 2),
        0x6558 => (Layer::Ethernet, at),
        0x8847 | 0x8848 => (Layer::Mpls, at),
        0x8864 => (Layer::Pppoe, at),
        0x880b => (Layer::Ppp, at),
        0x894f => (Layer::Nsh, at),
        // A length of IEEE 802.3, or a Linux pseudo protocol.
        0..=0x05ff => (Layer::Llc, at),
        _ => return Err(Skip::NotIp),
    })
}

/// SNAP after IEEE 802.2 (RFC 1042), or IP directly after it.
fn llc(frame: &[u8], at: usize) -> Result<(Layer, usize), Skip> {
    match frame.get(at..).and_then(<[u8]>::first_chunk) {
        Some([0xaa, 0xaa, 0x03]) => Ok((Layer::Type(be16(frame, at + 6)?), at + 8)),
        Some([0x06, 0x06, 0x03]) => Ok((Layer::Ip, at + 3)),
        Some(_) => Err(Skip::Llc),
        None => Err(Skip::CutHeaders),
    }
}

/// One label (RFC 3032). The protocol under the last one is not named: only the IP version can be tested, and the
/// control word of an Ethernet pseudowire (RFC 4448).
fn mpls(frame: &[u8], at: usize) -> Result<(Layer, usize), Skip> {
    const BOTTOM_OF_STACK: u8 = 1;
    let bottom = byte(frame, at + 2)? & BOTTOM_OF_STACK != 0;
    let at = at + 4;
    if !bottom {
        return Ok((Layer::Mpls, at));
    }
    match byte(frame, at)? >> 4 {
        4 | 6 => Ok((Layer::Ip, at)),
        0 => Ok((Layer::Ethernet, at + 4)),
        _ => Err(Skip::NotIp),
    }
}

/// RFC 2516: version and type 1, code 0 in a session, session id, length; then PPP.
fn pppoe(frame: &[u8], at: usize) -> Result<(Layer, usize), Skip> {
    match be16(frame, at)? {
        0x1100 => Ok((Layer::Ppp, at + 6)),
        _ => Err(Skip::Malformed),
    }
}

/// RFC 1661, 1662: address and control may be left out, and the protocol may be compressed to its low byte.
fn ppp(frame: &[u8], at: usize) -> Result<(Layer, usize), Skip> {
    let at = match be16(frame, at)? {
        0xff03 => at + 2,
        // Cisco HDLC: unicast or multicast, then an EtherType.
        0x0f00 | 0x8f00 => return Ok((Layer::Type(be16(frame, at + 2)?), at + 4)),
        _ => at,
    };
    let first = byte(frame, at)?;
    let (protocol, at) = if first & 1 == 1 {
        (u16::from(first), at + 1)
    } else {
        (be16(frame, at)?, at + 2)
    };
    match protocol {
        0x0021 | 0x0057 => Ok((Layer::Ip, at)),
        0x0281 => Ok((Layer::Mpls, at)),
        _ => Err(Skip::NotIp),
    }
}

/// Four bytes of address family; the number for IPv6 differs on every BSD.
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

pub(super) fn byte(frame: &[u8], at: usize) -> Result<u8, Skip> {
    frame.get(at).copied().ok_or(Skip::CutHeaders)
}

pub(super) fn be16(frame: &[u8], at: usize) -> Result<u16, Skip> {
    let bytes = frame.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().map(u16::from_be_bytes).ok_or(Skip::CutHeaders)
}
