use shadow_common::flow::Endpoint;
use shadow_core::redact::RedactConfig;
use shadow_proto::time::Timestamp;

use super::*;

const CLIENT: Endpoint = Endpoint::v4([10, 0, 0, 1], 40_000);
const SERVER: Endpoint = Endpoint::v4([10, 0, 0, 2], 80);

/// One connection: what was said in each direction, masked.
struct Talk {
    mask: Mask,
    seq: [SeqNum; 2],
    /// What was recorded: direction and payload; `None` without its bytes.
    recorded: Vec<(Direction, Option<String>)>,
}

impl Talk {
    fn new(redact: Redact) -> Self {
        let redactor = Redactor::new(
            [0; 32],
            &RedactConfig {
                names: vec!["X-Mine".to_owned()],
                ..RedactConfig::default()
            },
        );
        Self {
            mask: Mask::new(Masks { redact, redactor }),
            seq: [SeqNum(1000), SeqNum(u32::MAX - 5)],
            recorded: Vec::new(),
        }
    }

    fn begun(redact: Redact) -> Self {
        let mut talk = Self::new(redact);
        talk.push(Direction::ToServer, Flags::SYN, b"");
        talk.push(Direction::ToClient, Flags::SYN.union(Flags::ACK), b"");
        talk.recorded.clear();
        talk
    }

    fn push(&mut self, direction: Direction, flags: Flags, payload: &[u8]) {
        let side = usize::from(direction == Direction::ToClient);
        let (seq, ack) = (self.seq[side], self.seq[1 - side]);
        let length = u32::try_from(payload.len()).unwrap() + u32::from(flags.contains(Flags::SYN));
        self.seq[side] = seq + length;
        self.raw(direction, flags, seq, ack, payload);
    }

    fn raw(&mut self, direction: Direction, flags: Flags, seq: SeqNum, ack: SeqNum, payload: &[u8]) {
        let (src, dst) = match direction {
            Direction::ToServer => (CLIENT, SERVER),
            Direction::ToClient => (SERVER, CLIENT),
        };
        let segment = Segment {
            at: Timestamp::from_nanos(1),
            src,
            dst,
            direction: Some(direction),
            ifindex: 0,
            seq,
            ack,
            flags,
            payload,
            missing: 0,
        };
        let recorded = &mut self.recorded;
        self.mask.take(&segment, &mut |segment| {
            assert!(segment.payload.is_empty() || segment.missing == 0);
            let whole = segment.missing == 0;
            let text = String::from_utf8_lossy(segment.payload).into_owned();
            recorded.push((segment.direction.unwrap(), whole.then_some(text)));
        });
    }

    fn asks(&mut self, payload: &str) -> &mut Self {
        self.push(Direction::ToServer, Flags::ACK, payload.as_bytes());
        self
    }

    fn answers(&mut self, payload: &str) -> &mut Self {
        self.push(Direction::ToClient, Flags::ACK, payload.as_bytes());
        self
    }

    /// Everything that was recorded with its bytes, in one string.
    fn text(&self) -> String {
        self.recorded
            .iter()
            .filter_map(|(_, text)| text.as_deref())
            .collect()
    }
}

const ASKED: &str = "POST /a/b?q=word&token=abc&x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer s3cret\r\nX-Mine: m1ne\r\n\
                     X-Other: other\r\nContent-Length: 7\r\n\r\ns3cret!";
const ANSWERED: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: id=s3cret\r\nTransfer-Encoding: chunked\r\n\r\n\
                        6;x=s3cret\r\ns3cret\r\n0\r\nX-Sum: s3cret\r\n\r\n";

#[test]
fn everything_secret_is_masked_and_every_length_stays() {
    let mut talk = Talk::begun(Redact::All);
    talk.asks(ASKED).answers(ANSWERED);
    let text = talk.text();
    assert_eq!(text.len(), ASKED.len() + ANSWERED.len());
    assert_eq!(
        text,
        "POST /a/b?q=****&token=***&x=* HTTP/1.1\r\nHost: h\r\nAuthorization: ****** ******\r\nX-Mine: ****\r\n\
         X-Other: *****\r\nContent-Length: 7\r\n\r\n*******\
         HTTP/1.1 200 OK\r\nSet-Cookie: *********\r\nTransfer-Encoding: chunked\r\n\r\n\
         6;********\r\n******\r\n0\r\nX-Sum: ******\r\n\r\n"
    );
}

#[test]
fn with_headers_bodies_and_harmless_names_stay() {
    let mut talk = Talk::begun(Redact::Headers);
    talk.asks(ASKED).answers(ANSWERED);
    assert_eq!(
        talk.text(),
        "POST /a/b?q=word&token=***&x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: ****** ******\r\nX-Mine: ****\r\n\
         X-Other: other\r\nContent-Length: 7\r\n\r\ns3cret!\
         HTTP/1.1 200 OK\r\nSet-Cookie: *********\r\nTransfer-Encoding: chunked\r\n\r\n\
         6;x=s3cret\r\ns3cret\r\n0\r\nX-Sum: s3cret\r\n\r\n"
    );
}

#[test]
fn cutting_it_into_bytes_changes_nothing() {
    for redact in [Redact::All, Redact::Headers] {
        let mut whole = Talk::begun(redact);
        whole.asks(ASKED).answers(ANSWERED).asks(ASKED).answers(ANSWERED);
        let mut bytes = Talk::begun(redact);
        for _ in 0..2 {
            for at in 0..ASKED.len() {
                bytes.asks(&ASKED[at..=at]);
            }
            for at in 0..ANSWERED.len() {
                bytes.answers(&ANSWERED[at..=at]);
            }
        }
        assert_eq!(bytes.text(), whole.text(), "{redact:?}");
    }
}

#[test]
fn a_head_request_has_no_body_to_keep() {
    let mut talk = Talk::begun(Redact::Headers);
    talk.asks("HEAD / HTTP/1.1\r\n\r\n")
        .answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        .asks("GET / HTTP/1.1\r\n\r\n")
        .answers("HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\r\nContent-Length: 2\r\n\r\nok");
    let text = talk.text();
    assert!(
        text.ends_with("Set-Cookie: ******\r\nContent-Length: 2\r\n\r\nok"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_placed_is_not_kept() {
    for redact in [Redact::All, Redact::Headers] {
        // The capture began inside a request.
        let mut talk = Talk::new(redact);
        talk.asks("s3cret\r\nAuthorization: s3cret\r\n\r\n")
            .answers("s3cret")
            .asks("GET / HTTP/1.1\r\nCookie: s3cret\r\n\r\n")
            .answers("HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\r\nContent-Length: 2\r\n\r\nok");
        let text = talk.text();
        assert!(!text.contains("s3cret"), "{redact:?}: {text}");
        assert!(
            text.contains("GET /") && text.contains("200 OK"),
            "{redact:?}: {text}"
        );
        // Bytes were lost inside a head.
        let mut talk = Talk::begun(redact);
        talk.asks("GET / HTTP/1.1\r\nX-A: b\r\n");
        talk.seq[0] = talk.seq[0] + 10;
        talk.asks("s3cret\r\nAuthorization: s3cret\r\n\r\n");
        talk.mask
            .flush_early(&mut |segment| assert!(segment.payload.is_empty()));
        assert!(!talk.text().contains("s3cret"), "{redact:?}: {}", talk.text());
        // Two readings.
        for head in [
            "Content-Length: 5\r\nContent-Length: 50\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +5\r\n",
            "X: a\r\n Authorization: folded\r\n",
            "X : a\r\n",
            "X: a\n",
            "Transfer-Encoding: gzip\r\n",
        ] {
            let mut talk = Talk::begun(redact);
            talk.asks(&format!(
                "POST / HTTP/1.1\r\n{head}\r\ns3cret\r\nAuthorization: s3cret\r\n\r\n"
            ))
            .asks("s3cret");
            assert!(
                !talk.text().contains("s3cret"),
                "{redact:?} {head:?}: {}",
                talk.text()
            );
        }
    }
}

#[test]
fn what_comes_early_waits_and_what_comes_twice_is_not_kept_twice() {
    let mut talk = Talk::begun(Redact::Headers);
    let (seq, ack) = (talk.seq[0], talk.seq[1]);
    let (first, second) = ("GET / HTTP/1.1\r\nCook", "ie: s3cret\r\n\r\n");
    let behind = seq + u32::try_from(first.len()).unwrap();
    let to_server = Direction::ToServer;
    talk.raw(to_server, Flags::ACK, behind, ack, second.as_bytes());
    assert_eq!(talk.recorded, []);
    talk.raw(to_server, Flags::ACK, seq, ack, first.as_bytes());
    talk.raw(to_server, Flags::ACK, behind, ack, second.as_bytes());
    assert_eq!(talk.text(), "GET / HTTP/1.1\r\nCookie: ******\r\n\r\n");
    assert_eq!(talk.recorded.last(), Some(&(to_server, None)));
}

#[test]
fn behind_an_upgrade_nothing_is_kept() {
    let mut talk = Talk::begun(Redact::Headers);
    talk.asks("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n")
        .answers("HTTP/1.1 101 Switching Protocols\r\n\r\ns3cret")
        .answers("s3cret")
        .asks("s3cret")
        .asks("GET / HTTP/1.1\r\n\r\n");
    assert!(!talk.text().contains("s3cret"), "{}", talk.text());
}
