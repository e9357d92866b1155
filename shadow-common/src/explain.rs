//! The vocabulary of the kernel program of `shadow explain`: which flow it follows, and how it logs a packet of it.
//!
//! A packet is logged as words, not as text: one argument of a log line takes little of the kernel program's stack.

use crate::{flow::Endpoint, record, stat::Stat};

/// Array of one [`FollowedEndpoint`], as words.
pub const ASKED_MAP: &str = "SHADOW_ASKED";
/// Per-CPU array of one `[u64; 3]`: the second, lines logged in it, and lines left out since the start.
pub const LINE_LIMIT_MAP: &str = "SHADOW_LIMIT";

/// The program for the ingress hook.
pub const INGRESS_PROGRAM: &str = "explain_ingress";
/// The program for the egress hook.
pub const EGRESS_PROGRAM: &str = "explain_egress";
/// The program that writes a log line, which the others end with.
pub const LOG_PROGRAM: &str = "explain_log";
/// Array of one program, [`LOG_PROGRAM`].
pub const NEXT_MAP: &str = "SHADOW_NEXT";

/// Value of [`Slot::Layout`](crate::config::Slot::Layout): no agent, so no command takes it for one.
pub const LAYOUT: u64 = u64::from_be_bytes(*b"explain\x01");

/// Lines that are logged in a second on one CPU. More are counted and left out.
pub const MOST_LINES: u64 = 500;

/// Words of a logged [`Packet`].
pub const WORDS: usize = 8;

/// The end of the connections that are followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FollowedEndpoint {
    /// Its address, IPv4-mapped for IPv4.
    pub addr: [u8; 16],
    /// Its port; `None` for all.
    pub port: Option<u16>,
}

/// Set in the last word of an [`FollowedEndpoint`] with a port, which may be 0.
const HAS_PORT: u64 = 1 << 16;

impl FollowedEndpoint {
    /// The encoded form.
    #[must_use]
    pub fn words(&self) -> [u64; 3] {
        let [high, low] = record::addr(self.addr);
        let port = self.port.map_or(0, |port| HAS_PORT | u64::from(port));
        [high, low, port]
    }
}

/// Whether one end of an encoded [`Packet`] is that of an encoded [`FollowedEndpoint`]. Without ports in the packet
/// its address decides.
#[inline(always)]
#[must_use]
pub fn is_asked(asked: &[u64; 3], packet: &[u64; WORDS]) -> bool {
    let [high, low, port] = *asked;
    let [_, s0, s1, d0, d1, _, _, rest] = *packet;
    let (sport, dport) = (rest & 0xffff, rest >> 16 & 0xffff);
    let any = port == 0 || sport | dport == 0;
    (s0 == high && s1 == low && (any || port == HAS_PORT | sport))
        || (d0 == high && d1 == low && (any || port == HAS_PORT | dport))
}

/// A packet of the flow, and its fate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    /// When the kernel program saw it: nanoseconds of the monotonic clock.
    pub at: u64,
    /// The sender; port 0 if that is not known.
    pub src: Endpoint,
    /// The receiver.
    pub dst: Endpoint,
    /// Sequence number; 0 if it is no TCP segment.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Payload bytes.
    pub len: u32,
    /// Interface index.
    pub ifindex: u32,
    /// TCP control bits.
    pub flags: u8,
    /// Protocol of IP; 6 is TCP.
    pub protocol: u8,
    /// The counter that it was counted in.
    pub fate: Stat,
    /// It went out, instead of in.
    pub egress: bool,
}

/// The place of a fate and of the direction in the last word.
const FATE: u32 = 48;
const EGRESS: u32 = 56;

impl Packet {
    /// The encoded form of everything but the fate and the direction: [`Packet::end`] adds these.
    #[inline(always)]
    #[must_use]
    pub fn words(&self) -> [u64; WORDS] {
        let [s0, s1] = record::addr(self.src.addr);
        let [d0, d1] = record::addr(self.dst.addr);
        let ports = u64::from(self.src.port) | u64::from(self.dst.port) << 16;
        let kind = u64::from(self.flags) << 32 | u64::from(self.protocol) << 40;
        [
            self.at,
            s0,
            s1,
            d0,
            d1,
            record::pair(self.seq, self.ack),
            record::pair(self.len, self.ifindex),
            ports | kind,
        ]
    }

    /// The part that the fate and the direction have in the last word of the encoded form.
    #[inline(always)]
    #[must_use]
    pub fn end(fate: u64, egress: bool) -> u64 {
        fate << FATE | u64::from(egress) << EGRESS
    }

    /// Reads the logged words.
    #[must_use]
    pub fn from_words([at, s0, s1, d0, d1, numbers, sizes, rest]: [u64; WORDS]) -> Option<Self> {
        let [sport, dport, kind, end] = quarters(rest);
        let [flags, protocol] = kind.to_le_bytes();
        let [fate, egress] = end.to_le_bytes();
        let [seq, ack] = halves(numbers);
        let [len, ifindex] = halves(sizes);
        Some(Self {
            at,
            src: Endpoint {
                addr: address(s0, s1),
                port: sport,
            },
            dst: Endpoint {
                addr: address(d0, d1),
                port: dport,
            },
            seq,
            ack,
            len,
            ifindex,
            flags,
            protocol,
            fate: Stat::ALL.get(usize::from(fate)).copied()?,
            egress: egress != 0,
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
const fn quarters(word: u64) -> [u16; 4] {
    [
        word as u16,
        (word >> 16) as u16,
        (word >> 32) as u16,
        (word >> 48) as u16,
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

const fn address(low: u64, high: u64) -> [u8; 16] {
    ((high as u128) << 64 | low as u128).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        (any::<[u8; 16]>(), any::<u16>()).prop_map(|(addr, port)| Endpoint { addr, port })
    }

    proptest! {
        #[test]
        fn a_packet_is_read_as_it_was_logged(
            ends in (endpoint(), endpoint()),
            numbers in any::<(u64, u32, u32, u32, u32)>(),
            kind in any::<(u8, u8, bool)>(),
            fate in 0..Stat::COUNT,
        ) {
            let ((src, dst), (at, seq, ack, len, ifindex), (flags, protocol, egress)) = (ends, numbers, kind);
            let fate = Stat::ALL[fate];
            let packet = Packet { at, src, dst, seq, ack, len, ifindex, flags, protocol, fate, egress };
            let mut words = packet.words();
            words[WORDS - 1] |= Packet::end(fate.index() as u64, egress);
            prop_assert_eq!(Packet::from_words(words), Some(packet));
        }
    }

    #[test]
    fn a_flow_is_one_end_with_or_without_its_port() {
        let (one, other) = (Endpoint::v4([10, 0, 0, 1], 80), Endpoint::v4([10, 0, 0, 2], 81));
        let is = |port, src, dst| {
            let packet = Packet {
                at: 1,
                src,
                dst,
                seq: 0,
                ack: 0,
                len: 0,
                ifindex: 0,
                flags: 0xff,
                protocol: 6,
                fate: Stat::Seen,
                egress: false,
            };
            let addr = one.addr;
            is_asked(&FollowedEndpoint { addr, port }.words(), &packet.words())
        };
        for (src, dst) in [(one, other), (other, one)] {
            assert!(is(None, src, dst));
            assert!(is(Some(80), src, dst));
            assert!(!is(Some(81), src, dst), "that is the port of the other end");
            assert!(!is(Some(0), src, dst));
        }
        // The ports of a fragment are not known.
        let bare = |end| Endpoint { port: 0, ..end };
        assert!(is(Some(81), bare(one), bare(other)));
        assert!(!is(None, other, other));
    }

    #[test]
    fn names_fit_the_kernel() {
        for name in [
            ASKED_MAP,
            LINE_LIMIT_MAP,
            NEXT_MAP,
            INGRESS_PROGRAM,
            EGRESS_PROGRAM,
            LOG_PROGRAM,
        ] {
            assert!(name.len() < 16, "{name}: the kernel keeps 15 bytes of a name");
        }
    }
}
