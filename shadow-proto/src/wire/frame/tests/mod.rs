use proptest::prelude::*;
use shadow_common::flow::Endpoint;

use super::*;

mod joined;
mod pseudo;
mod tunnels;

const AT: Timestamp = Timestamp::from_nanos(7);
const PAYLOAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// TCP with `options` bytes of options: ports 40000 and 80, sequence number 1000, acknowledgement 2000, PSH and ACK.
fn tcp(options: usize, payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(5 + options / 4).unwrap();
    let mut bytes = vec![
        0x9c,
        0x40,
        0,
        80,
        0,
        0,
        3,
        0xe8,
        0,
        0,
        7,
        0xd0,
        words << 4,
        0x18,
        1,
        0,
        0,
        0,
        0,
        0,
    ];
    bytes.resize(20 + options, 1);
    bytes.extend_from_slice(payload);
    bytes
}

fn ipv4(inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + inner.len()).unwrap().to_be_bytes();
    let mut bytes = vec![
        0x45, 0, length[0], length[1], 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    bytes.extend_from_slice(inner);
    bytes
}

fn ipv6(next: u8, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
    let mut bytes = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    for last in [1, 2] {
        bytes.extend_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend_from_slice(inner);
    bytes
}

fn behind(head: &[u8], packet: &[u8]) -> Vec<u8> {
    [head, packet].concat()
}

fn ethernet(types: &[u8], packet: &[u8]) -> Vec<u8> {
    behind(&[&[2; 12], types].concat(), packet)
}

fn whole(link: LinkType, frame: &[u8]) -> Result<Segment<'_>, Skip> {
    decode(link, frame, frame.len(), AT)
}

#[track_caller]
fn is_the_request(link: LinkType, frame: &[u8]) {
    let segment = whole(link, frame).unwrap_or_else(|skip| panic!("skipped: {skip}"));
    assert_eq!(segment.payload, PAYLOAD);
    assert_eq!((segment.src.port, segment.dst.port), (40_000, 80));
    assert_eq!((segment.seq, segment.ack), (SeqNum(1_000), SeqNum(2_000)));
    assert_eq!(segment.flags, Flags::PSH.union(Flags::ACK));
    assert_eq!((segment.missing, segment.at, segment.direction), (0, AT, None));
}

#[track_caller]
fn is_skipped(link: LinkType, frame: &[u8], reason: Skip) {
    assert_eq!(
        whole(link, frame).map(|segment| segment.payload.len()),
        Err(reason)
    );
}

#[test]
fn every_link_layer_leads_to_the_same_segment() {
    let v4 = ipv4(&tcp(12, PAYLOAD));
    let v6 = ipv6(6, &tcp(0, PAYLOAD));
    let cases: &[(u16, Vec<u8>)] = &[
        (1, ethernet(&[0x08, 0x00], &v4)),
        (1, ethernet(&[0x86, 0xdd], &v6)),
        (1, ethernet(&[0x81, 0x00, 0, 5, 0x08, 0x00], &v4)),
        (
            1,
            ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x86, 0xdd], &v6),
        ),
        (
            1,
            ethernet(&[0x91, 0x00, 0, 5, 0x91, 0x00, 0, 6, 0x08, 0x00], &v4),
        ),
        (1, ethernet(&[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64], &v4)),
        (1, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 60, 0x00, 0x21], &v4)),
        (
            1,
            ethernet(
                &[0x81, 0x00, 0, 5, 0x88, 0x64, 0x11, 0, 0, 1, 0, 60, 0x00, 0x57],
                &v6,
            ),
        ),
        (101, v4.clone()),
        (12, v6.clone()),
        (14, v4.clone()),
        (228, v4.clone()),
        (229, v6.clone()),
        (0, behind(&[2, 0, 0, 0], &v4)),
        (0, behind(&[0, 0, 0, 30], &v6)),
        (108, behind(&[0, 0, 0, 2], &v4)),
        (
            113,
            behind(&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x08, 0x00], &v4),
        ),
        (
            113,
            behind(
                &[
                    0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x81, 0x00, 0, 5, 0x86, 0xdd,
                ],
                &v6,
            ),
        ),
        (
            276,
            behind(
                &[0x08, 0x00, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0],
                &v4,
            ),
        ),
        (9, behind(&[0xff, 0x03, 0x00, 0x21], &v4)),
        (9, behind(&[0x21], &v4)),
        (50, behind(&[0xff, 0x03, 0x00, 0x57], &v6)),
        (104, behind(&[0x0f, 0x00, 0x08, 0x00], &v4)),
        (51, behind(&[0x11, 0, 0, 1, 0, 60, 0x00, 0x21], &v4)),
    ];
    for (code, frame) in cases {
        is_the_request(LinkType::from_code(*code), frame);
    }
}

#[test]
fn addresses_are_those_of_the_packet() {
    let frame = ipv4(&tcp(0, PAYLOAD));
    let segment = whole(LinkType::Ip, &frame).unwrap();
    assert_eq!(segment.src, Endpoint::v4([10, 0, 0, 1], 40_000));
    assert_eq!(segment.dst, Endpoint::v4([10, 0, 0, 2], 80));
    let frame = ipv6(6, &tcp(0, PAYLOAD));
    let segment = whole(LinkType::Ip, &frame).unwrap();
    assert_eq!(segment.src.addr[15], 1);
    assert_eq!(segment.dst.addr[15], 2);
}

#[test]
fn ethernet_padding_is_no_payload() {
    let mut frame = ethernet(&[0x08, 0x00], &ipv4(&tcp(0, b"x")));
    frame.resize(60, 0);
    assert_eq!(whole(LinkType::Ethernet, &frame).unwrap().payload, b"x");
    let mut frame = ethernet(&[0x08, 0x00], &ipv4(&tcp(0, b"")));
    frame.resize(60, 0);
    assert_eq!(whole(LinkType::Ethernet, &frame).unwrap().payload, b"");
}

#[test]
fn what_the_snap_length_cut_off_is_missing() {
    let frame = ethernet(&[0x08, 0x00], &ipv4(&tcp(12, PAYLOAD)));
    let cut = frame.len() - 5;
    let segment = decode(LinkType::Ethernet, &frame[..cut], frame.len(), AT).unwrap();
    assert_eq!(segment.payload, &PAYLOAD[..PAYLOAD.len() - 5]);
    assert_eq!(segment.missing, 5);

    let inside_tcp_options = 14 + 20 + 24;
    let segment = decode(LinkType::Ethernet, &frame[..inside_tcp_options], frame.len(), AT).unwrap();
    assert_eq!(
        (segment.payload, segment.missing as usize),
        (&b""[..], PAYLOAD.len())
    );

    for cut in 0..14 + 20 + 20 {
        let skipped = decode(LinkType::Ethernet, &frame[..cut], frame.len(), AT).map(|segment| segment.seq);
        assert_eq!(skipped, Err(Skip::CutHeaders), "cut at {cut}");
    }
}

#[test]
fn a_total_length_of_zero_means_the_frame_says_it() {
    let mut packet = ipv4(&tcp(0, PAYLOAD));
    packet[2..4].fill(0);
    is_the_request(LinkType::Ethernet, &ethernet(&[0x08, 0x00], &packet));
    let mut packet = ipv6(6, &tcp(0, PAYLOAD));
    packet[4..6].fill(0);
    is_the_request(LinkType::Ip, &packet);

    let snapped = decode(LinkType::Ip, &packet[..64], 70_000, AT).unwrap();
    assert_eq!((snapped.payload.len(), snapped.missing), (4, 70_000 - 64));
}

#[test]
fn extension_headers_and_atomic_fragments_are_followed() {
    let tcp = tcp(0, PAYLOAD);
    let hop_by_hop = behind(&[6, 0, 1, 4, 0, 0, 0, 0], &tcp);
    is_the_request(LinkType::Ip, &ipv6(0, &hop_by_hop));
    let atomic = behind(&[6, 0, 0, 0, 0, 0, 0, 9], &tcp);
    is_the_request(LinkType::Ip, &ipv6(44, &atomic));
    let first = behind(&[6, 0, 0, 1, 0, 0, 0, 9], &tcp);
    is_skipped(LinkType::Ip, &ipv6(44, &first), Skip::Fragment);
}

#[test]
fn whatever_is_no_segment_has_a_name() {
    let v4 = ipv4(&tcp(0, PAYLOAD));
    is_skipped(LinkType::Other(147), &v4, Skip::LinkType);
    is_skipped(
        LinkType::Ethernet,
        &ethernet(&[0x00, 0x26], &[0x42; 38]),
        Skip::Llc,
    );
    is_skipped(
        LinkType::Ethernet,
        &ethernet(&[0x08, 0x06], &[0; 28]),
        Skip::NotIp,
    );
    is_skipped(LinkType::Null, &behind(&[7, 0, 0, 0], &v4), Skip::NotIp);
    is_skipped(LinkType::Ppp, &[0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4], Skip::NotIp);
    is_skipped(LinkType::Pppoe, &[0x11, 0x09, 0, 0, 0, 0], Skip::Malformed);
    let tags: Vec<u8> = [0x81, 0x00, 0, 5].repeat(MAX_TAGS + 1);
    is_skipped(LinkType::Ethernet, &ethernet(&tags, &v4), Skip::TooDeep);
    let labels: Vec<u8> = [0x88, 0x47]
        .into_iter()
        .chain([0, 0, 0x10, 64].repeat(MAX_TAGS + 1))
        .collect();
    is_skipped(LinkType::Ethernet, &ethernet(&labels, &v4), Skip::TooDeep);

    let mut udp = v4.clone();
    udp[9] = 17;
    is_skipped(LinkType::Ip, &udp, Skip::NotTcp);
    let mut fragment = v4.clone();
    fragment[6] = 0x20;
    is_skipped(LinkType::Ip, &fragment, Skip::Fragment);
    let mut short_total = v4.clone();
    short_total[2..4].copy_from_slice(&[0, 39]);
    is_skipped(LinkType::Ip, &short_total, Skip::Malformed);
    let mut short_tcp = v4;
    short_tcp[32] = 0x40;
    is_skipped(LinkType::Ip, &short_tcp, Skip::Malformed);
}

fn links() -> impl Strategy<Value = LinkType> {
    let decoded = prop::sample::select(vec![
        0_u16, 1, 9, 10, 50, 51, 100, 101, 104, 105, 108, 109, 113, 117, 127, 166, 228, 229, 239, 276,
    ]);
    prop_oneof![decoded, any::<u16>()].prop_map(LinkType::from_code)
}

proptest! {
    #[test]
    fn no_bytes_can_break_it(link in links(), frame in prop::collection::vec(any::<u8>(), 0..200), wire in any::<u32>()) {
        if let Ok(segment) = decode(link, &frame, wire as usize, AT) {
            prop_assert!(segment.payload.len() < frame.len());
        }
    }

    /// A valid frame with changed and cut bytes: the headers are reached, and so are their checks.
    #[test]
    fn no_damage_can_break_it(
        six in any::<bool>(),
        turned in prop::collection::vec((0_usize..80, any::<u8>()), 0..4),
        cut in 0_usize..100,
        wire in 0_usize..100_000,
    ) {
        let mut frame = if six {
            ethernet(&[0x81, 0x00, 0, 5, 0x86, 0xdd], &ipv6(0, &behind(&[6, 0, 1, 4, 0, 0, 0, 0], &tcp(8, PAYLOAD))))
        } else {
            ethernet(&[0x81, 0x00, 0, 5, 0x08, 0x00], &ipv4(&tcp(12, PAYLOAD)))
        };
        for (place, value) in turned {
            if let Some(byte) = frame.get_mut(place) {
                *byte = value;
            }
        }
        frame.truncate(cut);
        if let Ok(segment) = decode(LinkType::Ethernet, &frame, wire, AT) {
            prop_assert!(segment.payload.len() <= frame.len());
            prop_assert!(segment.missing as usize <= wire.max(65_575));
        }
    }
}
