//! JSON by structure.
//!
//! Owns: a parser that keeps what a comparison must not lose (every digit, every duplicate member, the text of each
//! value) and the walk over two documents. A general parser would round or copy numbers, merge duplicate names and
//! allocate for each value; this one fills one flat array.
//! Bounds: depth ([`tape::MAX_DEPTH`]) and values ([`tape::MAX_NODES`]) of a document. What is over them is compared
//! as text.

mod array;
mod diff;
mod hash;
mod parse;
mod survey;
pub(super) mod tape;
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

use tape::{ParseError, Tape};

pub(super) use survey::survey;

/// How the place of the outermost value is written.
pub(super) const ROOT: &str = "$";

/// Compares two texts as JSON documents. `root` is what stands for `$` in the places that are found: [`ROOT`], or for one
/// event of a stream `$[3]`. The paths of rules begin at the document in either case.
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
    let (left, right) = (Tape::parse(production), Tape::parse(shadow));
    match (&left, &right) {
        (Ok(left), Ok(right)) => {
            diff::documents(scope, left, right, root, findings);
            Compared::Done
        }
        (Ok(_), Err(ParseError::Invalid(_))) | (Err(ParseError::Invalid(_)), Ok(_)) => {
            findings.push(
                Category::Decode,
                if root == ROOT { "body" } else { root },
                describe(production, left.err()),
                describe(shadow, right.err()),
            );
            Compared::Done
        }
        _ => Compared::Not,
    }
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
