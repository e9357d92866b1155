//! Text of routes: what rules and learned route names share.

use std::borrow::Cow;

/// Maximum length of a segment that can be a word, in bytes.
const WORD: usize = 48;

/// Characters with a meaning in a route pattern, and their literal form.
const WILDCARDS: [(char, &str); 3] = [('*', "%2A"), ('{', "%7B"), ('}', "%7D")];

/// Methods with their own routes; any other is `OTHER`.
pub(crate) const METHODS: [&str; 9] = [
    "GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "CONNECT",
];

/// The path of a target without its first slash: from origin form or absolute form. `None` if it has bytes other than
/// visible ASCII, which a URI cannot contain (RFC 3986 section 2).
pub(crate) fn path(target: &[u8]) -> Option<&str> {
    let target = core::str::from_utf8(target).ok()?;
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.split_once('/').map_or("", |(_, path)| path),
        _ => target.strip_prefix('/').unwrap_or(target),
    };
    Some(path)
}

/// A captured segment in the form used in route names: characters that a route pattern would read as wildcards are
/// percent-encoded. Both forms of such an octet have the same name (RFC 3986 section 6.2.2).
pub(crate) fn literal(segment: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| !matches!(byte, b'*' | b'{' | b'}' | b'%');
    if segment.bytes().all(is_plain) {
        return Cow::Borrowed(segment);
    }
    let mut named = String::with_capacity(segment.len().saturating_add(8));
    let mut rest = segment;
    while let Some(at) = rest.find(['*', '{', '}', '%']) {
        let (before, behind) = rest.split_at(at);
        named.push_str(before);
        let wildcard = WILDCARDS
            .iter()
            .find_map(|(plain, coded)| Some((*coded, behind.strip_prefix(*plain)?)))
            .or_else(|| {
                let triplet = behind.get(..3)?;
                let (_, coded) = WILDCARDS
                    .iter()
                    .find(|(_, coded)| triplet.eq_ignore_ascii_case(coded))?;
                Some((*coded, behind.get(3..)?))
            });
        let (coded, behind) = wildcard.unwrap_or(("%", behind.get(1..).unwrap_or_default()));
        named.push_str(coded);
        rest = behind;
    }
    named.push_str(rest);
    Cow::Owned(named)
}

/// The segment without matrix parameters (RFC 3986 section 3.3): `/login;jsessionid=1` is `/login`.
pub(crate) fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

/// The name of a file that looks like a value before its extension, as a pattern: `586.json` is `{id}.json`.
pub(crate) fn value_with_extension(segment: &str) -> Option<String> {
    let (value, extension) = segment.rsplit_once('.')?;
    let is_extension = (1..=5).contains(&extension.len())
        && extension.starts_with(|c: char| c.is_ascii_lowercase())
        && extension
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_extension || value.contains(['@', '%']) {
        return None;
    }
    Some(format!("{}.{extension}", placeholder(value)?))
}

/// Placeholder for a segment that looks like a value.
pub(crate) fn placeholder(segment: &str) -> Option<&'static str> {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if segment.contains('@') || segment.contains("%40") {
        return Some("{email}");
    }
    if is_date(bytes) {
        return Some("{date}");
    }
    let number = digits > 0
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | b'-'));
    // Long enough that no word consists of these letters alone; shorter ones need a digit to differ from words.
    let hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let hex = hex && (bytes.len() >= 16 || (bytes.len() >= 8 && digits > 0));
    let counted = longest_digits(bytes) >= 4;
    let letters = bytes.iter().any(u8::is_ascii_alphabetic);
    let mixed = bytes.len() >= 16 && digits >= 2 && letters && !segment.contains('.');
    let cases = bytes.len() >= 20
        && bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().any(u8::is_ascii_lowercase)
        && digits > 0;
    (number || hex || counted || mixed || cases || bytes.len() > WORD).then_some("{id}")
}

/// `2024-01-31`, optionally followed by a time.
fn is_date(bytes: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = bytes else {
        return false;
    };
    [y1, y2, y3, y4, m1, m2, d1, d2]
        .into_iter()
        .all(u8::is_ascii_digit)
        && rest.first().is_none_or(|next| matches!(next, b'T' | b't' | b'_'))
}

fn longest_digits(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| !byte.is_ascii_digit())
        .map(<[u8]>::len)
        .max()
        .unwrap_or_default()
}
