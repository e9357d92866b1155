//! Fragments.

use core::time::Duration;

use super::*;

/// The fragments of a packet, of at most `size` bytes each.
fn cut(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (four, protocol) = (
        packet[0] >> 4 == 4,
        if packet[0] >> 4 == 4 { packet[9] } else { packet[6] },
    );
    let data = &packet[if four { 20 } else { 40 }..];
    let pieces = data.chunks(size).enumerate();
    pieces
        .map(|(index, piece)| {
            let (at, more) = (index * size, index * size + piece.len() < data.len());
            if four {
                let mut fragment = ipv4(piece);
                fragment[6..8]
                    .copy_from_slice(&(u16::try_from(at / 8).unwrap() | u16::from(more) << 13).to_be_bytes());
                fragment[9] = protocol;
                fragment
            } else {
                let [high, low] = (u16::try_from(at).unwrap() | u16::from(more)).to_be_bytes();
                ipv6(44, &behind(&[protocol, 0, high, low, 0, 0, 0, 9], piece))
            }
        })
        .collect()
}

fn packets() -> [Vec<u8>; 2] {
    with_payload(&[PAYLOAD, &[7; 300]].concat())
}

/// With checksums, as a sender of fragments must fill them in.
fn with_payload(payload: &[u8]) -> [Vec<u8>; 2] {
    let mut packets = [ipv4(&tcp(12, payload)), ipv6(6, &tcp(0, payload))];
    for (packet, (start, ends)) in packets.iter_mut().zip([(20, 12..20), (40, 8..40)]) {
        let length = u16::try_from(packet.len() - start).unwrap().to_be_bytes();
        let summed = [&packet[ends], &[0, 6], &length, &packet[start..]].concat();
        let sum = summed.chunks(2).fold(0_u16, |sum, pair| {
            let (sum, carry) = sum.overflowing_add(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            sum + u16::from(carry)
        });
        packet[start + 16..start + 18].copy_from_slice(&(!sum).to_be_bytes());
    }
    packets
}

/// The payload of the one datagram that is completed, if one is, and how many frames completed nothing.
fn read<'a>(frames: impl IntoIterator<Item = &'a Vec<u8>>) -> (Option<Vec<u8>>, usize) {
    let mut decoder = Decoder::default();
    let (mut found, mut skipped) = (None, 0);
    for frame in frames {
        match decoder.decode(LinkType::Ip, frame, frame.len(), AT) {
            Ok(segment) => assert_eq!(found.replace(segment.payload.to_vec()), None),
            Err(skip) => {
                assert_eq!(skip, Skip::Fragment);
                skipped += 1;
            }
        }
    }
    (found, skipped)
}

#[test]
fn fragments_make_their_datagram_in_any_order() {
    for packet in packets() {
        let expected = decode(LinkType::Ip, &packet, packet.len(), AT).unwrap().payload;
        let fragments = cut(&packet, 80);
        let count = fragments.len();
        assert_eq!(read(&fragments), (Some(expected.to_vec()), count - 1));
        assert_eq!(read(fragments.iter().rev()), (Some(expected.to_vec()), count - 1));
        // With every fragment sent twice, the first is still waiting when its copy arrives.
        let doubled = [&fragments[..1], &fragments].concat();
        assert_eq!(read(&doubled), (Some(expected.to_vec()), count));
        assert_eq!(read(&fragments[1..]), (None, count - 1));
    }
}

#[test]
fn fragments_of_a_tunnel() {
    let [packet, _] = packets();
    let mut tunnel = ipv4(&packet);
    tunnel[9] = 4;
    let expected = decode(LinkType::Ip, &packet, packet.len(), AT).unwrap().payload;
    assert_eq!(read(&cut(&tunnel, 80)).0, Some(expected.to_vec()));
}

#[test]
fn overlaps_ends_that_differ_and_cut_captures_make_nothing() {
    for packet in packets() {
        let header = if packet[0] >> 4 == 4 { 20 } else { 48 };
        let fragments = cut(&packet, 80);
        let mut other = fragments[1].clone();
        other[header + 3] ^= 1;
        let forged = [&fragments[..2], &[other], &fragments[2..]].concat();
        assert_eq!(read(&forged), (None, forged.len()));
        let mut early = fragments[1].clone();
        if header == 20 {
            early[6] &= !0x20;
        } else {
            early[43] &= !1;
        }
        let forged = [&fragments[..2], &[early], &fragments[2..]].concat();
        assert_eq!(read(&forged), (None, forged.len()));
        let mut snapped = fragments.clone();
        snapped[0].truncate(header + 40);
        assert_eq!(read(&snapped), (None, snapped.len()));
    }
}

#[test]
fn fragments_of_two_datagrams_with_one_identification_make_neither() {
    let others = with_payload(&[PAYLOAD, &[8; 300]].concat());
    for (packet, other) in packets().iter().zip(&others) {
        // The lost fragment of one datagram is present in the other.
        let (fragments, others) = (cut(packet, 80), cut(other, 80));
        let mixed = [&fragments[..2], &others[2..]].concat();
        assert_eq!(read(&mixed), (None, mixed.len()));
        // Nothing of them is waiting any more.
        let then = [mixed, fragments.clone()].concat();
        assert!(read(&then).0.is_some());
    }
}

#[test]
fn what_never_comes_is_forgotten() {
    let [packet, _] = packets();
    let fragments = cut(&packet, 160);
    let mut decoder = Decoder::default();
    let mut push = |frame: &[u8], at| decoder.decode(LinkType::Ip, frame, frame.len(), at).is_ok();
    // The same identification a minute later is another datagram.
    assert!(!push(&fragments[0], AT));
    assert!(!push(&fragments[1], AT + Duration::from_secs(61)));
    assert!(!push(&fragments[2], AT + Duration::from_secs(61)));
    assert!(push(&fragments[0], AT + Duration::from_secs(62)));
    // Many others evict it.
    assert!(!push(&fragments[0], AT));
    for id in 0..200_u16 {
        let mut stranger = fragments[0].clone();
        stranger[4..6].copy_from_slice(&(id + 100).to_be_bytes());
        assert!(!push(&stranger, AT));
    }
    assert!(!push(&fragments[1], AT) && !push(&fragments[2], AT));
}

proptest! {
    #[test]
    fn no_fragments_can_break_it(
        link in links(),
        frames in prop::collection::vec((any::<bool>(), 0_u16..9, any::<bool>(), 0_usize..40, any::<u8>()), 0..60),
    ) {
        let mut decoder = Decoder::default();
        for (six, offset, more, len, odd) in frames {
            let piece = vec![odd; len];
            let mut frame = if six {
                let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
                ipv6(44, &behind(&[6, 0, high, low, 0, 0, 0, 9], &piece))
            } else {
                let mut frame = ipv4(&piece);
                frame[6..8].copy_from_slice(&(offset | u16::from(more) << 13).to_be_bytes());
                frame
            };
            if odd == 0 {
                frame.truncate(len);
            }
            prop_assert!(decoder.decode(link, &frame, frame.len(), AT).map_or(0, |segment| segment.payload.len()) <= 65_535);
            prop_assert!(decoder.decode(LinkType::Ip, &frame, frame.len(), AT).map_or(0, |segment| segment.payload.len()) <= 65_535);
        }
    }
}
