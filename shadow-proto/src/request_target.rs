//! Request targets: their forms (RFC 9112 section 3.2), their parts, and how servers interpret them.
//!
//! Owns: splitting and normalising. Bias: two spellings that a server may treat alike are equal after [`normalised`],
//! so that a rule about a path cannot be bypassed by writing the path differently.

use core::fmt::Write as _;
use std::borrow::Cow;

use bytes::Bytes;

/// An absolute-form target (RFC 9112 section 3.2.2) as origin form or `*`, and its authority. Others are unchanged.
pub fn origin_form(method: &[u8], target: &Bytes) -> (Bytes, Option<Bytes>) {
    let scheme = [b"http://".as_slice(), b"https://"].into_iter().find(|scheme| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let Some(scheme) = scheme else {
        return (target.clone(), None);
    };
    let behind = target.slice(scheme.len()..);
    let end = behind
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(behind.len());
    let mut authority = behind.slice(..end);
    if let Some(at) = memchr::memrchr(b'@', &authority) {
        // Userinfo is not part of the Host field (RFC 9110 section 4.2.4).
        authority = authority.slice(at.saturating_add(1)..);
    }
    let path = behind.slice(end..);
    let target = match path.first() {
        Some(b'/') => path,
        Some(_) => Bytes::from([b"/", path.as_ref()].concat()),
        // RFC 9112 section 3.2.4.
        None if method == b"OPTIONS" => Bytes::from_static(b"*"),
        None => Bytes::from_static(b"/"),
    };
    (target, Some(authority))
}

/// Path and query of a target in origin form. The query is `None` without a question mark.
pub fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(mark) => (
            target.get(..mark).unwrap_or_default(),
            target.get(mark.saturating_add(1)..),
        ),
        None => (target, None),
    }
}

/// Names and values of a query or a form, still percent-encoded. `&` and `;` both separate: some servers use either.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query
        .split(|byte| matches!(byte, b'&' | b';'))
        .filter(|pair| !pair.is_empty())
        .map(|pair| match memchr::memchr(b'=', pair) {
            Some(sign) => (
                pair.get(..sign).unwrap_or_default(),
                pair.get(sign.saturating_add(1)..).unwrap_or_default(),
            ),
            None => (pair, &[][..]),
        })
}

/// Percent-encoded, except for unreserved characters (RFC 3986 section 2.3).
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

/// Percent-decoded (RFC 3986 section 2.1); an invalid triplet is unchanged.
pub fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((value, tail)) = triplet(rest).or_else(|| {
        let (byte, tail) = rest.split_first()?;
        Some((*byte, tail))
    }) {
        decoded.push(value);
        rest = tail;
    }
    Cow::Owned(decoded)
}

/// The byte of the percent-encoding that a text begins with, and the text after it.
pub fn triplet(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, tail @ ..] = text else {
        return None;
    };
    Some((hex(*high)? << 4 | hex(*low)?, tail))
}

/// As [`decoded`], with `+` for a space (the form encoding of the URL Standard).
pub fn form_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'+', text).is_none() {
        return decoded(text);
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    Cow::Owned(decoded(&spaced).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// The path as most servers route it: percent-decoded, with backslashes as slashes and without doubled slashes, dot
/// segments and segment parameters (`;jsessionid=...`).
pub fn normalised(path: &[u8]) -> Cow<'_, [u8]> {
    if is_plain(path) {
        return Cow::Borrowed(path);
    }
    let decoded = decoded(path);
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut folder = false;
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        let bare = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        folder = matches!(bare, b"" | b"." | b"..");
        match bare {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let mut normal = Vec::with_capacity(decoded.len());
    for name in &kept {
        normal.push(b'/');
        normal.extend_from_slice(name);
    }
    if folder || normal.is_empty() {
        normal.push(b'/');
    }
    Cow::Owned(normal)
}

fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    path.first() == Some(&b'/')
        && path.iter().all(|&byte| {
            let odd = matches!(byte, b'%' | b'\\' | b';') || (before == b'/' && matches!(byte, b'/' | b'.'));
            before = byte;
            !odd
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_servers_route_alike_are_one() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/%61/b", "/a/b"),
            ("//a///b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/x/../a/b", "/a/b"),
            ("/x/%2e%2e/a/b", "/a/b"),
            ("/a;v=1/b;jsessionid=2", "/a/b"),
            ("/a\\b", "/a/b"),
            ("/a%2Fb", "/a/b"),
            ("/../../a/b", "/a/b"),
            ("/a/b/.", "/a/b/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/%4", "/a/%4"),
            ("", "/"),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&normalised(path.as_bytes())),
                normal,
                "{path}"
            );
        }
    }

    #[test]
    fn a_query_is_split_and_decoded_as_forms_are() {
        let (path, query) = split(b"/p?a=1&b;c=%20+x?y&&=z");
        assert_eq!(path, b"/p");
        let found: Vec<_> = pairs(query.unwrap())
            .map(|(name, value)| {
                (
                    name.to_vec(),
                    String::from_utf8(form_decoded(value).into_owned()).unwrap(),
                )
            })
            .collect();
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.to_owned());
        assert_eq!(
            found,
            [pair("a", "1"), pair("b", ""), pair("c", "  x?y"), pair("", "z")]
        );
        assert_eq!(split(b"/p"), (&b"/p"[..], None));
    }
}
