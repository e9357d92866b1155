//! Packets inside packets, and rare link layers.

use super::*;

/// An IPv4 packet of another protocol.
fn carrier(protocol: u8, inner: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(inner);
    packet[9] = protocol;
    packet
}

fn udp(port: u16, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + inner.len()).unwrap().to_be_bytes();
    let port = port.to_be_bytes();
    carrier(
        17,
        &behind(&[0xc0, 0, port[0], port[1], length[0], length[1], 0, 0], inner),
    )
}

#[test]
fn rare_link_layers() {
    let v4 = ipv4(&tcp(12, PAYLOAD));
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let air = [&[0x08, 0x01][..], &[3; 22], &snap].concat();
    let quality = [&[0x88, 0x03][..], &[3; 28], &[0, 0], &snap].concat();
    let cases: &[(u16, Vec<u8>)] = &[
        (1, ethernet(&[0, 90, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4)),
        (1, ethernet(&[0x89, 0x26, 0, 1, 0, 2, 8, 0], &v4)),
        (1, ethernet(&[0x89, 0x3f, 0, 1, 0, 2, 0, 3, 8, 0], &v4)),
        (1, ethernet(&[0x88, 0xe7, 0, 0, 0, 9], &ethernet(&[8, 0], &v4))),
        (1, ethernet(&[0x89, 0x03, 0, 9], &ethernet(&[8, 0], &v4))),
        (
            1,
            ethernet(&[0x89, 0x4f, 0, 0x02, 1, 3, 0, 0, 0, 1], &ethernet(&[8, 0], &v4)),
        ),
        (
            1,
            ethernet(&[0x88, 0x47, 0, 0, 0x21, 64, 0, 0, 0, 0], &ethernet(&[8, 0], &v4)),
        ),
        (10, behind(&[&[0x50; 13][..], &snap].concat(), &v4)),
        (100, behind(&snap, &v4)),
        (105, behind(&air, &v4)),
        (105, behind(&quality, &v4)),
        (109, behind(&[0; 12], &v4)),
        (117, behind(&[&[61, 2][..], &[0; 62]].concat(), &v4)),
        (
            127,
            behind(&[&[0, 0, 10, 0, 0, 0, 0, 0, 0, 0][..], &air].concat(), &v4),
        ),
        (204, behind(&[1, 0xff, 3, 0, 0x21], &v4)),
        (
            239,
            behind(&[2, 0, 0, 0, 5, 0, 1, 0, 7, 0, 0, 0, 200, 0, 9, 0], &v4),
        ),
        (
            239,
            behind(&[2, 0, 0, 0, 0, 5, 0, 10, 7, 0, 0, 0, 0, 200, 0, 9], &v4),
        ),
    ];
    for (code, frame) in cases {
        is_the_request(LinkType::from_code(*code), frame);
    }
}

#[track_caller]
fn all_are_the_request(packets: &[Vec<u8>]) {
    for packet in packets {
        is_the_request(LinkType::Ip, packet);
        let ethertype = if packet[0] >> 4 == 4 {
            [0x08, 0x00]
        } else {
            [0x86, 0xdd]
        };
        is_the_request(LinkType::Ethernet, &ethernet(&ethertype, packet));
    }
}

#[test]
fn tunnels_by_protocol() {
    let (v4, v6) = (ipv4(&tcp(12, PAYLOAD)), ipv6(6, &tcp(0, PAYLOAD)));
    let ether = ethernet(&[8, 0], &v4);
    let ppp = behind(&[0xff, 3, 0, 0x21], &v4);
    all_are_the_request(&[
        carrier(4, &v4),
        carrier(41, &v6),
        ipv6(4, &v4),
        ipv6(60, &behind(&[41, 0, 1, 4, 0, 0, 0, 0], &v6)),
        carrier(4, &carrier(41, &v6)),
        carrier(97, &behind(&[0x30, 0], &ether)),
        carrier(137, &behind(&[0, 0, 0x11, 64], &v4)),
        carrier(47, &behind(&[0, 0, 8, 0], &v4)),
        carrier(
            47,
            &behind(&[0xb0, 0, 0x86, 0xdd, 1, 1, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3], &v6),
        ),
        carrier(
            47,
            &behind(
                &[0x30, 0x81, 0x88, 0x0b, 0, 9, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2],
                &ppp,
            ),
        ),
        carrier(47, &behind(&[0, 0, 0x65, 0x58], &ether)),
        carrier(47, &behind(&[0, 0, 0x88, 0xbe], &ether)),
        carrier(
            47,
            &behind(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9], &ether),
        ),
        carrier(
            47,
            &behind(
                &[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[9; 11], &[0]].concat(),
                &ether,
            ),
        ),
    ]);
}

#[test]
fn tunnels_by_port() {
    let (v4, v6) = (ipv4(&tcp(12, PAYLOAD)), ipv6(6, &tcp(0, PAYLOAD)));
    let ether = ethernet(&[8, 0], &v4);
    let tagged = ethernet(&[0x81, 0, 0, 5, 0x86, 0xdd], &v6);
    let ppp = behind(&[0xff, 3, 0, 0x21], &v4);
    let extended = [0x34, 0xff, 0, 90, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0x10, 1, 0];
    let authenticated = [&[0, 1, 0, 0][..], &[9; 8], &[0, 0, 0], &[9; 6]].concat();
    all_are_the_request(&[
        udp(4789, &behind(&[8, 0, 0, 0, 0, 0, 5, 0], &tagged)),
        udp(4790, &behind(&[0x0c, 0, 0, 1, 0, 0, 5, 0], &v4)),
        udp(6081, &behind(&[1, 0, 0x65, 0x58, 0, 0, 5, 0, 9, 9, 9, 9], &ether)),
        udp(6635, &behind(&[0, 0, 0x11, 64], &v4)),
        udp(2152, &behind(&[0x30, 0xff, 0, 90, 0, 0, 0, 1], &v4)),
        udp(2152, &behind(&extended, &v6)),
        udp(1701, &behind(&[0x40, 2, 0, 90, 0, 1, 0, 2], &ppp)),
        udp(3544, &v6),
        udp(3544, &behind(&authenticated, &v6)),
    ]);
}

#[test]
fn a_port_is_no_proof_and_depth_is_bounded() {
    for port in [53, 4789, 4790, 6081, 2152, 1701, 3544, 6635] {
        is_skipped(LinkType::Ip, &udp(port, &[0x70; 60]), Skip::NotTcp);
    }
    let mut packet = ipv4(&tcp(0, PAYLOAD));
    for _ in 0..MAX_TUNNELS {
        packet = carrier(4, &packet);
    }
    is_the_request(LinkType::Ip, &packet);
    is_skipped(LinkType::Ip, &carrier(4, &packet), Skip::TooDeep);
    is_skipped(
        LinkType::Ip,
        &carrier(47, &[0x40, 0, 8, 0, 0, 0, 0, 0]),
        Skip::NotTcp,
    );
    // Encrypted, and a frame without data.
    is_skipped(
        LinkType::Wlan,
        &[&[0x08, 0x41][..], &[0; 40]].concat(),
        Skip::NotIp,
    );
    is_skipped(
        LinkType::Wlan,
        &[&[0x48, 0x01][..], &[0; 40]].concat(),
        Skip::NotIp,
    );
}
