//! The header fields that were not compared, as text.

use std::fmt::Write as _;

use shadow_core::evidence::{Proportion, report::Report};

use super::bounds::more;
use crate::figures::{captured, count, percent};

/// Fields that are shown.
pub(super) const FIELDS: usize = 12;

/// Columns of a name.
const NAME: usize = 40;

/// Writes the fields that were not compared, those first of which one system has more.
pub(super) fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    let fields = &report.fields;
    if fields.fields.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nHeader fields not compared: share of {}'s answers, of {}'s (compare.headers, compare.header_presence)",
        report.scope.the_production(),
        report.scope.the_shadow()
    )?;
    for field in fields.fields.iter().take(FIELDS) {
        writeln!(
            out,
            "  {:<NAME$} {:>10} {:>10}",
            captured(&field.name, NAME),
            share(field.production, fields.answers),
            share(field.shadow, fields.answers)
        )?;
    }
    more(out, fields.fields.len(), FIELDS, "fields")?;
    if fields.further > 0 {
        writeln!(
            out,
            "  and fields with further names, {} times",
            count(fields.further)
        )?;
    }
    Ok(())
}

/// A share of all answers.
pub(super) fn share(with: u64, answers: u64) -> String {
    percent(
        Proportion::new(with.min(answers), answers)
            .rate
            .unwrap_or_default(),
    )
}
