use std::io::Cursor;

use shadow_common::flow::Endpoint;
use shadow_proto::{
    seq::SeqNum,
    wire::{Direction, Flags, multipath::Multipath},
};

use super::{
    super::{Next, PcapFile},
    *,
};

fn v4() -> [Endpoint; 2] {
    [
        Endpoint::v4([10, 0, 0, 1], 40_000),
        Endpoint::v4([10, 0, 0, 2], 80),
    ]
}

fn v6() -> [Endpoint; 2] {
    [Endpoint::v6([0xfd; 16], 40_000), Endpoint::v6([0xfc; 16], 80)]
}

fn segment([src, dst]: [Endpoint; 2], payload: &[u8], missing: u32) -> Segment<'_> {
    Segment {
        at: Timestamp::from_nanos(5),
        src,
        dst,
        direction: Some(Direction::ToServer),
        ifindex: 7,
        seq: SeqNum(u32::MAX),
        ack: SeqNum(9),
        flags: Flags(0x1f),
        payload,
        missing,
        multipath: None,
    }
}

/// The metadata of a segment as read back: sequence number, flags, payload, missing.
type Facts = (SeqNum, Flags, Vec<u8>, u32);

fn read_back(file: Vec<u8>) -> Vec<Facts> {
    let mut file = PcapFile::from_reader(Box::new(Cursor::new(file))).expect("a capture");
    let mut found = Vec::new();
    loop {
        match file.next_segment().expect("no damage") {
            Next::Segment(segment) => {
                assert_eq!(
                    (segment.at, segment.ack),
                    (Timestamp::from_nanos(1_700_000_000_123_456_789), SeqNum(9))
                );
                found.push((
                    segment.seq,
                    segment.flags,
                    segment.payload.to_vec(),
                    segment.missing,
                ));
            }
            Next::Skipped(skip) => panic!("a written packet is {skip}"),
            Next::End => return found,
        }
    }
}

fn written(segment: &Segment<'_>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), "a test").unwrap();
    writer.interface(7, "eth0", "").unwrap();
    let names = ["10.0.0.2".parse().unwrap(), "fd00::1".parse().unwrap()];
    writer.names(names.map(|address| (address, "server"))).unwrap();
    let at = Timestamp::from_nanos(1_700_000_000_123_456_789);
    writer.segment(7, at, segment, Some("the first packet")).unwrap();
    writer.statistics(7, &Statistics::default()).unwrap();
    let (bytes, file) = (writer.bytes(), writer.finish().unwrap());
    assert_eq!(bytes, file.len() as u64);
    file
}

#[test]
fn a_segment_comes_back_as_it_was() {
    for ends in [v4(), v6()] {
        for (payload, missing) in [(&b""[..], 0), (b"abc", 0), (b"abcd", 100), (b"", 17)] {
            let found = read_back(written(&segment(ends, payload, missing)));
            let whole = (SeqNum(u32::MAX), Flags(0x1f), payload.to_vec(), missing);
            assert_eq!(found, [whole], "{ends:?}");
        }
    }
}

#[test]
fn a_segment_longer_than_a_packet_becomes_several_that_follow_each_other() {
    let payload: Vec<u8> = (0..150_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for ends in [v4(), v6()] {
        let found = read_back(written(&segment(ends, &payload, 200_000)));
        // The SYN takes u32::MAX, so the payload starts at 0.
        let mut next = SeqNum(u32::MAX);
        let mut bytes = Vec::new();
        let mut missing = 0;
        for (place, (seq, flags, payload, absent)) in found.iter().enumerate() {
            assert_eq!(*seq, next);
            let syn = flags.contains(Flags::SYN);
            assert_eq!(syn, place == 0);
            assert_eq!(flags.contains(Flags::FIN), place + 1 == found.len());
            assert!(payload.is_empty() || missing == 0, "bytes behind missing ones");
            bytes.extend_from_slice(payload);
            missing += absent;
            next = next + u32::try_from(payload.len()).unwrap() + *absent + u32::from(syn);
        }
        assert!(found.len() > 3, "{} packets", found.len());
        assert_eq!((bytes.len(), missing), (payload.len(), 200_000));
        assert!(bytes == payload);
    }
}

#[test]
fn multipath_tcp_stays_what_it_was() {
    let first = Multipath::First {
        own: 7,
        peer: Some(9),
    };
    let long = vec![7; 150_000];
    for multipath in [first, Multipath::Join, Multipath::Mapped(u32::MAX)] {
        for (ends, payload) in [(v4(), &b""[..]), (v6(), b"abc"), (v4(), &long)] {
            let segment = Segment {
                multipath: Some(multipath),
                ..segment(ends, payload, 0)
            };
            let mut file = PcapFile::from_reader(Box::new(Cursor::new(written(&segment)))).unwrap();
            let mut bytes = 0;
            while let Next::Segment(read) = file.next_segment().unwrap() {
                // A connection joins with a SYN.
                let is_syn = read.flags.contains(Flags::SYN);
                let expected = (is_syn || multipath != Multipath::Join).then_some(multipath);
                assert_eq!(read.multipath, expected, "{ends:?}");
                bytes += read.payload.len();
            }
            assert_eq!(bytes, payload.len());
        }
    }
}

/// RFC 1071: over a packet with a correct checksum the sum is zero.
#[test]
fn checksums_are_right() {
    fn sum(bytes: &[u8]) -> u64 {
        let words = bytes
            .chunks(2)
            .map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low)));
        let mut sum: u64 = words.sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    }
    for payload in [&b""[..], b"abc", b"abcd", &vec![0xff; 70_000]] {
        for piece in packet::pieces(&segment(v4(), payload, 0)) {
            let mut packet = Vec::new();
            piece.write(&mut packet);
            assert_eq!(sum(&packet[..20]), 0xffff, "IPv4 header");
            let tcp = u16::try_from(packet.len() - 20).unwrap().to_be_bytes();
            let pseudo = [&packet[12..20], &[0, 6], &tcp, &packet[20..]].concat();
            assert_eq!(sum(&pseudo), 0xffff, "TCP over IPv4, {} bytes", packet.len());
        }
        for piece in packet::pieces(&segment(v6(), payload, 0)) {
            let mut packet = Vec::new();
            piece.write(&mut packet);
            let pseudo = [&packet[8..40], &[0, 6], &packet[4..6], &packet[40..]].concat();
            assert_eq!(sum(&pseudo), 0xffff, "TCP over IPv6, {} bytes", packet.len());
        }
    }
}

#[test]
fn an_interface_that_nobody_described_is_described_by_its_number() {
    let mut writer = Writer::new(Vec::new(), "").unwrap();
    let at = Timestamp::from_nanos(1_700_000_000_123_456_789);
    for index in [3, 9, 3] {
        writer.segment(index, at, &segment(v4(), b"x", 0), None).unwrap();
    }
    assert!(writer.knows(3) && writer.knows(9) && !writer.knows(7));
    assert_eq!(writer.packets(), 3);
    assert_eq!(read_back(writer.finish().unwrap()).len(), 3);
}
