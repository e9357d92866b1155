//! Coverage by protocol, and the connections that were joined in the middle.

use std::fmt::Write as _;

use shadow_core::evidence::report::Report;

use crate::figures::{count, proportion};

/// Writes both: the coverage if there was more than HTTP/1.
pub(super) fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.protocols.keys().any(|name| name != "http1") {
        for (name, row) in &report.protocols {
            let exchanges = count(row.exchanges);
            writeln!(
                out,
                "    {name:<9} {} ({exchanges} exchanges)",
                proportion(&row.coverage)
            )?;
        }
    }
    let joined = &report.joined.http2;
    if joined.successes > 0 {
        writeln!(
            out,
            "  joined      {} of {} HTTP/2 connections were open before the capture: fields sent before it are unknown",
            count(joined.successes),
            count(joined.trials)
        )?;
    }
    Ok(())
}
