//! Captures that are generated, not captured: any number of exchanges at exact times.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::Path,
    time::Duration,
};

use shadow_agent::capture::pcap::write::Writer;
use shadow_common::flow::Endpoint;
use shadow_proto::{
    seq::SeqNum,
    time::Timestamp,
    wire::{Flags, Segment},
};

use crate::frames;

/// Bytes of a message per packet, as on Ethernet.
const MSS: usize = 1448;
/// 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600_000_000_000;

/// Parameters of a generated capture.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'r> {
    /// Exchanges, each a `GET /n/NUMBER`.
    pub exchanges: usize,
    /// The content of every response.
    pub content: &'r [u8],
    /// Time from one request to the next; a response takes a fifth of it.
    pub gap: Duration,
    /// Connections, used in turn and kept open.
    pub connections: u16,
    /// HTTP/2 in place of HTTP/1.1.
    pub http2: bool,
}

impl Recording<'_> {
    /// Writes it as pcapng; returns its size in bytes.
    pub fn write(&self, path: &Path) -> io::Result<u64> {
        let out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let mut wire = Wire {
            writer: Writer::new(out, "made, not captured")?,
            at: START,
        };
        let mut flows: Vec<_> = (0..self.connections).map(Flow::new).collect();
        for flow in &mut flows {
            flow.open(&mut wire)?;
            if self.http2 {
                flow.send(&mut wire, 0, frames::OPENINGS[0])?;
                flow.send(&mut wire, 1, frames::OPENINGS[1])?;
            }
        }
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nServer: nginx/1.26\r\n\
             Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
            self.content.len()
        )
        .into_bytes();
        answer.extend_from_slice(self.content);
        let gap = u64::try_from(self.gap.as_nanos()).unwrap_or(u64::MAX);
        for number in 0..self.exchanges {
            wire.at = START + 1_000_000 + gap * number as u64;
            let (turn, place) = (number / flows.len(), number % flows.len());
            if self.http2 {
                let stream = u32::try_from(2 * turn + 1).map_err(io::Error::other)?;
                let request = frames::request(&format!("/n/{number}"), stream, turn == 0);
                flows[place].send(&mut wire, 0, &request)?;
                wire.at += gap / 5;
                let response = frames::response(self.content, stream, turn == 0);
                flows[place].send(&mut wire, 1, &response)?;
                continue;
            }
            let request = format!(
                "GET /n/{number} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: made/1.0\r\nAccept: application/json\r\n\
                 Accept-Encoding: identity\r\n\r\n"
            );
            flows[place].send(&mut wire, 0, request.as_bytes())?;
            wire.at += gap / 5;
            flows[place].send(&mut wire, 1, &answer)?;
        }
        for flow in &mut flows {
            flow.close(&mut wire)?;
        }
        wire.writer.finish()?;
        Ok(path.metadata()?.len())
    }
}

struct Wire {
    writer: Writer<BufWriter<File>>,
    /// Nanoseconds.
    at: u64,
}

struct Flow {
    ends: [Endpoint; 2],
    sent: [u32; 2],
}

impl Flow {
    fn new(number: u16) -> Self {
        Self {
            ends: [
                Endpoint::v4([10, 77, 0, 1], 20_000 + number),
                Endpoint::v4([10, 77, 0, 2], 80),
            ],
            sent: [1_000, 5_000],
        }
    }

    fn open(&mut self, wire: &mut Wire) -> io::Result<()> {
        self.packet(wire, 0, Flags::SYN, b"")?;
        self.packet(wire, 1, Flags::SYN.union(Flags::ACK), b"")?;
        self.packet(wire, 0, Flags::ACK, b"")
    }

    fn send(&mut self, wire: &mut Wire, from: usize, message: &[u8]) -> io::Result<()> {
        for part in message.chunks(MSS) {
            self.packet(wire, from, Flags::ACK.union(Flags::PSH), part)?;
        }
        self.packet(wire, 1 - from, Flags::ACK, b"")
    }

    fn close(&mut self, wire: &mut Wire) -> io::Result<()> {
        self.packet(wire, 0, Flags::FIN.union(Flags::ACK), b"")?;
        self.packet(wire, 1, Flags::FIN.union(Flags::ACK), b"")?;
        self.packet(wire, 0, Flags::ACK, b"")
    }

    fn packet(&mut self, wire: &mut Wire, from: usize, flags: Flags, payload: &[u8]) -> io::Result<()> {
        wire.at += 1_000;
        let at = Timestamp::from_nanos(wire.at);
        let segment = Segment {
            at,
            src: self.ends[from],
            dst: self.ends[1 - from],
            direction: None,
            ifindex: 0,
            seq: SeqNum(self.sent[from]),
            ack: SeqNum(self.sent[1 - from]),
            flags,
            payload,
            missing: 0,
            multipath: None,
        };
        wire.writer.segment(0, at, &segment, None)?;
        let counts = u32::from(flags.contains(Flags::SYN) || flags.contains(Flags::FIN));
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.sent[from] = self.sent[from].wrapping_add(len).wrapping_add(counts);
        Ok(())
    }
}
