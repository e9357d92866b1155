//! The exchanges in a capture file, as text or JSON.
//!
//! Owns: the loop over a file and its outputs. Bounds: the engines' limits (`lanes`) and a few batches of segments
//! (`threads`); an exchange is not kept after it is written. Drops: nothing; every packet, flow and exchange is counted
//! in the [`Summary`].

mod filter;
mod follow;
mod har;
mod json;
mod lanes;
mod live;
mod output;
mod reasons;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod why;

use core::time::Duration;
use std::{
    io::{self, Write},
    thread,
};

use shadow_proto::{engine::Settings, limits::Limits};

use crate::capture::pcap::{Damage, Key, Next, PcapFile, flow_number};
use lanes::Lanes;
use output::Output;

pub use filter::{Ends, Filter, StatusRange};
pub use follow::Following;
pub(crate) use json::socket;
pub use live::{Showing, Shown};
pub(crate) use reasons::{meaning, of as meaning_of};
pub use summary::{Seen, Summary};
pub(crate) use why::control_bits;
pub use why::why;

/// Output formats.
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

/// How a file is read. The output is the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// As it grows: the output is flushed whenever the next read may have to wait.
    Live,
    /// To its end, with one reading thread and this many threads for connections; 1 means a single thread for all.
    Threads(usize),
}

impl Pace {
    /// To its end, as fast as this machine allows.
    pub fn fast() -> Self {
        Self::Threads(thread::available_parallelism().map_or(1, usize::from))
    }
}

/// Limits of the engines for a file: no other work needs the memory, and time passes as fast as the file is read.
///
/// No body is kept: only length and digest are shown. Digests are the largest cost on large bodies, and only JSON shows
/// them; header fields are shown only in JSON and HAR.
pub fn settings(format: Format) -> Settings {
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
        digest: format == Format::Json,
        fields: matches!(format, Format::Json | Format::Har),
    }
}

/// Reads the file to its end, or to its damage. Writes each exchange when it completes, and the summary last.
pub fn inspect(
    file: &mut PcapFile,
    format: Format,
    filter: &Filter,
    pace: Pace,
    out: &mut impl Write,
) -> io::Result<Summary> {
    let mut summary = Summary::new(file);
    let mut output = Output::new(format, out);
    output.start()?;
    let (lanes, damage) = match pace {
        Pace::Threads(threads) if threads > 1 => {
            threads::read(file, format, filter, threads, &mut |event| output.event(event))?
        }
        Pace::Threads(_) => alone(file, format, filter, false, &mut output)?,
        Pace::Live => alone(file, format, filter, true, &mut output)?,
    };
    let (seen, counters, last) = Lanes::finish(lanes);
    for event in &last {
        output.event(event)?;
    }
    summary.seen = seen;
    summary.engine = counters;
    summary.bytes = file.position();
    summary.frames = file.counts().clone();
    summary.damage = damage;
    output.finish(&summary)?;
    Ok(summary)
}

/// Reads the file on this thread.
fn alone<'f>(
    file: &mut PcapFile,
    format: Format,
    filter: &'f Filter,
    live: bool,
    output: &mut Output<'_, impl Write>,
) -> io::Result<(Vec<Lanes<'f>>, Option<Damage>)> {
    let mut lanes = Lanes::new(format, filter, |_| true);
    let mut done = Vec::new();
    let damage = loop {
        if live && file.must_read() {
            // `Shown` flushes before every read. A closed output ends the run here.
            output.flush()?;
        }
        match file.next_segment() {
            Ok(Next::Segment(segment)) => {
                let key = Key {
                    at: segment.at,
                    flow: flow_number(&segment),
                };
                lanes.segment(0, &key, || Some(segment), &mut done);
                for (_, event) in done.drain(..) {
                    output.event(&event)?;
                }
            }
            Ok(Next::Skipped(_)) => {}
            Ok(Next::End) => break None,
            Err(damage) => break Some(damage),
        }
    };
    Ok((vec![lanes], damage))
}
