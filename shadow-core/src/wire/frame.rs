//! Link-layer frames from capture files.
//!
//! Owns: finding the IP header behind a link layer (`link`) and the TCP segment behind that. Bounds: reads only the
//! given slice, at most [`link::MAX_TAGS`] tags or labels deep. Drops: every frame that is no TCP segment, as a named
//! [`Skip`]. Bias: lengths come from the IP header, never from the frame (Ethernet pads short frames), except where the
//! IP header gives none because the network card was to fill it in (segmentation offload).

mod link;
#[cfg(test)]
mod tests;

use shadow_common::{
    bytes::Packet,
    headers::{self, Headers},
};

use super::{Flags, Segment};
use crate::{exchange::reasons, seq::SeqNum, time::Timestamp};

pub use link::{LinkType, MAX_TAGS};

reasons! {
    /// Why a captured frame is no [`Segment`].
    Skip {
        /// A link-layer type that is not decoded.
        LinkType = "link_type",
        /// An IEEE 802.3 length instead of an EtherType (LLC: spanning tree and the like), or a Linux pseudo protocol.
        Llc = "llc",
        /// Neither IPv4 nor IPv6 (ARP, LLDP, PPP control, ...).
        NotIp = "not_ip",
        /// IP, but not TCP.
        NotTcp = "not_tcp",
        /// A fragment of an IP datagram: only a whole one has a certain place in the stream.
        Fragment = "fragment",
        /// The capture cut the frame off inside the headers.
        CutHeaders = "cut_headers",
        /// Headers that contradict themselves.
        Malformed = "malformed",
        /// More VLAN tags, labels or extension headers than are followed.
        TooDeep = "too_deep",
    }
}

/// Decodes a captured frame of which `wire_len` bytes were on the wire (more than `frame` with a snap length).
pub fn decode(link: LinkType, frame: &[u8], wire_len: usize, at: Timestamp) -> Result<Segment<'_>, Skip> {
    let offset = link::network_offset(link, frame)?;
    let packet = frame.get(offset..).ok_or(Skip::CutHeaders)?;
    let on_wire = wire_len.saturating_sub(offset).max(packet.len());
    let cut = on_wire > packet.len();
    let Headers {
        src,
        dst,
        seq,
        ack,
        flags,
        payload_offset,
        payload_len,
    } = headers::parse(&Packet(packet), on_wire).map_err(|skip| Skip::of_headers(skip, cut))?;
    let captured = packet.get(payload_offset..).unwrap_or_default();
    let payload = captured.get(..payload_len).unwrap_or(captured);
    Ok(Segment {
        at,
        src,
        dst,
        direction: None,
        ifindex: 0,
        seq: SeqNum(seq),
        ack: SeqNum(ack),
        flags: Flags(flags),
        payload,
        missing: u32::try_from(payload_len - payload.len()).unwrap_or(u32::MAX),
    })
}

impl Skip {
    /// The parser cannot tell a packet that is too short from one of which too little was captured.
    const fn of_headers(skip: headers::Skip, cut: bool) -> Self {
        match skip {
            headers::Skip::NotTcp => Self::NotTcp,
            headers::Skip::Fragment => Self::Fragment,
            headers::Skip::NotIp | headers::Skip::Malformed if cut => Self::CutHeaders,
            headers::Skip::NotIp => Self::NotIp,
            headers::Skip::Malformed => Self::Malformed,
        }
    }
}
