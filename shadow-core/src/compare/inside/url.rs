//! Comparison of references (RFC 3986) by component: scheme, host, segments of the path, parameters of the query.

use std::borrow::Cow;

use super::Texts;
use crate::compare::media;
use shadow_proto::request_target;

/// Bytes of a reference.
const MAX_URL: usize = 8 << 10;

/// A reference in its components (RFC 3986 appendix B).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::compare) struct Url<'u> {
    pub(in crate::compare) scheme: Option<&'u str>,
    pub(in crate::compare) authority: Option<&'u str>,
    pub(in crate::compare) path: &'u str,
    pub(in crate::compare) query: Option<&'u str>,
    pub(in crate::compare) fragment: Option<&'u str>,
}

impl<'u> Url<'u> {
    /// Splits any text; every text has components.
    pub(in crate::compare) fn new(text: &'u str) -> Self {
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (text, None),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, behind)) if is_scheme(scheme) => (Some(scheme), behind),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(behind) => {
                let (authority, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self {
            scheme,
            authority,
            path,
            query,
            fragment,
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Whether a text in a document is certainly a reference: absolute, or an absolute path.
fn is_url(text: &str) -> bool {
    let plain = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '{' | '}'));
    if text.len() > MAX_URL || text.len() < 2 || !text.chars().all(plain) {
        return false;
    }
    text.starts_with('/')
        || text
            .split_once("://")
            .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
}

/// Compares two references; false when one of the texts is not a reference.
pub(super) fn compare(texts: &mut Texts<'_, '_>) -> bool {
    if !(is_url(texts.production) && is_url(texts.shadow)) {
        return false;
    }
    let (a, b) = (Url::new(texts.production), Url::new(texts.shadow));
    components(a, b, texts)
}

/// Compares by component; returns whether any differs.
pub(in crate::compare) fn components(a: Url<'_>, b: Url<'_>, texts: &mut Texts<'_, '_>) -> bool {
    let before = texts.parts;
    let mut part = |name: &str, a: Option<&str>, b: Option<&str>, same: bool| {
        if !same {
            texts.part(name, a.map(str::as_bytes), b.map(str::as_bytes));
        }
    };
    let same_case = |a: Option<&str>, b: Option<&str>| match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    };
    part("scheme", a.scheme, b.scheme, same_case(a.scheme, b.scheme));
    part(
        "host",
        a.authority,
        b.authority,
        same_case(a.authority, b.authority),
    );
    path(a.path, b.path, texts);
    let query = |url: Url<'_>| url.query.map_or_else(Vec::new, |query| query.as_bytes().to_vec());
    by_name("query", &query(a), &query(b), texts);
    let fields = |fragment: Option<&str>| fragment.is_some_and(|text| text.contains('='));
    match (a.fragment, b.fragment) {
        (a, b) if a == b => {}
        // Answers of an authorisation server (RFC 6749 section 4.2.2).
        (Some(left), Some(right)) if fields(a.fragment) && fields(b.fragment) => {
            by_name("fragment", left.as_bytes(), right.as_bytes(), texts);
        }
        (left, right) => texts.part("fragment", left.map(str::as_bytes), right.map(str::as_bytes)),
    }
    texts.parts > before
}

/// A reference in a field of another one, compared by component; false when one of the values is not a reference.
fn reference_inside(part: &str, a: &[u8], b: &[u8], texts: &mut Texts<'_, '_>) -> bool {
    let (Ok(left), Ok(right)) = (core::str::from_utf8(a), core::str::from_utf8(b)) else {
        return false;
    };
    if texts.is_inside || !is_url(left) || !is_url(right) {
        return false;
    }
    if texts.without.leave_out(part) {
        texts.parts = texts.parts.saturating_add(1);
        return true;
    }
    let place = format!("{} {part}", texts.place);
    let mut inner = Texts {
        is_inside: true,
        ..Texts::new(&place, [left, right], texts.category, texts.findings)
    };
    let differs = components(Url::new(left), Url::new(right), &mut inner);
    let parts = inner.parts;
    texts.parts = texts.parts.saturating_add(parts);
    differs
}

fn path(a: &str, b: &str, texts: &mut Texts<'_, '_>) {
    let segments = |path: &str| path.strip_prefix('/').unwrap_or(path).split('/').count();
    if segments(a) != segments(b) || a.starts_with('/') != b.starts_with('/') {
        return texts.part("path", Some(a.as_bytes()), Some(b.as_bytes()));
    }
    let rest = |path: &'_ str| path.strip_prefix('/').unwrap_or(path).to_owned();
    let (a, b) = (rest(a), rest(b));
    for (number, (a, b)) in (1usize..).zip(a.split('/').zip(b.split('/'))) {
        if normalised(a) != normalised(b) {
            texts.part(&format!("path {number}"), Some(a.as_bytes()), Some(b.as_bytes()));
        }
    }
}

/// Compares the fields of a query or a form by name; returns whether any differs.
pub(super) fn by_name(part: &str, a: &[u8], b: &[u8], texts: &mut Texts<'_, '_>) -> bool {
    let before = texts.parts;
    let fields = |text: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut fields: Vec<_> = text
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let mut halves = pair.splitn(2, |byte| *byte == b'=');
                let mut half =
                    || request_target::form_decoded(halves.next().unwrap_or_default()).into_owned();
                (half(), half())
            })
            .collect();
        // Fields of one name stay in order.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields
    };
    let (a, b) = (fields(a), fields(b));
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return texts.parts > before,
            (Some(_), None) => core::cmp::Ordering::Less,
            (None, Some(_)) => core::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(&b.0),
        };
        let a = if order.is_le() { a.next() } else { None };
        let b = if order.is_ge() { b.next() } else { None };
        let value = |side: Option<&'_ (Vec<u8>, Vec<u8>)>| side.map(|(_, value)| value.clone());
        let Some((name, _)) = a.or(b) else { continue };
        let (a, b) = (value(a), value(b));
        if a != b {
            let part = format!("{part} {}", media::shown_name(name));
            let both = a.as_deref().zip(b.as_deref());
            if !both.is_some_and(|(a, b)| reference_inside(&part, a, b, texts)) {
                texts.part(&part, a.as_deref(), b.as_deref());
            }
        }
    }
}

/// Normalises percent-encodings: in capitals, and exactly for the characters that need them (RFC 3986 section 6.2.2).
/// Characters that no reference may hold are encoded, as browsers do.
pub(in crate::compare) fn normalised(text: &str) -> Cow<'_, str> {
    let forbidden = |byte: u8| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte);
    if !text.bytes().any(|byte| byte == b'%' || forbidden(byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let code = request_target::triplet(rest);
        rest = code.map_or(behind, |(_, tail)| tail);
        match code {
            Some((byte, _)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
            }
            Some((byte, _)) => encode(byte, &mut out),
            None if forbidden(byte) => encode(byte, &mut out),
            None => out.push(char::from(byte)),
        }
    }
    Cow::Owned(out)
}

fn encode(byte: u8, out: &mut String) {
    let digit = |nibble: u8| {
        char::from_digit(nibble.into(), 16)
            .unwrap_or_default()
            .to_ascii_uppercase()
    };
    out.extend(['%', digit(byte >> 4), digit(byte & 0x0f)]);
}
