//! A recording with masked secrets: no secret byte is shown except where the recorder documents that it shows text,
//! every segment is written once, and no length changes.

use std::collections::{BTreeMap, VecDeque};

use shadow_core::{
    mask::{Bounds, Hide, MASK, Mask},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::{
    exchange::Flow,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

use super::connection::{Line, lines};

/// Represents a secret. It is a token character, so that it is valid anywhere.
const SECRET: u8 = b'~';

/// Where the streams begin. The wrap is in the first heads.
const FIRST: [u32; 2] = [u32::MAX - 9, 4_000];

/// Fields whose values are shown.
const SHOWN: [&str; 20] = [
    "accept",
    "accept-encoding",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "range",
    "server",
    "transfer-encoding",
    "vary",
    "upgrade",
];

/// Input: a transcript, as for `connection`. The first byte selects the cuts and what is doubled, late or lost.
pub fn run(input: &[u8]) {
    let (how, text) = match input {
        [how, text @ ..] if !how.is_ascii_graphic() => (*how, text),
        text => (0, text),
    };
    let text = String::from_utf8_lossy(text);
    // The oracle below knows HTTP/1 only. HTTP/2 has tests of its own (`shadow-core/src/mask`).
    if text.contains("PRI * HTTP/2.0\\r\\n\\r\\n") {
        return;
    }
    let lines = lines(&text);
    for way in 0..4 {
        let mut wire = Wire::new(usize::from(how) + way);
        for (number, line) in lines.iter().enumerate() {
            wire.line(number, line);
        }
        wire.end();
    }
}

/// The two ends and the recorded segments.
struct Wire {
    mask: Mask,
    flow: Flow,
    way: usize,
    next: [u32; 2],
    now: u64,
    /// Segments that were given and are not written yet: direction, sequence number, length.
    given: VecDeque<(Direction, u32, u64)>,
    /// The bytes of each stream by their offset: the first copy, and whether a secret was shown there.
    streams: [BTreeMap<u32, (u8, bool)>; 2],
    late: Option<(usize, Flags, u32, Vec<u8>)>,
}

impl Wire {
    fn new(way: usize) -> Self {
        let bounds = Bounds {
            held: 64 << 10,
            window: 64 << 10,
            ..Bounds::default()
        };
        let redactor = Redactor::new([0; 32], &RedactConfig::default());
        let mut wire = Self {
            mask: Mask::new(Hide::All, redactor, bounds),
            flow: super::engine::flow(0),
            way,
            next: FIRST,
            now: 0,
            given: VecDeque::new(),
            streams: [BTreeMap::new(), BTreeMap::new()],
            late: None,
        };
        wire.say(0, Flags::SYN, &[]);
        wire.say(1, Flags::SYN.union(Flags::ACK), &[]);
        wire
    }

    fn line(&mut self, number: usize, line: &Line) {
        self.now += 1_000_000;
        match line {
            Line::Data(from, bytes) => {
                let planted = self.plant(number, bytes);
                let size = [usize::MAX, 1, 7, 100][self.way % 4];
                for (piece_number, piece) in planted.chunks(size.min(planted.len()).max(1)).enumerate() {
                    self.piece(*from, number + piece_number, piece);
                }
            }
            Line::Lost(from, lost) => self.next[*from] = self.next[*from].wrapping_add(*lost),
            Line::End(from, flags) => {
                let secret = if flags.contains(Flags::RST) {
                    &[SECRET; 4][..]
                } else {
                    &[]
                };
                self.say(*from, flags.union(Flags::ACK), secret);
            }
            Line::Wait(seconds) => self.now += seconds * 1_000_000_000,
        }
    }

    /// Inserts secrets at positions that depend on the line and `way`: before, after, and in between.
    fn plant(&self, number: usize, bytes: &[u8]) -> Vec<u8> {
        let place = match (number + self.way) % 5 {
            0 => bytes.len(),
            1 => 0,
            2 => bytes.len() / 2,
            3 => bytes
                .iter()
                .rposition(|byte| *byte == b':')
                .map_or(bytes.len(), |colon| colon + 1),
            _ => return bytes.to_vec(),
        };
        let (before, after) = bytes.split_at(place);
        [before, &[SECRET; 5], after].concat()
    }

    fn piece(&mut self, from: usize, number: usize, piece: &[u8]) {
        let seq = self.next[from];
        match (number * 3 + self.way) % 8 {
            // Captured late.
            1 if self.late.is_none() => {
                self.late = Some((from, Flags::ACK, seq, piece.to_vec()));
                self.next[from] = seq.wrapping_add(u32::try_from(piece.len()).expect("short"));
            }
            // Not captured.
            2 if self.way % 3 == 1 => {
                self.next[from] = seq.wrapping_add(u32::try_from(piece.len()).expect("short"));
            }
            // Captured twice, the second time with other bytes.
            3 => {
                self.say(from, Flags::ACK, piece);
                let other = vec![SECRET; piece.len()];
                self.raw(from, Flags::ACK, seq, &other);
            }
            _ => self.say(from, Flags::ACK, piece),
        }
        if let Some((from, flags, seq, piece)) = self.late.take_if(|_| number.is_multiple_of(2)) {
            self.raw(from, flags, seq, &piece);
        }
    }

    fn say(&mut self, from: usize, flags: Flags, payload: &[u8]) {
        let seq = self.next[from];
        self.raw(from, flags, seq, payload);
        let len = u32::try_from(payload.len()).expect("short");
        let control = u32::from(flags.contains(Flags::SYN) || flags.contains(Flags::FIN));
        self.next[from] = seq.wrapping_add(len).wrapping_add(control);
    }

    fn raw(&mut self, from: usize, flags: Flags, seq: u32, payload: &[u8]) {
        let Flow { client, server } = self.flow;
        let ends = [client, server];
        let direction = [Direction::ToServer, Direction::ToClient][from];
        self.given.push_back((direction, seq, payload.len() as u64));
        let segment = Segment {
            at: Timestamp::from_nanos(self.now),
            src: ends[from],
            dst: ends[1 - from],
            direction: Some(direction),
            ifindex: 0,
            seq: SeqNum(seq),
            ack: SeqNum(self.next[1 - from]),
            flags,
            payload,
            missing: 0,
            multipath: None,
        };
        if !flags.contains(Flags::RST) {
            for (offset, byte) in (0..).zip(payload) {
                let place = seq.wrapping_sub(FIRST[from]).wrapping_add(offset);
                self.streams[from].entry(place).or_insert((*byte, false));
            }
        }
        let (given, streams) = (&mut self.given, &mut self.streams);
        self.mask
            .take(&segment, &mut |segment| take(given, streams, segment));
    }

    fn end(&mut self) {
        if let Some((from, flags, seq, piece)) = self.late.take() {
            self.raw(from, flags, seq, &piece);
        }
        let (given, streams) = (&mut self.given, &mut self.streams);
        self.mask.flush(&mut |segment| take(given, streams, segment));
        assert!(self.given.is_empty(), "every segment is written");
        for stream in &self.streams {
            for (place, _) in stream.iter().filter(|(_, (_, shown))| *shown) {
                let (line, at) = line(stream, *place);
                assert!(
                    may_show(&line, at),
                    "{:?} at {at}",
                    line.escape_ascii().to_string()
                );
            }
        }
    }
}

/// The line around an offset, as far as it was captured, and the position of the offset in it.
fn line(stream: &BTreeMap<u32, (u8, bool)>, place: u32) -> (Vec<u8>, usize) {
    let byte = |place: u32| {
        stream
            .get(&place)
            .map(|(byte, _)| *byte)
            .filter(|byte| *byte != b'\n')
    };
    let mut start = place;
    while byte(start.wrapping_sub(1)).is_some() {
        start = start.wrapping_sub(1);
    }
    let line = (0..)
        .map_while(|offset| byte(start.wrapping_add(offset)))
        .collect();
    (line, place.wrapping_sub(start) as usize)
}

/// One connection keeps the order of its capture.
fn take(
    given: &mut VecDeque<(Direction, u32, u64)>,
    streams: &mut [BTreeMap<u32, (u8, bool)>; 2],
    segment: &Segment<'_>,
) {
    let direction = segment.direction.expect("as it was given");
    let len = segment.payload.len() as u64 + u64::from(segment.missing);
    assert_eq!(
        given.pop_front(),
        Some((direction, segment.seq.0, len)),
        "in order, and as long"
    );
    let from = usize::from(direction == Direction::ToClient);
    for (offset, byte) in (0..).zip(segment.payload) {
        let place = segment.seq.0.wrapping_sub(FIRST[from]).wrapping_add(offset);
        match streams[from].get_mut(&place) {
            Some((first, secret)) => {
                assert!(*byte == MASK || *byte == *first, "only the first copy is shown");
                *secret |= *byte == SECRET;
            }
            None => assert_eq!(*byte, MASK, "data in a reset"),
        }
    }
}

/// A character of a method (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the recorder documents that it shows text at this position: the path of a request, the name of a parameter
/// or of a field, and the values of some fields.
fn may_show(line: &[u8], place: usize) -> bool {
    let words: Vec<&[u8]> = line.splitn(2, |byte| *byte == b' ').collect();
    if let [method, rest] = words[..]
        && method.iter().all(|byte| is_token(*byte) || *byte == MASK)
        && matches!(rest.first(), Some(b'/' | b'*'))
        && place > method.len()
    {
        let before = &line[method.len() + 1..place];
        if !before.iter().any(|byte| matches!(byte, b'?' | b'#' | b';')) {
            return true;
        }
        let is_name = line[place..]
            .iter()
            .find(|byte| matches!(byte, b'=' | b'&' | b';' | b' ' | b'?' | b'#'));
        let value = before
            .iter()
            .rev()
            .find(|byte| matches!(byte, b'=' | b'&' | b';' | b'?' | b'#'));
        return value != Some(&b'=') && is_name == Some(&b'=');
    }
    match line.iter().position(|byte| *byte == b':') {
        Some(colon) if place < colon => !line[..colon].contains(&b' '),
        Some(colon) => {
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            SHOWN.contains(&name.as_str())
        }
        None => false,
    }
}
