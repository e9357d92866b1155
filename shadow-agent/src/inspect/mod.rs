//! The exchanges in a capture file, for people and for programs.
//!
//! Owns: the loop over a file and its two outputs. Bounds: the engine's limits; nothing is kept of an exchange that was
//! written. Drops: nothing; every packet, flow and exchange ends in the [`Summary`].

mod filter;
mod follow;
mod har;
mod json;
mod reasons;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod why;

use core::time::Duration;
use std::io::{self, Write};

use shadow_core::{
    engine::{Engine, Event, Settings},
    limits::Limits,
    wire::Segment,
};

use crate::capture::pcap::{Next, PcapFile};

pub use filter::{Ends, Filter, StatusRange};
pub use follow::Following;
pub use summary::Summary;
pub use why::why;

/// How exchanges are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// An HTTP Archive 1.2, without bodies.
    Har,
    /// Only the summary.
    Summary,
    /// Aligned columns.
    Table {
        /// With terminal colours.
        colour: bool,
    },
}

/// What the engine may hold for a file: nobody else needs the machine's memory, and time passes as fast as it is read.
///
/// No body is kept: length and digest are all that is shown.
///
/// Digests cost more than everything else on large bodies, and only JSON shows them.
pub fn settings(digest: bool) -> Settings {
    Settings {
        limits: Limits {
            flows: 1 << 20,
            memory: 1 << 30,
            out_of_order: 16 << 20,
            head: 256 << 10,
            fields: 1_024,
            body: 0,
            pipeline: 1_024,
            acked_gap: Duration::from_secs(1),
            open_gap: Duration::from_mins(1),
            idle: Duration::from_hours(1),
            half_closed: Duration::from_mins(5),
        },
        digest,
    }
}

/// Reads the file to its end, or to its damage, and writes each exchange as it completes, the summary last.
///
/// With `live` the output is brought up to date whenever the next read may have to wait.
pub fn inspect(
    file: &mut PcapFile,
    format: Format,
    filter: &Filter,
    live: bool,
    out: &mut impl Write,
) -> io::Result<Summary> {
    let mut run = Run {
        engine: Engine::new(settings(format == Format::Json)),
        summary: Summary::new(file),
        style: match format {
            Format::Json => Style::Json,
            Format::Har => Style::Har,
            Format::Summary => Style::Summary,
            Format::Table { colour } => Style::Table(table::Table::new(colour)),
        },
        filter,
        out,
    };
    run.start()?;
    loop {
        if live && file.must_read() {
            run.out.flush()?;
        }
        match file.next_segment() {
            Ok(Next::Segment(segment)) => run.segment(&segment)?,
            Ok(Next::Skipped(_)) => {}
            Ok(Next::End) => break,
            Err(damage) => {
                run.summary.damage = Some(damage);
                break;
            }
        }
    }
    run.summary.bytes = file.position();
    run.summary.frames = file.counts().clone();
    run.finish()
}

/// A format with what it remembers from line to line.
enum Style {
    Json,
    Har,
    Summary,
    Table(table::Table),
}

/// One pass over one file.
struct Run<'a, W> {
    engine: Engine,
    summary: Summary,
    style: Style,
    filter: &'a Filter,
    out: &'a mut W,
}

impl<W: Write> Run<'_, W> {
    fn start(&mut self) -> io::Result<()> {
        match &mut self.style {
            Style::Table(table) => table.head(self.out),
            Style::Har => har::head(self.out),
            Style::Json | Style::Summary => Ok(()),
        }
    }

    fn segment(&mut self, segment: &Segment<'_>) -> io::Result<()> {
        if self.engine.poll_timeout().is_some_and(|due| due <= segment.at) {
            self.engine.handle_timeout(segment.at);
            self.drain()?;
        }
        self.engine.push(segment);
        self.drain()
    }

    fn drain(&mut self) -> io::Result<()> {
        while let Some(event) = self.engine.poll() {
            self.event(&event)?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.summary.count(event);
        if !self.filter.passes(event) {
            return Ok(());
        }
        match (event, &mut self.style) {
            (Event::Abandoned(..), _) => return Ok(()),
            (_, Style::Summary) => {}
            (Event::Exchange(exchange), Style::Table(table)) => table.exchange(exchange, self.out)?,
            (Event::Orphan(orphan), Style::Table(table)) => table.orphan(orphan, self.out)?,
            (Event::Exchange(exchange), Style::Json) => json::exchange(exchange, self.out)?,
            (Event::Orphan(orphan), Style::Json) => json::orphan(orphan, self.out)?,
            (Event::Exchange(exchange), Style::Har) => {
                har::exchange(exchange, self.summary.shown == 0, self.out)?;
            }
            // An archive has no place for a response without a request.
            (Event::Orphan(_), Style::Har) => return Ok(()),
        }
        self.summary.shown += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<Summary> {
        self.engine.finish();
        self.drain()?;
        self.summary.engine = self.engine.counters().clone();
        match self.style {
            Style::Table(_) | Style::Summary => self.summary.write_text(self.out)?,
            Style::Json => json::summary(&self.summary, self.out)?,
            Style::Har => har::tail(self.out)?,
        }
        self.out.flush()?;
        Ok(self.summary)
    }
}
