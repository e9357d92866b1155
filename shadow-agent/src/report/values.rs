//! Learned values in text: how many, of what, and which requests could not be sent.

use std::fmt::{self, Write as _};

use shadow_core::{evidence::report::Report, values::KnownValues};

use crate::figures::count;

/// Kinds of things that are shown.
const KINDS: usize = 20;

/// The targets of a report that learn values, by name.
pub(crate) fn targets(report: &Report) -> impl Iterator<Item = (&str, &KnownValues)> {
    let all = std::iter::once(report).chain(&report.also);
    all.filter_map(|report| Some((&*report.target, report.values.as_ref()?)))
}

/// The section of the report; nothing where nothing is learned.
pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    let Some(known) = &report.values else {
        return Ok(());
    };
    writeln!(out, "\nValues")?;
    summary(out, known)?;
    for reason in ["waiting_for_value", "value_unknown"] {
        let skipped = report.funnel.skipped.get(reason).copied().unwrap_or(0);
        if skipped > 0 {
            writeln!(out, "  not sent    {} as {reason}", count(skipped))?;
        }
    }
    Ok(())
}

/// Everything that is known, with pairs by their keyed hashes.
pub(crate) fn list(report: &Report) -> String {
    let mut out = String::new();
    for (target, known) in targets(report) {
        // Writing to a string cannot fail.
        listed(&mut out, target, known).unwrap_or_default();
    }
    if out.is_empty() {
        out.push_str("no values are learned: writes are not replayed, or shadow.values.learn is off\n");
    }
    out
}

fn listed(out: &mut String, target: &str, known: &KnownValues) -> fmt::Result {
    writeln!(out, "{target}")?;
    summary(out, known)?;
    for pair in &known.latest {
        let partner = pair.shadow.as_deref().unwrap_or("(none)");
        writeln!(out, "  {}  {}  {partner}", pair.of, pair.production)?;
    }
    Ok(())
}

fn summary(out: &mut String, known: &KnownValues) -> fmt::Result {
    let KnownValues {
        counters,
        entries,
        bytes,
        kinds,
        latest: _,
    } = known;
    writeln!(
        out,
        "  learned     {}, of which {} are remembered in {} bytes",
        count(counters.learned),
        count(*entries),
        count(*bytes)
    )?;
    writeln!(
        out,
        "  replaced    {} in {} requests; {} answers were mapped back",
        count(counters.replaced),
        count(counters.rewritten),
        count(counters.mapped)
    )?;
    writeln!(
        out,
        "  conflicts   {}; {} values have no partner, {} pairs were forgotten",
        count(counters.conflicts),
        count(counters.lost),
        count(counters.forgotten)
    )?;
    if counters.unnamed > 0 {
        writeln!(
            out,
            "  not learned {}: too many kinds of things",
            count(counters.unnamed)
        )?;
    }
    let named: Vec<String> = kinds
        .iter()
        .take(KINDS)
        .map(|(name, learned)| format!("{name} {}", count(*learned)))
        .collect();
    if !named.is_empty() {
        writeln!(out, "  kinds       {}", named.join(", "))?;
    }
    Ok(())
}
