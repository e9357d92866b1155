//! A case as packets that were never on a wire: its redacted messages as one TCP connection.

use std::{fmt::Write as _, io, net::SocketAddr};

use shadow_common::flow::Endpoint;
use shadow_core::{
    case::{Answered, Case, Field},
    redact::RedactedBody,
};
use shadow_proto::{
    seq::SeqNum,
    time::Timestamp,
    wire::{Flags, Segment},
};

use super::{field, is_framing};
use crate::capture::pcap::write::Writer;

/// Written into the file and next to it.
pub(super) const NOTE: &str = "Rebuilt from the redacted messages; not what was captured. Redacted \
    content is padded to its true length, or longer; bytes that were not kept are missing from the packets. Content \
    codings are removed, and such a body has the length of its content.";

/// The packets of production's exchange as a pcapng file.
pub(super) fn rebuilt(case: &Case) -> io::Result<Vec<u8>> {
    let mut wire = Wire {
        writer: Writer::new(Vec::new(), NOTE)?,
        ends: [endpoint(&case.client), endpoint(&case.server)],
        sent: [SeqNum(1000), SeqNum(5000)],
        at: case.at_ms.saturating_mul(1_000_000),
    };
    let request = &case.request;
    let line = format!("{} {} {}\r\n", request.method, request.target, request.version);
    let production = &case.production;
    let status = format!("HTTP/1.1 {} {}\r\n", production.status, reason(production));
    wire.packet(0, Flags::SYN, &[], 0)?;
    wire.packet(1, Flags::SYN.union(Flags::ACK), &[], 0)?;
    wire.message(0, &line, &request.headers, &request.body)?;
    wire.at += production.first_byte_us.unwrap_or(0).saturating_mul(1000);
    wire.message(1, &status, &production.headers, &production.body)?;
    wire.packet(1, Flags::FIN.union(Flags::ACK), &[], 0)?;
    wire.packet(0, Flags::FIN.union(Flags::ACK), &[], 0)?;
    wire.writer.finish()
}

struct Wire {
    writer: Writer<Vec<u8>>,
    /// Client and server.
    ends: [Endpoint; 2],
    sent: [SeqNum; 2],
    /// Nanoseconds.
    at: u64,
}

impl Wire {
    fn message(&mut self, from: usize, line: &str, fields: &[Field], body: &RedactedBody) -> io::Result<()> {
        let (content, missing) = content(fields, body);
        let len = content.len() as u64 + missing;
        let mut head = line.to_owned();
        for Field { name, value } in fields {
            let coding = name.eq_ignore_ascii_case("content-encoding") && body.text.is_some();
            if !coding && !is_framing(name) {
                // Captured text must not start a new line.
                let value = value.replace(['\r', '\n'], " ");
                let name = name.replace(['\r', '\n', ':'], " ");
                write!(head, "{name}: {value}\r\n").unwrap_or_default();
            }
        }
        if len > 0 || from == 1 {
            write!(head, "Content-Length: {len}\r\n").unwrap_or_default();
        }
        head.push_str("\r\n");
        let mut payload = head.into_bytes();
        payload.extend_from_slice(&content);
        self.packet(from, Flags::ACK.union(Flags::PSH), &payload, missing)
    }

    fn packet(&mut self, from: usize, flags: Flags, payload: &[u8], missing: u64) -> io::Result<()> {
        let to = 1 - from;
        self.at += 1000;
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let segment = Segment {
            at: Timestamp::from_nanos(self.at),
            src: self.ends[from],
            dst: self.ends[to],
            direction: None,
            ifindex: 0,
            seq: self.sent[from],
            ack: self.sent[to],
            flags,
            payload,
            missing,
            multipath: None,
        };
        self.writer
            .segment(0, Timestamp::from_nanos(self.at), &segment, None)?;
        let counts = flags.contains(Flags::SYN) || flags.contains(Flags::FIN);
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let SeqNum(sent) = self.sent[from];
        self.sent[from] = SeqNum(
            sent.wrapping_add(len)
                .wrapping_add(missing)
                .wrapping_add(u32::from(counts)),
        );
        Ok(())
    }
}

/// The content that was kept, and the number of bytes missing after it.
fn content(fields: &[Field], body: &RedactedBody) -> (Vec<u8>, u64) {
    let Some(text) = &body.text else {
        return (Vec::new(), body.len);
    };
    let mut content = text.clone().into_bytes();
    let len = usize::try_from(body.len).unwrap_or(usize::MAX);
    if field(fields, "content-encoding").is_some() {
        return (content, 0);
    }
    if body.cut {
        content.truncate(len);
        let kept = content.len() as u64;
        return (content, body.len.saturating_sub(kept));
    }
    // Redaction may make it longer, and content that is cut could not be decoded.
    content.resize(len.max(content.len()), b' ');
    (content, 0)
}

fn reason(answer: &Answered) -> &'static str {
    http::StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("")
}

/// An address that cannot be parsed is replaced by a placeholder: only the messages matter.
fn endpoint(text: &str) -> Endpoint {
    match text.parse() {
        Ok(SocketAddr::V4(address)) => Endpoint::v4(address.ip().octets(), address.port()),
        Ok(SocketAddr::V6(address)) => Endpoint::v6(address.ip().octets(), address.port()),
        Err(_) => Endpoint::v4([192, 0, 2, 1], 1),
    }
}
