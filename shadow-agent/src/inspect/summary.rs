//! Counts of everything in the file.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::{Serialize, Serializer};
use shadow_core::evidence::UnreadTraffic;
use shadow_proto::{
    engine::{Abandon, Counters, Event},
    exchange::Incomplete,
};

use super::{Filter, Format};
use crate::{
    capture::pcap::{Counts, Damage, Packing, PcapFile, Tally},
    figures,
};

/// Every counter of one pass.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// `pcap` or `pcapng`.
    pub format: &'static str,
    /// Whether it was compressed.
    pub compressed: bool,
    /// The kind of compression.
    pub packing: Option<&'static str>,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Counts of its frames.
    #[serde(flatten)]
    pub frames: Counts,
    /// Counts of its exchanges.
    #[serde(flatten)]
    pub seen: Seen,
    /// The counters of the engine.
    #[serde(serialize_with = "by_name")]
    pub engine: Counters,
    /// The place from which the file cannot be read.
    pub damage: Option<Damage>,
}

/// Counts of exchanges.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Exchanges with two complete messages.
    pub complete: u64,
    /// The others.
    pub incomplete: Tally<Incomplete>,
    /// Responses without a request.
    pub orphans: Tally<Incomplete>,
    /// Connections that were not read any further.
    pub abandoned: Tally<Abandon>,
    /// Exchanges and orphans that passed the filter.
    pub shown: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            complete: 0,
            incomplete: Tally::new(Incomplete::ALL),
            orphans: Tally::new(Incomplete::ALL),
            abandoned: Tally::new(Abandon::ALL),
            shown: 0,
        }
    }
}

impl Seen {
    /// Counts an event. Returns whether it is to be written.
    pub(super) fn count(&mut self, event: &Event, filter: &Filter, format: Format) -> bool {
        match event {
            Event::Exchange(exchange) => match exchange.incomplete {
                None => self.complete += 1,
                Some(reason) => self.incomplete.add(reason),
            },
            Event::Orphan(orphan) => self.orphans.add(orphan.incomplete),
            Event::Abandoned(_, reason) => self.abandoned.add(*reason),
        }
        let shown = match event {
            Event::Exchange(_) => filter.passes(event),
            // An archive has no place for a response without a request.
            Event::Orphan(_) => format != Format::Har && filter.passes(event),
            Event::Abandoned(..) => false,
        };
        self.shown += u64::from(shown);
        shown && format != Format::Summary
    }

    /// Adds the counts of another lane.
    pub(super) fn add(&mut self, other: Self) {
        let Self {
            complete,
            incomplete,
            orphans,
            abandoned,
            shown,
        } = other;
        self.complete += complete;
        self.incomplete.append(incomplete);
        self.orphans.append(orphans);
        self.abandoned.append(abandoned);
        self.shown += shown;
    }
}

impl Summary {
    pub(super) fn new(file: &PcapFile) -> Self {
        Self {
            format: file.format(),
            compressed: file.packing().is_some(),
            packing: file.packing().map(Packing::as_str),
            bytes: 0,
            frames: Counts::default(),
            seen: Seen::default(),
            engine: Counters::default(),
            damage: None,
        }
    }

    /// A few lines for users; only counts above zero.
    pub(super) fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            format,
            compressed: _,
            packing,
            bytes,
            frames,
            seen,
            engine,
            damage,
        } = self;
        let Seen {
            complete,
            incomplete,
            orphans,
            abandoned,
            shown,
        } = seen;
        let Counts {
            packets,
            segments,
            skipped,
            link_types,
            not_selected: _,
        } = frames;
        let exchanges = complete + incomplete.total();
        let packed = packing.map(|how| format!(", {how}")).unwrap_or_default();
        let size = bytesize::ByteSize(*bytes);
        writeln!(out)?;
        writeln!(out, "file       {format}{packed}, {size}, {packets} packets")?;
        writeln!(
            out,
            "packets    {segments} TCP segments, {} others{skipped}",
            skipped.total()
        )?;
        unread(link_types, out)?;
        writeln!(
            out,
            "exchanges  {exchanges}: {complete} complete, {} incomplete{incomplete}",
            incomplete.total()
        )?;
        if orphans.total() > 0 {
            writeln!(out, "responses  {} without a request{orphans}", orphans.total())?;
        }
        if abandoned.total() > 0 {
            writeln!(
                out,
                "flows      {} not read to the end{abandoned}",
                abandoned.total()
            )?;
        }
        unread_connections(engine, out)?;
        if *shown < exchanges + orphans.total() {
            writeln!(out, "shown      {shown}, by the filter")?;
        }
        match damage {
            Some(damage) => writeln!(out, "damage     {damage}"),
            None => Ok(()),
        }
    }
}

/// Connections of which nothing, or not everything, was read, and gaps.
fn unread_connections(engine: &Counters, out: &mut impl Write) -> io::Result<()> {
    if engine.flows_empty > 0 {
        writeln!(out, "flows      {} ended without any payload", engine.flows_empty)?;
    }
    if let Some(number) = figures::unread(&UnreadTraffic::from(engine).estimate()) {
        writeln!(
            out,
            "unread     {number} exchanges, on connections not read to the end"
        )?;
    }
    if engine.gaps > 0 {
        writeln!(out, "gaps       {}, of {} bytes", engine.gaps, engine.gap_bytes)?;
    }
    Ok(())
}

/// Frames of unknown link types.
fn unread(link_types: &BTreeMap<u16, u64>, out: &mut impl Write) -> io::Result<()> {
    for (code, count) in link_types {
        writeln!(
            out,
            "           {count} frames of link type {code} could not be read"
        )?;
    }
    Ok(())
}

fn by_name<S: Serializer>(counters: &Counters, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(counters.iter().map(|(name, _, count)| (name, count)))
}
