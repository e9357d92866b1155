//! Media types (RFC 9110 section 8.3), and what kind of comparison they ask for.

use std::borrow::Cow;

use crate::exchange::Headers;

/// How a body is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Json,
    Text,
    Bytes,
    /// No media type is given: the content decides.
    Unknown,
}

/// Types that are text without saying so.
const TEXT: [&[u8]; 8] = [
    b"application/xml",
    b"application/javascript",
    b"application/x-javascript",
    b"application/ecmascript",
    b"application/x-www-form-urlencoded",
    b"application/x-ndjson",
    b"application/yaml",
    b"application/graphql",
];

/// The kind that the Content-Type field asks for.
pub(crate) fn kind(headers: &Headers) -> Kind {
    let Some(value) = headers.get("content-type") else {
        return Kind::Unknown;
    };
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = lower(essence.trim_ascii());
    let essence = essence.as_ref();
    if essence == b"application/json" || essence == b"text/json" || essence.ends_with(b"+json") {
        return Kind::Json;
    }
    if essence.starts_with(b"text/") || essence.ends_with(b"+xml") || TEXT.contains(&essence) {
        return Kind::Text;
    }
    Kind::Bytes
}

fn lower(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// A media type in the one form in which equal ones are equal text: type, subtype and parameter names in lower case
/// (section 8.3.1), parameters sorted, their values unquoted, and those of `charset` in lower case.
pub(super) fn normalised(value: &[u8]) -> Vec<u8> {
    let mut parts = split_quoted(value, b';');
    let mut out = parts.next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = parts
        .map(<[u8]>::trim_ascii)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let mut halves = part.splitn(2, |byte| *byte == b'=');
            let name = halves
                .next()
                .unwrap_or_default()
                .trim_ascii()
                .to_ascii_lowercase();
            let value = unquoted(halves.next().unwrap_or_default().trim_ascii());
            let value = if name == b"charset" {
                value.to_ascii_lowercase()
            } else {
                value
            };
            (name, value)
        })
        .collect();
    parameters.sort();
    for (name, value) in parameters {
        out.push(b';');
        out.extend(name);
        out.push(b'=');
        out.extend(value);
    }
    out
}

/// The parts between separators that are not inside a quoted string (RFC 9110 section 5.6.4).
pub(super) fn split_quoted(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    value.split(move |&byte| {
        let escape = core::mem::take(&mut escaped);
        match byte {
            _ if escape => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return byte == separator && !quoted,
        }
        false
    })
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
    else {
        return value.to_vec();
    };
    let mut escaped = false;
    inner
        .iter()
        .filter(|byte| {
            escaped = **byte == b'\\' && !escaped;
            !escaped
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_decides_the_kind() {
        for (value, expected) in [
            ("application/json", Kind::Json),
            ("Application/JSON; charset=utf-8", Kind::Json),
            ("application/problem+json", Kind::Json),
            ("application/vnd.api+JSON;v=1", Kind::Json),
            ("text/json", Kind::Json),
            ("text/plain", Kind::Text),
            ("TEXT/html ; charset=x", Kind::Text),
            ("image/svg+xml", Kind::Text),
            ("application/xml", Kind::Text),
            ("application/octet-stream", Kind::Bytes),
            ("application/jsonlike", Kind::Bytes),
            ("image/png", Kind::Bytes),
            ("", Kind::Bytes),
        ] {
            assert_eq!(
                kind(&Headers::from_pairs([("Content-Type", value)])),
                expected,
                "{value}"
            );
        }
        assert_eq!(kind(&Headers::default()), Kind::Unknown);
    }

    #[test]
    fn equal_media_types_are_equal_text() {
        for (a, b) in [
            ("text/html;charset=utf-8", "Text/HTML; Charset=\"UTF-8\""),
            ("a/b; x=1; y=2", "a/b;y=2;x=1"),
            ("a/b; x=\"p;q\"", "a/b;x=\"p\\;q\""),
            ("a/b", "a/b;"),
        ] {
            assert_eq!(normalised(a.as_bytes()), normalised(b.as_bytes()), "{a} {b}");
        }
        for (a, b) in [
            ("text/html", "text/plain"),
            ("text/html", "text/html;charset=utf-8"),
            ("a/b;boundary=X", "a/b;boundary=x"),
        ] {
            assert_ne!(normalised(a.as_bytes()), normalised(b.as_bytes()), "{a} {b}");
        }
    }
}
