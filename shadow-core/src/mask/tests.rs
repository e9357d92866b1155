use super::*;
use crate::redact::RedactConfig;
use shadow_common::flow::Endpoint;
use shadow_proto::{seq::SeqNum, wire::Flags};

const CLIENT: Endpoint = Endpoint::v4([10, 0, 0, 1], 40_000);
const SERVER: Endpoint = Endpoint::v4([10, 0, 0, 2], 80);

/// One connection: the masked data of each direction.
struct Talk {
    mask: Mask,
    seq: [SeqNum; 2],
    now: u64,
    /// The recorded segments: direction and payload; `None` without its bytes.
    recorded: Vec<(Direction, Option<String>)>,
}

impl Talk {
    fn new(hide: Hide) -> Self {
        let redactor = Redactor::new(
            [0; 32],
            &RedactConfig {
                names: vec!["X-Mine".to_owned()],
                ..RedactConfig::default()
            },
        );
        Self {
            mask: Mask::new(hide, redactor, Bounds::default()),
            seq: [SeqNum(1000), SeqNum(u32::MAX - 5)],
            now: 1,
            recorded: Vec::new(),
        }
    }

    fn begun(hide: Hide) -> Self {
        let mut talk = Self::new(hide);
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
        self.now += 1;
        let segment = Segment {
            at: Timestamp::from_nanos(self.now),
            src,
            dst,
            direction: Some(direction),
            ifindex: 0,
            seq,
            ack,
            flags,
            payload,
            missing: 0,
            multipath: None,
        };
        let recorded = &mut self.recorded;
        self.mask.take(&segment, &mut |segment| {
            let whole = segment.missing == 0 || !segment.payload.is_empty();
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

    /// The same text at the end of the recording.
    fn finish(&mut self) -> String {
        let recorded = &mut self.recorded;
        self.mask.flush(&mut |segment| {
            let text = String::from_utf8_lossy(segment.payload).into_owned();
            recorded.push((segment.direction.unwrap(), Some(text)));
        });
        self.text()
    }

    /// All recorded payloads in one string.
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
fn only_the_parameters_of_a_path_have_names() {
    for (line, shown) in [
        (
            "GET http://u:pa?ss=word@h/a?b=1 HTTP/1.1\r\n\r\n",
            "GET *************************** HTTP/1.1\r\n\r\n",
        ),
        (
            "GET /a?b c=1&d=2 HTTP/1.1\r\n\r\n",
            "GET /a?* *=*&d=* HTTP/1.1\r\n\r\n",
        ),
    ] {
        let mut talk = Talk::begun(Hide::All);
        talk.asks(line);
        assert_eq!(talk.text(), shown);
    }
}

#[test]
fn parameters_of_a_path_are_parameters() {
    let shown = |hide| {
        let mut talk = Talk::begun(hide);
        talk.asks("GET /cart;jsessionid=s3cret;v=2/a=b?q=1 HTTP/1.1\r\n\r\n");
        talk.text()
    };
    assert_eq!(
        shown(Hide::All),
        "GET /cart;jsessionid=******;v=*****?q=* HTTP/1.1\r\n\r\n"
    );
    assert_eq!(
        shown(Hide::Named),
        "GET /cart;jsessionid=******;v=2/a=b?q=1 HTTP/1.1\r\n\r\n"
    );
}

#[test]
fn everything_secret_is_masked_and_every_length_stays() {
    let mut talk = Talk::begun(Hide::All);
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
    let mut talk = Talk::begun(Hide::Named);
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
    for hide in [Hide::All, Hide::Named] {
        let mut whole = Talk::begun(hide);
        whole.asks(ASKED).answers(ANSWERED).asks(ASKED).answers(ANSWERED);
        let mut bytes = Talk::begun(hide);
        for _ in 0..2 {
            for at in 0..ASKED.len() {
                bytes.asks(&ASKED[at..=at]);
            }
            for at in 0..ANSWERED.len() {
                bytes.answers(&ANSWERED[at..=at]);
            }
        }
        assert_eq!(bytes.text(), whole.text(), "{hide:?}");
    }
}

#[test]
fn a_head_request_has_no_body_to_keep() {
    let mut talk = Talk::begun(Hide::Named);
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
    for hide in [Hide::All, Hide::Named] {
        // The capture began inside a request: a message is shown only when it is certain to be one.
        let mut talk = Talk::new(hide);
        talk.asks("s3cret\r\nAuthorization: s3cret\r\n\r\n")
            .answers("s3cret");
        for _ in 0..6 {
            talk.asks("GET / HTTP/1.1\r\nCookie: s3cret\r\n\r\n")
                .answers("HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\r\nContent-Length: 2\r\n\r\nok");
        }
        let text = talk.text();
        assert!(!text.contains("s3cret"), "{hide:?}: {text}");
        assert!(
            text.contains("GET /") && text.contains("200 OK"),
            "{hide:?}: {text}"
        );
        // Bytes were lost inside a head.
        let mut talk = Talk::begun(hide);
        talk.asks("GET / HTTP/1.1\r\nX-A: b\r\n");
        talk.seq[0] = talk.seq[0] + 10;
        talk.asks("s3cret\r\nAuthorization: s3cret\r\n\r\n");
        talk.mask
            .flush(&mut |segment| assert!(segment.payload.is_empty()));
        assert!(!talk.text().contains("s3cret"), "{hide:?}: {}", talk.text());
        // Ambiguous heads.
        for head in [
            "Content-Length: 5\r\nContent-Length: 50\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +5\r\n",
            "X: a\r\n Authorization: s3cret\r\n",
            "X : s3cret\r\n",
            "X: a\n",
            "s3cret\r\n",
            "Transfer-Encoding: gzip\r\n",
        ] {
            let mut talk = Talk::begun(hide);
            talk.asks(&format!(
                "POST / HTTP/1.1\r\n{head}\r\ns3cret\r\nAuthorization: s3cret\r\n\r\n"
            ))
            .asks("s3cret");
            assert!(
                !talk.text().contains("s3cret"),
                "{hide:?} {head:?}: {}",
                talk.text()
            );
        }
    }
}

#[test]
fn what_follows_a_message_is_not_kept() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{\"token\":\"s3cret\"}",
        "HTTP/1.1 204 No Content\r\n\r\n{\"token\":\"s3cret\"}",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\ns3cret",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\ns3cret\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nX: s3cret\r\n\r\ns3cret: s3cret\r\n\r\n",
        "s3cret HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 s3cret\r\nContent-Length: 0\r\n\r\n",
        "220 s3cret ESMTP\r\n",
        "\r\ns3cret\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\ns3cret",
    ] {
        let mut talk = Talk::begun(Hide::All);
        talk.asks("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .answers(answer)
            .answers("s3cret\r\n");
        talk.asks("s3cret\r\n");
        let all = talk.finish();
        assert!(!all.contains("s3cret"), "{answer:?}: {all}");
        assert!(
            all.starts_with("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            "{answer:?}: {all}"
        );
    }
}

#[test]
fn another_protocol_is_not_kept() {
    for hide in [Hide::All, Hide::Named] {
        let mut talk = Talk::begun(hide);
        talk.answers("220 s3cret\r\n")
            .asks("USER s3cret\r\n")
            .asks("PASS s3cret\r\n");
        let all = talk.finish();
        assert!(all.bytes().all(|byte| byte == MASK), "{hide:?}: {all}");
    }
}

#[test]
fn what_comes_early_waits_and_copies_are_masked_alike() {
    let mut talk = Talk::begun(Hide::Named);
    let (seq, ack) = (talk.seq[0], talk.seq[1]);
    let (first, second) = ("GET / HTTP/1.1\r\nCook", "ie: s3cret\r\n\r\n");
    let behind = seq + u32::try_from(first.len()).unwrap();
    let to_server = Direction::ToServer;
    talk.raw(to_server, Flags::ACK, behind, ack, second.as_bytes());
    assert_eq!(talk.recorded, []);
    talk.raw(to_server, Flags::ACK, seq, ack, first.as_bytes());
    assert_eq!(talk.text(), "ie: ******\r\n\r\nGET / HTTP/1.1\r\nCook");
    talk.raw(to_server, Flags::ACK, behind, ack, second.as_bytes());
    assert_eq!(
        talk.recorded.last(),
        Some(&(to_server, Some("ie: ******\r\n\r\n".to_owned())))
    );
    // A copy with other bytes, at a place that is shown and at one that is masked.
    talk.raw(to_server, Flags::ACK, seq, ack, b"s3cret HTTP/1.1\r\nCook");
    talk.raw(to_server, Flags::ACK, behind, ack, b"ie: hidden\r\n\r\n");
    let text = talk.finish();
    assert!(!text.contains("s3cret") && !text.contains("hidden"), "{text}");
}

#[test]
fn what_waits_is_bounded_in_time_and_in_bytes() {
    let mut talk = Talk::begun(Hide::All);
    talk.asks("GET / HTTP/1.1\r\nCookie: s3");
    assert_eq!(talk.recorded, []);
    talk.now += 3_000_000_000;
    talk.push(Direction::ToClient, Flags::ACK, b"");
    assert_eq!(talk.recorded.len(), 2, "{:?}", talk.recorded);
    assert_eq!(talk.text(), "");
    talk.asks("cret\r\n\r\n");
    assert_eq!(talk.finish(), "cret\r\n\r\n".replace("cret", "****"));

    let mut talk = Talk::begun(Hide::All);
    talk.mask.bounds.held = 10 << 10;
    talk.seq[0] = talk.seq[0] + 1;
    for _ in 0..100 {
        talk.push(Direction::ToServer, Flags::ACK, &[b'x'; 1000]);
        assert!(talk.mask.amounts.held <= 10 << 10);
    }
    assert!(talk.recorded.len() > 80);
}

#[test]
fn nothing_is_kept_of_connections_that_are_over() {
    let mut talk = Talk::begun(Hide::Named);
    for _ in 0..100 {
        talk.asks(ASKED).answers(ANSWERED);
    }
    assert!(
        talk.mask.amounts.kept <= 2 * (64 << 10) + (16 << 10),
        "{:?}",
        talk.mask.amounts
    );
    talk.push(Direction::ToServer, Flags::FIN.union(Flags::ACK), b"");
    talk.seq[0] = talk.seq[0] + 1;
    talk.push(Direction::ToClient, Flags::FIN.union(Flags::ACK), b"");
    assert_eq!((talk.mask.amounts.held, talk.mask.amounts.kept), (0, 0));
    assert!(talk.mask.flows.is_empty());
}

#[test]
fn after_an_upgrade_nothing_is_kept() {
    let mut talk = Talk::begun(Hide::Named);
    talk.asks("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n")
        .answers("HTTP/1.1 101 Switching Protocols\r\n\r\ns3cret")
        .answers("s3cret")
        .asks("s3cret")
        .asks("GET / HTTP/1.1\r\n\r\n");
    assert!(!talk.text().contains("s3cret"), "{}", talk.text());
}

#[test]
fn a_segment_with_very_many_chunks_is_shown_from_its_beginning() {
    let mut talk = Talk::begun(Hide::All);
    talk.asks("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    talk.answers(&format!("{head}{}0\r\n\r\n", "1\r\nx\r\n".repeat(9000)));
    let text = talk.text();
    assert!(text.contains(&format!("{head}1\r\n*\r\n")), "{}", &text[..200]);
    assert!(text.ends_with("1\r\n*\r\n0\r\n\r\n"));
}
