use shadow_common::flow::Endpoint;

use super::*;
use crate::{limits::Limits, seq::SeqNum};

const CLIENT: Endpoint = Endpoint::v4([10, 0, 0, 1], 40_000);
const SERVER: Endpoint = Endpoint::v4([10, 0, 0, 2], 80);

/// A connection written segment by segment, with the sequence numbers that its ends would use.
struct Wire {
    engine: Engine,
    now: u64,
    client: SeqNum,
    server: SeqNum,
    ifindex: u32,
}

impl Wire {
    fn new(client: u32, server: u32) -> Self {
        let settings = Settings {
            limits: Limits::default(),
            digest: true,
            fields: true,
        };
        Self {
            engine: Engine::new(settings),
            now: 0,
            client: SeqNum(client),
            server: SeqNum(server),
            ifindex: 0,
        }
    }

    fn open() -> Self {
        let mut wire = Self::new(u32::MAX - 20, u32::MAX - 30);
        wire.segment(true, Flags::SYN, b"", false);
        wire.client = wire.client + 1;
        wire.segment(false, Flags::SYN.union(Flags::ACK), b"", false);
        wire.server = wire.server + 1;
        wire
    }

    fn segment(&mut self, to_server: bool, flags: Flags, payload: &[u8], lost: bool) {
        self.now += 1_000;
        let (src, dst) = if to_server {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let (seq, ack) = if to_server {
            (self.client, self.server)
        } else {
            (self.server, self.client)
        };
        let at = Timestamp::from_nanos(self.now);
        let segment = Segment {
            at,
            src,
            dst,
            direction: None,
            ifindex: self.ifindex,
            seq,
            ack,
            flags,
            payload,
            missing: 0,
            multipath: None,
        };
        if !lost {
            self.engine.push(&segment);
        }
        let len = u32::try_from(payload.len()).unwrap();
        if to_server {
            self.client = self.client + len;
        } else {
            self.server = self.server + len;
        }
    }

    fn client(&mut self, payload: &[u8]) {
        self.segment(true, Flags::ACK, payload, false);
    }

    fn server(&mut self, payload: &[u8]) {
        self.segment(false, Flags::ACK, payload, false);
    }

    fn finish(mut self) -> Vec<String> {
        self.engine.finish();
        self.engine.counters().check().unwrap();
        assert_eq!(self.engine.usage(), Usage::default());
        core::iter::from_fn(|| self.engine.poll())
            .map(|event| line(&event))
            .collect()
    }
}

fn line(event: &Event) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match event {
        Event::Exchange(exchange) => {
            let answer = exchange.response.as_ref().map_or("-".into(), |response| {
                format!("{} {:?}", response.status, text(&response.body.kept))
            });
            let reason = exchange.incomplete.map_or("complete", Incomplete::as_str);
            format!("{} {answer} {reason}", text(&exchange.request.target))
        }
        Event::Orphan(orphan) => format!("orphan {} {}", orphan.response.status, orphan.incomplete),
        Event::Abandoned(_, reason) => format!("abandoned {reason}"),
    }
}

fn get(n: usize) -> Vec<u8> {
    format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

fn ok(n: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#{n}").into_bytes()
}

#[test]
fn keep_alive_exchanges_are_paired_across_a_sequence_wrap() {
    let mut wire = Wire::open();
    for n in 0..3 {
        wire.client(&get(n));
        wire.server(&ok(n));
    }
    let expected: Vec<_> = (0..3).map(|n| format!("/{n} 200 \"#{n}\" complete")).collect();
    assert_eq!(wire.finish(), expected);
}

#[test]
fn pipelined_responses_follow_the_order_of_the_requests() {
    let mut wire = Wire::open();
    wire.client(&[get(0), get(1)].concat());
    wire.server(&[ok(0), ok(1)].concat());
    assert_eq!(
        wire.finish(),
        ["/0 200 \"#0\" complete", "/1 200 \"#1\" complete"]
    );
}

#[test]
fn a_response_seen_before_its_request_waits_for_it() {
    let mut wire = Wire::open();
    let (client, server, request) = (wire.client, wire.server, get(0));
    wire.client = client + u32::try_from(request.len()).unwrap();
    wire.server(&ok(0));
    (wire.client, wire.server) = (client, server);
    wire.client(&request);
    assert_eq!(wire.finish().first().unwrap(), "/0 200 \"#0\" complete");
}

#[test]
fn after_a_lost_request_nothing_is_paired_until_three_strict_rounds() {
    let mut wire = Wire::open();
    wire.client(&get(0));
    wire.server(&ok(0));
    wire.segment(true, Flags::ACK, &get(1), true);
    wire.server(&ok(1));
    for n in 2..7 {
        wire.client(&get(n));
        wire.server(&ok(n));
    }
    assert_eq!(
        wire.finish(),
        [
            "/0 200 \"#0\" complete",
            "orphan 200 midstream",
            "/2 200 \"#2\" midstream",
            "/3 200 \"#3\" midstream",
            "/4 200 \"#4\" midstream",
            "/5 200 \"#5\" complete",
            "/6 200 \"#6\" complete",
        ]
    );
}

#[test]
fn a_batch_with_a_lost_request_is_never_shifted_by_one() {
    let mut wire = Wire::open();
    wire.segment(true, Flags::ACK, &get(0), true);
    wire.client(&get(1));
    wire.server(&ok(0));
    wire.server(&ok(1));
    let lines = wire.finish();
    assert!(lines.iter().all(|line| !line.starts_with("/1 200")), "{lines:?}");
}

#[test]
fn a_gap_inside_a_body_of_known_length_costs_one_exchange() {
    let mut wire = Wire::open();
    wire.client(&get(0));
    wire.server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    wire.segment(false, Flags::ACK, b"defg", true);
    wire.server(b"hij");
    wire.client(&get(1));
    wire.server(&ok(1));
    assert_eq!(
        wire.finish(),
        ["/0 200 \"abc\" response_gap", "/1 200 \"#1\" complete"]
    );
}

#[test]
fn an_upgrade_ends_http() {
    let mut wire = Wire::open();
    wire.client(b"GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    wire.server(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00");
    wire.client(b"\x81\x80garbage");
    assert_eq!(wire.finish(), ["/ws 101 \"\" complete", "abandoned upgraded"]);
}

#[test]
fn an_answer_before_the_body_was_read_belongs_to_the_request() {
    let mut wire = Wire::open();
    wire.client(b"POST /up HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
    wire.server(&ok(0));
    wire.client(b"def");
    wire.client(&get(1));
    wire.server(&ok(1));
    assert_eq!(
        wire.finish(),
        ["/up 200 \"#0\" complete", "/1 200 \"#1\" complete"]
    );
}

#[test]
fn until_close_ends_with_the_fin_and_not_with_a_reset() {
    for (flag, expected) in [
        (Flags::FIN, "\"all of it\" complete"),
        (Flags::RST, "\"all of \" response_cut"),
    ] {
        let mut wire = Wire::open();
        wire.client(&get(0));
        wire.server(b"HTTP/1.0 200 OK\r\n\r\nall of ");
        wire.segment(false, flag.union(Flags::ACK), b"it", false);
        assert_eq!(wire.finish(), [format!("/0 200 {expected}")]);
    }
}

#[test]
fn conflicting_lengths_are_refused() {
    let mut wire = Wire::open();
    wire.client(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    wire.server(&ok(0));
    assert_eq!(
        wire.finish(),
        ["/x 200 \"#0\" ambiguous_framing", "abandoned out_of_step"]
    );
}

#[test]
fn another_protocol_is_abandoned_at_its_first_bytes() {
    let mut wire = Wire::open();
    wire.client(b"\x16\x03\x01\x02\x00\x01\x00");
    assert_eq!(wire.finish(), ["abandoned tls"]);
    let mut wire = Wire::open();
    wire.client(b"\x00\x01\x02");
    assert_eq!(wire.finish(), ["abandoned not_http"]);
}

#[test]
fn other_protocols_have_their_names_whoever_speaks_first() {
    let settings = b"\x00\x00\x0c\x04\x00\x00\x00\x00\x00\x00\x03";
    for piece in [1, 3, settings.len()] {
        let mut wire = Wire::open();
        settings.chunks(piece).for_each(|piece| wire.server(piece));
        // The client's first bytes decide.
        wire.client(b"SSH-2.0-x\r\n");
        assert_eq!(
            wire.finish(),
            ["abandoned not_http"],
            "the server speaks first, in pieces of {piece}"
        );
        let mut wire = Wire::open();
        wire.client(&get(0));
        settings.chunks(piece).for_each(|piece| wire.server(piece));
        let said = wire.finish();
        assert_eq!(
            said.last().map(String::as_str),
            Some("abandoned http2"),
            "an answer, in pieces of {piece}"
        );
    }
    for (protocol, name) in [("websocket", "websocket"), ("TLS/1.2", "tls"), ("x", "upgraded")] {
        let mut wire = Wire::open();
        wire.client(format!("GET / HTTP/1.1\r\nUpgrade: {protocol}\r\n\r\n").as_bytes());
        wire.server(format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\n\r\n").as_bytes());
        let said = wire.finish();
        assert_eq!(said.last(), Some(&format!("abandoned {name}")));
    }
}

/// The report for four exchanges with an odd second one.
fn with_odd(request: &[u8], response: &[u8]) -> (Vec<String>, u64) {
    let mut wire = Wire::open();
    for number in 0..5 {
        if number == 1 {
            wire.client(request);
            wire.server(response);
        } else {
            wire.client(&get(number));
            wire.server(&ok(number));
        }
    }
    let unread = wire.engine.counters().exchanges_unread;
    (wire.finish(), unread)
}

#[test]
fn a_target_of_any_bytes_is_read() {
    let (said, _) = with_odd(b"GET /caf\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", &ok(1));
    let complete = said.iter().filter(|line| line.ends_with("complete")).count();
    assert_eq!((complete, said.len()), (5, 5), "{said:?}");
}

#[test]
fn one_odd_message_costs_its_exchange() {
    let (request, response) = (get(1), ok(1));
    let odd_requests: [&[u8]; 3] = [
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /1 HTTP/1.1\nHost: a\n\n",
    ];
    let odd_responses: [&[u8]; 6] = [
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\0\x01\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ];
    let requests = odd_requests.map(|odd| (odd, &response[..]));
    let responses = odd_responses.map(|odd| (&request[..], odd));
    for (request, response) in requests.into_iter().chain(responses) {
        let (said, _) = with_odd(request, response);
        let complete = said.iter().filter(|line| line.ends_with("complete")).count();
        assert_eq!(
            complete,
            4,
            "{} {}: {said:?}",
            request.escape_ascii(),
            response.escape_ascii()
        );
        assert_eq!(said.len(), 5, "{said:?}");
    }
}

#[test]
fn a_response_without_a_certain_end_costs_one_exchange_more() {
    for response in [
        &b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nhello",
    ] {
        let (said, _) = with_odd(&get(1), response);
        let right = ["/3 200 \"#3\" complete", "/4 200 \"#4\" complete"];
        assert!(
            said.ends_with(&right.map(str::to_owned)),
            "{}: {said:?}",
            response.escape_ascii()
        );
        assert!(said[2].ends_with("midstream"), "{said:?}");
    }
}

#[test]
fn what_follows_where_reading_is_not_safe_is_counted() {
    let request = b"POST /1 HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let (said, unread) = with_odd(request, &ok(1));
    assert_eq!(
        said.last().map(String::as_str),
        Some("abandoned out_of_step"),
        "{said:?}"
    );
    assert_eq!(unread, 3, "{said:?}");
}

#[test]
fn unread_requests_are_measured_by_those_that_were_read() {
    let mut wire = Wire::open();
    for number in 0..3 {
        wire.client(&get(number));
        wire.server(&ok(number));
    }
    let request = get(0).len() as u64;
    let read = wire.engine.counters().sizes;
    let square = u128::from(request) * u128::from(request);
    assert_eq!(
        (read.exchanges, read.bytes, read.squares),
        (3, 3 * request, 3 * square)
    );

    wire.client(b"POST /1 HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    wire.server(&ok(3));
    // Two requests in one segment: one line at its beginning, the bytes of both.
    wire.client(&[get(4), get(5)].concat());
    wire.server(&[ok(4), ok(5)].concat());
    let counters = wire.engine.counters();
    assert_eq!(counters.exchanges_unread, 1);
    assert_eq!(counters.unread_request_bytes, 2 * request);
    assert!(counters.unread_bytes > 2 * request);
    let mut both = read;
    both.add(&read);
    assert_eq!((both.exchanges, both.bytes), (6, 6 * request));
}

#[test]
fn connections_without_payload_are_counted() {
    let mut wire = Wire::open();
    wire.segment(true, Flags::FIN.union(Flags::ACK), b"", false);
    wire.segment(false, Flags::FIN.union(Flags::ACK), b"", false);
    assert_eq!(wire.engine.counters().flows_empty, 1);
    assert_eq!(wire.finish(), [""; 0]);
}

#[test]
fn a_line_that_says_http_is_a_malformed_request() {
    let mut wire = Wire::open();
    wire.client(b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n");
    wire.server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(wire.finish(), ["/a b 400 \"\" malformed"]);
}

#[test]
fn a_new_connection_on_the_same_ports_starts_anew() {
    let mut wire = Wire::open();
    wire.client(&get(0));
    (wire.client, wire.server) = (SeqNum(77), SeqNum(99));
    wire.segment(true, Flags::SYN, b"", false);
    wire.client = wire.client + 1;
    wire.segment(false, Flags::SYN.union(Flags::ACK), b"", false);
    wire.server = wire.server + 1;
    wire.client(&get(1));
    wire.server(&ok(1));
    assert_eq!(wire.finish(), ["/0 - no_response", "/1 200 \"#1\" complete"]);
}

#[test]
fn a_connection_that_is_captured_again_when_it_is_over_is_reported_once() {
    let mut wire = Wire::new(5, 9);
    let mut pass = |client: u32, n| {
        (wire.client, wire.server) = (SeqNum(client), SeqNum(9));
        wire.segment(true, Flags::SYN, b"", false);
        wire.client = wire.client + 1;
        wire.segment(false, Flags::SYN.union(Flags::ACK), b"", false);
        wire.server = wire.server + 1;
        wire.client(&get(n));
        wire.server(&ok(n));
        wire.segment(true, Flags::FIN.union(Flags::ACK), b"", false);
        wire.segment(false, Flags::FIN.union(Flags::ACK), b"", false);
    };
    // Once for each interface that it passes; then another connection between the same ends.
    pass(5, 1);
    pass(5, 1);
    pass(6, 2);
    assert_eq!(
        wire.finish(),
        ["/1 200 \"#1\" complete", "/2 200 \"#2\" complete"]
    );
}

#[test]
fn the_answer_to_a_syn_behind_the_data_that_follows_it_changes_nothing() {
    let mut wire = Wire::new(5, 9);
    wire.segment(true, Flags::SYN, b"", false);
    wire.client = wire.client + 1;
    wire.server = wire.server + 1;
    wire.client(&get(1));
    let (head, start) = (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", wire.server);
    wire.server(head);
    wire.server = SeqNum(9);
    wire.segment(false, Flags::SYN.union(Flags::ACK), b"", false);
    // The copy of a head that was already read is not content.
    wire.server = start;
    wire.server(head);
    wire.server(b"hello\n");
    assert_eq!(wire.finish(), ["/1 200 \"hello\\n\" complete"]);
}

/// The pods of a node may all use the same addresses, as on their loopback interfaces. Even the numbers are equal here.
#[test]
fn connections_of_two_namespaces_between_the_same_ends_are_kept_apart() {
    let mut wire = Wire::new(5, 9);
    let labels = [1, 2].map(|n| (shadow_common::config::LABELLED | n, usize::try_from(n).unwrap()));
    for (label, _) in labels {
        wire.ifindex = label;
        (wire.client, wire.server) = (SeqNum(5), SeqNum(9));
        wire.segment(true, Flags::SYN, b"", false);
        wire.client = wire.client + 1;
        wire.segment(false, Flags::SYN.union(Flags::ACK), b"", false);
        wire.server = wire.server + 1;
    }
    let (client, server) = (wire.client, wire.server);
    for (label, n) in labels {
        wire.ifindex = label;
        (wire.client, wire.server) = (client, server);
        wire.client(&get(n));
    }
    let answered = wire.client;
    for (label, n) in labels.into_iter().rev() {
        wire.ifindex = label;
        (wire.client, wire.server) = (answered, server);
        wire.server(&ok(n));
    }
    let mut lines = wire.finish();
    lines.sort();
    assert_eq!(lines, ["/1 200 \"#1\" complete", "/2 200 \"#2\" complete"]);
}

#[test]
fn connections_are_listed_with_the_place_that_their_client_has_reached() {
    let mut wire = Wire::open();
    wire.engine.log_ended();
    let opened = Some(SeqNum(u32::MAX - 20));
    let followed = |wire: &mut Wire| wire.engine.followed().unwrap().remove(0);
    let none = followed(&mut wire);
    assert_eq!(
        (none.opened, none.next, none.unfinished),
        (opened, Some(wire.client), None)
    );
    let begins = wire.client;
    wire.segment(true, Flags::ACK, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    let asked = followed(&mut wire);
    assert_eq!((asked.next, asked.unfinished), (Some(begins + 27), Some(begins)));
    wire.segment(false, Flags::ACK, b"HTTP/1.1 204 No Content\r\n\r\n", false);
    let answered = followed(&mut wire);
    assert_eq!((answered.next, answered.unfinished), (Some(begins + 27), None));
    let Some(Event::Exchange(exchange)) = wire.engine.poll() else {
        panic!("no exchange");
    };
    assert_eq!(
        (exchange.place.opened, exchange.place.begins),
        (opened, Some(begins))
    );
    wire.segment(true, Flags::RST, b"", false);
    let ended = followed(&mut wire);
    assert_eq!((ended.is_open, ended.next), (false, Some(begins + 27)));
    wire.engine.forget_ended();
    assert_eq!(wire.engine.followed(), Some(Vec::new()));
}
