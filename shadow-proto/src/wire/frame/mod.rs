//! Link-layer frames from capture files.
//!
//! Owns: finding the IP header after a link layer (`link`) or in a tunnel (`tunnel`), reassembling fragments
//! (`fragments`), and the TCP segment after that. Bounds: reads only the given slice, at most [`MAX_TAGS`] tags and
//! [`MAX_TUNNELS`] tunnels deep; 4 MiB of waiting fragments. Drops: every frame that is not a TCP segment, as a named
//! [`Skip`]. Bias: lengths come from the IP header, never from the frame (Ethernet pads short frames), except where
//! the IP header gives none because the network card was to fill it in (segmentation offload).

mod checksum;
mod fragments;
mod link;
mod other;
mod pseudo;
#[cfg(test)]
mod tests;
mod tunnel;

use shadow_common::{
    bytes::Packet,
    headers::{self, Headers},
};

use super::{Flags, Segment, multipath};
use crate::{seq::SeqNum, time::Timestamp};

use fragments::Fragments;
pub use link::{LinkType, MAX_TAGS};
pub use tunnel::MAX_TUNNELS;

crate::catalogue! {
    /// Why a captured frame is not a [`Segment`].
    Skip {
        /// A link-layer type that is not decoded.
        LinkType = "link_type",
        /// IEEE 802.2 without an EtherType (spanning tree and the like), or a Linux pseudo protocol.
        Llc = "llc",
        /// Neither IPv4 nor IPv6 (ARP, LLDP, PPP control, ...).
        NotIp = "not_ip",
        /// IP, but not TCP.
        NotTcp = "not_tcp",
        /// A fragment of an IP datagram that did not complete one: only a whole datagram has a certain place in the
        /// stream.
        Fragment = "fragment",
        /// The capture cut the frame off inside the headers.
        CutHeaders = "cut_headers",
        /// Headers that contradict themselves.
        Malformed = "malformed",
        /// More VLAN tags, labels, extension headers or tunnels than are followed.
        TooDeep = "too_deep",
    }
}

/// Decodes a captured frame that had `wire_len` bytes on the wire (more than `frame` with a snap length).
pub fn decode(link: LinkType, frame: &[u8], wire_len: usize, at: Timestamp) -> Result<Segment<'_>, Skip> {
    let (offset, headers) = find(link, frame, wire_len).map_err(|(_, skip)| skip)?;
    Ok(segment(frame.get(offset..).unwrap_or_default(), &headers, at))
}

/// [`decode`] for the frames of one capture in order, with reassembly: the fragment that completes a datagram is
/// decoded as that datagram.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
    whole: Vec<u8>,
}

impl Decoder {
    /// As [`decode`]. A fragment that completes nothing is [`Skip::Fragment`]. So is one that completes a datagram
    /// that was never sent, as its checksum shows.
    pub fn decode<'a>(
        &'a mut self,
        link: LinkType,
        frame: &'a [u8],
        wire_len: usize,
        at: Timestamp,
    ) -> Result<Segment<'a>, Skip> {
        match find(link, frame, wire_len) {
            Ok((offset, headers)) => Ok(segment(frame.get(offset..).unwrap_or_default(), &headers, at)),
            Err((offset, Skip::Fragment)) => {
                let Self { fragments, whole } = self;
                let packet = frame.get(offset..).unwrap_or_default();
                if !fragments.push(packet, at, whole) {
                    return Err(Skip::Fragment);
                }
                let (offset, headers) = find(LinkType::Ip, whole, whole.len()).map_err(|(_, skip)| skip)?;
                let packet = whole.get(offset..).unwrap_or_default();
                if !checksum::holds(packet) {
                    return Err(Skip::Fragment);
                }
                Ok(segment(packet, &headers, at))
            }
            Err((_, skip)) => Err(skip),
        }
    }
}

/// The offset of the IP header before TCP, and the parsed headers; otherwise where the search ended, and why.
fn find(link: LinkType, frame: &[u8], wire_len: usize) -> Result<(usize, Headers), (usize, Skip)> {
    let mut offset = link::network_offset(link, frame).map_err(|skip| (0, skip))?;
    for _ in 0..=MAX_TUNNELS {
        let packet = frame.get(offset..).ok_or((offset, Skip::CutHeaders))?;
        let on_wire = wire_len.saturating_sub(offset).max(packet.len());
        let cut = on_wire > packet.len();
        match headers::parse(&Packet(packet), on_wire) {
            Ok(headers) => return Ok((offset, headers)),
            Err(headers::Skip::NotTcp) => {
                offset = tunnel::inside(frame, offset).map_err(|skip| (offset, skip))?;
            }
            Err(skip) => return Err((offset, Skip::of_headers(skip, cut))),
        }
    }
    Err((offset, Skip::TooDeep))
}

fn segment<'a>(packet: &'a [u8], headers: &Headers, at: Timestamp) -> Segment<'a> {
    let &Headers {
        src,
        dst,
        seq,
        ack,
        flags,
        options,
        payload_offset,
        payload_len,
    } = headers;
    let captured = packet.get(payload_offset..).unwrap_or_default();
    let payload = captured.get(..payload_len).unwrap_or(captured);
    Segment {
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
        multipath: multipath::find(
            packet
                .get(payload_offset - options..payload_offset)
                .unwrap_or_default(),
            Flags(flags).contains(Flags::SYN),
        ),
    }
}

impl Skip {
    /// The parser does not distinguish a packet that is too short from one that was cut by the capture.
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
