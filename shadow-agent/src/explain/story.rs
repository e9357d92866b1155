//! The account of one flow: packets and events in, lines out.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use shadow_common::{chunk::MAX_BYTES, flow::Endpoint, stat::Stat};
use shadow_core::{
    gate::{Decision, Skip},
    redact::Redactor,
};
use shadow_proto::{
    engine::Event,
    exchange::{Exchange, Incomplete, Orphan, Timing},
    time::Timestamp,
    wire::Flags,
};

use super::line::{ConnectionLine, Decided, ExchangeLine, Line, PacketLine, ResponseLine, Summary};
use crate::{
    capture::{packet_log::Packet, targets::Target},
    inspect::{control_bits, meaning, meaning_of, socket},
    runtime::Judge,
};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Directions whose first sequence number is remembered.
const ORIGINS: usize = 4_096;

/// Counts what was seen, and describes it.
#[derive(Debug)]
pub(crate) struct Story {
    /// The wall clock's time at zero of the monotonic clock.
    epoch: Duration,
    /// Names by interface index: those that the program is attached to.
    interfaces: BTreeMap<u32, String>,
    targets: Vec<Target>,
    redactor: Redactor,
    judges: Vec<Judge>,
    /// The first sequence number of each direction.
    pub(super) origins: BTreeMap<(Endpoint, Endpoint), u32>,
    summary: Summary,
}

impl Story {
    /// `now` is the same moment on the monotonic clock of the capture and on the wall clock.
    pub(crate) fn new(
        now: (Timestamp, Timestamp),
        interfaces: BTreeMap<u32, String>,
        targets: Vec<Target>,
        redactor: Redactor,
        judges: Vec<Judge>,
    ) -> Self {
        let (monotonic, wall) = now;
        let would_be_sent = judges.iter().map(|judge| (judge.name.clone(), 0)).collect();
        Self {
            epoch: Duration::from_nanos(wall.as_nanos().saturating_sub(monotonic.as_nanos())),
            interfaces,
            targets,
            redactor,
            judges,
            origins: BTreeMap::new(),
            summary: Summary {
                would_be_sent,
                ..Summary::default()
            },
        }
    }

    /// A packet that the kernel program has logged.
    pub(crate) fn packet(&mut self, packet: &Packet) -> Line {
        let fate = packet.fate.as_str();
        *self.summary.packets.entry(fate).or_default() += 1;
        if self.origins.len() >= ORIGINS {
            self.origins.clear();
        }
        let ends = (packet.src, packet.dst);
        let flags = Flags(packet.flags);
        if flags.contains(Flags::SYN) {
            self.origins.remove(&ends);
        }
        let origin = *self.origins.entry(ends).or_insert(packet.seq);
        let interface = self.interfaces.get(&packet.ifindex).cloned();
        Line::Packet(PacketLine {
            time: self.time(Timestamp::from_nanos(packet.at)),
            interface: interface.unwrap_or_else(|| format!("interface {}", packet.ifindex)),
            direction: if packet.egress { "out" } else { "in" },
            src: socket(packet.src),
            dst: socket(packet.dst),
            flags: control_bits(flags),
            seq: packet.seq,
            relative: packet.seq.wrapping_sub(origin),
            bytes: packet.len,
            fate,
            text: self.fate(packet),
        })
    }

    /// The fate of a packet in words.
    fn fate(&self, packet: &Packet) -> String {
        let bytes = packet.len as usize;
        let text = match packet.fate {
            Stat::Emitted if bytes > MAX_BYTES => {
                return format!("copied the first {MAX_BYTES} of {bytes} bytes");
            }
            Stat::Emitted if bytes == 0 => "copied, no payload",
            Stat::Emitted => return format!("copied {bytes} bytes"),
            Stat::NotTargeted if packet.protocol == UDP => "not copied: UDP and not TCP (QUIC, HTTP/3?)",
            Stat::NotTargeted if packet.protocol != TCP => {
                return format!("not copied: protocol {} of IP and not TCP", packet.protocol);
            }
            Stat::NotTargeted => {
                let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
                return format!("not copied: neither end is a target ({})", targets.join(", "));
            }
            Stat::Fragment => "not copied: a fragment of a larger IP packet",
            Stat::Malformed => "not copied: its length fields contradict each other",
            Stat::Own => "not copied: a replay, or to or from a shadow system",
            Stat::OtherHook => "not copied here: capture.requests takes this direction at the other hook",
            Stat::Disarmed => "not copied: switched off",
            Stat::Expired => "not copied: the heartbeat was late",
            Stat::Unsampled => "not copied: its connection is not in the sample",
            Stat::Muted => "not copied: its connection is not read any further",
            Stat::NoPayload => "not copied: a bare acknowledgement",
            Stat::RingFull => "LOST: the ring was full",
            Stat::LoadFailed => "LOST: it is shorter than its headers say",
            Stat::Seen | Stat::Truncated | Stat::Chunks => packet.fate.as_str(),
        };
        text.to_owned()
    }

    /// An event of the engine.
    pub(crate) fn event(&mut self, event: &Event) -> Line {
        match event {
            Event::Exchange(exchange) => self.exchange(exchange),
            Event::Orphan(orphan) => {
                self.summary.responses_without_request += 1;
                let Orphan {
                    flow,
                    response,
                    timing,
                    incomplete,
                } = &**orphan;
                Line::Response(ResponseLine {
                    time: self.time(last(timing)),
                    client: socket(flow.client),
                    server: socket(flow.server),
                    status: response.status,
                    incomplete_reason: incomplete.as_str(),
                    text: meaning_of(*incomplete).to_owned(),
                })
            }
            Event::Abandoned(flow, reason) => {
                let name = reason.as_str();
                *self.summary.connections_left.entry(name).or_default() += 1;
                Line::Connection(ConnectionLine {
                    ends: [socket(flow.low), socket(flow.high)],
                    reason: name,
                    text: reason.help().to_owned(),
                })
            }
        }
    }

    fn exchange(&mut self, exchange: &Exchange) -> Line {
        let Self {
            redactor,
            judges,
            summary,
            ..
        } = self;
        match exchange.incomplete {
            None => summary.complete += 1,
            Some(reason) => *summary.incomplete.entry(reason.as_str()).or_default() += 1,
        }
        let decisions: Vec<Decided> = judges.iter().map(|judge| decided(judge, exchange)).collect();
        for decision in &decisions {
            match decision.reason {
                None => *summary.would_be_sent.entry(decision.target.clone()).or_default() += 1,
                Some(reason) => {
                    let skipped = summary
                        .would_be_skipped
                        .entry(decision.target.clone())
                        .or_default();
                    *skipped.entry(reason).or_default() += 1;
                }
            }
        }
        let request = &exchange.request;
        let target = redactor.target(&String::from_utf8_lossy(&request.target));
        Line::Exchange(ExchangeLine {
            time: self.time(last(&exchange.timing)),
            client: socket(exchange.flow.client),
            server: socket(exchange.flow.server),
            method: String::from_utf8_lossy(&request.method).into_owned(),
            target,
            status: exchange.response.as_ref().map(|response| response.status),
            complete: exchange.incomplete.is_none(),
            incomplete_reason: exchange.incomplete.map(Incomplete::as_str),
            text: exchange
                .incomplete
                .map(|reason| meaning(exchange, reason).to_owned()),
            decisions,
        })
    }

    /// The end. `not_logged` packets passed besides those that were logged.
    pub(crate) fn end(self, not_logged: u64) -> Line {
        let Self {
            interfaces,
            mut summary,
            ..
        } = self;
        summary.not_logged = not_logged;
        if summary.packets.is_empty() && not_logged == 0 {
            let names: Vec<&str> = interfaces.values().map(String::as_str).collect();
            summary.hint = Some(format!(
                "no packet of this flow passed {}: it takes another interface or is in another network namespace, something \
                 bypasses TC (sockmap), or there was no traffic; `shadow doctor` says what is attached where",
                names.join(", ")
            ));
        }
        Line::Summary(summary)
    }

    fn time(&self, at: Timestamp) -> String {
        let at = UNIX_EPOCH + self.epoch + Duration::from_nanos(at.as_nanos());
        humantime::format_rfc3339_micros(at).to_string()
    }
}

fn decided(judge: &Judge, exchange: &Exchange) -> Decided {
    let (reason, text) = match judge.decide(exchange) {
        Decision::Replay => (
            None,
            format!("would be sent to {}", judge.url.as_deref().unwrap_or_default()),
        ),
        Decision::Skip(skip) => {
            let why = match skip {
                Skip::Incomplete(reason) => meaning(exchange, reason),
                Skip::Policy(reason) => reason.help(),
            };
            (Some(skip.as_str()), format!("skipped: {}: {why}", skip.as_str()))
        }
    };
    Decided {
        target: judge.name.clone(),
        url: judge.url.clone(),
        replay: reason.is_none(),
        reason,
        text,
    }
}

/// The latest time of an exchange.
fn last(timing: &Timing) -> Timestamp {
    let Timing {
        request_first,
        request_last,
        response_first,
        response_last,
    } = *timing;
    [request_first, request_last, response_first, response_last]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or_default()
}
