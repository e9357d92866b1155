//! A few connections at once through a bad capture: lost, repeated, late and forged segments. Each request has a
//! number and each response repeats it, so that a wrong pair is detected.

use shadow_common::flow::Endpoint;
use shadow_proto::{
    engine::{Engine, Event, Settings},
    exchange::{Exchange, Flow},
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

const FLOWS: usize = 4;

/// The ends of a connection.
pub(crate) fn flow(number: usize) -> Flow {
    let port = 40_000 + u16::try_from(number).expect("few");
    Flow {
        client: Endpoint::v4([10, 0, 0, 1], port),
        server: Endpoint::v4([10, 0, 0, 2], 80),
    }
}

/// Input: three bytes for each operation: the connection and the operation, and two numbers.
pub fn run(input: &[u8]) {
    let limits = Limits {
        body: 256,
        head: 1 << 10,
        fields: 16,
        flows: 3,
        ..Limits::default()
    };
    let most = limits.flows;
    let mut tried = Tried {
        engine: Engine::new(Settings {
            limits,
            digest: true,
            fields: true,
        }),
        flows: std::array::from_fn(Connection::new),
        now: 1_000_000_000,
        late: None,
    };
    for operation in input.as_chunks::<3>().0 {
        tried.apply(*operation);
        assert!(
            tried.engine.usage().flows <= most + 1,
            "{:?}",
            tried.engine.usage()
        );
    }
    tried.engine.finish();
    tried.take();
    assert_eq!(tried.engine.usage().buffered, 0, "after the end");
}

#[derive(Debug)]
struct Connection {
    flow: Flow,
    next: [u32; 2],
    asked: u32,
    answered: u32,
    /// Bytes were sent that the numbers do not cover.
    forged: bool,
}

impl Connection {
    fn new(number: usize) -> Self {
        Self {
            flow: flow(number),
            next: [u32::MAX - 100, 7],
            asked: 0,
            answered: 0,
            forged: false,
        }
    }
}

/// A segment that owns its payload.
#[derive(Clone, Debug)]
struct Packet {
    number: usize,
    from: usize,
    seq: u32,
    ack: u32,
    flags: Flags,
    payload: Vec<u8>,
    missing: u32,
}

struct Tried {
    engine: Engine,
    flows: [Connection; FLOWS],
    now: u64,
    late: Option<Packet>,
}

impl Tried {
    fn apply(&mut self, [what, a, b]: [u8; 3]) {
        self.now += 1_000_000;
        let number = usize::from(what) % FLOWS;
        match what / 4 % 12 {
            0 => self.open(number),
            1 | 2 => self.ask(number, a, b),
            3 | 4 => self.answer(number, a, b),
            5 => self.end(
                number,
                usize::from(a % 2),
                if b < 128 { Flags::FIN } else { Flags::RST },
            ),
            6 => self.wait(u64::from(a) * 100_000_000),
            7 => self.forge(number, a, b),
            8 => {
                if let Some(late) = self.late.take() {
                    self.push(&late);
                }
            }
            9 => {
                let from = usize::from(a % 2);
                let ack = self.packet(number, from, Flags::ACK, Vec::new());
                self.push(&ack);
            }
            // Keep-alive and zero window probes: a byte that was sent before.
            10 => {
                let from = usize::from(a % 2);
                let mut probe = self.packet(number, from, Flags::ACK, Vec::new());
                probe.seq = probe.seq.wrapping_sub(1);
                self.push(&probe);
            }
            _ => {
                self.flows[number] = Connection {
                    next: [u32::from(a) << 24, u32::from(b) << 24],
                    ..Connection::new(number)
                }
            }
        }
    }

    /// Opens a new connection: requests on the previous one are no longer answered.
    fn open(&mut self, number: usize) {
        self.flows[number].answered = self.flows[number].asked;
        let mut syn = self.packet(number, 0, Flags::SYN, Vec::new());
        syn.ack = 0;
        self.push(&syn);
        self.flows[number].next[0] = self.flows[number].next[0].wrapping_add(1);
        let answer = self.packet(number, 1, Flags::SYN.union(Flags::ACK), Vec::new());
        self.push(&answer);
        self.flows[number].next[1] = self.flows[number].next[1].wrapping_add(1);
    }

    fn ask(&mut self, number: usize, a: u8, b: u8) {
        let asked = self.flows[number].asked;
        self.flows[number].asked += 1;
        let body = "x".repeat(usize::from(a % 4) * 100);
        let head = format!(
            "POST /{number}/{asked} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.say(number, 0, format!("{head}{body}").as_bytes(), b);
    }

    /// Only requests that were sent are answered, in order.
    fn answer(&mut self, number: usize, a: u8, b: u8) {
        let connection = &mut self.flows[number];
        if connection.answered >= connection.asked {
            return;
        }
        let body = format!("/{number}/{}", connection.answered);
        connection.answered += 1;
        let text = if a < 128 {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        } else {
            let len = body.len();
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{len:x}\r\n{body}\r\n0\r\n\r\n")
        };
        self.say(number, 1, text.as_bytes(), b);
    }

    /// Sends bytes in pieces; `how` selects what the capture does to each.
    fn say(&mut self, number: usize, from: usize, bytes: &[u8], how: u8) {
        let size = match how % 5 {
            0 => 1,
            1 => 17,
            _ => bytes.len(),
        };
        for (place, piece) in bytes.chunks(size).enumerate() {
            let packet = self.packet(number, from, Flags::ACK, piece.to_vec());
            let len = u32::try_from(piece.len()).expect("short");
            let next = &mut self.flows[number].next[from];
            *next = next.wrapping_add(len);
            match how / 5 % 8 {
                // Lost, completely or one piece.
                0 => {}
                1 if place == 1 => {}
                // Captured twice.
                2 => {
                    self.push(&packet);
                    self.push(&packet);
                }
                // Captured after the next one.
                3 if place == 0 => {
                    if let Some(late) = self.late.replace(packet) {
                        self.push(&late);
                    }
                }
                // Cut by a snap length.
                4 if place == 0 && piece.len() > 4 => {
                    let kept = piece.len() - 4;
                    let cut = Packet {
                        payload: piece[..kept].to_vec(),
                        missing: 4,
                        ..packet
                    };
                    self.push(&cut);
                }
                _ => self.push(&packet),
            }
        }
    }

    fn end(&mut self, number: usize, from: usize, flags: Flags) {
        let end = self.packet(number, from, flags.union(Flags::ACK), Vec::new());
        self.push(&end);
        if flags == Flags::FIN {
            self.flows[number].next[from] = self.flows[number].next[from].wrapping_add(1);
        }
    }

    /// Sends bytes that neither end sent, outside the window or over others.
    fn forge(&mut self, number: usize, a: u8, b: u8) {
        self.flows[number].forged = true;
        let mut packet = self.packet(number, usize::from(a % 2), Flags(b), vec![b; usize::from(a)]);
        packet.seq = packet
            .seq
            .wrapping_sub(u32::from(b))
            .wrapping_add(u32::from(a % 8) << 28);
        packet.ack = packet.ack.wrapping_add(u32::from(a / 8) << 27);
        self.push(&packet);
    }

    fn packet(&self, number: usize, from: usize, flags: Flags, payload: Vec<u8>) -> Packet {
        let next = self.flows[number].next;
        Packet {
            number,
            from,
            seq: next[from],
            ack: next[1 - from],
            flags,
            payload,
            missing: 0,
        }
    }

    fn push(&mut self, packet: &Packet) {
        let Flow { client, server } = self.flows[packet.number].flow;
        let ends = [client, server];
        self.engine.push(&Segment {
            at: Timestamp::from_nanos(self.now),
            src: ends[packet.from],
            dst: ends[1 - packet.from],
            direction: Some(if packet.from == 0 {
                Direction::ToServer
            } else {
                Direction::ToClient
            }),
            ifindex: 0,
            seq: SeqNum(packet.seq),
            ack: SeqNum(packet.ack),
            flags: packet.flags,
            payload: &packet.payload,
            missing: packet.missing,
            multipath: None,
        });
        self.take();
    }

    fn wait(&mut self, nanos: u64) {
        self.now += nanos;
        let until = Timestamp::from_nanos(self.now);
        let mut steps = 0;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.engine.handle_timeout(due);
            self.take();
            steps += 1;
            assert!(steps < 10_000, "a timeout that was handled stays due: {due:?}");
        }
    }

    fn take(&mut self) {
        while let Some(event) = self.engine.poll() {
            if let Event::Exchange(exchange) = event {
                self.judge(&exchange);
            }
        }
    }

    /// Checks that a complete exchange is a request with its own response.
    fn judge(&self, exchange: &Exchange) {
        let connection = self
            .flows
            .iter()
            .find(|connection| connection.flow == exchange.flow);
        let Some(connection) = connection.filter(|connection| !connection.forged) else {
            return;
        };
        if !exchange.is_complete() {
            return;
        }
        let body = exchange.response.as_ref().map(|response| &response.body.kept);
        assert_eq!(
            body,
            Some(&exchange.request.target),
            "a wrong pair on {connection:?}"
        );
    }
}
