use super::*;

fn ethernet(between: &[u8]) -> Vec<u8> {
    [&[2_u8; 12][..], between, &[8, 0], &ipv4(&tcp(0, PAYLOAD))].concat()
}

/// A packet without the type before it.
fn packet() -> Vec<u8> {
    ipv4(&tcp(0, PAYLOAD))
}

fn pktap(inner: u32, length: u32) -> Vec<u8> {
    let mut header = length.to_le_bytes().to_vec();
    header.extend(1_u32.to_le_bytes());
    header.extend(inner.to_le_bytes());
    header.resize(usize::try_from(length).unwrap(), 0);
    header
}

#[test]
fn headers_before_another_link_layer() {
    let null = [&30_u32.to_le_bytes()[..], &ipv6(6, &tcp(0, PAYLOAD))].concat();
    let llc = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &packet()].concat();
    let cases: Vec<(u16, Vec<u8>)> = vec![
        (258, [pktap(1, 108), ethernet(&[])].concat()),
        (258, [pktap(0, 156), null].concat()),
        (258, [pktap(12, 108), packet()].concat()),
        (149, [pktap(1, 108), ethernet(&[])].concat()),
        (8, [&[0; 16][..], &packet()].concat()),
        (226, [&[1, 2][..], &[0; 22], &packet()].concat()),
        (242, [&[0; 40][..], &[8, 0, 0, 0], &packet()].concat()),
        (
            192,
            [&[0, 0, 12, 0, 1, 0, 0, 0, 9, 9, 9, 9][..], &ethernet(&[])].concat(),
        ),
        (284, ethernet(&[0x40, 1, 0, 1])),
        (284, ethernet(&[0x40, 1, 0x10, 1, 0, 0, 0, 0])),
        (285, ethernet(&[0xda, 0xda, 0, 0, 0x40, 1, 0, 1])),
        (1, ethernet(&[0xda, 0xda, 0, 0, 0x40, 1, 0, 1])),
        (281, ethernet(&[0, 0, 0, 1])),
        (282, [&[0; 4][..], &ethernet(&[])].concat()),
        (240, [&[0; 4][..], &ethernet(&[])].concat()),
        (241, [&[0x55; 12][..], &ethernet(&[])].concat()),
        (
            274,
            [
                &[0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5][..],
                &ethernet(&[]),
            ]
            .concat(),
        ),
        (219, [&[0, 1, 1, 64][..], &packet()].concat()),
        (107, [&[0x18, 0x41, 3, 0xcc][..], &packet()].concat()),
        (
            107,
            [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0][..], &packet()].concat(),
        ),
        (206, [&[0, 0x18, 0x41, 8, 0][..], &packet()].concat()),
        (
            6,
            [
                &[0x10, 0x40, 2, 2, 2, 2, 2, 2, 0x82, 2, 2, 2, 2, 2, 2, 0][..],
                &llc,
            ]
            .concat(),
        ),
        (122, [&[0; 16][..], &llc].concat()),
        (123, [&[2, 0, 0, 100][..], &llc].concat()),
        (138, [&[0; 16][..], &[8, 0], &packet()].concat()),
        (
            197,
            [&[0; 8][..], &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0], &ethernet(&[])].concat(),
        ),
    ];
    for (code, frame) in cases {
        let link = LinkType::from_code(code);
        let segment = decode(link, &frame, frame.len(), AT).unwrap_or_else(|skip| panic!("{code}: {skip}"));
        assert_eq!((segment.src.port, segment.payload), (40000, PAYLOAD), "{code}");
        for length in 0..frame.len() {
            if let Ok(cut) = decode(link, &frame[..length], frame.len(), AT) {
                assert!(PAYLOAD.starts_with(cut.payload), "{code}: {length}");
            }
        }
    }
}

#[test]
fn a_header_in_itself_and_lengths_beyond_the_frame_are_refused() {
    let nested = [pktap(258, 108), pktap(1, 108), ethernet(&[])].concat();
    for (code, frame, expected) in [
        (258, nested, Skip::TooDeep),
        (258, pktap(1, 40_000), Skip::CutHeaders),
        (258, [pktap(147, 108), ethernet(&[])].concat(), Skip::LinkType),
        (149, ethernet(&[]), Skip::LinkType),
        (
            149,
            [pktap(149, 108), pktap(1, 108), ethernet(&[])].concat(),
            Skip::TooDeep,
        ),
        (192, vec![0, 0, 0xff, 0xff, 1, 0, 0, 0], Skip::CutHeaders),
        (119, vec![0xff; 8], Skip::CutHeaders),
        (107, vec![0; 40], Skip::Malformed),
        (258, Vec::new(), Skip::CutHeaders),
    ] {
        let link = LinkType::from_code(code);
        assert_eq!(
            decode(link, &frame, frame.len(), AT).map(drop),
            Err(expected),
            "{code}"
        );
    }
}
