//! The header fields that were not compared.

use maud::{Markup, html};
use shadow_core::evidence::report::Report;

use super::shown;
use crate::{
    figures::count,
    report::fields::{FIELDS, share},
};

pub(super) fn section(report: &Report) -> Markup {
    let fields = &report.fields;
    html! {
        @if !fields.fields.is_empty() {
            h2 { "Header fields not compared" }
            div.scroll { table {
                tr { th { "field" } th.n { "answers of " (report.scope.production()) }
                    th.n { "answers of " (report.scope.shadow()) } }
                @for field in fields.fields.iter().take(FIELDS) {
                    tr {
                        td { code { (shown(&field.name)) } }
                        td.n { (share(field.production, fields.answers)) }
                        td.n { (share(field.shadow, fields.answers)) }
                    }
                }
            } }
            @if fields.fields.len() > FIELDS {
                p.soft { "and " (count((fields.fields.len() - FIELDS) as u64)) " more fields" }
            }
        }
    }
}
