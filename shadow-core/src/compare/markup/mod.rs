//! XML and HTML by structure.
//!
//! Owns: documents as trees without what their formats call insignificant (the order of attributes, namespace
//! prefixes, blank text between elements, comments), and the walk over two of them. Places are written as XPath does:
//! `/html/body/div[2]/@class`.
//! Bounds: depth (`MAX_DEPTH`), nodes and attributes (`MAX_NODES`), namespaces in scope. What is over
//! them is compared as text. Entities of a document type are never expanded.
//! Bias: text is trimmed at its ends, so blanks next to an element are not told apart; in HTML runs of blanks are one.

mod align;
mod diff;
mod html;
mod tree;
mod xml;

#[cfg(test)]
mod tests;

use hashbrown::DefaultHashBuilder;

use super::{Category, Compared, findings::Findings, findings::shorten};

use tree::ParseError;

pub(crate) use html::is_void;

/// Compares two texts as XML documents.
pub(super) fn xml(production: &[u8], shadow: &[u8], findings: &mut Findings) -> Compared {
    let state = DefaultHashBuilder::default();
    let (left, right) = (xml::parse(production, &state), xml::parse(shadow, &state));
    match (&left, &right) {
        (Ok(left), Ok(right)) => {
            diff::documents(left, right, findings);
            Compared::Done
        }
        (Ok(_), Err(ParseError::Invalid(_))) | (Err(ParseError::Invalid(_)), Ok(_)) => {
            findings.push(
                Category::Decode,
                "body",
                describe(production, left.err()),
                describe(shadow, right.err()),
            );
            Compared::Done
        }
        _ => Compared::Not,
    }
}

/// Compares two texts as HTML documents. Any text is HTML, but without an element it has no structure.
pub(super) fn html(production: &[u8], shadow: &[u8], findings: &mut Findings) -> Compared {
    let state = DefaultHashBuilder::default();
    let parse = |text| html::parse(text, &state);
    match (parse(production), parse(shadow)) {
        (Ok(left), Ok(right)) if left.has_elements() || right.has_elements() => {
            diff::documents(&left, &right, findings);
            Compared::Done
        }
        _ => Compared::Not,
    }
}

fn describe(body: &[u8], error: Option<ParseError>) -> String {
    match error {
        None => format!("XML, {} bytes", body.len()),
        Some(error) => format!("{error}: {}", shorten(body)),
    }
}
