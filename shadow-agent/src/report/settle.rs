//! Undecided routes, and the evidence that would decide them.

use std::fmt::Write as _;

use shadow_core::evidence::{Settle, report::Report};

use super::bounds::{WIDE, more};
use crate::figures::{captured, count};

/// Routes that are shown with the evidence they need.
const SETTLE: usize = 5;

/// Writes the text; nothing if nothing is undecided.
pub(super) fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    let settle = &report.judgement.settle;
    if settle.is_empty() {
        return Ok(());
    }
    let undecided = settle.iter().map(|settle| settle.undecided).sum();
    writeln!(
        out,
        "  {} mismatches are undecided; what settles them is to send more of these requests twice (noise.twice):",
        count(undecided)
    )?;
    for Settle {
        route,
        undecided,
        pairs,
    } in settle.iter().take(SETTLE)
    {
        let route = captured(route, WIDE);
        let undecided = count(*undecided);
        if *pairs == 0 {
            writeln!(
                out,
                "    {route}: {undecided} undecided, which no repeat decides; see their groups"
            )?;
        } else {
            writeln!(
                out,
                "    {route}: {undecided} undecided, some {} more pairs",
                count(*pairs)
            )?;
        }
    }
    more(out, settle.len(), SETTLE, "routes")
}
