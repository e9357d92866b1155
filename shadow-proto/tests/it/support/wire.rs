//! From a conversation to the segments that crossed the wire, in the order of the wire.
//!
//! Both ends are correct: sequence numbers are exact, nothing is sent before the bytes it depends on have arrived,
//! and an acknowledgement covers at least what its sender must have read and at most what the other side has sent.

use bytes::Bytes;

use shadow_common::flow::Endpoint;
use shadow_proto::wire::Flags;

use super::{
    encode::{CLIENT, Conversation, SERVER},
    rng::Rng,
    spec::End,
};

/// How a conversation is cut into segments.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, shrunk one by one"
)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Initial sequence numbers of client and server.
    pub(crate) isn: [u32; 2],
    /// Most payload bytes in one segment (65,483 is what GSO hands to the hook).
    pub(crate) largest: usize,
    /// Acknowledge as little as the conversation allows instead of everything that has arrived.
    pub(crate) lazy_acks: bool,
    /// Send acknowledgements without data now and then.
    pub(crate) bare_acks: bool,
    /// The SYN carries the first data (RFC 9293 section 3.5, TCP Fast Open).
    pub(crate) syn_data: bool,
    /// The last data carries the FIN.
    pub(crate) fin_data: bool,
    /// Per mille of segments after which earlier bytes are sent again, with different boundaries.
    pub(crate) retransmit: u16,
    /// Per mille of segments before which a keep-alive or window probe is sent.
    pub(crate) probe: u16,
    /// Whether a keep-alive probe may carry a garbage byte. Off where segments are lost: if the byte that it replaces
    /// was lost and no acknowledgement was seen, it cannot be distinguished from that byte.
    pub(crate) garbage: bool,
    /// The longest time between two segments.
    pub(crate) step_us: u64,
}

impl Plan {
    /// One segment at a time, without anything unusual.
    pub(crate) fn plain(largest: usize) -> Self {
        Self {
            seed: 1,
            isn: [1_000, 9_000],
            largest,
            lazy_acks: false,
            bare_acks: false,
            syn_data: false,
            fin_data: false,
            retransmit: 0,
            probe: 0,
            garbage: false,
            step_us: 100,
        }
    }
}

/// A segment that owns its payload.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// Microseconds.
    pub(crate) at: u64,
    /// [`CLIENT`] or [`SERVER`].
    pub(crate) from: usize,
    pub(crate) ends: [Endpoint; 2],
    /// Whether the source knows which end is the server.
    pub(crate) directed: bool,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: Flags,
    pub(crate) payload: Bytes,
    pub(crate) missing: u32,
    /// No capture reorders anything across this segment: it was sent after a long silence.
    pub(crate) barrier: bool,
}

impl Captured {
    /// Whether the live capture omits it: no payload and no change of state.
    pub(crate) fn is_bare(&self) -> bool {
        let Flags(state) = Flags::SYN.union(Flags::FIN).union(Flags::RST);
        self.payload.is_empty() && self.flags.0 & state == 0
    }
}

impl core::fmt::Display for Captured {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            at,
            from,
            seq,
            ack,
            flags,
            payload,
            missing,
            ..
        } = self;
        let arrow = if *from == CLIENT { ">>>" } else { "<<<" };
        let (len, text) = (payload.len(), payload.escape_ascii());
        let port = self.ends[0].port;
        write!(
            f,
            "{at:9} {port} {arrow} seq {seq} ack {ack} flags {:02x} {len}+{missing} {text:.300}",
            flags.0
        )
    }
}

/// The traffic of one conversation.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) segments: Vec<Captured>,
    /// The next sequence number of each side at the end.
    pub(crate) next: [u32; 2],
    /// Microseconds.
    pub(crate) until: u64,
}

/// Sends a conversation between two endpoints (client first), starting at `start` microseconds.
pub(crate) fn send(conversation: &Conversation, plan: &Plan, ends: [Endpoint; 2], start: u64) -> Recording {
    let [client, server] = &conversation.halves;
    // Single bytes are for heads and boundaries; a large body in single bytes would only take time.
    let least = client.bytes.len().max(server.bytes.len()) / 2_000;
    let mut wire = Wire {
        conversation,
        plan,
        largest: plan.largest.max(least),
        ends,
        rng: Rng::new(plan.seed),
        now: start,
        streams: [
            Bytes::from(client.bytes.clone()),
            Bytes::from(server.bytes.clone()),
        ],
        sent: [0, 0],
        acked: [0, 0],
        fin: [false, false],
        fin_seen: [false, false],
        segments: Vec::new(),
    };
    wire.handshake();
    while wire.step() {}
    wire.close();
    let next = [wire.next_seq(CLIENT), wire.next_seq(SERVER)];
    Recording {
        segments: wire.segments,
        next,
        until: wire.now,
    }
}

struct Wire<'a> {
    conversation: &'a Conversation,
    plan: &'a Plan,
    largest: usize,
    ends: [Endpoint; 2],
    rng: Rng,
    now: u64,
    streams: [Bytes; 2],
    /// Stream bytes sent by each side.
    sent: [usize; 2],
    /// Stream bytes of the other side that each side has acknowledged.
    acked: [usize; 2],
    fin: [bool; 2],
    /// Whether each side has received the other's FIN.
    fin_seen: [bool; 2],
    segments: Vec<Captured>,
}

impl Wire<'_> {
    fn handshake(&mut self) {
        let [client, server] = self.plan.isn;
        let data = if self.plan.syn_data {
            self.rng.below(self.allowed(CLIENT).min(1_300) + 1)
        } else {
            0
        };
        let payload = self.streams[CLIENT].slice(0..data);
        self.put(CLIENT, client, 0, Flags::SYN, payload);
        self.sent[CLIENT] = data;
        let ack = client.wrapping_add(1).wrapping_add(wire_len(data));
        self.acked[SERVER] = data;
        self.put(SERVER, server, ack, Flags::SYN.union(Flags::ACK), Bytes::new());
        if self.plan.bare_acks {
            self.bare_ack(CLIENT);
        }
    }

    /// Sends one segment of either side; false when both have sent everything.
    fn step(&mut self) -> bool {
        if self.conversation.end == End::HalfClose && self.may_close(CLIENT) && self.rng.chance(500) {
            self.put_fin(CLIENT);
        }
        let ready = [CLIENT, SERVER].map(|side| self.allowed(side) > self.sent[side]);
        let side = match ready {
            [false, false] => {
                let left = [CLIENT, SERVER].map(|side| self.streams[side].len() - self.sent[side]);
                assert_eq!(left, [0, 0], "the conversation waits for itself");
                return false;
            }
            [true, false] => CLIENT,
            [false, true] => SERVER,
            [true, true] => self.rng.below(2),
        };
        if self.rng.chance(self.plan.probe) {
            self.probe(side);
        }
        let from = self.sent[side];
        let room = self.allowed(side) - from;
        let most = room.min(self.largest);
        let len = if self.rng.chance(600) {
            most
        } else {
            self.rng.between(1, most)
        };
        let to = from + len;
        self.acknowledge(side, to);
        self.sent[side] = to;
        let fin = self.plan.fin_data && self.may_close(side) && self.rng.chance(700);
        let mut flags = Flags::ACK;
        if fin {
            flags = flags.union(Flags::FIN);
        }
        self.put_data(side, from..to, flags);
        self.fin[side] |= fin;
        if self.rng.chance(self.plan.retransmit) {
            self.retransmit(side);
        }
        if self.plan.bare_acks && self.rng.chance(400) {
            self.bare_ack(1 - side);
        }
        true
    }

    /// The offset up to which a side may send now.
    fn allowed(&self, side: usize) -> usize {
        let half = &self.conversation.halves[side];
        let arrived = self.sent[1 - side];
        half.gates
            .iter()
            .find(|gate| gate.peer > arrived)
            .map_or(half.bytes.len(), |gate| gate.at)
    }

    /// Chooses what a segment that ends at `to` acknowledges: at least what its bytes depend on.
    fn acknowledge(&mut self, side: usize, to: usize) {
        let half = &self.conversation.halves[side];
        let needed = half
            .gates
            .iter()
            .take_while(|gate| gate.at < to)
            .map(|gate| gate.peer);
        let least = needed.max().unwrap_or_default().max(self.acked[side]);
        let most = self.sent[1 - side];
        self.acked[side] = if self.plan.lazy_acks { least } else { most };
        if !self.plan.lazy_acks || self.acked[side] == most {
            self.fin_seen[side] = self.fin[1 - side];
        }
    }

    fn may_close(&self, side: usize) -> bool {
        let all = [CLIENT, SERVER].map(|side| self.sent[side] == self.streams[side].len());
        if self.fin[side] || !all[side] {
            return false;
        }
        match self.conversation.end {
            End::ServerFin => all[CLIENT] && (side == SERVER || self.fin[SERVER]),
            End::ClientFin => all[SERVER] && (side == CLIENT || self.fin[CLIENT]),
            End::HalfClose => side == CLIENT || self.fin[CLIENT],
            End::Reset | End::Open => false,
        }
    }

    fn close(&mut self) {
        if self.conversation.end == End::Reset {
            self.acknowledge(CLIENT, self.sent[CLIENT]);
            let (seq, ack) = (self.next_seq(CLIENT), self.ack_number(CLIENT));
            self.put(CLIENT, seq, ack, Flags::RST.union(Flags::ACK), Bytes::new());
            if let Some(last) = self.segments.last_mut() {
                last.barrier = true;
            }
            return;
        }
        for side in [SERVER, CLIENT, SERVER] {
            if self.may_close(side) {
                self.put_fin(side);
            }
        }
        if self.plan.bare_acks {
            self.bare_ack(CLIENT);
            self.bare_ack(SERVER);
        }
    }

    fn put_fin(&mut self, side: usize) {
        self.acked[side] = self.sent[1 - side];
        self.fin_seen[side] = self.fin[1 - side];
        let end = self.sent[side];
        self.put_data(side, end..end, Flags::FIN.union(Flags::ACK));
        self.fin[side] = true;
    }

    /// Sends earlier bytes again, a round trip later: no capture reverses the order of the two copies.
    fn retransmit(&mut self, side: usize) {
        let end = self.sent[side];
        if end == 0 {
            return;
        }
        let from = end - self.rng.between(1, end.min(3_000));
        let to = self.rng.between(from + 1, end);
        self.put_data(side, from..to, Flags::ACK);
        if let Some(last) = self.segments.last_mut() {
            last.barrier = true;
        }
    }

    /// After a silence: a keep-alive probe (RFC 9293 section 3.8.4) repeats the last acknowledged byte, with or
    /// without a byte of garbage; a window probe (section 3.8.6.1) sends the next byte alone.
    fn probe(&mut self, side: usize) {
        self.now += 1_500_000;
        match self.rng.below(3) {
            0 => {
                let seq = self.next_seq(side).wrapping_sub(1);
                let ack = self.ack_number(side);
                let garbage: &'static [u8] = if self.plan.garbage && self.rng.chance(500) {
                    b"\0"
                } else {
                    b""
                };
                if self.sent[side] > 0 || garbage.is_empty() {
                    self.put(side, seq, ack, Flags::ACK, Bytes::from_static(garbage));
                }
            }
            1 => self.bare_ack(side),
            _ => {
                let from = self.sent[side];
                self.acknowledge(side, from + 1);
                self.put_data(side, from..from + 1, Flags::ACK);
            }
        }
        if let Some(last) = self.segments.last_mut() {
            last.barrier = true;
        }
    }

    fn bare_ack(&mut self, side: usize) {
        self.acked[side] = self.sent[1 - side];
        self.fin_seen[side] = self.fin[1 - side];
        let (seq, ack) = (self.next_seq(side), self.ack_number(side));
        self.put(side, seq, ack, Flags::ACK, Bytes::new());
    }

    fn next_seq(&self, side: usize) -> u32 {
        self.seq_at(side, self.sent[side])
            .wrapping_add(u32::from(self.fin[side]))
    }

    fn seq_at(&self, side: usize, offset: usize) -> u32 {
        self.plan.isn[side].wrapping_add(1).wrapping_add(wire_len(offset))
    }

    fn ack_number(&self, side: usize) -> u32 {
        self.seq_at(1 - side, self.acked[side])
            .wrapping_add(u32::from(self.fin_seen[side]))
    }

    fn put_data(&mut self, side: usize, range: core::ops::Range<usize>, flags: Flags) {
        let (seq, ack) = (self.seq_at(side, range.start), self.ack_number(side));
        let payload = self.streams[side].slice(range);
        self.put(side, seq, ack, flags, payload);
    }

    fn put(&mut self, from: usize, seq: u32, ack: u32, flags: Flags, payload: Bytes) {
        self.now += 1 + self.rng.next() % self.plan.step_us;
        self.segments.push(Captured {
            at: self.now,
            from,
            ends: self.ends,
            directed: false,
            seq,
            ack,
            flags,
            payload,
            missing: 0,
            barrier: false,
        });
    }
}

fn wire_len(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("conversations are short")
}
