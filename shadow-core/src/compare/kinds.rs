//! Which comparison a content gets.
//!
//! What cannot be compared as its kind is compared as text, and what is no text by length and digest: nothing is
//! passed over.

use shadow_proto::exchange::Headers;

use super::{
    Compared, binary, events,
    findings::Findings,
    form, json, markup,
    media::{self, Kind},
    multipart,
    scope::Scope,
    text,
};

/// Multiparts within each other.
const MAX_NESTED: usize = 4;

/// Content with the fields that describe it, without its content coding.
pub(super) type Content<'c> = (&'c Headers, &'c [u8]);

/// Compares two contents as the kind that production says, or else the shadow system, or else they themselves.
pub(super) fn compare(
    scope: &Scope<'_>,
    production: Content<'_>,
    shadow: Content<'_>,
    findings: &mut Findings,
) {
    nested(scope, production, shadow, findings, 0);
}

fn nested(
    scope: &Scope<'_>,
    production: Content<'_>,
    shadow: Content<'_>,
    findings: &mut Findings,
    depth: usize,
) {
    let (a, b) = (production.1, shadow.1);
    if a == b {
        return;
    }
    let kind = kind_of(production, shadow);
    let json = |a: &[u8], b: &[u8], findings: &mut Findings| json::compare(scope, a, b, json::ROOT, findings);
    let data = |a: &[u8], b: &[u8], findings: &mut Findings| {
        if !(json::looks_like_json(a) && json::looks_like_json(b) && json(a, b, findings) == Compared::Done) {
            one_line(scope, a, b, findings);
        }
    };
    let compared = match kind {
        Kind::Json => json(a, b, findings),
        Kind::Lines => events::lines(a, b, &data, findings),
        Kind::Events => events::stream(a, b, &data, findings),
        Kind::Xml => markup::xml(scope, a, b, findings),
        Kind::Html => markup::html(scope, a, b, findings),
        Kind::Form => form::compare(scope, a, b, findings),
        Kind::Multipart if depth < MAX_NESTED => {
            let contents = |a: &multipart::Part<'_>, b: &multipart::Part<'_>, findings: &mut Findings| {
                let (a, b) = ((&a.headers, a.content), (&b.headers, b.content));
                nested(scope, a, b, findings, depth.saturating_add(1));
            };
            multipart::compare(production, shadow, &contents, findings)
        }
        Kind::Multipart | Kind::Text | Kind::Bytes | Kind::Unknown => Compared::Not,
    };
    if compared == Compared::Done {
        return;
    }
    match kind {
        Kind::Bytes | Kind::Multipart | Kind::Unknown => binary::contents(a, b, findings),
        _ => text::compare(scope, a, b, findings),
    }
}

/// Data of an event that is one line differs as a whole.
fn one_line(scope: &Scope<'_>, a: &[u8], b: &[u8], findings: &mut Findings) {
    if memchr::memchr(b'\n', a).is_some() || memchr::memchr(b'\n', b).is_some() {
        return text::compare(scope, a, b, findings);
    }
    if text::same_line(scope, a, b) {
        return;
    }
    let category = super::Category::Value;
    findings.push(
        category,
        "body",
        super::findings::shorten(a),
        super::findings::shorten(b),
    );
}

fn kind_of(production: Content<'_>, shadow: Content<'_>) -> Kind {
    let (a, b) = (production.1, shadow.1);
    let said = match media::kind(production.0) {
        Kind::Unknown => media::kind(shadow.0),
        kind => kind,
    };
    match said {
        Kind::Unknown if json::looks_like_json(a) && json::looks_like_json(b) => Kind::Json,
        Kind::Unknown if is_text(a) && is_text(b) => Kind::Text,
        kind => kind,
    }
}

fn is_text(content: &[u8]) -> bool {
    core::str::from_utf8(content).is_ok() && memchr::memchr(0, content).is_none()
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
