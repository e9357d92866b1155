//! Media types (RFC 9110 section 8.3), and the kind of comparison for each.

use std::borrow::Cow;

use shadow_proto::exchange::Headers;

/// How a body is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Json,
    /// One JSON text per line.
    Lines,
    /// Server-sent events.
    Events,
    Xml,
    Html,
    Form,
    Multipart,
    /// Messages of gRPC, gRPC-Web or Connect.
    Grpc,
    Text,
    Bytes,
    /// No media type is given: the content decides.
    Unknown,
}

/// Types with one JSON text per line or record.
const LINES: [&[u8]; 9] = [
    b"application/x-ndjson",
    b"application/ndjson",
    b"application/jsonl",
    b"application/x-jsonlines",
    b"application/jsonlines",
    b"application/json-lines",
    b"application/json-seq",
    b"application/stream+json",
    b"application/x-json-stream",
];

/// Text types outside `text/*`, besides those of [`SCRIPTS`].
const TEXT: [&[u8]; 7] = [
    b"application/yaml",
    b"application/x-yaml",
    b"application/graphql",
    b"application/csv",
    b"application/toml",
    b"application/openmetrics-text",
    b"application/jwt",
];

/// The types of JavaScript: `text/javascript`, and those that it replaces (RFC 9239 section 6).
const SCRIPTS: [&[u8]; 15] = [
    b"application/ecmascript",
    b"application/javascript",
    b"application/x-ecmascript",
    b"application/x-javascript",
    b"text/ecmascript",
    b"text/javascript1.0",
    b"text/javascript1.1",
    b"text/javascript1.2",
    b"text/javascript1.3",
    b"text/javascript1.4",
    b"text/javascript1.5",
    b"text/jscript",
    b"text/livescript",
    b"text/x-ecmascript",
    b"text/x-javascript",
];

/// JSON types without a JSON suffix.
const JSON: [&[u8]; 6] = [
    b"application/json",
    b"text/json",
    b"text/x-json",
    b"application/x-json",
    b"application/x-amz-json-1.0",
    b"application/x-amz-json-1.1",
];

/// One message of Protocol Buffers: the type of Connect, and older names.
pub(super) const BARE: [&[u8]; 5] = [
    b"application/proto",
    b"application/protobuf",
    b"application/x-protobuf",
    b"application/x-google-protobuf",
    b"application/vnd.google.protobuf",
];

/// gRPC-Web whose content is in base64.
pub(super) const WEB_TEXT: &[u8] = b"application/grpc-web-text";

/// A stream of Connect, before the format of its messages.
pub(super) const STREAM: &[u8] = b"application/connect+";

/// The kind by the Content-Type field.
pub(crate) fn kind(headers: &Headers) -> Kind {
    let Some(essence) = media_type(headers) else {
        return Kind::Unknown;
    };
    let essence = lower(essence);
    let essence = essence.as_ref();
    match essence {
        _ if JSON.contains(&essence) => Kind::Json,
        b"text/event-stream" => Kind::Events,
        b"text/html" => Kind::Html,
        b"application/xml" | b"text/xml" => Kind::Xml,
        b"application/x-www-form-urlencoded" => Kind::Form,
        _ if LINES.contains(&essence) => Kind::Lines,
        _ if is_framed(essence) || BARE.contains(&essence) => Kind::Grpc,
        _ if essence.ends_with(b"+json") => Kind::Json,
        _ if essence.ends_with(b"+xml") => Kind::Xml,
        _ if essence.starts_with(b"multipart/") => Kind::Multipart,
        _ if essence.starts_with(b"text/") || TEXT.contains(&essence) || SCRIPTS.contains(&essence) => {
            Kind::Text
        }
        _ => Kind::Bytes,
    }
}

/// Whether a media type, in lower case, is one of gRPC, or of a stream of Connect.
fn is_framed(essence: &[u8]) -> bool {
    if let Some(messages) = essence.strip_prefix(STREAM) {
        return !messages.is_empty();
    }
    let rest = essence.strip_prefix(b"application/grpc").unwrap_or(b"-");
    let rest = rest.strip_prefix(b"-web").unwrap_or(rest);
    let rest = rest
        .strip_prefix(b"-text")
        .filter(|_| essence.starts_with(WEB_TEXT))
        .unwrap_or(rest);
    rest.is_empty() || rest.first() == Some(&b'+')
}

/// The type without parameters.
fn media_type(headers: &Headers) -> Option<&[u8]> {
    let value = headers.get("content-type")?;
    value.split(|byte| *byte == b';').next().map(<[u8]>::trim_ascii)
}

/// The type without parameters, in lower case.
pub(super) fn essence(headers: &Headers) -> Vec<u8> {
    media_type(headers).unwrap_or_default().to_ascii_lowercase()
}

/// Whether the messages of gRPC are JSON.
pub(crate) fn is_grpc_json(headers: &Headers) -> bool {
    let value = headers.get("content-type").unwrap_or_default();
    normalised(value).ends_with(b"+json")
}

/// Whether the content is a picture, a sound, a film or a font, regardless of its bytes.
pub(super) fn is_pictured(headers: &Headers) -> bool {
    let value = headers
        .get("content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let kinds: [&[u8]; 4] = [b"image/", b"audio/", b"video/", b"font/"];
    kinds
        .iter()
        .any(|kind| value.trim_ascii_start().starts_with(kind))
}

/// Whether the content is a table of comma- or tab-separated values.
pub(super) fn is_table(headers: &Headers) -> bool {
    let essence = media_type(headers).unwrap_or_default();
    let tables: [&[u8]; 5] = [
        b"text/csv",
        b"text/tab-separated-values",
        b"text/comma-separated-values",
        b"text/tsv",
        b"application/csv",
    ];
    tables.iter().any(|table| table.eq_ignore_ascii_case(essence))
}

/// The value of a parameter after a media type or a disposition, unquoted.
pub(crate) fn parameter(value: &[u8], name: &str) -> Option<Vec<u8>> {
    split_quoted(value, b';').skip(1).find_map(|part| {
        let mut halves = part.splitn(2, |byte| *byte == b'=');
        let found = halves.next()?.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let value = halves.next()?;
        found.then(|| unquoted(value.trim_ascii()))
    })
}

/// Characters of a field's or a part's name that are shown in a place.
const LONGEST_NAME: usize = 100;

/// The name of a field or a part as written in a place: unquoted when it is one word.
pub(crate) fn shown_name(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let word = |c: char| !(c.is_whitespace() || c.is_control() || c == '\'');
    if !text.is_empty() && text.chars().all(word) && text.len() <= LONGEST_NAME {
        return text.into_owned();
    }
    let mut shown = "'".to_owned();
    for (count, c) in text.chars().enumerate() {
        match c {
            _ if count == LONGEST_NAME => {
                shown.push('…');
                break;
            }
            '\'' | '\\' => shown.extend(['\\', c]),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown.push('\'');
    shown
}

/// Whether the content is problem details as JSON (RFC 9457 section 3).
pub(super) fn is_problem(headers: &Headers) -> bool {
    media_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case(b"application/problem+json"))
}

fn lower(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Names of one media type: those in use before it was registered, and the registered one. Of each pair the second is
/// meant.
const ALIASES: [(&[u8], &[u8]); 42] = [
    (b"application/csv", b"text/csv"),
    (b"application/font-otf", b"font/otf"),
    (b"application/font-sfnt", b"font/ttf"),
    (b"application/font-ttf", b"font/ttf"),
    (b"application/font-woff", b"font/woff"),
    (b"application/font-woff2", b"font/woff2"),
    // The default of gRPC, which some servers write and others do not.
    (b"application/grpc+proto", b"application/grpc"),
    (b"application/grpc-web+proto", b"application/grpc-web"),
    (b"application/grpc-web-text+proto", b"application/grpc-web-text"),
    (b"application/ndjson", b"application/x-ndjson"),
    (b"application/x-font-opentype", b"font/otf"),
    (b"application/x-font-otf", b"font/otf"),
    (b"application/x-font-truetype", b"font/ttf"),
    (b"application/x-font-ttf", b"font/ttf"),
    (b"application/x-font-woff", b"font/woff"),
    (b"application/x-font-woff2", b"font/woff2"),
    (b"application/x-gzip", b"application/gzip"),
    (b"application/x-json", b"application/json"),
    (b"application/x-pdf", b"application/pdf"),
    (b"application/x-google-protobuf", b"application/protobuf"),
    (b"application/x-protobuf", b"application/protobuf"),
    (b"application/x-rar-compressed", b"application/vnd.rar"),
    (b"application/x-yaml", b"application/yaml"),
    (b"application/x-zip-compressed", b"application/zip"),
    (b"audio/mp3", b"audio/mpeg"),
    (b"audio/wave", b"audio/wav"),
    (b"audio/x-flac", b"audio/flac"),
    (b"audio/x-m4a", b"audio/mp4"),
    (b"audio/x-wav", b"audio/wav"),
    (b"image/jpg", b"image/jpeg"),
    (b"image/x-icon", b"image/vnd.microsoft.icon"),
    (b"image/x-ms-bmp", b"image/bmp"),
    (b"image/x-png", b"image/png"),
    (b"text/json", b"application/json"),
    (b"text/tsv", b"text/tab-separated-values"),
    (b"text/x-json", b"application/json"),
    (b"text/x-markdown", b"text/markdown"),
    (b"text/x-vcard", b"text/vcard"),
    (b"text/x-yaml", b"application/yaml"),
    (b"text/xml", b"application/xml"),
    (
        b"text/xml-external-parsed-entity",
        b"application/xml-external-parsed-entity",
    ),
    (b"text/yaml", b"application/yaml"),
];

/// Types besides those of JSON and XML whose content is in UTF-8 where no parameter says otherwise: RFC 9239 section
/// 4.2, the HTML standard, RFC 7111, RFC 6350 and RFC 5545.
const IN_UTF_8: [&[u8]; 5] = [
    b"text/javascript",
    b"text/event-stream",
    b"text/csv",
    b"text/vcard",
    b"text/calendar",
];

/// The name of a character set (Encoding standard, section 4.2), in lower case.
fn charset(label: &[u8]) -> Vec<u8> {
    let name = encoding_rs::Encoding::for_label(label).map(|encoding| encoding.name().as_bytes());
    name.unwrap_or(label).to_ascii_lowercase()
}

/// The canonical form of a media type: type, subtype and parameter names in lower case (section 8.3.1), parameters
/// sorted, their values unquoted, and character sets by one name. The types of JavaScript are one (RFC 9239), and so
/// are those of XML (RFC 7303 section 9) and other [`ALIASES`]. Content that is in UTF-8 without a parameter (RFC 8259
/// section 11, RFC 7303 section 3) is so with one. The boundary of multipart content is dropped: each answer has its
/// own.
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
                charset(&value)
            } else {
                value
            };
            (name, value)
        })
        .collect();
    if SCRIPTS.contains(&out.as_slice()) {
        out = b"text/javascript".to_vec();
    }
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| **alias == *out) {
        out = name.to_vec();
    }
    let is_json =
        JSON.contains(&out.as_slice()) || out.ends_with(b"+json") || LINES.contains(&out.as_slice());
    let is_xml = out == b"application/xml" || out.ends_with(b"+xml");
    if is_json || is_xml || IN_UTF_8.contains(&out.as_slice()) {
        parameters.retain(|(name, value)| name != b"charset" || value != b"utf-8");
    }
    if out.starts_with(b"multipart/") {
        parameters.retain(|(name, _)| name != b"boundary");
    }
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

pub(super) fn unquoted(value: &[u8]) -> Vec<u8> {
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
            ("TEXT/html ; charset=x", Kind::Html),
            ("image/svg+xml", Kind::Xml),
            ("application/xml", Kind::Xml),
            ("text/css", Kind::Text),
            ("application/x-ndjson", Kind::Lines),
            ("application/stream+json", Kind::Lines),
            ("text/event-stream", Kind::Events),
            ("application/x-www-form-urlencoded;charset=utf-8", Kind::Form),
            ("multipart/form-data; boundary=x", Kind::Multipart),
            ("application/x-amz-json-1.1", Kind::Json),
            ("application/x-javascript", Kind::Text),
            ("application/octet-stream", Kind::Bytes),
            ("application/jsonlike", Kind::Bytes),
            ("application/grpc", Kind::Grpc),
            ("application/grpc+json", Kind::Grpc),
            ("application/grpc-web+proto; x=y", Kind::Grpc),
            ("application/grpc-web-text", Kind::Grpc),
            ("application/grpc-web-text+proto", Kind::Grpc),
            ("application/grpc-text", Kind::Bytes),
            ("application/proto", Kind::Grpc),
            ("application/connect+proto", Kind::Grpc),
            ("application/connect+json; charset=utf-8", Kind::Grpc),
            ("application/connect+", Kind::Bytes),
            ("Application/X-Protobuf; messageType=a.B", Kind::Grpc),
            ("application/protocol", Kind::Bytes),
            ("application/grpcish", Kind::Bytes),
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
            ("multipart/mixed; boundary=x", "multipart/mixed;boundary=\"y\""),
            ("application/json", "application/json; charset=UTF-8"),
            (
                "application/problem+json;charset=utf-8",
                "application/problem+json",
            ),
            ("application/x-javascript", "text/javascript"),
            ("application/grpc", "application/grpc+proto"),
            ("application/xml;charset=utf-8", "text/xml"),
            ("application/javascript", "text/javascript; charset=utf-8"),
            ("image/x-icon", "image/vnd.microsoft.icon"),
            ("application/font-woff2", "font/woff2"),
            ("text/plain; charset=latin1", "text/plain; charset=ISO-8859-1"),
            ("image/svg+xml; charset=utf8", "image/svg+xml"),
        ] {
            assert_eq!(normalised(a.as_bytes()), normalised(b.as_bytes()), "{a} {b}");
        }
        for (a, b) in [
            ("text/html", "text/plain"),
            ("text/html", "text/html;charset=utf-8"),
            ("application/json", "application/json; charset=utf-16"),
            ("text/xml", "text/xml; charset=iso-8859-1"),
            ("text/plain; charset=x-one", "text/plain; charset=x-two"),
            ("image/x-icon", "image/png"),
            ("application/json", "application/json; profile=x"),
            ("application/atom+xml", "application/xml"),
            ("a/b;boundary=X", "a/b;boundary=x"),
        ] {
            assert_ne!(normalised(a.as_bytes()), normalised(b.as_bytes()), "{a} {b}");
        }
    }
}
