//! Comparison of header fields by meaning.
//!
//! References are resolved against the request (RFC 9110 section 10.2.2) and differ by component, cookies and links by
//! name and attribute, sets by element, other fields as [`meaning`] says. Fields that describe absent content (RFC 9110
//! section 15.4.5) are not compared.

mod codings;
mod cookies;
mod meaning;
mod parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use shadow_proto::exchange::{Headers, Request};

use super::{
    ABSENT, Category, PRESENT, Side,
    findings::Findings,
    findings::shorten,
    media::{self, Kind},
    rules::{FieldName, Redirects},
    scope::Scope,
};
use meaning::{Meaning, Parts};

/// Largest human-readable note of a redirect, in bytes.
const NOTE: usize = 16 << 10;

/// Compares the listed fields and nothing else.
pub(super) fn compare(
    scope: &Scope<'_>,
    request: &Request,
    production: Side<'_>,
    shadow: Side<'_>,
    findings: &mut Findings,
) {
    let (left, right) = (production.headers, shadow.headers);
    let without_content = is_without_content(production) && is_without_content(shadow);
    let note = is_redirect_note(scope, production, shadow);
    let differing = differing(left, right);
    for name in listed(scope.headers, &differing) {
        let name = name.as_ref();
        if left.get_all(name).eq(right.get_all(name))
            || ((without_content || note) && name == "content-type")
            || meaning::is_beside_the_point(name, production, shadow)
        {
            continue;
        }
        field(scope.is_parted(), name, request, [production, shadow], findings);
    }
    for name in listed(scope.header_presence, &differing) {
        let name = name.as_ref();
        let there = |headers: &Headers| headers.get(name).map_or(ABSENT, |_| PRESENT).to_owned();
        let (left, right) = (there(left), there(right));
        if left != right {
            found(name, left, right, findings);
        }
    }
}

/// The names of the fields that may differ. Most answers of two systems have the same names in the same order: then
/// they are those of the lines whose values differ.
fn differing<'n>(left: &'n Headers, right: &'n Headers) -> Vec<&'n [u8]> {
    let names = |headers: &'n Headers| headers.iter().map(|(name, _)| name);
    if names(left).eq(names(right)) {
        let lines = left.iter().zip(right.iter());
        return lines
            .filter_map(|((name, a), (_, b))| (a != b).then_some(name))
            .collect();
    }
    names(left).chain(names(right)).collect()
}

/// The fields among `candidates` that a list names: those of a name that ends in `*` are all that begin so.
fn listed<'n>(names: &'n [FieldName], candidates: &'n [&'n [u8]]) -> impl Iterator<Item = Cow<'n, str>> {
    names.iter().flat_map(move |name| {
        let Some(start) = name.start() else {
            let name = name.as_str();
            let is_it = |other: &&[u8]| other.eq_ignore_ascii_case(name.as_bytes());
            let is_there = candidates.iter().any(is_it);
            return is_there.then_some(Cow::Borrowed(name)).into_iter().collect();
        };
        let mut all: Vec<Cow<'n, str>> = candidates
            .iter()
            .filter_map(|name| core::str::from_utf8(name).ok())
            .map(|name| Cow::Owned::<str>(name.to_ascii_lowercase()))
            .filter(|name| name.starts_with(start))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    })
}

/// Compares a field whose text differs.
fn field(
    is_parted: bool,
    name: &str,
    request: &Request,
    [production, shadow]: [Side<'_>; 2],
    findings: &mut Findings,
) {
    let (left, right) = (production.headers, shadow.headers);
    let meaning = Meaning::of(name);
    let whole = |findings: &mut Findings| found(name, shown(name, left), shown(name, right), findings);
    let absent = [left, right].map(|headers| meaning.is_absent(name, headers));
    if absent == [true, true] {
        return;
    }
    if absent.contains(&true) && !meaning.is_said_by_parts() {
        let shown = |at: usize, headers| match absent.get(at) {
            Some(true) => ABSENT.to_owned(),
            _ => shown(name, headers),
        };
        return found(name, shown(0, left), shown(1, right), findings);
    }
    // Of a redacted field the parts are not known.
    if right.get(name).is_some() && left.get_all(name).any(|value| findings.is_redacted(value)) {
        return;
    }
    if meaning == Meaning::Delay && meaning::same_delay(name, left, right)
        || meaning == Meaning::Codings && codings::are_negotiated(request, production, shadow)
    {
        return;
    }
    if matches!(meaning, Meaning::Cookies | Meaning::Links) {
        let compare = |findings: &mut Findings| match meaning {
            Meaning::Cookies => cookies::compare(request, left, right, findings),
            _ => parts::links(request, left, right, findings),
        };
        if is_parted {
            return compare(findings);
        }
        let mut probe = Findings::new(0).of_port(findings.port());
        compare(&mut probe);
        if probe.is_full() {
            whole(findings);
        }
        return;
    }
    let parts = (meaning.parts(name, production), meaning.parts(name, shadow));
    if let (Some(a), Some(b)) = parts {
        if is_parted {
            by_part(name, &a, &b, findings);
        } else if a != b {
            whole(findings);
        }
        return;
    }
    if meaning.normal(name, left) == meaning.normal(name, right) {
        return;
    }
    let is_reference = meaning == Meaning::Reference;
    let has_parts = is_reference || meaning == Meaning::Elements && name != "etag";
    if !(is_parted && has_parts && parts::compare(name, is_reference, request, [left, right], findings)) {
        whole(findings);
    }
}

/// Compares the parts of a field by name.
fn by_part(name: &str, production: &Parts, shadow: &Parts, findings: &mut Findings) {
    let mut parts: Vec<&String> = production.keys().chain(shadow.keys()).collect();
    parts.sort_unstable();
    parts.dedup();
    for part in parts {
        let (a, b) = (production.get(part), shadow.get(part));
        if a != b {
            let shown = |text: Option<&String>| {
                text.map_or_else(|| ABSENT.to_owned(), |text| shorten(text.as_bytes()))
            };
            let part = part.split(' ').map(|word| media::shown_name(word.as_bytes()));
            let part = part.collect::<Vec<_>>().join(" ");
            found(&format!("{name} {part}"), shown(a), shown(b), findings);
        }
    }
}

/// Fields that a 304 has in common with the corresponding 200 (RFC 9110 section 15.4.5), where the 304 has them.
const OF_NOT_MODIFIED: [&str; 5] = ["cache-control", "content-location", "etag", "expires", "vary"];

/// Compares production's 304 (Not Modified) with the full answer of the shadow system. Many systems name more in the
/// `Vary` of a 200 than in that of their own 304, which had no content to be compressed: such names prove nothing.
pub(super) fn not_modified(
    scope: &Scope<'_>,
    request: &Request,
    production: Side<'_>,
    shadow: Side<'_>,
    findings: &mut Findings,
) {
    let common: Vec<_> = production
        .headers
        .iter()
        .filter(|(name, _)| {
            OF_NOT_MODIFIED
                .iter()
                .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
        })
        .collect();
    let said = |(name, _): &(&[u8], &[u8])| common.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let left = Headers::from_pairs(common.iter().copied());
    let is_vary = |name: &[u8]| name.eq_ignore_ascii_case(b"vary");
    let vary = meaning::common_names("vary", &left, shadow.headers);
    let vary = common
        .iter()
        .find(|(name, _)| is_vary(name))
        .map(|(name, _)| (*name, vary.as_bytes()));
    let others = shadow
        .headers
        .iter()
        .filter(|field| said(field) && !is_vary(field.0));
    let right = Headers::from_pairs(others.chain(vary));
    let [production, shadow] =
        [(production, &left), (shadow, &right)].map(|(side, headers)| Side { headers, ..side });
    compare(scope, request, production, shadow, findings);
}

/// Whether an answer has no content that a media type could describe (RFC 9110 sections 15.3.5 and 15.4.5).
fn is_without_content(side: Side<'_>) -> bool {
    matches!(side.status, 204 | 304) && side.body.len == 0
}

/// Whether both answers are redirects with only a short note for people as content.
pub(super) fn is_redirect_note(scope: &Scope<'_>, production: Side<'_>, shadow: Side<'_>) -> bool {
    let is_text = |side: Side<'_>| {
        let kind = media::kind(side.headers);
        matches!(kind, Kind::Text | Kind::Html | Kind::Unknown)
    };
    let is_note = |side: Side<'_>| {
        matches!(side.status, 301..=303 | 307 | 308)
            && side.headers.get("location").is_some()
            && side.body.len <= NOTE as u64
            && (side.body.len == 0 || is_text(side))
    };
    scope.redirects == Redirects::Target && is_note(production) && is_note(shadow)
}

fn found(name: &str, production: String, shadow: String, findings: &mut Findings) {
    let place = format!("header {name}");
    findings.push(Category::Header, place, production, shadow);
}

/// Several fields of one name are one list (RFC 9110 section 5.3), shown with commas.
fn shown(name: &str, headers: &Headers) -> String {
    let values: Vec<&[u8]> = headers.get_all(name).collect();
    if values.is_empty() {
        return ABSENT.to_owned();
    }
    shorten(&values.join(b", ".as_slice()))
}
