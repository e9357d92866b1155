//! Output in each of the formats.

use std::io::{self, Write};

use shadow_proto::engine::Event;

use super::{Format, Summary, har, json, table::Table};

/// A format with its state between lines.
enum Style {
    Json,
    Har { empty: bool },
    Summary,
    Table(Table),
}

/// The output of everything that passes the filter.
pub(super) struct Output<'a, W> {
    style: Style,
    out: &'a mut W,
}

impl<'a, W: Write> Output<'a, W> {
    pub(super) fn new(format: Format, out: &'a mut W) -> Self {
        let style = match format {
            Format::Json => Style::Json,
            Format::Har => Style::Har { empty: true },
            Format::Summary => Style::Summary,
            Format::Table { colour } => Style::Table(Table::new(colour)),
        };
        Self { style, out }
    }

    pub(super) fn start(&mut self) -> io::Result<()> {
        match &mut self.style {
            Style::Table(table) => table.head(self.out),
            Style::Har { .. } => har::head(self.out),
            Style::Json | Style::Summary => Ok(()),
        }
    }

    pub(super) fn event(&mut self, event: &Event) -> io::Result<()> {
        match (event, &mut self.style) {
            (Event::Exchange(exchange), Style::Table(table)) => table.exchange(exchange, self.out),
            (Event::Orphan(orphan), Style::Table(table)) => table.orphan(orphan, self.out),
            (Event::Exchange(exchange), Style::Json) => json::exchange(exchange, self.out),
            (Event::Orphan(orphan), Style::Json) => json::orphan(orphan, self.out),
            (Event::Exchange(exchange), Style::Har { empty }) => {
                har::exchange(exchange, core::mem::take(empty), self.out)
            }
            // An archive has no place for a response without a request.
            (Event::Orphan(_), Style::Har { .. }) | (Event::Abandoned(..), _) | (_, Style::Summary) => Ok(()),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub(super) fn finish(self, summary: &Summary) -> io::Result<()> {
        match self.style {
            Style::Table(_) | Style::Summary => summary.write_text(self.out)?,
            Style::Json => json::summary(summary, self.out)?,
            Style::Har { .. } => har::tail(self.out)?,
        }
        self.out.flush()
    }
}
