//! IP and TCP headers around captured segments.
//!
//! The capture keeps the metadata of a segment and its payload, not its headers, so a packet that is written is
//! rebuilt: addresses, ports, sequence and acknowledgement numbers, control bits, payload and lengths are those of the
//! wire. Hop limit, window, identification and the link layer were not captured; they have fixed values here. Of the
//! options that of Multipath TCP is rebuilt, by its meaning.
//! A segment longer than the maximum IP packet (segmentation offload) becomes several packets.

use std::net::{IpAddr, Ipv6Addr};

use shadow_common::flow::Endpoint;
use shadow_proto::{
    seq::SeqNum,
    wire::{Flags, Segment, checksum::Sum, multipath},
};

/// The longest IPv4 packet; also used for IPv6.
const MAX_PACKET: usize = 65_535;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
/// TCP options at their longest.
const OPTIONS: usize = 40;
/// Payload bytes of one packet.
const MAX_PAYLOAD: usize = MAX_PACKET - IPV6_HEADER - TCP_HEADER - OPTIONS;
const TCP: u8 = 6;
const HOP_LIMIT: u8 = 64;
const WINDOW: u16 = u16::MAX;

/// One packet of a segment: `payload` and then `missing` bytes that were not captured.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    src: Endpoint,
    dst: Endpoint,
    seq: SeqNum,
    ack: SeqNum,
    flags: Flags,
    /// A multiple of 4 bytes.
    options: Vec<u8>,
    payload: &'a [u8],
    missing: usize,
}

/// The packets of a segment, in order; at least one.
pub(super) fn pieces<'a>(segment: &Segment<'a>) -> impl Iterator<Item = Piece<'a>> + use<'a> {
    let Segment {
        src,
        dst,
        ack,
        flags,
        multipath,
        ..
    } = *segment;
    let mut seq = segment.seq;
    let mut payload = segment.payload;
    let mut missing = segment.missing as usize;
    let mut next = true;
    let mut first = true;
    core::iter::from_fn(move || {
        if !next {
            return None;
        }
        let (now, rest) = payload.split_at(payload.len().min(MAX_PAYLOAD));
        payload = rest;
        let absent = if rest.is_empty() {
            missing.min(MAX_PAYLOAD - now.len())
        } else {
            0
        };
        missing -= absent;
        next = !payload.is_empty() || missing > 0;
        let mut flags = flags;
        if !first {
            flags = flags.without(Flags::SYN);
        }
        if next {
            flags = flags.without(Flags::FIN.union(Flags::RST));
        }
        first = false;
        let options = multipath.map_or_else(Vec::new, |multipath| multipath::option(multipath, now.len()));
        let piece = Piece {
            src,
            dst,
            seq,
            ack,
            flags,
            options,
            payload: now,
            missing: absent,
        };
        // Both are at most MAX_PAYLOAD. A SYN comes before the payload and takes one sequence number.
        let length = u32::try_from(now.len() + absent).unwrap_or_default();
        seq = seq + length + u32::from(flags.contains(Flags::SYN));
        Some(piece)
    })
}

impl Piece<'_> {
    /// Bytes of the packet on the wire.
    pub(super) fn wire_len(&self) -> usize {
        let header = match (address(self.src), address(self.dst)) {
            (IpAddr::V4(_), IpAddr::V4(_)) => IPV4_HEADER,
            _ => IPV6_HEADER,
        };
        header + self.tcp_len()
    }

    /// Bytes of the TCP header and the payload on the wire.
    fn tcp_len(&self) -> usize {
        TCP_HEADER + self.options.len() + self.payload.len() + self.missing
    }

    /// Appends the captured part of the packet.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // At most a packet without its IP header.
        let length = u16::try_from(self.tcp_len()).unwrap_or(u16::MAX);
        let pseudo = if let (IpAddr::V4(src), IpAddr::V4(dst)) = (address(self.src), address(self.dst)) {
            let start = out.len();
            let total = length.saturating_add(20);
            // Version and header length; no service class; length; no identification; do not fragment.
            out.extend_from_slice(&[0x45, 0]);
            out.extend_from_slice(&total.to_be_bytes());
            out.extend_from_slice(&[0, 0, 0x40, 0, HOP_LIMIT, TCP, 0, 0]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            let sum = Sum::default().with(out.get(start..).unwrap_or_default()).fold();
            if let Some(place) = out.get_mut(start + 10..start + 12) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
            Sum::default().with(&src.octets()).with(&dst.octets())
        } else {
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&[TCP, HOP_LIMIT]);
            out.extend_from_slice(&self.src.addr);
            out.extend_from_slice(&self.dst.addr);
            Sum::default().with(&self.src.addr).with(&self.dst.addr)
        };
        let start = out.len();
        for word in [self.src.port, self.dst.port] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        for word in [self.seq.0, self.ack.0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        // The header's length in words of 32 bits, at most 15.
        let words = u8::try_from((TCP_HEADER + self.options.len()) / 4).unwrap_or_default();
        out.extend_from_slice(&[words << 4, self.flags.0]);
        out.extend_from_slice(&WINDOW.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.options);
        out.extend_from_slice(self.payload);
        if self.missing > 0 {
            // A checksum over bytes that were not captured cannot be computed.
            return;
        }
        let sum = pseudo
            .with(&[0, TCP])
            .with(&length.to_be_bytes())
            .with(out.get(start..).unwrap_or_default())
            .fold();
        if let Some(place) = out.get_mut(start + 16..start + 18) {
            place.copy_from_slice(&sum.to_be_bytes());
        }
    }
}

pub(crate) fn address(end: Endpoint) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(end.addr)).to_canonical()
}
