//! Conversion of text content to UTF-8 from the character set it was sent in.
//!
//! Owns: the order of the sources of the character set: a byte order mark, the `charset` parameter, the zero bytes of
//! JSON in UTF-16 or UTF-32, and for text that is not UTF-8 an XML declaration or an HTML `meta` element. Bounds: the
//! converted text is at most three times as long. Bytes not in the character set become U+FFFD, and those of text that
//! is not the UTF-8 it should be become characters for private use; other content is unchanged.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use shadow_proto::exchange::Headers;

use super::media::{self, Kind};

/// Bytes searched for a declaration of the character set (HTML standard, section 13.2.3.2).
const PRESCAN: usize = 1024;

/// The content in UTF-8, without a byte order mark.
pub(super) fn to_utf8<'c>(headers: &Headers, content: Cow<'c, [u8]>) -> Cow<'c, [u8]> {
    match known(headers, content) {
        content if core::str::from_utf8(&content).is_ok() || !is_text(headers, &content) => content,
        content => Cow::Owned(marked(&content)),
    }
}

/// Whether content that is not UTF-8 is text: by its media type, or by its beginning, and without control characters.
fn is_text(headers: &Headers, content: &[u8]) -> bool {
    let begun = || matches!(content.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'));
    let typed = match media::kind(headers) {
        Kind::Multipart => false,
        Kind::Bytes | Kind::Unknown => begun(),
        _ => true,
    };
    typed && !has_control(content)
}

/// Whether content has control characters that text does not have.
pub(super) fn has_control(content: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n' | 0x0c);
    content.iter().any(control)
}

/// The first character that replaces a byte: one for each byte from 0x80, all for private use.
const MARKS: u32 = 0xf780;

/// Text with a few bytes that are not UTF-8: each becomes a character of its own, so that different bytes still differ.
fn marked(content: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(content.len());
    for chunk in content.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(
            chunk
                .invalid()
                .iter()
                .filter_map(|byte| char::from_u32(MARKS.saturating_add(u32::from(*byte & 0x7f)))),
        );
    }
    text.into_bytes()
}

/// The content in UTF-8, if its character set is known.
fn known<'c>(headers: &Headers, content: Cow<'c, [u8]>) -> Cow<'c, [u8]> {
    if let Some(big) = utf32(headers, &content) {
        return Cow::Owned(from_utf32(&content, big));
    }
    if let Some((encoding, mark)) = Encoding::for_bom(&content) {
        return converted(encoding, content, mark);
    }
    match declared(headers).or_else(|| by_zeros(&content)) {
        Some(encoding) => converted(encoding, content, 0),
        None if core::str::from_utf8(&content).is_ok() => content,
        None => match prescan(&content) {
            Some(encoding) => converted(encoding, content, 0),
            None => content,
        },
    }
}

fn declared(headers: &Headers) -> Option<&'static Encoding> {
    let charset = media::parameter(headers.get("content-type")?, "charset")?;
    Encoding::for_label(&charset)
}

fn converted<'c>(encoding: &'static Encoding, content: Cow<'c, [u8]>, mark: usize) -> Cow<'c, [u8]> {
    if encoding == UTF_8 {
        return match content {
            content if mark == 0 => content,
            Cow::Borrowed(content) => Cow::Borrowed(content.get(mark..).unwrap_or_default()),
            Cow::Owned(content) => Cow::Owned(content.get(mark..).unwrap_or_default().to_vec()),
        };
    }
    let (text, _replaced) = encoding.decode_without_bom_handling(content.get(mark..).unwrap_or_default());
    Cow::Owned(text.into_owned().into_bytes())
}

/// UTF-16 without a byte order mark: every other byte at the beginning is zero.
fn by_zeros(content: &[u8]) -> Option<&'static Encoding> {
    match content {
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some(encoding_rs::UTF_16BE),
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Some(encoding_rs::UTF_16LE),
        _ => None,
    }
}

/// Whether the content is UTF-32, and if so whether the most significant byte comes first.
fn utf32(headers: &Headers, content: &[u8]) -> Option<bool> {
    if content.is_empty() || !content.len().is_multiple_of(4) {
        return None;
    }
    match content {
        [0, 0, 0xfe, 0xff, ..] => return Some(true),
        [0xff, 0xfe, 0, 0, ..] => return Some(false),
        [0, 0, 0, 1..=0x7f, ..] => return Some(true),
        [1..=0x7f, 0, 0, 0, ..] => return Some(false),
        _ => {}
    }
    let charset = media::parameter(headers.get("content-type")?, "charset")?.to_ascii_lowercase();
    match charset.as_slice() {
        b"utf-32" | b"utf-32be" => Some(true),
        b"utf-32le" => Some(false),
        _ => None,
    }
}

fn from_utf32(content: &[u8], big: bool) -> Vec<u8> {
    let (units, _rest) = content.as_chunks::<4>();
    let text: String = units
        .iter()
        .map(|unit| {
            if big {
                u32::from_be_bytes(*unit)
            } else {
                u32::from_le_bytes(*unit)
            }
        })
        .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    text.strip_prefix('\u{feff}').unwrap_or(&text).as_bytes().to_vec()
}

/// The label after `encoding=` or `charset=` at the beginning of XML or HTML.
fn prescan(content: &[u8]) -> Option<&'static Encoding> {
    let head = content.get(..PRESCAN).unwrap_or(content).to_ascii_lowercase();
    if !head.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    [b"encoding=".as_slice(), b"charset="]
        .into_iter()
        .find_map(|mark| {
            let at = memchr::memmem::find(&head, mark)?;
            let behind = head.get(at.saturating_add(mark.len())..)?;
            let behind = behind
                .strip_prefix(b"\"")
                .or_else(|| behind.strip_prefix(b"'"))
                .unwrap_or(behind);
            let end = behind
                .iter()
                .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.')))
                .unwrap_or(behind.len());
            // A declaration that can be read byte by byte is not in UTF-16.
            Encoding::for_label(behind.get(..end)?).filter(|encoding| encoding.is_ascii_compatible())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf8(content_type: &str, content: &[u8]) -> String {
        let headers = Headers::from_pairs([("Content-Type", content_type)]);
        String::from_utf8_lossy(&to_utf8(&headers, Cow::Borrowed(content))).into_owned()
    }

    #[test]
    fn every_character_set_becomes_utf_8() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            let bytes = |unit: u16| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            };
            text.encode_utf16().flat_map(bytes).collect()
        };
        let wider = |text: &str, big: bool| -> Vec<u8> {
            let bytes = |c: char| {
                let code = u32::from(c);
                if big {
                    code.to_be_bytes()
                } else {
                    code.to_le_bytes()
                }
            };
            text.chars().flat_map(bytes).collect()
        };
        let text = "{\"a\":\"é€\"}";
        for (content_type, content) in [
            ("application/json", text.as_bytes().to_vec()),
            ("application/json", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
            (
                "application/json; charset=utf-16",
                wide(&format!("\u{feff}{text}"), false),
            ),
            ("application/json", wide(&format!("\u{feff}{text}"), true)),
            ("application/json", wide(text, false)),
            ("application/json", wide(text, true)),
            ("application/json; charset=utf-16le", wide(text, false)),
            ("application/json", wider(text, true)),
            ("application/json", wider(&format!("\u{feff}{text}"), false)),
            ("application/json; charset=utf-32", wider(text, true)),
            (
                "text/plain; charset=\"windows-1252\"",
                b"{\"a\":\"\xe9\x80\"}".to_vec(),
            ),
            ("text/plain; charset=made-up", text.as_bytes().to_vec()),
        ] {
            assert_eq!(utf8(content_type, &content), text, "{content_type} {content:?}");
        }
        let page = b"<meta charset=iso-8859-1>\xe9";
        assert_eq!(utf8("text/html", page), "<meta charset=iso-8859-1>é");
        let xml = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";
        assert!(utf8("text/xml", xml).ends_with("<a>é</a>"));
        let latin = b"{\"a\":\"caf\xe9\"}";
        assert_eq!(
            utf8("application/json; charset=utf-8", latin),
            "{\"a\":\"caf\u{f7e9}\"}"
        );
        assert_eq!(utf8("application/octet-stream", latin), "{\"a\":\"caf\u{f7e9}\"}");
        assert_ne!(utf8("text/csv", b"a,\xe9"), utf8("text/csv", b"a,\xe8"));
        let bytes = Headers::default();
        assert_eq!(*to_utf8(&bytes, Cow::Borrowed(b"\xff\xd8\xff")), *b"\xff\xd8\xff");
    }
}
