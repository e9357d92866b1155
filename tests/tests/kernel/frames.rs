//! Ethernet frames, built byte by byte without any of the parser's code.

use std::net::IpAddr;

pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH_ACK: u8 = 0x18;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const FIN_ACK: u8 = 0x11;

/// One TCP segment and how it is wrapped.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) src: (IpAddr, u16),
    pub(crate) dst: (IpAddr, u16),
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
    ip_options: usize,
    extensions: Vec<(u8, [u8; 7])>,
    tcp_options: Vec<u8>,
    /// IPv4 flags and fragment offset.
    fragment: u16,
    protocol: u8,
    overstate: u16,
}

impl Frame {
    /// A request of `len` bytes from 10.0.0.1:40000 to 10.0.0.2:80.
    pub(crate) fn v4(len: usize) -> Self {
        Self {
            src: ("10.0.0.1".parse().expect("a valid literal"), 40_000),
            dst: ("10.0.0.2".parse().expect("a valid literal"), 80),
            seq: 0xffff_fff0,
            ack: 77,
            flags: PSH_ACK,
            payload: (0..len).map(|i| (i % 251).to_le_bytes()[0]).collect(),
            ip_options: 0,
            extensions: Vec::new(),
            tcp_options: Vec::new(),
            fragment: 0x4000,
            protocol: 6,
            overstate: 0,
        }
    }

    pub(crate) fn v6(len: usize) -> Self {
        Self {
            src: ("fd00::1".parse().expect("a valid literal"), 40_000),
            dst: ("fd00::2".parse().expect("a valid literal"), 80),
            ..Self::v4(len)
        }
    }

    pub(crate) fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    pub(crate) fn fragment(mut self, fragment: u16) -> Self {
        self.fragment = fragment;
        self
    }

    /// Bytes of IPv4 and of TCP options, multiples of 4.
    pub(crate) fn options(mut self, ip: usize, tcp: usize) -> Self {
        (self.ip_options, self.tcp_options) = (ip, vec![1; tcp]);
        self
    }

    /// TCP options, a multiple of 4 bytes.
    pub(crate) fn tcp_options(mut self, options: &[u8]) -> Self {
        self.tcp_options = options.to_vec();
        self
    }

    /// IPv6 extension headers: type, and the bytes after the next-header byte.
    pub(crate) fn extended(mut self, extensions: &[(u8, [u8; 7])]) -> Self {
        self.extensions = extensions.to_vec();
        self
    }

    /// The IP header announces more bytes than there are.
    pub(crate) fn overstated(mut self, by: u16) -> Self {
        self.overstate = by;
        self
    }

    pub(crate) fn reversed(mut self) -> Self {
        std::mem::swap(&mut self.src, &mut self.dst);
        self
    }

    pub(crate) fn ports(mut self, src: u16, dst: u16) -> Self {
        self.src.1 = src;
        self.dst.1 = dst;
        self
    }

    fn tcp(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.src.1.to_be_bytes());
        out.extend(self.dst.1.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        out.push(u8::try_from(5 + self.tcp_options.len() / 4).expect("a valid literal") << 4);
        out.push(self.flags);
        out.extend([0xff, 0xff, 0, 0, 0, 0]);
        out.extend(&self.tcp_options);
        out.extend(&self.payload);
        out
    }

    /// The frame as it would be on Ethernet.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let tcp = self.tcp();
        match (self.src.0, self.dst.0) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let total = 20 + self.ip_options + tcp.len();
                let said = u16::try_from(total).expect("a short packet") + self.overstate;
                out.extend([
                    8,
                    0,
                    u8::try_from(0x45 + self.ip_options / 4).expect("a valid literal"),
                    0,
                ]);
                out.extend(said.to_be_bytes());
                out.extend([0, 1]);
                out.extend(self.fragment.to_be_bytes());
                out.extend([64, self.protocol, 0, 0]);
                out.extend(src.octets());
                out.extend(dst.octets());
                out.extend(std::iter::repeat_n(1, self.ip_options));
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let said = u16::try_from(self.extensions.len() * 8 + tcp.len()).expect("a valid literal")
                    + self.overstate;
                out.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                out.extend(said.to_be_bytes());
                out.push(self.extensions.first().map_or(self.protocol, |&(kind, _)| kind));
                out.push(64);
                out.extend(src.octets());
                out.extend(dst.octets());
                let after = self.extensions.iter().skip(1).map(|&(kind, _)| kind);
                for (&(_, body), next) in self.extensions.iter().zip(after.chain([self.protocol])) {
                    out.push(next);
                    out.extend(body);
                }
            }
            mixed => panic!("one family each: {mixed:?}"),
        }
        out.extend(tcp);
        // The smallest Ethernet frame: its padding is not payload.
        if out.len() < 60 {
            out.resize(60, 0xee);
        }
        out
    }
}
