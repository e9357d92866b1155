//! The sources of merged evidence, and the share of each.

use std::fmt::Write as _;

use shadow_core::evidence::report::{Report, SourceShare};

use super::bounds::{WIDE, more};
use crate::figures::{captured, count, percent};

/// Sources that are shown.
const SOURCES: usize = 50;

pub(super) fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.sources.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nMerged from {} sources",
        count(report.sources.len() as u64)
    )?;
    for SourceShare {
        origin,
        exchanges,
        compared,
        share,
        ..
    } in report.sources.iter().take(SOURCES)
    {
        writeln!(
            out,
            "  {}, run {}: {} of all comparisons ({} compared, {} exchanges)",
            captured(&origin.node, WIDE),
            captured(&origin.run, WIDE),
            share.map_or_else(|| "none".to_owned(), percent),
            count(*compared),
            count(*exchanges)
        )?;
    }
    more(out, report.sources.len(), SOURCES, "sources")
}
