//! Fast path for heads that are in one segment without odd lines, which nearly all are: read in one pass.
//!
//! Bias: anything unusual (a head in pieces, a bare line feed, a fault, many fields) is left to [`super::head`],
//! which finds the end first and then determines the fault. Both give the same result for a head that both can read.

use core::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::head::{self, RequestHead, ResponseHead, USUAL_FIELDS};
use crate::limits::Limits;

/// The request head at the start of `input`, and its length including its empty line.
pub(super) fn request(input: &[u8], limits: &Limits, keep: bool) -> Option<(usize, RequestHead)> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let fields = fields.get_mut(..limits.fields.min(USUAL_FIELDS))?;
    let input = input.get(..limits.head).unwrap_or(input);
    let mut parsed = httparse::Request::new(&mut []);
    let config = ParserConfig::default();
    let end = match config.parse_request_with_uninit_headers(&mut parsed, input, fields) {
        Ok(Status::Complete(end)) => end,
        Ok(Status::Partial) | Err(_) => return None,
    };
    let raw = input.get(..end)?;
    is_plain(raw, parsed.headers).then(|| (end, head::request_of(raw, &parsed, keep)))
}

/// The response head at the start of `input`, and its length including its empty line.
pub(super) fn response(input: &[u8], limits: &Limits, keep: bool) -> Option<(usize, ResponseHead)> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let fields = fields.get_mut(..limits.fields.min(USUAL_FIELDS))?;
    let input = input.get(..limits.head).unwrap_or(input);
    let mut parsed = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let end = match config.parse_response_with_uninit_headers(&mut parsed, input, fields) {
        Ok(Status::Complete(end)) => end,
        Ok(Status::Partial) | Err(_) => return None,
    };
    let raw = input.get(..end)?;
    is_plain(raw, parsed.headers).then(|| (end, head::response_of(raw, &parsed, keep)))
}

/// Whether every line ends with CR LF: httparse also accepts a bare line feed. It does not unfold lines.
fn is_plain(raw: &[u8], fields: &[Header<'_>]) -> bool {
    let offset = |part: &[u8]| part.as_ptr().addr().wrapping_sub(raw.as_ptr().addr());
    // Blanks may follow a value; the start line precedes the first name.
    let ends = |line_end: &[u8], start_line: bool| {
        let blanks = line_end.strip_suffix(b"\r\n");
        blanks.is_some_and(|blanks| start_line || blanks.iter().all(|byte| matches!(byte, b' ' | b'\t')))
    };
    let mut from = 0;
    for field in fields {
        let line_end = raw.get(from..offset(field.name.as_bytes())).unwrap_or_default();
        if !ends(line_end, from == 0) {
            return false;
        }
        from = offset(field.value).saturating_add(field.value.len());
    }
    let last = raw.strip_suffix(b"\r\n").and_then(|raw| raw.get(from..));
    last.is_some_and(|line_end| ends(line_end, from == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::head::{HeadBuffer, HeadStep};

    fn slowly(input: &[u8]) -> Option<(usize, RequestHead)> {
        let (used, HeadStep::Complete(raw)) = HeadBuffer::default().push(input, 1 << 16) else {
            return None;
        };
        let head = head::request(&raw, 64, true).ok()?;
        (!raw.suspicious).then_some((used, head))
    }

    #[test]
    fn a_head_is_read_alike_or_left_to_the_other_reader() {
        let lines = ["\r\n", "\n", " \r\n", "\t \r\n", "\r\r\n", "\r\n ", " \n", ""];
        let fields = [
            "A: b",
            "A:",
            "A: ",
            "A : b",
            "A",
            ": b",
            "Host: a, b",
            "A: \u{e9}",
            "A: b\0",
        ];
        let mut both = 0;
        for start in ["GET / HTTP/1.1", "GET / HTTP/1.0 ", "GET  / HTTP/1.1", "GET /"] {
            for first in lines {
                for field in fields {
                    for second in lines {
                        for last in ["\r\n", "\n", "B:c\r\n\r\n", ""] {
                            let head = [start, first, field, second, last, "GET /behind"].concat();
                            let shown = |(used, head): (usize, RequestHead)| (used, format!("{head:?}"));
                            let quick = request(head.as_bytes(), &Limits::default(), true).map(shown);
                            let slow = slowly(head.as_bytes()).map(shown);
                            assert!(quick.is_none() || quick == slow, "{head:?}: {quick:?} {slow:?}");
                            both += usize::from(quick.is_some());
                        }
                    }
                }
            }
        }
        assert!(both > 20, "{both}");
    }

    #[test]
    fn the_usual_head_is_read_at_once() {
        let head = b"GET /a HTTP/1.1\r\nHost: a\r\nAccept:\r\nX: y \t\r\n\r\n";
        let (used, parsed) = request(head, &Limits::default(), true).unwrap();
        assert_eq!((used, parsed.target), (head.len(), "/a".into()));
        let head = b"HTTP/1.1 200\r\n\r\n";
        assert_eq!(response(head, &Limits::default(), false).unwrap().0, head.len());
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\n\n";
        assert!(response(head, &Limits::default(), false).is_none());
    }
}
