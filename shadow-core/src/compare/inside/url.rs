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
    if a.fragment != b.fragment {
        texts.part(
            "fragment",
            a.fragment.map(str::as_bytes),
            b.fragment.map(str::as_bytes),
        );
    }
    texts.parts > before
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
            texts.part(&part, a.as_deref(), b.as_deref());
        }
    }
}

/// Normalises percent-encodings: in capitals, and only for characters that need them (RFC 3986 section 6.2.2).
pub(in crate::compare) fn normalised(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (plain, behind) = rest.split_at(at);
        out.push_str(plain);
        let code = behind
            .get(1..3)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|digits| Some((digits, u8::from_str_radix(digits, 16).ok()?))) {
            Some((_, byte)) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
                out.push(char::from(byte));
            }
            Some((digits, _)) => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
            None => {
                out.push('%');
                rest = behind.get(1..).unwrap_or_default();
                continue;
            }
        }
        rest = behind.get(3..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}
