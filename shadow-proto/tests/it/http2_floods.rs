//! Floods of HTTP/2: whatever one side sends, memory stays within the limits, nothing takes quadratic time, and every
//! request is reported.

use shadow_proto::engine::{Event, Usage};

use crate::{
    bounded::Attack,
    support::h2::frames::{self, frame},
};

/// A request without fields that need more than the static table, on this stream.
fn request(stream: u32, flags: u8) -> Vec<u8> {
    frame(1, flags, stream, b"\x82\x86\x84\x01\x01a")
}

/// A client that sends its preface, and then so many pieces.
fn flood(pieces: u32, piece: impl Fn(u32) -> Vec<u8>) -> (Vec<Event>, Usage) {
    let mut attack = Attack::new();
    attack.open(1);
    let mut bytes = frames::PREFACE.to_vec();
    bytes.extend(frames::settings(&[(1, u32::MAX)]));
    let mut seq = 1_u32;
    let mut send = |bytes: &mut Vec<u8>| {
        for part in bytes.chunks(60_000) {
            attack.client(seq, part);
            seq = seq.wrapping_add(u32::try_from(part.len()).expect("short"));
        }
        bytes.clear();
    };
    for number in 0..pieces {
        bytes.extend(piece(number));
        if bytes.len() > 50_000 {
            send(&mut bytes);
        }
    }
    send(&mut bytes);
    attack.finish()
}

fn exchanges(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::Exchange(_)))
        .count()
}

#[test]
fn continuations_without_end() {
    for part in [&b""[..], b"\x82", &[0xbe; 1_000]] {
        let (events, most) = flood(60_000, |number| match number {
            0 => request(1, 1),
            _ => frame(9, 0, 1, part),
        });
        assert!(most.buffered < 100_000, "{most:?}");
        assert!(exchanges(&events) <= 1);
    }
}

#[test]
fn streams_that_are_reset_at_once() {
    let (events, most) = flood(100_000, |number| {
        [
            request(number * 2 + 1, 5),
            frame(3, 0, number * 2 + 1, &[0, 0, 0, 8]),
        ]
        .concat()
    });
    assert_eq!(exchanges(&events), 100_000);
    assert!(most.buffered < 100_000, "{most:?}");
}

#[test]
fn a_hundred_thousand_idle_streams() {
    let (events, most) = flood(100_000, |number| request(number * 2 + 1, 4));
    assert_eq!(exchanges(&events), 100_000);
    assert!(most.buffered < 2 << 20, "{most:?}");
}

#[test]
fn settings_pings_priorities_and_unknown_frames() {
    for piece in [
        frames::settings(&[(1, 0)]),
        frames::settings_ack(),
        frame(4, 0, 0, &[0; 16_380]),
        frame(6, 0, 0, b"12345678"),
        frame(2, 0, 1, &[0; 5]),
        frame(8, 0, 0, &[0, 0, 0, 1]),
        frame(0xff, 0xff, 9, b""),
        frame(0xc, 0, 0, &[b'x'; 300]),
    ] {
        let pieces = if piece.len() > 1_000 { 1_000 } else { 50_000 };
        let (_, most) = flood(pieces, |_| piece.clone());
        assert!(most.buffered < 100_000, "{most:?}");
    }
}

#[test]
fn a_body_in_empty_and_tiny_frames() {
    let (events, most) = flood(200_000, |number| match number {
        0 => request(1, 4),
        _ => frame(0, 0, 1, &b"x"[..(number % 2) as usize]),
    });
    assert_eq!(exchanges(&events), 1);
    assert!(most.buffered < 600_000, "{most:?}");
}

#[test]
fn tables_that_grow_and_fields_that_do() {
    // The server allows nothing: the update is refused. Without one, entries of 3,000 bytes on each stream.
    let (_, most) = flood(5_000, |number| {
        let mut block = b"\x82\x86\x84\x40\x01n\x7f\xb9\x16".to_vec();
        block.extend([b'v'; 3_000]);
        block.extend([0xbe; 900]);
        frame(1, 5, number * 2 + 1, &block)
    });
    assert!(most.buffered <= 4 << 20, "{most:?}");
}
