//! Conversations as readable files: `tests/transcripts/*.t`.
//!
//! The idea is that of libhtp's test files (packets with a direction, and gaps); the format is our own:
//!
//! ```text
//! # What this shows, in one sentence.
//! limits head=1024 fields=16   smaller caps than the defaults
//! midstream                    the handshake was not captured
//! directed                     only meaningful when the source knows which end serves
//! borders                      where a lost reader starts again depends on segment borders: every cut has the outcome
//!                              that is expected, and no two need to have the same one in detail
//! >>> GET / HTTP/1.1\r\n       client bytes       <<< server bytes
//! >~> late                     client bytes, captured after the next line (<~< for the server)
//! >-> crossing                 client bytes, sent before the line above had arrived (<-< for the server)
//! ><> 5                        client bytes that were sent and not captured (<>< for the server)
//! >|                           client FIN         <| server FIN
//! >!                           client RST         <! server RST
//! ... 11s                      silence
//! == GET / 200 complete response="hello"       one reported exchange: method, target, status or -, reason
//! == orphan 408 unrequested                    a response without a request
//! == abandoned http2                           nothing more is read
//! == anything incomplete                       any number of entries that are not complete
//! == nothing complete                          no exchange may be complete, and the list is not checked further
//! == first GET / * malformed                   with it: what the first entry is
//! ```
//!
//! Text knows `\r \n \t \\ \xNN` and `\{text*N}` for repeats. `*` in an expectation matches anything, `a|b` either.

use bytes::Bytes;

use shadow_proto::{limits::Limits, wire::Flags};

use super::{
    encode::{CLIENT, SERVER},
    scene,
    wire::Captured,
};

/// Capture time of the first segment of every transcript, in microseconds.
const BEGINNING: u64 = 1_000_000;

/// One file.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) limits: Limits,
    pub(crate) midstream: bool,
    pub(crate) directed: bool,
    pub(crate) borders: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) expected: Vec<String>,
}

/// One line of the conversation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data { from: usize, bytes: Bytes, when: When },
    Lost { from: usize, bytes: u32 },
    End { from: usize, flags: Flags },
    Wait { micros: u64 },
}

/// When bytes are captured and what their sender had received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    InOrder,
    /// Captured after the next line.
    Late,
    /// Sent before the line above had arrived.
    Crossing,
}

/// Reads a file; an invalid line is an error in the file.
pub(crate) fn parse(text: &str) -> Transcript {
    assert!(text.starts_with("# "), "a transcript starts with what it shows");
    let mut transcript = Transcript {
        limits: Limits {
            body: 1 << 10,
            ..Limits::default()
        },
        midstream: false,
        directed: false,
        borders: false,
        steps: Vec::new(),
        expected: Vec::new(),
    };
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "limits" => rest
                .split(' ')
                .for_each(|pair| limit(&mut transcript.limits, pair)),
            "midstream" => transcript.midstream = true,
            "directed" => transcript.directed = true,
            "borders" => transcript.borders = true,
            "==" => transcript.expected.push(rest.to_owned()),
            _ => transcript.steps.push(step(word, rest)),
        }
    }
    assert!(
        !transcript.expected.is_empty(),
        "a transcript without an expectation cannot fail"
    );
    transcript
}

fn limit(limits: &mut Limits, pair: &str) {
    let (name, value) = pair.split_once('=').expect("limits are name=value");
    let value: usize = value.parse().expect("limits are numbers");
    match name {
        "head" => limits.head = value,
        "fields" => limits.fields = value,
        "body" => limits.body = value,
        "pipeline" => limits.pipeline = value,
        _ => panic!("no limit is called {name}"),
    }
    assert_eq!(limits.validate(), Ok(()));
}

fn step(word: &str, rest: &str) -> Step {
    let data = |from, when| Step::Data {
        from,
        bytes: unescape(rest).into(),
        when,
    };
    let lost = |from| Step::Lost {
        from,
        bytes: rest.trim().parse().expect("a number of lost bytes"),
    };
    match word {
        ">>>" => data(CLIENT, When::InOrder),
        "<<<" => data(SERVER, When::InOrder),
        ">~>" => data(CLIENT, When::Late),
        "<~<" => data(SERVER, When::Late),
        ">->" => data(CLIENT, When::Crossing),
        "<-<" => data(SERVER, When::Crossing),
        "><>" => lost(CLIENT),
        "<><" => lost(SERVER),
        ">|" => Step::End {
            from: CLIENT,
            flags: Flags::FIN,
        },
        "<|" => Step::End {
            from: SERVER,
            flags: Flags::FIN,
        },
        ">!" => Step::End {
            from: CLIENT,
            flags: Flags::RST,
        },
        "<!" => Step::End {
            from: SERVER,
            flags: Flags::RST,
        },
        "..." => {
            let seconds = rest.trim().strip_suffix('s').expect("a silence in seconds");
            let seconds: u64 = seconds.parse().expect("a silence in seconds");
            Step::Wait {
                micros: seconds * 1_000_000,
            }
        }
        _ => panic!("no line starts with {word:?}"),
    }
}

/// Resolves escapes.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..place]);
        let escape = &rest[place + 1..];
        let kind = escape.chars().next().expect("an escape after the backslash");
        rest = &escape[kind.len_utf8()..];
        match kind {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '\\' => out.push(b'\\'),
            'x' => {
                out.push(u8::from_str_radix(&rest[..2], 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            '{' => {
                let (inner, behind) = rest.split_once('}').expect("a repeat ends with }");
                let (piece, times) = inner.rsplit_once('*').expect("a repeat is \\{text*N}");
                out.extend(unescape(piece).repeat(times.parse().expect("a number of repeats")));
                rest = behind;
            }
            _ => panic!("no escape is called {kind:?}"),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

impl Transcript {
    /// Its end, in microseconds.
    pub(crate) fn until(&self) -> u64 {
        let lasts = |step: &Step| match step {
            Step::Wait { micros } => *micros,
            _ => 2_000,
        };
        BEGINNING + self.steps.iter().map(lasts).sum::<u64>()
    }

    /// Payload bytes of the whole conversation.
    pub(crate) fn len(&self) -> usize {
        let bytes = |step: &Step| match step {
            Step::Data { bytes, .. } => bytes.len(),
            _ => 0,
        };
        self.steps.iter().map(bytes).sum()
    }

    /// The segments, one for each line, with one more boundary after `cut` payload bytes.
    pub(crate) fn cut_at(&self, cut: usize, directed: bool) -> Vec<Captured> {
        self.segments(directed, |offset, len| {
            let border = cut.saturating_sub(offset).min(len);
            vec![border, len - border]
        })
    }

    /// The segments, each at most `size` long.
    pub(crate) fn pieces(&self, size: usize, directed: bool) -> Vec<Captured> {
        self.segments(directed, |_, len| {
            (0..len)
                .step_by(size)
                .map(|start| size.min(len - start))
                .collect()
        })
    }

    fn segments(&self, directed: bool, lengths: impl Fn(usize, usize) -> Vec<usize>) -> Vec<Captured> {
        let mut writer = Writer::new(directed, self.midstream);
        let mut offset = 0;
        let mut late: Vec<Captured> = Vec::new();
        // The position of each side before the line above.
        let mut before = writer.next;
        for step in &self.steps {
            writer.now += 1_000;
            let next = writer.next;
            match step {
                Step::Data { from, bytes, when } => {
                    let mut pieces = Vec::new();
                    let mut rest = bytes.clone();
                    for len in lengths(offset, bytes.len()).into_iter().filter(|len| *len > 0) {
                        pieces.push(writer.data(*from, rest.split_to(len)));
                    }
                    offset += bytes.len();
                    match when {
                        When::InOrder => {}
                        When::Late => {
                            late = pieces;
                            continue;
                        }
                        When::Crossing => pieces.iter_mut().for_each(|piece| piece.ack = before[1 - from]),
                    }
                    writer.out.extend(pieces);
                }
                Step::Lost { from, bytes } => writer.next[*from] = writer.next[*from].wrapping_add(*bytes),
                Step::End { from, flags } => writer.end(*from, *flags),
                Step::Wait { micros } => writer.now += micros,
            }
            before = next;
            for mut segment in late.drain(..) {
                segment.at = writer.now + 500;
                writer.out.push(segment);
            }
        }
        assert!(late.is_empty(), "late bytes need a line that overtakes them");
        writer.out
    }
}

struct Writer {
    now: u64,
    next: [u32; 2],
    directed: bool,
    out: Vec<Captured>,
}

impl Writer {
    fn new(directed: bool, midstream: bool) -> Self {
        let mut writer = Self {
            now: BEGINNING,
            // The wrap is in the first heads.
            next: [u32::MAX - 9, 4_000],
            directed,
            out: Vec::new(),
        };
        if !midstream {
            let syn = writer.segment(CLIENT, Flags::SYN, Bytes::new());
            writer.out.push(Captured { ack: 0, ..syn });
            writer.next[CLIENT] = writer.next[CLIENT].wrapping_add(1);
            let answer = writer.segment(SERVER, Flags::SYN.union(Flags::ACK), Bytes::new());
            writer.out.push(answer);
            writer.next[SERVER] = writer.next[SERVER].wrapping_add(1);
        }
        writer
    }

    fn segment(&self, from: usize, flags: Flags, payload: Bytes) -> Captured {
        Captured {
            at: self.now,
            from,
            ends: scene::ends(0),
            directed: self.directed,
            seq: self.next[from],
            ack: self.next[1 - from],
            flags,
            payload,
            missing: 0,
            barrier: false,
        }
    }

    fn data(&mut self, from: usize, payload: Bytes) -> Captured {
        let len = u32::try_from(payload.len()).expect("a line is short");
        let segment = self.segment(from, Flags::ACK.union(Flags::PSH), payload);
        self.next[from] = self.next[from].wrapping_add(len);
        segment
    }

    fn end(&mut self, from: usize, flags: Flags) {
        let segment = self.segment(from, flags.union(Flags::ACK), Bytes::new());
        self.out.push(segment);
        self.next[from] = self.next[from].wrapping_add(u32::from(flags == Flags::FIN));
    }
}
