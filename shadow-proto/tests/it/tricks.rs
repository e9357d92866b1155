//! TCP tricks that could mislead an observer with one packet more or less. A second connection stays complete.

use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Engine, Event},
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment, multipath::Multipath},
};

use crate::support::drive;

const ASK: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const SYN_ACK: Flags = Flags(0x12);
const FIN_ACK: Flags = Flags(0x11);

/// Connections by the port of their client.
struct Net {
    engine: Engine,
    now: u64,
    complete: Vec<(u16, Vec<u8>)>,
}

impl Net {
    fn new() -> Self {
        Self {
            engine: Engine::new(drive::settings()),
            now: 1_000_000_000,
            complete: Vec::new(),
        }
    }

    fn send(&mut self, port: u16, to: Direction, numbers: (u32, u32), flags: Flags, payload: &[u8]) {
        self.send_with(port, to, numbers, flags, payload, None);
    }

    fn send_with(
        &mut self,
        port: u16,
        to: Direction,
        (seq, ack): (u32, u32),
        flags: Flags,
        payload: &[u8],
        multipath: Option<Multipath>,
    ) {
        self.now += 1_000_000;
        let ends = [Endpoint::v4([10, 0, 0, 1], port), Endpoint::v4([10, 0, 0, 2], 80)];
        let client = usize::from(to == Direction::ToClient);
        self.engine.push(&Segment {
            at: Timestamp::from_nanos(self.now),
            src: ends[client],
            dst: ends[1 - client],
            direction: Some(to),
            ifindex: 0,
            seq: SeqNum(seq),
            ack: SeqNum(ack),
            flags,
            payload,
            missing: 0,
            multipath,
        });
        self.take();
    }

    fn take(&mut self) {
        while let Some(event) = self.engine.poll() {
            if let Event::Exchange(exchange) = event
                && exchange.is_complete()
            {
                let body = exchange
                    .response
                    .map_or_else(Vec::new, |response| response.body.kept.to_vec());
                self.complete.push((exchange.flow.client.port, body));
            }
        }
    }

    /// Client bytes begin at 101, the server's at 901.
    fn open(&mut self, port: u16) {
        self.send(port, Direction::ToServer, (100, 0), Flags::SYN, b"");
        self.send(
            port,
            Direction::ToClient,
            (900, 101),
            Flags::SYN.union(Flags::ACK),
            b"",
        );
    }

    fn ask(&mut self, port: u16) {
        self.send(port, Direction::ToServer, (101, 901), Flags::ACK, ASK);
    }

    fn answer(&mut self, port: u16) {
        self.send(
            port,
            Direction::ToClient,
            (901, 101 + len(ASK)),
            Flags::ACK,
            ANSWER,
        );
    }

    /// The responses on the connection with the trick, after checking that a second one is complete.
    fn judged(mut self) -> Vec<Vec<u8>> {
        self.open(2);
        self.ask(2);
        self.answer(2);
        self.engine.finish();
        self.take();
        let of = |port| {
            self.complete
                .iter()
                .filter(move |(of, _)| *of == port)
                .map(|(_, body)| body.clone())
        };
        assert_eq!(of(2).collect::<Vec<_>>(), [b"hello"], "the connection beside it");
        assert_eq!(self.engine.usage().buffered, 0, "after the end");
        of(1).collect()
    }
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("short")
}

fn begun() -> Net {
    let mut net = Net::new();
    net.open(1);
    net
}

const NONE: [&[u8]; 0] = [];

#[test]
fn overlap_with_different_bytes_is_not_compared() {
    let mut net = begun();
    // Out of order, so that both copies are stored.
    net.send(1, Direction::ToServer, (106, 901), Flags::ACK, &ASK[5..]);
    net.send(1, Direction::ToServer, (106, 901), Flags::ACK, &[b'x'; 23]);
    net.send(1, Direction::ToServer, (101, 901), Flags::ACK, &ASK[..5]);
    net.answer(1);
    assert_eq!(net.judged(), NONE);
}

#[test]
fn data_out_of_the_window_is_not_believed() {
    let mut net = begun();
    net.send(
        1,
        Direction::ToServer,
        (0x7000_0000, 901),
        Flags::ACK,
        b"GET /forged HTTP/1.1\r\n\r\n",
    );
    net.ask(1);
    net.send(
        1,
        Direction::ToClient,
        (0x6000_0000, 101 + len(ASK)),
        Flags::ACK,
        ANSWER,
    );
    net.answer(1);
    // It may cost the exchange: a jump of the sequence numbers looks like a new connection on the same ports.
    let said = net.judged();
    assert!(said.is_empty() || said == [b"hello"], "{said:?}");
}

#[test]
fn a_keep_alive_or_zero_window_probe_changes_nothing() {
    let mut net = begun();
    net.ask(1);
    // One byte that was sent before (RFC 9293 section 3.8.6.1).
    net.send(1, Direction::ToServer, (100 + len(ASK), 901), Flags::ACK, b"\n");
    net.send(1, Direction::ToServer, (100 + len(ASK), 901), Flags::ACK, b"");
    net.answer(1);
    net.send(
        1,
        Direction::ToClient,
        (900 + len(ANSWER), 101 + len(ASK)),
        Flags::ACK,
        b"o",
    );
    assert_eq!(net.judged(), [b"hello"]);
}

#[test]
fn urgent_data_is_read_by_nobody() {
    // RFC 6093 says that it is in line, but most systems take one byte of it out of line.
    for (request, answer) in [(Flags::URG, Flags::ACK), (Flags::ACK, Flags::URG)] {
        let mut net = begun();
        net.send(1, Direction::ToServer, (101, 901), Flags::ACK.union(request), ASK);
        let ack = 101 + len(ASK);
        net.send(
            1,
            Direction::ToClient,
            (901, ack),
            Flags::ACK.union(answer),
            ANSWER,
        );
        assert_eq!(net.judged(), NONE);
    }
    // A pointer without data, as in an answer to it, changes nothing.
    let mut net = begun();
    net.send(
        1,
        Direction::ToServer,
        (101, 901),
        Flags::ACK.union(Flags::URG),
        b"",
    );
    net.ask(1);
    net.answer(1);
    assert_eq!(net.judged(), [b"hello"]);
}

#[test]
fn a_reset_with_data_ends_the_connection_and_adds_nothing() {
    let mut net = begun();
    net.ask(1);
    let half = ANSWER.len() - 2;
    net.send(
        1,
        Direction::ToClient,
        (901, 101 + len(ASK)),
        Flags::ACK,
        &ANSWER[..half],
    );
    // Text in a reset gives its reason (RFC 9293 section 3.5.3), and is not part of the stream.
    net.send(
        1,
        Direction::ToClient,
        (901 + len(&ANSWER[..half]), 101 + len(ASK)),
        Flags::RST.union(Flags::ACK),
        b"xx",
    );
    assert_eq!(net.judged(), NONE);
}

#[test]
fn a_reset_that_is_out_of_the_window_ends_nothing() {
    let mut net = begun();
    net.ask(1);
    net.send(1, Direction::ToClient, (0x7000_0000, 0), Flags::RST, b"");
    net.answer(1);
    let said = net.judged();
    assert!(said.is_empty() || said == [b"hello"], "{said:?}");
}

#[test]
fn a_flood_of_syns_leaves_the_others_whole() {
    let mut net = begun();
    net.ask(1);
    for port in 1_000..60_000 {
        net.send(port, Direction::ToServer, (u32::from(port), 0), Flags::SYN, b"");
    }
    net.answer(1);
    assert_eq!(net.judged(), [b"hello"]);
}

#[test]
fn one_byte_segments_in_reverse_order() {
    let mut net = begun();
    for (place, byte) in ASK.iter().enumerate().rev() {
        net.send(
            1,
            Direction::ToServer,
            (101 + len(&ASK[..place]), 901),
            Flags::ACK,
            &[*byte],
        );
    }
    net.answer(1);
    assert_eq!(net.judged(), [b"hello"]);
}

#[test]
fn sequence_numbers_that_wrap_inside_a_message() {
    let mut net = Net::new();
    let (client, server) = (u32::MAX - 9, u32::MAX - 19);
    net.send(1, Direction::ToServer, (client - 1, 0), Flags::SYN, b"");
    net.send(1, Direction::ToClient, (server - 1, client), SYN_ACK, b"");
    net.send(
        1,
        Direction::ToServer,
        (client.wrapping_add(12), server),
        Flags::ACK,
        &ASK[12..],
    );
    net.send(1, Direction::ToServer, (client, server), Flags::ACK, &ASK[..12]);
    let asked = client.wrapping_add(len(ASK));
    net.send(1, Direction::ToClient, (server, asked), Flags::ACK, ANSWER);
    assert_eq!(net.judged(), [b"hello"]);
}

#[test]
fn ports_that_are_used_again_at_once() {
    for isn in [50_000, 101, u32::MAX - 5, 901] {
        let mut net = begun();
        net.ask(1);
        net.answer(1);
        let (asked, answered) = (101 + len(ASK), 901 + len(ANSWER));
        net.send(1, Direction::ToClient, (answered, asked), FIN_ACK, b"");
        net.send(1, Direction::ToServer, (asked, answered + 1), FIN_ACK, b"");
        // RFC 9293 section 3.6.1: a new connection may begin in TIME-WAIT.
        net.send(1, Direction::ToServer, (isn, 0), Flags::SYN, b"");
        net.send(1, Direction::ToClient, (7_000, isn.wrapping_add(1)), SYN_ACK, b"");
        // A late segment of the previous connection is not part of it.
        net.send(1, Direction::ToServer, (101, 901), Flags::ACK, ASK);
        let (from, ask) = (isn.wrapping_add(1), b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
        net.send(1, Direction::ToServer, (from, 7_001), Flags::ACK, ask);
        net.send(
            1,
            Direction::ToClient,
            (7_001, from.wrapping_add(len(ask))),
            Flags::ACK,
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld",
        );
        let said = net.judged();
        assert!(
            said == [b"hello".to_vec(), b"world".to_vec()] || said == [b"hello"],
            "{isn}: {said:?}"
        );
    }
}

#[test]
fn data_on_a_syn_is_data() {
    // RFC 9293 section 3.4, RFC 7413: it begins the stream if the answer acknowledges it; otherwise it is sent again.
    for taken in [0, 10, ASK.len()] {
        let mut net = Net::new();
        net.send(1, Direction::ToServer, (100, 0), Flags::SYN, ASK);
        net.send(
            1,
            Direction::ToClient,
            (900, 101 + len(&ASK[..taken])),
            SYN_ACK,
            b"",
        );
        if taken < ASK.len() {
            let again = 101 + len(&ASK[..taken]);
            net.send(1, Direction::ToServer, (again, 901), Flags::ACK, &ASK[taken..]);
        }
        net.answer(1);
        assert_eq!(net.judged(), [b"hello"], "{taken} bytes were taken");
    }
}

#[test]
fn both_open_at_once() {
    let mut net = Net::new();
    net.send(1, Direction::ToServer, (100, 0), Flags::SYN, b"");
    net.send(1, Direction::ToClient, (900, 0), Flags::SYN, b"");
    net.send(1, Direction::ToServer, (100, 901), SYN_ACK, b"");
    net.send(1, Direction::ToClient, (900, 101), SYN_ACK, b"");
    net.ask(1);
    net.answer(1);
    let said = net.judged();
    assert!(said.is_empty() || said == [b"hello"], "{said:?}");
}

#[test]
fn another_syn_in_the_middle_ends_nothing_that_is_whole() {
    // RFC 5961 section 4: a forged SYN is answered with a challenge; the connection continues.
    for seq in [101 + len(ASK), 0x5000_0000] {
        let mut net = begun();
        net.ask(1);
        net.send(1, Direction::ToServer, (seq, 0), Flags::SYN, b"");
        net.answer(1);
        let said = net.judged();
        assert!(said.is_empty() || said == [b"hello"], "{said:?}");
    }
}

#[test]
fn every_flag_at_once_is_no_reason_to_believe_data() {
    let mut net = begun();
    net.ask(1);
    net.send(1, Direction::ToClient, (901, 101 + len(ASK)), Flags(0xff), ANSWER);
    net.send(1, Direction::ToClient, (901, 101 + len(ASK)), Flags(0), ANSWER);
    let said = net.judged();
    assert!(said.is_empty() || said == [b"hello"], "{said:?}");
}

/// The first connection of a Multipath TCP stream, whose server's data begins at 7, after its handshake.
fn first_path() -> Net {
    let mut net = Net::new();
    net.send(1, Direction::ToServer, (100, 0), Flags::SYN, b"");
    let first = Some(Multipath::First { own: 7, peer: None });
    net.send_with(1, Direction::ToClient, (900, 101), SYN_ACK, b"", first);
    net.ask(1);
    net
}

#[test]
fn parts_of_a_multipath_stream_are_not_compared() {
    let half = ANSWER.len() - 2;
    let asked = 101 + len(ASK);
    // The second has data between its parts, the third and fourth before them.
    for (differences, whole) in [([7, 7], true), ([7, 9], false), ([9, 9], false), ([9, 7], false)] {
        let mut net = first_path();
        for (at, ahead) in [0, half].into_iter().zip(differences) {
            let part = if at == 0 { &ANSWER[..half] } else { &ANSWER[half..] };
            let numbers = (901 + len(&ANSWER[..at]), asked);
            // A live capture has the option before the payload.
            let mapped = Some(Multipath::Mapped(ahead));
            net.send_with(1, Direction::ToClient, numbers, Flags::ACK, b"", mapped);
            net.send(1, Direction::ToClient, numbers, Flags::ACK, part);
        }
        assert_eq!(net.engine.counters().flows_mptcp, u64::from(!whole));
        let expected: &[&[u8]] = if whole { &[b"hello"] } else { &[] };
        assert_eq!(net.judged(), expected, "{differences:?}");
    }
}

#[test]
fn a_multipath_stream_without_its_first_number_is_not_compared() {
    let mut net = begun();
    net.ask(1);
    let mapped = Some(Multipath::Mapped(7));
    net.send_with(
        1,
        Direction::ToClient,
        (901, 101 + len(ASK)),
        Flags::ACK,
        ANSWER,
        mapped,
    );
    assert_eq!(net.engine.counters().flows_mptcp, 1);
    assert_eq!(net.judged(), NONE);
}

#[test]
fn requests_of_a_multipath_stream_are_judged_by_the_clients_numbers() {
    for (ahead, whole) in [(5, true), (6, false)] {
        let mut net = first_path();
        net.answer(1);
        let first = Some(Multipath::First {
            own: 5,
            peer: Some(7),
        });
        net.send_with(1, Direction::ToServer, (101, 901), Flags::ACK, b"", first);
        let numbers = (101 + len(ASK), 901 + len(ANSWER));
        let mapped = Some(Multipath::Mapped(ahead));
        net.send_with(1, Direction::ToServer, numbers, Flags::ACK, ASK, mapped);
        net.send(
            1,
            Direction::ToClient,
            (numbers.1, numbers.0 + len(ASK)),
            Flags::ACK,
            ANSWER,
        );
        assert_eq!(net.judged().len(), if whole { 2 } else { 1 });
    }
}

#[test]
fn the_end_of_one_path_is_not_the_end_of_an_answer() {
    let answer = b"HTTP/1.1 200 OK\r\n\r\nhello";
    for multipath in [false, true] {
        let mut net = if multipath { first_path() } else { begun() };
        if !multipath {
            net.ask(1);
        }
        net.send(1, Direction::ToClient, (901, 101 + len(ASK)), FIN_ACK, answer);
        let expected: &[&[u8]] = if multipath { &[] } else { &[b"hello"] };
        assert_eq!(net.judged(), expected);
    }
}

#[test]
fn a_connection_that_joins_a_multipath_stream_is_not_read() {
    let mut net = Net::new();
    net.send_with(
        1,
        Direction::ToServer,
        (100, 0),
        Flags::SYN,
        b"",
        Some(Multipath::Join),
    );
    net.send(1, Direction::ToClient, (900, 101), SYN_ACK, b"");
    net.ask(1);
    net.answer(1);
    assert_eq!(net.engine.counters().exchanges_unread, 1);
    assert_eq!(net.judged(), NONE);
}
