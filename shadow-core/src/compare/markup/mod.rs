//! Comparison of XML and HTML by structure.
//!
//! Owns: documents as trees without the insignificant parts of their formats (the order of attributes, namespace
//! prefixes, blank text between elements, comments), and the walk over two of them. Places are written as in XPath:
//! `/html/body/div[2]/@class`. Bounds: depth (`MAX_DEPTH`), nodes and attributes (`MAX_NODES`), namespaces in scope.
//! Documents over a bound are compared as text. Entities of a document type are never expanded. Rules name the same
//! places. Bias: text is trimmed at its ends, so blanks next to an element are not distinguished; in HTML runs of
//! blanks are one.

mod align;
mod diff;
mod html;
mod identity;
mod names;
mod rules;
mod tokens;
mod tree;
mod xml;

#[cfg(test)]
mod tests;

use hashbrown::DefaultHashBuilder;

use super::{
    Category, Compared,
    findings::{Findings, shorten},
    leaves::{Checked, Leaves},
    media,
    scope::{self, Scope},
};

use rules::Levels;
use tree::{ParseError, Tree};

pub(crate) use html::is_void;
pub(crate) use tokens::tokens;

/// Compares two texts as XML documents.
pub(super) fn xml(scope: &Scope<'_>, production: &[u8], shadow: &[u8], findings: &mut Findings) -> Compared {
    let state = DefaultHashBuilder::default();
    match (xml::parse(production, &state), xml::parse(shadow, &state)) {
        (Ok(left), Ok(right)) => {
            documents(scope, left, right, &state, findings);
            Compared::Done
        }
        (left @ Ok(_), right @ Err(ParseError::Invalid(_)))
        | (left @ Err(ParseError::Invalid(_)), right @ Ok(_)) => {
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

/// Whether a text is a well-formed XML document: one element, and no text outside it.
pub(super) fn is_xml(text: &[u8]) -> bool {
    xml::parse(text, &DefaultHashBuilder::default()).is_ok_and(|tree| tree.has_one_root())
}

/// Compares two texts as HTML documents. Any text is HTML, but without an element it has no structure.
pub(super) fn html(scope: &Scope<'_>, production: &[u8], shadow: &[u8], findings: &mut Findings) -> Compared {
    match (html::parse(production), html::parse(shadow)) {
        (Ok(left), Ok(right)) if left.has_elements() || right.has_elements() => {
            documents(scope, left, right, &DefaultHashBuilder::default(), findings);
            Compared::Done
        }
        _ => Compared::Not,
    }
}

fn documents(
    scope: &Scope<'_>,
    mut left: Tree<'_>,
    mut right: Tree<'_>,
    state: &DefaultHashBuilder,
    findings: &mut Findings,
) {
    let levels: Levels<'_> = rules::mark(scope, &mut left).0;
    rules::mark(scope, &mut right);
    left.hash(state);
    right.hash(state);
    diff::documents(scope, &levels, &left, &right, findings);
}

/// Walks a document for the rules; one without structure, or over a bound, is skipped.
pub(super) fn survey(scope: &Scope<'_>, kind: media::Kind, document: &[u8]) {
    let parsed = match kind {
        media::Kind::Xml => xml::parse(document, &DefaultHashBuilder::default()),
        _ => html::parse(document),
    };
    let Some(mut tree) = parsed.ok().filter(Tree::has_elements) else {
        return;
    };
    let (_, seen) = rules::mark(scope, &mut tree);
    let hiding = if seen.left { Vec::new() } else { seen.hiding };
    scope.surveyed(scope::Kind::Markup, &hiding);
}

/// The leaves of a document: its texts and attributes. `None` if it has no structure, or is over a bound.
pub(super) fn checked(scope: &Scope<'_>, is_xml: bool, document: &[u8]) -> Option<Checked> {
    let parsed = if is_xml {
        xml::parse(document, &DefaultHashBuilder::default())
    } else {
        html::parse(document)
    };
    let mut tree = parsed.ok().filter(Tree::has_elements)?;
    let all = tree.leaves(|_| true);
    let (levels, _) = rules::mark(scope, &mut tree);
    let by_format = tree.leaves(|level| levels.has_format(level));
    let plain = tree.leaves(|level| levels.is_plain(level));
    let kept = tree.leaves(|_| true);
    let minus = |a: Leaves, b: Leaves| Leaves {
        leaves: a.leaves.saturating_sub(b.leaves),
        bytes: a.bytes.saturating_sub(b.bytes),
    };
    Some(Checked {
        exact: plain,
        by_rule: minus(minus(kept, plain), by_format),
        by_format,
        not: minus(all, kept),
        ..Checked::default()
    })
}

fn describe(body: &[u8], error: Option<ParseError>) -> String {
    match error {
        None => format!("XML, {} bytes", body.len()),
        Some(error) => format!("{error}: {}", shorten(body)),
    }
}
