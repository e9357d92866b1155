//! The parser against packets built by other code, byte by byte, and against noise.

use proptest::prelude::*;

use super::*;
use crate::bytes::Packet;

/// A packet as its parts; [`Built::bytes`] lays them out without using the parser's constants.
#[derive(Clone, Debug)]
struct Built {
    v6: bool,
    src: ([u8; 16], u16),
    dst: ([u8; 16], u16),
    seq: u32,
    ack: u32,
    flags: u8,
    ip_options: usize,
    extensions: Vec<(u8, u8)>,
    tcp_options: usize,
    payload: Vec<u8>,
    padding: usize,
}

impl Built {
    fn tcp(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.src.1.to_be_bytes());
        out.extend(self.dst.1.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        out.push(u8::try_from(5 + self.tcp_options).unwrap() << 4);
        out.push(self.flags);
        out.extend([0x20, 0, 0xde, 0xad, 0, 0]);
        out.extend(std::iter::repeat_n(1, self.tcp_options * 4));
        out.extend(&self.payload);
        out
    }

    fn bytes(&self) -> Vec<u8> {
        let mut chain = Vec::new();
        let mut next: u8 = 6;
        for &(kind, units) in self.extensions.iter().rev() {
            let size = match kind {
                44 => 8,
                51 => (usize::from(units) + 2) * 4,
                _ => (usize::from(units) + 1) * 8,
            };
            let mut header = vec![0; size];
            header[0] = next;
            header[1] = units;
            if kind == 44 {
                header[4..].copy_from_slice(b"frag");
            }
            chain.splice(0..0, header);
            next = kind;
        }
        let tcp = self.tcp();
        let mut out = Vec::new();
        if self.v6 {
            out.extend([0x60, 1, 2, 3]);
            out.extend(u16::try_from(chain.len() + tcp.len()).unwrap().to_be_bytes());
            out.extend([next, 64]);
            out.extend(self.src.0);
            out.extend(self.dst.0);
            out.extend(chain);
        } else {
            let total = 20 + self.ip_options * 4 + tcp.len();
            out.push(0x45 + u8::try_from(self.ip_options).unwrap());
            out.push(0);
            out.extend(u16::try_from(total).unwrap().to_be_bytes());
            out.extend([0xab, 0xcd, 0x40, 0, 64, 6, 0, 0]);
            out.extend(&self.src.0[12..]);
            out.extend(&self.dst.0[12..]);
            out.extend(std::iter::repeat_n(1, self.ip_options * 4));
        }
        out.extend(tcp);
        out.extend(std::iter::repeat_n(0xee, self.padding));
        out
    }

    fn addr(&self, addr: [u8; 16]) -> [u8; 16] {
        if self.v6 {
            return addr;
        }
        let mut mapped = [0; 16];
        mapped[10..12].fill(0xff);
        mapped[12..].copy_from_slice(&addr[12..]);
        mapped
    }
}

fn built() -> impl Strategy<Value = Built> {
    let end = || (any::<[u8; 16]>(), any::<u16>());
    let kind = prop_oneof![Just(0_u8), Just(43), Just(44), Just(51), Just(60), Just(135)];
    let extensions = proptest::collection::vec((kind, 0..4_u8), 0..=MAX_EXTENSIONS);
    (
        (
            any::<bool>(),
            end(),
            end(),
            any::<u32>(),
            any::<u32>(),
            any::<u8>(),
        ),
        (
            0..=10_usize,
            extensions,
            0..=10_usize,
            proptest::collection::vec(any::<u8>(), 0..3000),
            0..50_usize,
        ),
    )
        .prop_map(
            |((v6, src, dst, seq, ack, flags), (ip_options, extensions, tcp_options, payload, padding))| {
                Built {
                    v6,
                    src,
                    dst,
                    seq,
                    ack,
                    flags,
                    ip_options,
                    extensions,
                    tcp_options,
                    payload,
                    padding,
                }
            },
        )
}

fn plain(v6: bool) -> Built {
    Built {
        v6,
        src: ([9; 16], 40_000),
        dst: ([8; 16], 80),
        seq: 1,
        ack: 2,
        flags: 0x18,
        ip_options: 0,
        extensions: Vec::new(),
        tcp_options: 0,
        payload: b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        padding: 0,
    }
}

fn parsed(bytes: &[u8]) -> Result<Headers, Skip> {
    parse(&Packet(bytes), bytes.len())
}

proptest! {
    #[test]
    fn a_packet_is_read_as_it_was_built(built in built()) {
        let bytes = built.bytes();
        let headers = parsed(&bytes).expect("a well-formed packet");
        prop_assert_eq!(headers.src, Endpoint::v6(built.addr(built.src.0), built.src.1));
        prop_assert_eq!(headers.dst, Endpoint::v6(built.addr(built.dst.0), built.dst.1));
        prop_assert_eq!((headers.seq, headers.ack, headers.flags), (built.seq, built.ack, built.flags));
        let end = headers.payload_offset + headers.payload_len;
        prop_assert_eq!(&bytes[headers.payload_offset..end], &*built.payload);
        prop_assert_eq!(headers.options, built.tcp_options * 4);
        prop_assert_eq!(end + built.padding, bytes.len());
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(headers) = parsed(&bytes) {
            prop_assert!((40..=40 + 60 + 15 * 4 + MAX_EXTENSIONS * 2048).contains(&headers.payload_offset));
        }
    }

    #[test]
    fn a_damaged_packet_never_panics(built in built(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = built.bytes();
        let at = at.index(bytes.len().min(200));
        bytes[at] = value;
        if let Ok(headers) = parsed(&bytes) {
            prop_assert!((40..=40 + 60 + 15 * 4 + MAX_EXTENSIONS * 2048).contains(&headers.payload_offset));
            prop_assert!(needed_options(&Packet(&bytes), &headers) <= 40);
        }
    }

    #[test]
    fn a_cut_packet_is_whole_headers_or_a_skip(built in built(), keep in any::<prop::sample::Index>()) {
        let bytes = built.bytes();
        let whole = parsed(&bytes).expect("a well-formed packet");
        let cut = &bytes[..keep.index(bytes.len())];
        match parse(&Packet(cut), bytes.len()) {
            Ok(headers) => prop_assert_eq!(headers, whole),
            Err(Skip::NotIp) => prop_assert!(cut.len() < 20),
            Err(skip) => prop_assert_eq!(skip, Skip::Malformed),
        }
    }
}

#[test]
fn fragments_are_skipped_and_atomic_ones_are_not() {
    let mut v4 = plain(false).bytes();
    for (field, expected) in [
        ([0x20, 0x00], Some(Skip::Fragment)),
        ([0x00, 0x01], Some(Skip::Fragment)),
        ([0x1f, 0xff], Some(Skip::Fragment)),
        ([0x40, 0x00], None),
        ([0xc0, 0x00], None),
    ] {
        v4[6..8].copy_from_slice(&field);
        assert_eq!(parsed(&v4).err(), expected, "{field:02x?}");
    }

    let mut v6 = plain(true);
    v6.extensions = vec![(44, 0)];
    let mut v6 = v6.bytes();
    for (field, expected) in [
        ([0x00, 0x01], Some(Skip::Fragment)),
        ([0x00, 0x08], Some(Skip::Fragment)),
        ([0x00, 0x06], None),
    ] {
        v6[42..44].copy_from_slice(&field);
        assert_eq!(parsed(&v6).err(), expected, "{field:02x?}");
    }
    v6[40] = 17;
    v6[42..44].copy_from_slice(&[0, 1]);
    assert_eq!(
        parsed(&v6).err(),
        Some(Skip::NotTcp),
        "a fragment of UDP is none of ours"
    );
}

#[test]
fn other_protocols_are_no_tcp() {
    let mut v4 = plain(false).bytes();
    v4[9] = 17;
    assert_eq!(parsed(&v4), Err(Skip::NotTcp));
    assert_eq!(parsed(&v4[..28]), Err(Skip::NotTcp), "a short UDP packet");
    let mut v6 = plain(true).bytes();
    for protocol in [17, 50, 58, 59] {
        v6[6] = protocol;
        assert_eq!(parsed(&v6), Err(Skip::NotTcp), "{protocol}");
    }
    assert_eq!(
        parsed(&[0, 1, 8, 0, 6, 4, 0, 1].repeat(6)),
        Err(Skip::NotIp),
        "ARP"
    );
    assert_eq!(parsed(&[]), Err(Skip::NotIp));
}

#[test]
fn contradicting_lengths_are_malformed() {
    let cases: [(&str, bool, usize, u8); 6] = [
        ("IPv4 header of 16 bytes", false, 0, 0x44),
        ("TCP header of 16 bytes", false, 32, 0x40),
        ("TCP header behind the end", false, 32, 0xf0),
        ("total length inside the TCP header", false, 3, 30),
        ("IPv6 payload inside the TCP header", true, 5, 19),
        ("TCP header of 0 bytes", true, 52, 0),
    ];
    for (what, v6, at, value) in cases {
        let mut built = plain(v6);
        built.payload.clear();
        let mut bytes = built.bytes();
        bytes[at] = value;
        assert_eq!(parsed(&bytes), Err(Skip::Malformed), "{what}");
    }
    let mut long = plain(true);
    long.extensions = vec![(60, 0); MAX_EXTENSIONS + 1];
    assert_eq!(parsed(&long.bytes()), Err(Skip::Malformed));
}

#[test]
fn a_total_length_of_zero_takes_the_callers_length() {
    for v6 in [false, true] {
        let built = plain(v6);
        let mut bytes = built.bytes();
        let field = if v6 { 4..6 } else { 2..4 };
        bytes[field].fill(0);
        let headers = parse(&Packet(&bytes), bytes.len() + 100_000).unwrap();
        assert_eq!(headers.payload_len, built.payload.len() + 100_000);
        assert_eq!(
            parse(&Packet(&bytes), 0),
            Err(Skip::Malformed),
            "the caller knows no length"
        );
    }
}

#[test]
fn options_are_needed_where_multipath_tcp_may_be_in_them() {
    let times = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    let keys = [&[30, 20, 0x01, 0x01][..], &[7; 16]].concat();
    let acknowledges = [30, 8, 0x20, 0x01, 0, 0, 0, 9];
    let selective = [&[1, 1, 5, 18][..], &[7; 16]].concat();
    let mapping = [30, 14, 0x20, 0x04, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10, 1, 1];
    let join = [30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8];
    let (syn, ack) = (0x02, 0x10);
    let none = &b""[..];
    for v6 in [false, true] {
        for (flags, options, payload, expected) in [
            (syn, join.to_vec(), none, true),
            (syn, vec![2, 4, 5, 0xb4], none, false),
            (ack, times.to_vec(), b"GET", false),
            (ack, mapping.to_vec(), b"GET", true),
            (ack, [&times[..], &mapping].concat(), b"GET", true),
            (ack, times.to_vec(), none, false),
            (ack, keys.clone(), none, true),
            (ack, [&times[..], &keys].concat(), none, true),
            (ack, [&times[..], &selective].concat(), none, false),
            (ack, [&times[..], &acknowledges].concat(), none, false),
            (ack, selective.clone(), none, false),
        ] {
            let mut built = plain(v6);
            (built.flags, built.tcp_options, built.payload) = (flags, options.len() / 4, payload.to_vec());
            let mut bytes = built.bytes();
            let at = bytes.len() - payload.len() - options.len();
            bytes[at..at + options.len()].copy_from_slice(&options);
            let needed = needed_options(&Packet(&bytes), &parsed(&bytes).unwrap());
            assert_eq!(
                needed,
                if expected { options.len() } else { 0 },
                "{flags} {options:?} {payload:?}"
            );
        }
    }
}
