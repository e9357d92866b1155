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
fn changed(counters: &Counters) -> [(u64, &'static str); 28] {
    [
        (counters.flows_opened, "connection begins"),
        (
            counters.flows_midstream,
            "connection first seen in the middle: what belongs together is not certain yet",
        ),
        (counters.requests, "head of a request"),
        (counters.requests_lost, "only a part of a request's head"),
        (counters.responses, "head of a response"),
        (counters.interim_responses, "interim response"),
        (counters.duplicate_segments, "no new data"),
        (
            counters.out_of_order_segments,
            "bytes before it have not arrived yet",
        ),
        (
            counters.conflicting_overlaps,
            "a copy that differs from the first",
        ),
        (
            counters.out_of_window,
            "sequence number too far away: the connection starts anew from here",
        ),
        (counters.reset_bytes, "data in a reset is not part of the stream"),
        (
            counters.out_of_step,
            "requests and responses cannot be counted any more until both are in step again",
        ),
        (counters.flows_closed, "connection has ended"),
        (counters.flows_idle, "connection removed: idle"),
        (counters.flows_abandoned, "connection not read any further"),
        (counters.flows_http2, "HTTP/2 that cannot be read"),
        (counters.h2_connections, "HTTP/2 from here on"),
        (counters.h2_joined, "joined in the middle of the connection"),
        (counters.h2_resets, "a stream is reset"),
        (counters.h2_pushes, "a push is promised; its response is not read"),
        (counters.flows_tls, "TLS"),
        (counters.flows_websocket, "WebSocket from here on"),
        (counters.flows_unknown, "another protocol from here on"),
        (
            counters.flows_mptcp,
            "Multipath TCP: other connections carry parts of the stream",
        ),
        (counters.flows_unread, "message boundaries are lost from here on"),
        (
            counters.exchanges_unread,
            "a request seems to begin here; it is not read",
        ),
        (counters.flows_empty, "the connection had no payload at all"),
        (
            counters.ignored_segments,
            "not read: the connection has ended, or left",
        ),
    ]
}

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
        for ((after, meaning), (before, _)) in changed(&now).into_iter().zip(changed(&self.before)) {
            if after > before {
                text.push_str("\n                ");
                text.push_str(meaning);
            }
        }
        if now.gaps > self.before.gaps {
            let bytes = now.gap_bytes - self.before.gap_bytes;
            text.extend([
                "\n                a hole of ",
                &bytes.to_string(),
                " bytes is declared lost",
            ]);
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
