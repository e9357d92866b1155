mod properties;
mod write;

use std::io::{Cursor, Write as _};

use flate2::{Compression, write::GzEncoder};

use super::*;
use write::{BIG, LITTLE, Order};

/// A frame as seen by a test: time, link layer, length on the wire, bytes.
type Seen = (u64, LinkType, usize, Vec<u8>);

/// Every frame, and the damage at the end.
fn read(bytes: &[u8]) -> (Vec<Seen>, Option<Damage>) {
    read_from(Box::new(Cursor::new(bytes.to_vec())))
}

fn read_from(reader: Box<dyn Read + Send>) -> (Vec<Seen>, Option<Damage>) {
    let mut frames = Vec::new();
    let mut file = match PcapFile::from_reader(reader) {
        Ok(file) => file,
        Err(OpenError::Damaged(damage)) => return (frames, Some(damage)),
        Err(error) => panic!("not opened: {error}"),
    };
    loop {
        match file.next_frame() {
            Ok(Some(frame)) => {
                frames.push((
                    frame.at.as_nanos(),
                    frame.link,
                    frame.wire_len,
                    frame.data.to_vec(),
                ));
            }
            Ok(None) => return (frames, None),
            Err(damage) => {
                assert_eq!(file.next_frame().err().as_ref(), Some(&damage), "damage stays");
                return (frames, Some(damage));
            }
        }
    }
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn every_pcap_variant_gives_the_same_frames() {
    let records: &[(u32, u32, &[u8], u32)] = &[
        (5, 6_000, b"abc", 3),
        (4, 7_000, b"", 0),
        (5, 8_000, b"de", 1_500),
    ];
    for order in [LITTLE, BIG] {
        for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1_000)] {
            let (frames, damage) = read(&order.legacy(magic, records));
            let expected = [
                (5 * SECOND + 6_000 * unit, LinkType::Ethernet, 3, b"abc".to_vec()),
                (4 * SECOND + 7_000 * unit, LinkType::Ethernet, 0, vec![]),
                (
                    5 * SECOND + 8_000 * unit,
                    LinkType::Ethernet,
                    1_500,
                    b"de".to_vec(),
                ),
            ];
            assert_eq!(frames, expected, "magic {magic:x}, big endian: {}", order.big);
            assert_eq!(damage, None);
        }
    }
}

#[test]
fn sections_choose_their_byte_order_and_their_interfaces() {
    let mut file = Vec::new();
    for order in [LITTLE, BIG] {
        file.extend(order.section());
        file.extend(order.block(0x0bad, &[1; 40]));
        file.extend(order.interface(1, 0, &[]));
        file.extend(order.interface(101, 0, &order.option(9, &[9])));
        file.extend(order.block(5, &[0; 12]));
        file.extend(order.packet(1, SECOND, b"raw", 3));
        file.extend(order.packet(0, 1_000_000, b"ether", 90));
    }
    let (frames, damage) = read(&file);
    let once = [
        (SECOND, LinkType::Ip, 3, b"raw".to_vec()),
        (SECOND, LinkType::Ethernet, 90, b"ether".to_vec()),
    ];
    assert_eq!((frames, damage), ([once.clone(), once].concat(), None));
}

#[test]
fn time_resolutions_and_offsets() {
    for order in [LITTLE, BIG] {
        let cases: &[(&[u8], i64, u64, u64)] = &[
            (&[], 0, 7, 7_000),
            (&[0], 0, 7, 7 * SECOND),
            (&[3], 0, 7, 7_000_000),
            (&[9], 0, 7, 7),
            (&[12], 0, 7_999, 7),
            (&[38], 0, u64::MAX, 0),
            (&[127], 0, u64::MAX, 0),
            (&[0x80], 0, 7, 7 * SECOND),
            (&[0x8a], 0, 512, SECOND / 2),
            (&[0xa0], 0, 3 << 31, 3 * SECOND / 2),
            (&[0xff], 0, u64::MAX, 0),
            (&[6], 2, 7, 2 * SECOND + 7_000),
            (&[6], -1, 1_000_007, 7_000),
            (&[6], -2, 7, 0),
            (&[0], i64::MAX, u64::MAX, u64::MAX),
        ];
        for (resolution, offset, units, nanos) in cases {
            let mut options = order.option(2, b"eth0");
            if !resolution.is_empty() {
                options.extend(order.option(9, resolution));
            }
            options.extend(order.option(14, &order.i64(*offset)));
            options.extend(order.option(0, &[]));
            let file = [
                order.section(),
                order.interface(1, 0, &options),
                order.packet(0, *units, b"x", 1),
            ]
            .concat();
            let (frames, damage) = read(&file);
            let at = frames.first().map(|frame| frame.0);
            assert_eq!(
                (at, damage),
                (Some(*nanos), None),
                "{resolution:?}, offset {offset}, big endian: {}",
                order.big
            );
        }
    }
}

#[test]
fn simple_and_obsolete_packet_blocks() {
    for order in [LITTLE, BIG] {
        let mut file = [order.section(), order.interface(1, 4, &[])].concat();
        file.extend(order.packet(0, 9, b"full", 4));
        file.extend(order.block(3, &[&order.u32(9)[..], b"snap"].concat()));
        file.extend(order.block(3, &[&order.u32(2)[..], b"hi"].concat()));
        let fields = [&order.u16(0)[..], &order.u16(77), &order.words(&[0, 11, 3, 30])].concat();
        file.extend(order.block(2, &[&fields[..], b"old"].concat()));
        let expected = [
            (9_000, LinkType::Ethernet, 4, b"full".to_vec()),
            (9_000, LinkType::Ethernet, 9, b"snap".to_vec()),
            (9_000, LinkType::Ethernet, 2, b"hi".to_vec()),
            (11_000, LinkType::Ethernet, 30, b"old".to_vec()),
        ];
        assert_eq!(
            read(&file),
            (expected.to_vec(), None),
            "big endian: {}",
            order.big
        );
    }
}

#[test]
fn gzip_in_one_or_several_members() {
    let plain = [
        LITTLE.start(),
        LITTLE.packet(0, 1, b"one", 3),
        LITTLE.packet(0, 2, b"two", 3),
    ]
    .concat();
    let pack = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let expected = read(&plain);
    assert_eq!(read(&pack(&plain)), expected);
    let (left, right) = plain.split_at(61);
    let members = [pack(left), pack(right)].concat();
    assert_eq!(read(&members), expected);

    let (frames, damage) = read(&[pack(left), pack(right)[..12].to_vec()].concat());
    assert_eq!(frames.len(), 0);
    assert!(
        matches!(
            damage,
            Some(Damage {
                unpacked: true,
                what: Fault::Read(_),
                ..
            })
        ),
        "{damage:?}"
    );
}

#[test]
fn damage_is_named_with_its_place() {
    let good = [LITTLE.start(), LITTLE.packet(0, 1, b"good", 4)].concat();
    let head = |kind, length| LITTLE.words(&[kind, length]);
    let cases: &[(Vec<u8>, Fault)] = &[
        (LITTLE.packet(3, 1, b"x", 1), Fault::Interface { id: 3, known: 1 }),
        (
            LITTLE.block(6, &LITTLE.words(&[0, 0, 0, 5, 5, 0])),
            Fault::PacketLength(5),
        ),
        (
            LITTLE.block(6, &LITTLE.words(&[0, 0, 0, u32::MAX, 5, 0])),
            Fault::PacketLength(u32::MAX),
        ),
        (LITTLE.block(6, &LITTLE.words(&[0, 0])), Fault::BlockLength(20)),
        (head(6, 8), Fault::BlockLength(8)),
        (head(9, 14), Fault::BlockLength(14)),
        (head(6, 0x7fff_fff0), Fault::TooLong(0x7fff_fff0)),
        (
            head(9, 0x7fff_fff0),
            Fault::CutOff {
                need: 0x7fff_fff0,
                have: 8,
            },
        ),
        (
            [head(6, 32), vec![0; 24]].concat(),
            Fault::BlockEnds { head: 32, tail: 0 },
        ),
        ([head(0x0a0d_0d0a, 28), vec![0; 20]].concat(), Fault::ByteOrder(0)),
        (vec![6, 0, 0], Fault::CutOff { need: 8, have: 3 }),
    ];
    for (bad, what) in cases {
        let (frames, damage) = read(&[&good[..], bad].concat());
        let expected = Damage {
            at: good.len() as u64,
            unpacked: false,
            what: what.clone(),
        };
        assert_eq!((frames.len(), damage), (1, Some(expected)));
    }
    let record = LITTLE.legacy(0xa1b2_c3d4, &[(1, 1, b"x", 1)]);
    let long = [&record[..], &LITTLE.words(&[1, 1, 0xfff0_0000, 5])].concat();
    let (frames, damage) = read(&long);
    assert_eq!(
        (frames.len(), damage.map(|damage| (damage.at, damage.what))),
        (1, Some((41, Fault::TooLong(0xfff0_0000))))
    );
}

#[test]
fn other_files_are_refused_with_their_first_bytes() {
    let open = |bytes: &'static [u8]| {
        PcapFile::from_reader(Box::new(bytes))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(open(b"").contains("empty"));
    assert!(open(b"GE").contains("begins with 47 45)"));
    assert!(open(b"GET / HTTP/1.1").contains("begins with 47 45 54 20)"));
    assert!(
        open(b"\xd4\xc3\xb2\xa1rest")
            .contains("damaged at byte 0: the file ends inside a record: 8 of its 24 bytes")
    );
}

#[test]
fn records_larger_than_the_window_grow_it_and_unknown_blocks_do_not() {
    let large = vec![7; 3 << 20];
    let mut file = LITTLE.start();
    file.extend(LITTLE.block(0x0bad, &vec![1; MAX_RECORD + 4]));
    file.extend(LITTLE.packet(0, 1, &large, 3 << 20));
    file.extend(LITTLE.packet(0, 2, b"x", 1));
    let (frames, damage) = read(&file);
    let lengths: Vec<usize> = frames.iter().map(|frame| frame.3.len()).collect();
    assert_eq!((lengths, damage), (vec![3 << 20, 1], None));
}
