//! The trace of one connection: each segment, and its effect on the reader.
//!
//! The connection is read by an engine of its own, so that every counter that changes belongs to it. Bounds: the first
//! and the last [`SHOWN`] lines; runs of plain data in order become one line. No payload is shown.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use shadow_proto::{
    engine::{Counters, Engine, Event},
    time::Timestamp,
    wire::{Flags, Segment},
};

use super::{Ends, Filter, Format, Summary, json::socket, reasons, settings};
use crate::capture::pcap::{Next, PcapFile};

/// Lines shown at the beginning, and the same number at the end.
const SHOWN: usize = 200;

/// The meaning of a changed counter.
const MEANINGS: &[(&str, &str)] = &[
    ("flows_opened", "connection begins"),
    (
        "flows_midstream",
        "connection first seen in the middle: what belongs together is not certain yet",
    ),
    ("requests", "head of a request"),
    ("requests_lost", "only a part of a request's head"),
    ("responses", "head of a response"),
    ("interim_responses", "interim response"),
    ("duplicate_segments", "nothing new in it"),
    ("out_of_order_segments", "bytes in front of it have not come yet"),
    ("conflicting_overlaps", "a copy that differs from the first"),
    (
        "out_of_window",
        "sequence number too far away: the connection starts anew from here",
    ),
    ("reset_bytes", "data in a reset is not part of the stream"),
    ("gaps", "a hole is given up as lost"),
    (
        "out_of_step",
        "requests and responses cannot be counted any more until both are in step again",
    ),
    ("flows_closed", "connection is over"),
    ("flows_idle", "connection forgotten: idle"),
    ("flows_abandoned", "connection not read any further"),
    ("flows_http2", "HTTP/2 that cannot be read"),
    ("h2_connections", "HTTP/2 from here on"),
    ("h2_joined", "joined in the middle of the connection"),
    ("h2_resets", "a stream is reset"),
    ("h2_pushes", "a push is promised; its response is not read"),
    ("flows_tls", "TLS"),
    ("flows_websocket", "WebSocket from here on"),
    ("flows_unknown", "another protocol from here on"),
    (
        "flows_mptcp",
        "Multipath TCP: other connections carry parts of the stream",
    ),
    ("flows_unread", "messages cannot be told apart from here on"),
    (
        "exchanges_unread",
        "a request seems to begin here; it is not read",
    ),
    ("flows_empty", "the connection had no payload at all"),
    ("ignored_segments", "not read: the connection is over, or left"),
];

/// Writes the trace of every connection between these ends.
pub fn why(file: &mut PcapFile, ends: &Ends, out: &mut impl Write) -> io::Result<Summary> {
    let mut story = Story {
        // With header fields: they show why a framing is ambiguous.
        engine: Engine::new(settings(Format::Har)),
        before: Counters::default(),
        origins: [None; 2],
        first: None,
        shown: 0,
        last: VecDeque::new(),
        left_out: 0,
        plain: None,
        out,
    };
    let mut summary = Summary::new(file);
    let mut found = false;
    loop {
        match file.next_segment() {
            Ok(Next::Segment(segment)) if ends.matches(segment.src, segment.dst) => {
                found = true;
                story.segment(&segment, &mut summary)?;
            }
            Ok(Next::Segment(_) | Next::Skipped(_)) => {}
            Ok(Next::End) => break,
            Err(damage) => {
                summary.damage = Some(damage);
                break;
            }
        }
    }
    summary.bytes = file.position();
    summary.frames = file.counts().clone();
    if !found {
        writeln!(
            story.out,
            "no segment between these ends; `shadow inspect FILE` lists the connections"
        )?;
        return Ok(summary);
    }
    story.finish(&mut summary)?;
    summary.engine = story.engine.counters().clone();
    Ok(summary)
}

/// The names of the control bits of a segment that open, close or acknowledge.
pub(crate) fn control_bits(flags: Flags) -> String {
    let names = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::ACK, "ACK"),
    ];
    let set = names.iter().filter(|(flag, _)| flags.contains(*flag));
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    set.join("+")
}

struct Story<'a, W> {
    engine: Engine,
    before: Counters,
    /// The first sequence number of each end, smaller endpoint first.
    origins: [Option<u32>; 2],
    first: Option<Timestamp>,
    shown: usize,
    last: VecDeque<String>,
    left_out: u64,
    /// Consecutive segments without events: their number and bytes.
    plain: Option<(u64, u64)>,
    out: &'a mut W,
}

impl<W: Write> Story<'_, W> {
    fn segment(&mut self, segment: &Segment<'_>, summary: &mut Summary) -> io::Result<()> {
        if self.engine.poll_timeout().is_some_and(|due| due <= segment.at) {
            self.engine.handle_timeout(segment.at);
            self.events("a wait is over", summary)?;
        }
        self.engine.push(segment);
        let control = Flags::SYN.union(Flags::FIN).union(Flags::RST);
        let what = self.changes();
        if what.is_empty() && segment.flags.0 & control.0 == 0 && segment.missing == 0 {
            let (count, bytes) = self.plain.unwrap_or_default();
            self.plain = Some((count + 1, bytes + segment.payload.len() as u64));
        } else {
            let facts = self.facts(segment);
            self.line(&format!("{facts}{what}"))?;
        }
        self.events("", summary)
    }

    fn facts(&mut self, segment: &Segment<'_>) -> String {
        let first = *self.first.get_or_insert(segment.at);
        let origin = &mut self.origins[usize::from(segment.src > segment.dst)];
        let relative = segment.seq.0.wrapping_sub(*origin.get_or_insert(segment.seq.0));
        let missing = match segment.missing {
            0 => String::new(),
            missing => format!(", {missing} more not captured"),
        };
        format!(
            "{:>12.6} s  {} -> {}  {:<7}  seq {relative}, {} bytes{missing}",
            segment.at.since(first).as_secs_f64(),
            socket(segment.src),
            socket(segment.dst),
            control_bits(segment.flags),
            segment.payload.len(),
        )
    }

    /// The meanings of the counters that changed.
    fn changes(&mut self) -> String {
        let now = self.engine.counters().clone();
        let mut text = String::new();
        for ((name, after), (_, before)) in now.iter().zip(self.before.iter()) {
            let meaning = MEANINGS.iter().find(|(known, _)| *known == name);
            if let (Some((_, meaning)), true) = (meaning, after > before) {
                text.push_str("\n                ");
                text.push_str(meaning);
                if name == "gaps" {
                    let bytes = now.gap_bytes - self.before.gap_bytes;
                    text.extend([" (", &bytes.to_string(), " bytes)"]);
                }
            }
        }
        self.before = now;
        text
    }

    fn events(&mut self, because: &str, summary: &mut Summary) -> io::Result<()> {
        let what = if because.is_empty() {
            String::new()
        } else {
            self.changes()
        };
        if !what.is_empty() {
            self.line(&format!("{:>16}{because}{what}", ""))?;
        }
        while let Some(event) = self.engine.poll() {
            summary.seen.count(&event, &Filter::default(), Format::Summary);
            let why = match &event {
                Event::Exchange(exchange) => exchange
                    .incomplete
                    .map(|reason| reasons::meaning(exchange, reason)),
                Event::Orphan(orphan) => Some(reasons::of(orphan.incomplete)),
                Event::Abandoned(..) => None,
            };
            let what = match &event {
                Event::Exchange(exchange) => format!(
                    "exchange {}: {} -> {}: {}",
                    exchange.index,
                    String::from_utf8_lossy(&exchange.request.method).escape_debug(),
                    exchange.response.as_ref().map_or_else(
                        || "no response".to_owned(),
                        |response| response.status.to_string()
                    ),
                    exchange.incomplete.map_or("complete", |reason| reason.as_str()),
                ),
                Event::Orphan(orphan) => format!(
                    "response {} without a request: {}",
                    orphan.response.status, orphan.incomplete
                ),
                Event::Abandoned(_, reason) => format!("left: {reason}"),
            };
            self.line(&format!("{:>16}==> {what}", ""))?;
            if let Some(why) = why {
                self.line(&format!("{:>20}{why}", ""))?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        if let Some((count, bytes)) = self.plain.take() {
            self.put(format!("{:>16}{count} segments with {bytes} bytes in order", ""))?;
        }
        self.put(line.to_owned())
    }

    fn put(&mut self, line: String) -> io::Result<()> {
        if self.shown < SHOWN {
            self.shown += 1;
            return writeln!(self.out, "{line}");
        }
        self.last.push_back(line);
        if self.last.len() > SHOWN {
            self.last.pop_front();
            self.left_out += 1;
        }
        Ok(())
    }

    fn finish(&mut self, summary: &mut Summary) -> io::Result<()> {
        self.engine.finish();
        self.events("the capture ends", summary)?;
        if let Some((count, bytes)) = self.plain.take() {
            self.put(format!("{:>16}{count} segments with {bytes} bytes in order", ""))?;
        }
        if self.left_out > 0 {
            writeln!(self.out, "{:>16}... {} lines left out ...", "", self.left_out)?;
        }
        for line in self.last.drain(..) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}
