use bytes::Bytes;

use super::*;
use crate::{seq::SeqNum, time::Timestamp};

fn stored(bytes: &'static [u8]) -> Stored {
    Stored {
        at: Timestamp::from_nanos(1),
        ack: None,
        starts_segment: true,
        conflict: false,
        bytes: Bytes::from_static(bytes),
        lost: 0,
    }
}

fn taken(assembler: &mut Assembler) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((_, part)) = assembler.take() {
        bytes.extend_from_slice(&part.bytes);
    }
    bytes
}

#[test]
fn the_first_copy_wins_and_a_different_second_one_is_flagged() {
    let mut stream = Assembler::new(SeqNum(0));
    assert_eq!(
        stream.insert(2, &stored(b"CDE")),
        Inserted {
            stored: 3,
            conflict: false
        }
    );
    assert_eq!(
        stream.insert(1, &stored(b"bcdef")),
        Inserted {
            stored: 2,
            conflict: true
        }
    );
    assert_eq!(stream.hole(), Some(Hole { len: 1, acked: false }));
    assert_eq!(
        stream.insert(0, &stored(b"A")),
        Inserted {
            stored: 1,
            conflict: false
        }
    );
    assert_eq!(taken(&mut stream), b"AbCDEf");
    assert_eq!((stream.buffered(), stream.next()), (0, 6));
}

#[test]
fn equal_copies_are_no_conflict() {
    let mut stream = Assembler::new(SeqNum(0));
    stream.insert(1, &stored(b"bc"));
    assert_eq!(
        stream.insert(0, &stored(b"abcd")),
        Inserted {
            stored: 2,
            conflict: false
        }
    );
    assert_eq!(taken(&mut stream), b"abcd");
}

#[test]
fn offsets_go_on_where_sequence_numbers_wrap() {
    let mut stream = Assembler::new(SeqNum(u32::MAX - 1));
    assert_eq!(stream.offset(SeqNum(3)), Some(5));
    stream.advance(4);
    assert_eq!(stream.distance(SeqNum(u32::MAX)), -3);
    assert_eq!(stream.offset(SeqNum(u32::MAX)), Some(1));
    assert_eq!(stream.offset(SeqNum(u32::MAX - 5)), None);
}

#[test]
fn a_hole_is_acked_only_when_the_receiver_said_so() {
    let mut stream = Assembler::new(SeqNum(0));
    assert_eq!(stream.hole(), None);
    stream.insert(4, &stored(b"xyz"));
    assert_eq!(stream.hole(), Some(Hole { len: 4, acked: false }));
    stream.acknowledge(7);
    assert_eq!(stream.hole(), Some(Hole { len: 4, acked: true }));
    stream.advance(4);
    assert_eq!(taken(&mut stream), b"xyz");
    assert_eq!(stream.hole(), None);
    stream.acknowledge(9);
    assert_eq!(
        stream.hole(),
        Some(Hole { len: 2, acked: true }),
        "bytes that only an ack tells of"
    );
}

#[test]
fn the_fin_is_no_missing_byte() {
    let mut stream = Assembler::new(SeqNum(0));
    stream.end_at(0);
    stream.acknowledge(1);
    assert_eq!(stream.hole(), None);
    assert!(stream.is_ended());
}

#[test]
fn what_was_put_back_comes_again() {
    let mut stream = Assembler::new(SeqNum(0));
    stream.insert(0, &stored(b"hello"));
    let (_, part) = stream.take().unwrap();
    stream.put_back(part.part(2, 3));
    assert_eq!((stream.next(), stream.hole()), (2, None));
    assert_eq!(taken(&mut stream), b"llo");
}

#[test]
fn lost_bytes_take_their_place_in_the_order() {
    let mut stream = Assembler::new(SeqNum(0));
    stream.insert(
        0,
        &Stored {
            bytes: Bytes::new(),
            lost: 3,
            ..stored(b"")
        },
    );
    stream.insert(3, &stored(b"d"));
    assert_eq!(stream.take().map(|(at, part)| (at, part.lost)), Some((0, 3)));
    assert_eq!(taken(&mut stream), b"d");
}
