//! Invalid heads (RFC 9112) that real software sends and whose end is the same for all readers.
//!
//! Such a message is reported with a fault, and reading continues after it. Bias: anything that could move the end of
//! the head or of the content for some readers (a length or a coding in an odd line, a line that is blank for some, a
//! final line end that is a bare line feed) is left to the caller, which stops.

use core::cell::Cell;

use memchr::memmem;

use super::{
    begins::looks_like_request,
    framing::FramingFields,
    head::{RawHead, RequestHead, ResponseHead, lenient_request, lenient_response},
    roles::{plain_field, text_of},
};

/// A request head with a certain end and some invalid lines.
pub(super) fn request(raw: &RawHead<'_>, most_fields: usize) -> Option<RequestHead> {
    let (line, fields) = lines(&raw.bytes)?;
    let (start, version) = line.split_at_checked(line.len().checked_sub(b" HTTP/1.x".len())?)?;
    // Two versions: readers use the first or the last.
    let versions = memmem::find_iter(line, b" HTTP/").count();
    if !matches!(version, b" HTTP/1.1" | b" HTTP/1.0")
        || versions != 1
        || !looks_like_request(line)
        || start.iter().any(|byte| matches!(byte, b'\r' | 0))
    {
        return None;
    }
    let said = certain(fields, most_fields)?;
    // A reader that treats NUL as the end of the text does not see the fields after it.
    if raw.bytes.contains(&0) && said.has_framing() {
        return None;
    }
    let mut head = lenient_request(&raw.bytes);
    head.said = said;
    Some(head)
}

/// A response head with a certain end and some invalid lines.
pub(super) fn response(raw: &RawHead<'_>, most_fields: usize) -> Option<ResponseHead> {
    let (line, fields) = lines(&raw.bytes)?;
    let rest = line
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let (code, phrase) = rest.split_at_checked(3)?;
    let valid = code.iter().all(u8::is_ascii_digit) && matches!(phrase.first(), None | Some(b' '));
    if !valid || line.contains(&b'\r') {
        return None;
    }
    let mut head = lenient_response(&raw.bytes);
    head.said = certain(fields, most_fields)?;
    (100..600).contains(&head.status).then_some(head)
}

/// The start line and the field lines, if every reader that accepts the head finds its end there.
fn lines(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let feed = memchr::memchr(b'\n', raw)?;
    let (first, fields) = raw.split_at_checked(feed + 1)?;
    // With line feeds alone, only readers that accept them can have found an end. In a mixture another reader
    // continues after a bare one.
    let bare_only = !raw.contains(&b'\r');
    let ends = raw.ends_with(b"\r\n\r\n") && first.ends_with(b"\r\n");
    (bare_only || ends).then(|| (text_of(first), fields))
}

/// Framing from the fields, if no odd line could change it.
fn certain(fields: &[u8], most_fields: usize) -> Option<FramingFields> {
    let bare_only = !fields.contains(&b'\r');
    let (doubt, count) = (Cell::new(false), Cell::new(0_usize));
    // The line before, and whether it ends with a bare line feed: then it continues for some readers.
    let (mut before, mut goes_on) = (&b""[..], false);
    let said = FramingFields::of(fields.split_inclusive(|byte| *byte == b'\n').filter_map(|line| {
        let text = text_of(line);
        let joined = core::mem::replace(&mut goes_on, !bare_only && !line.ends_with(b"\r\n"));
        let previous = core::mem::replace(&mut before, text);
        if text.is_empty() {
            doubt.set(doubt.get() || joined);
            return None;
        }
        count.set(count.get() + 1);
        let folded = matches!(text.first(), Some(b' ' | b'\t'));
        let field = plain_field(text).filter(|_| !folded);
        if joined || folded {
            doubt.set(doubt.get() || frames(previous));
        }
        if field.is_none() || joined || goes_on {
            doubt.set(doubt.get() || frames(text) || is_blank_for_some(text));
        }
        field
    }));
    (!doubt.get() && count.get() <= most_fields).then_some(said)
}

/// Whether some reader could treat a line as a framing field.
fn frames(text: &[u8]) -> bool {
    // Includes other spellings: readers map `_` to `-`, or skip blanks and control bytes.
    let letters: Vec<u8> = text
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .map(u8::to_ascii_lowercase)
        .collect();
    [&b"contentlength"[..], b"transferencoding"]
        .iter()
        .any(|name| memmem::find(&letters, name).is_some())
}

/// Whether some reader could treat a line, or a part of it, as the empty line that ends a head.
fn is_blank_for_some(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) || memmem::find(text, b"\r\r").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::head::{HeadBuffer, HeadStep};

    fn raw(head: &[u8]) -> RawHead<'static> {
        let (used, HeadStep::Complete(raw)) = HeadBuffer::default().push(head, 1 << 16) else {
            panic!("no whole head");
        };
        assert_eq!(used, head.len());
        raw.into_owned()
    }

    #[test]
    fn an_odd_line_that_frames_nothing_leaves_the_end_certain() {
        for line in [
            &b"X-Caf\xc3\xa9: y"[..],
            b"X: a\x01b",
            b"no colon",
            b"X: a\r\n folded",
            b"X : y",
            b": no name",
            b"X: \xe9",
        ] {
            let head = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", line, b"\r\n\r\n"].concat();
            assert!(response(&raw(&head), 64).is_some(), "{}", head.escape_ascii());
            let head = [b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n", line, b"\r\n\r\n"].concat();
            assert!(request(&raw(&head), 64).is_some(), "{}", head.escape_ascii());
        }
        for start in [
            &b"GET /a b HTTP/1.1"[..],
            b"GET /\xe9 HTTP/1.1",
            b"GET  /a HTTP/1.1",
            b"GET /\x01 HTTP/1.0",
        ] {
            let head = [start, b"\r\nHost: a\r\n\r\n"].concat();
            assert!(request(&raw(&head), 64).is_some(), "{}", head.escape_ascii());
        }
        assert!(response(&raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n"), 64).is_some());
    }

    #[test]
    fn where_readers_may_differ_the_end_is_not_certain() {
        for line in [
            &b"Content-Length : 5"[..],
            b"Content-Length: 5\r\n 0",
            b"X: a\r\n Content-Length: 5",
            b"X: a\nContent-Length: 5",
            b"Content-Length: 5\nX: a",
            b"X: a\rTransfer-Encoding: chunked",
            b"Transfer_Encoding\x0b: chunked",
            b"X: a\r\n \t",
            b"X: a\r\rY: b",
            b"X: a\n",
        ] {
            let head = [b"POST /a HTTP/1.1\r\nHost: a\r\n", line, b"\r\n\r\n"].concat();
            let (used, HeadStep::Complete(raw)) = HeadBuffer::default().push(&head, 1 << 16) else {
                continue;
            };
            let certain = request(&raw, 64).is_some();
            assert!(!certain && used <= head.len(), "{}", head.escape_ascii());
        }
        for start in [
            &b"GET /a"[..],
            b"GET /a HTTP/1.1 HTTP/1.0",
            b"GET /a\0 HTTP/1.1",
            b"GET /a HTTP/2.0",
        ] {
            let head = [start, b"\r\nHost: a\r\n\r\n"].concat();
            assert!(request(&raw(&head), 64).is_none(), "{}", head.escape_ascii());
        }
        let nul = b"POST /a HTTP/1.1\r\nX: a\0\r\nContent-Length: 5\r\n\r\n";
        assert!(request(&raw(nul), 64).is_none());
    }
}
