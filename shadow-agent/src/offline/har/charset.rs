//! Converts the text of an archive back to the bytes from which it was decoded.
//!
//! A recorder decodes content before it saves it, often with a guessed charset. The lengths show which one: the
//! encoding of the text with the length on the wire is taken. Without a usable length, the declared charset is taken,
//! or else UTF-8.

use encoding_rs::Encoding;

/// The replacement for bytes that were not text.
const REPLACED: char = '\u{fffd}';
const MARK: &[u8] = "\u{feff}".as_bytes();

/// The known lengths of a content.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lengths {
    /// The length on the wire, as the message itself gave it: any other length is wrong.
    pub(super) certain: Option<u64>,
    /// The recorder's count, in bytes or in characters.
    pub(super) counted: Option<u64>,
}

/// The bytes of a text, or `None` if they cannot be derived from it.
pub(super) fn bytes(text: String, content_type: &str, lengths: Lengths) -> Option<Vec<u8>> {
    let Lengths { certain, counted } = lengths;
    let fits = |bytes: &[u8]| certain.is_none_or(|length| length == bytes.len() as u64);
    if text.is_ascii() && !is_utf16(content_type) {
        if fits(text.as_bytes()) {
            return Some(text.into_bytes());
        }
        // Decoders leave out a byte order mark.
        let marked = [MARK, text.as_bytes()].concat();
        return (certain.is_some() && fits(&marked)).then_some(marked);
    }
    let readings = readings(&text, content_type);
    if certain.is_some() {
        return readings
            .into_iter()
            .map(|(_, bytes)| bytes)
            .find(|bytes| fits(bytes));
    }
    // Bytes that were each taken for a character: no text has control characters.
    let control = |sign: char| sign.is_control() && !matches!(sign, '\t' | '\r' | '\n');
    let bytewise = text.chars().all(|sign| u32::from(sign) <= 0xff) && text.contains(control);
    if is_binary(content_type) && bytewise && counted != Some(text.chars().count() as u64) {
        return None;
    }
    let as_counted = |bytes: &[u8]| counted.is_some_and(|length| length > 0 && length == bytes.len() as u64);
    if text.contains(REPLACED) {
        // U+FFFD may have been in the content, or replace bytes that were not text.
        return as_counted(text.as_bytes()).then(|| text.into_bytes());
    }
    let mut readings = readings.into_iter();
    let (declared, first) = readings.next()?;
    if declared || as_counted(&first) {
        return Some(first);
    }
    let rest: Vec<_> = readings.map(|(_, bytes)| bytes).collect();
    let characters = text.chars().count() as u64;
    // As many bytes as characters: one byte each, or a recorder that counts characters.
    let single = || counted == Some(characters) && is_binary(content_type);
    match rest.into_iter().find(|bytes| as_counted(bytes)) {
        Some(bytes) if bytes.len() as u64 != characters || single() => Some(bytes),
        _ if is_binary(content_type) => None,
        _ => Some(first),
    }
}

/// Possible encodings of the text. The flag marks those of the declared charset, which come first; then UTF-8.
fn readings(text: &str, content_type: &str) -> Vec<(bool, Vec<u8>)> {
    let mut found = Vec::new();
    if let Some(label) = parameter(content_type, "charset") {
        if is_utf16(content_type) {
            let big = label.eq_ignore_ascii_case("utf-16be");
            let units = |text: &str| -> Vec<u8> {
                text.encode_utf16()
                    .flat_map(|unit| {
                        if big {
                            unit.to_be_bytes()
                        } else {
                            unit.to_le_bytes()
                        }
                    })
                    .collect()
            };
            found.push((true, units(text)));
            found.push((false, units(&format!("\u{feff}{text}"))));
        } else if let Some(encoding) = Encoding::for_label(label.as_bytes()) {
            found.extend(latin(text, encoding).map(|bytes| (true, bytes)));
            found.extend(encoded(text, encoding).map(|bytes| (true, bytes)));
        }
    }
    found.push((false, text.as_bytes().to_vec()));
    found.push((false, [MARK, text.as_bytes()].concat()));
    found.extend(latin(text, encoding_rs::WINDOWS_1252).map(|bytes| (false, bytes)));
    found.extend(encoded(text, encoding_rs::WINDOWS_1252).map(|bytes| (false, bytes)));
    found
}

fn encoded(text: &str, encoding: &'static Encoding) -> Option<Vec<u8>> {
    let (bytes, _, lossy) = encoding.encode(text);
    (!lossy).then(|| bytes.into_owned())
}

/// Strict ISO 8859-1: each byte is the character with its number. Browsers use windows-1252 instead, others do not.
fn latin(text: &str, encoding: &'static Encoding) -> Option<Vec<u8>> {
    if encoding != encoding_rs::WINDOWS_1252 {
        return None;
    }
    text.chars()
        .map(|sign| u8::try_from(u32::from(sign)).ok())
        .collect()
}

fn is_utf16(content_type: &str) -> bool {
    parameter(content_type, "charset").is_some_and(|label| label.to_ascii_lowercase().starts_with("utf-16"))
}

/// Whether the media type is not a text type, so that no recorder had a charset to decode it.
fn is_binary(content_type: &str) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let text = [
        "text/",
        "application/x-www-form-urlencoded",
        "application/graphql",
    ];
    let parts = ["json", "xml", "javascript", "ecmascript", "yaml"];
    let is_text = text.iter().any(|start| essence.starts_with(start))
        || parts.iter().any(|part| essence.contains(part));
    !(essence.is_empty() || is_text)
}

/// A parameter of a media type.
pub(super) fn parameter<'t>(content_type: &'t str, name: &str) -> Option<&'t str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (found, value) = part.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (found.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, content_type: &str, certain: Option<u64>, counted: Option<u64>) -> Option<Vec<u8>> {
        bytes(text.to_owned(), content_type, Lengths { certain, counted })
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a row for each case")]
    fn lengths_say_which_charset_a_text_was_decoded_by() {
        let latin = b"Gr\xf6\xdfe".to_vec();
        let utf = "Größe".as_bytes().to_vec();
        for (text, content_type, certain, counted, expected) in [
            ("Größe", "text/plain", None, None, Some(utf.clone())),
            ("Größe", "text/plain", Some(5), None, Some(latin.clone())),
            ("Größe", "text/plain", Some(7), Some(5), Some(utf.clone())),
            (
                "Größe",
                "text/plain; charset=ISO-8859-1",
                None,
                Some(7),
                Some(latin.clone()),
            ),
            (
                "Größe",
                "text/plain; charset=\"windows-1252\"",
                Some(7),
                None,
                Some(utf.clone()),
            ),
            // A recorder that counts characters does not determine the bytes of a text.
            ("Größe", "application/json", None, Some(5), Some(utf)),
            ("Größe", "image/png", None, Some(5), Some(latin)),
            ("Größe", "image/png", None, None, None),
            ("Größe", "text/plain", Some(6), None, None),
            (
                "日本,1\n",
                "text/csv; charset=Shift_JIS",
                None,
                Some(5),
                Some(b"\x93\xfa\x96\x7b,1\n".to_vec()),
            ),
            (
                "\u{89}PNG\u{ff}",
                "image/png",
                Some(5),
                None,
                Some(b"\x89PNG\xff".to_vec()),
            ),
            // UTF-8 that was decoded as windows-1252.
            (
                "hÃ©llo",
                "text/plain",
                Some(6),
                Some(8),
                Some("héllo".as_bytes().to_vec()),
            ),
            ("\u{89}PNG\u{ff}\0", "image/png", None, Some(8), None),
            ("a\u{fffd}b", "text/plain", None, Some(3), None),
            ("a\u{fffd}b", "text/plain", None, None, None),
            (
                "a\u{fffd}b",
                "text/plain",
                None,
                Some(5),
                Some("a\u{fffd}b".as_bytes().to_vec()),
            ),
            (
                "{}",
                "application/json",
                Some(5),
                None,
                Some(b"\xef\xbb\xbf{}".to_vec()),
            ),
            ("{}", "application/json", Some(9), None, None),
            (
                "ab",
                "text/plain; charset=utf-16le",
                Some(4),
                None,
                Some(b"a\0b\0".to_vec()),
            ),
            (
                "ab",
                "text/plain; charset=UTF-16",
                Some(6),
                None,
                Some(b"\xff\xfea\0b\0".to_vec()),
            ),
        ] {
            assert_eq!(
                read(text, content_type, certain, counted),
                expected,
                "{text} {content_type} {certain:?} {counted:?}"
            );
        }
    }
}
