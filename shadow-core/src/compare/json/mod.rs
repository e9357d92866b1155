//! Comparison of JSON by structure.
//!
//! Owns: a parser that keeps everything a comparison needs (every digit, every duplicate member, the text of each
//! value) and the walk over two documents. A general parser would round or copy numbers, merge duplicate names and
//! allocate for each value; this one fills one flat array. Content that is JSON except for common deviations (`NaN`, a
//! trailing comma, raw control characters) is still compared as JSON; when only one of two contents deviates, that is
//! an additional `decode` discrepancy. Bounds: depth ([`tape::MAX_DEPTH`]) and values ([`tape::MAX_NODES`]) of a
//! document. Documents over a bound are compared as text.

mod array;
mod checked;
mod diff;
mod hash;
mod identity;
mod keys;
mod parse;
pub(super) mod pieces;
mod reuse;
mod scan;
mod strings;
mod survey;
pub(crate) mod tape;
mod unordered;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unordered_tests;

use super::{Category, Compared, findings::Findings, findings::shorten, scope::Scope};

use pieces::Pieces;
use tape::{ParseError, Tape};

pub(super) use checked::checked;
pub(crate) use scan::{Element, scan};
pub(super) use survey::survey;

/// The place of the outermost value.
pub(super) const ROOT: &str = "$";

/// Compares two texts as JSON documents. `root` replaces `$` in the reported places: [`ROOT`], or `$[3]` for one event
/// of a stream. The paths of rules begin at the document in either case.
pub(super) fn compare(
    scope: &Scope<'_>,
    production: &[u8],
    shadow: &[u8],
    root: &str,
    findings: &mut Findings,
) -> Compared {
    if scope.ignores_all() {
        return Compared::Done;
    }
    let left = Tape::parse(production);
    let right = match &left {
        Ok(left) => Tape::like(shadow, left),
        Err(_) => Tape::parse(shadow),
    };
    let (a, b) = (left.as_ref().err().copied(), right.as_ref().err().copied());
    let is_broken = |error: Option<ParseError>| matches!(error, Some(ParseError::Invalid(_)));
    if let (Ok(left), Ok(right)) = (&left, &right) {
        diff::documents(scope, left, right, root, findings);
        return Compared::Done;
    }
    if !is_broken(a) && !is_broken(b) {
        return Compared::Not;
    }
    let left = left.or_else(|_| Tape::lenient(production));
    let right = right.or_else(|_| Tape::lenient(shadow));
    if is_broken(a) != is_broken(b) && a.is_none() != b.is_none() {
        // A reader of one may reject the other.
        let place = if root == ROOT { "body" } else { root };
        findings.push(
            Category::Decode,
            place,
            describe(production, a),
            describe(shadow, b),
        );
        if let (Ok(left), Ok(right)) = (&left, &right) {
            diff::documents(scope, left, right, root, findings);
        }
        return Compared::Done;
    }
    match (&left, &right) {
        (Ok(left), Ok(right)) => {
            diff::documents(scope, left, right, root, findings);
            Compared::Done
        }
        _ => Compared::Not,
    }
}

/// Compares the documents of two texts, one by one, when their numbers are equal.
pub(super) fn pieces(
    scope: &Scope<'_>,
    production: &Pieces<'_>,
    shadow: &Pieces<'_>,
    text: &dyn Fn(&str, &str, &mut Findings),
    findings: &mut Findings,
) -> Compared {
    if production.all.len() != shadow.all.len() {
        return Compared::Not;
    }
    let single = production.all.len() == 1;
    for (number, (a, b)) in (1usize..).zip(production.all.iter().zip(&shadow.all)) {
        if a.before != b.before {
            findings.within(&format!("text {number}"), |findings| {
                text(a.before, b.before, findings);
            });
        }
        if a.text == b.text {
            continue;
        }
        if single {
            diff::documents(scope, &a.tape, &b.tape, ROOT, findings);
        } else {
            findings.within(&format!("document {number}"), |findings| {
                diff::documents(scope, &a.tape, &b.tape, ROOT, findings);
            });
        }
    }
    if production.behind != shadow.behind {
        let number = production.all.len().saturating_add(1);
        findings.within(&format!("text {number}"), |findings| {
            text(production.behind, shadow.behind, findings);
        });
    }
    Compared::Done
}

fn describe(body: &[u8], error: Option<ParseError>) -> String {
    match error {
        None => format!("JSON, {} bytes", body.len()),
        Some(error) => format!("{error}: {}", shorten(body)),
    }
}

/// Whether a body without a media type looks like a JSON object or array.
pub(super) fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether a text is a JSON object or array, leniently.
pub(super) fn is_json(text: &str) -> bool {
    looks_like_json(text.as_bytes()) && Tape::lenient(text.as_bytes()).is_ok()
}

/// Compares two JSON texts inside another document, at a place of that document.
pub(super) fn within(scope: &Scope<'_>, place: &str, a: &str, b: &str, findings: &mut Findings) -> Compared {
    let mut compared = Compared::Not;
    findings.within(place, |findings| {
        compared = compare(scope, a.as_bytes(), b.as_bytes(), ROOT, findings);
    });
    compared
}
