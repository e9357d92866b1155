//! From a captured request to the bytes that are sent.
//!
//! Method, target and fields are written byte for byte as production received them, in their order and letter case; a
//! target that production answered is sent, whether or not RFC 3986 allows it. HTTP/1.0 requests are sent as HTTP/1.1,
//! as an intermediary must (RFC 9110 section 2.5). Drops: a request that would differ on the wire from the captured one
//! is refused as [`Unsendable`], before anything is sent: bytes that end a line, a target with a scheme, content
//! without framing.

use bytes::{Bytes, BytesMut};
use shadow_core::rewrite::ShadowRequest;

/// Content up to this length is copied next to the head, so that one call writes both.
const COPIED: usize = 16 << 10;

/// A request that cannot be sent as it was captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsendable {
    /// The method is not a token (RFC 9110 section 9.1).
    #[error("the method is no token")]
    Method,
    /// The target would make another request on the wire.
    #[error("the request target cannot be sent unchanged")]
    Target,
    /// A field is invalid.
    #[error("a field name or value cannot be sent")]
    Field,
    /// Some of its content is missing.
    #[error("the content is not whole")]
    Content,
}

/// A request as it is written.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    method: Bytes,
    head: Bytes,
    body: Bytes,
    end: Bytes,
    /// Whether it may be sent once more when its connection ended without an answer.
    pub(super) is_repeatable: bool,
    /// Whether it was the first on the connection of production's client.
    pub(super) is_first: bool,
}

impl Wire {
    /// Builds the request. `authority` becomes the `Host` of a request that has none, as HTTP/1.1 demands.
    pub(super) fn new(request: &ShadowRequest, authority: &str) -> Result<Self, Unsendable> {
        let ShadowRequest {
            method,
            target,
            version: _,
            headers,
            body,
            trailers,
            is_repeatable,
            is_first,
        } = request;
        let chunked = request.is_chunked();
        if !is_token(method) {
            return Err(Unsendable::Method);
        }
        if !is_target(target) {
            return Err(Unsendable::Target);
        }
        let has = |wanted: &[u8]| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        if !body.is_empty() && !chunked && !has(b"content-length") {
            return Err(Unsendable::Content);
        }
        let mut head = BytesMut::with_capacity(512);
        for part in [&method[..], b" ", &target[..], b" HTTP/1.1\r\n"] {
            head.extend_from_slice(part);
        }
        fields(headers, &mut head)?;
        if !has(b"host") {
            field(b"Host", authority.as_bytes(), &mut head)?;
        }
        head.extend_from_slice(b"\r\n");
        let mut end = BytesMut::new();
        if chunked {
            if !body.is_empty() {
                head.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                end.extend_from_slice(b"\r\n");
            }
            end.extend_from_slice(b"0\r\n");
            fields(trailers, &mut end)?;
            end.extend_from_slice(b"\r\n");
        }
        let mut wire = Self {
            method: method.clone(),
            head: Bytes::new(),
            body: body.clone(),
            end: Bytes::new(),
            is_repeatable: *is_repeatable,
            is_first: *is_first,
        };
        if body.len() <= COPIED {
            head.extend_from_slice(&wire.body);
            head.extend_from_slice(&end);
            wire.body = Bytes::new();
        } else {
            wire.end = end.freeze();
        }
        wire.head = head.freeze();
        Ok(wire)
    }

    pub(super) fn method(&self) -> &[u8] {
        &self.method
    }

    /// The parts to write, in order; some may be empty.
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.head, &self.body, &self.end]
    }
}

/// A token of RFC 9110 section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

/// Whether a target keeps its meaning: one line, with nothing around it, and for the system that it is sent to.
fn is_target(target: &[u8]) -> bool {
    let before_path = target.split(|byte| *byte == b'/').next().unwrap_or_default();
    !target.is_empty() && is_line(target) && target.trim_ascii() == target && !before_path.ends_with(b":")
}

fn fields(list: &[(Bytes, Bytes)], to: &mut BytesMut) -> Result<(), Unsendable> {
    list.iter().try_for_each(|(name, value)| field(name, value, to))
}

fn field(name: &[u8], value: &[u8], to: &mut BytesMut) -> Result<(), Unsendable> {
    if !is_token(name) || !is_line(value) {
        return Err(Unsendable::Field);
    }
    let colon: &[u8] = if value.is_empty() { b":" } else { b": " };
    for part in [name, colon, value, b"\r\n"] {
        to.extend_from_slice(part);
    }
    Ok(())
}

/// Whether bytes stay within their line for every parser.
fn is_line(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

#[cfg(test)]
mod tests {
    use shadow_proto::exchange::Version;

    use super::*;

    fn request(target: &[u8], headers: &[(&str, &[u8])], body: &[u8]) -> ShadowRequest {
        ShadowRequest {
            method: Bytes::from("GET"),
            target: Bytes::copy_from_slice(target),
            version: Version::Http11,
            headers: headers
                .iter()
                .map(|(name, value)| {
                    (
                        Bytes::copy_from_slice(name.as_bytes()),
                        Bytes::copy_from_slice(value),
                    )
                })
                .collect(),
            body: Bytes::copy_from_slice(body),
            trailers: Vec::new(),
            is_repeatable: true,
            is_first: false,
        }
    }

    fn written(request: &ShadowRequest) -> Result<Vec<u8>, Unsendable> {
        Wire::new(request, "shadow:9090").map(|wire| wire.parts().concat())
    }

    #[test]
    fn targets_are_written_byte_for_byte() {
        for target in [
            &b"/"[..],
            b"/a/b?c=d&e=%20",
            b"/?",
            b"/a//b/../c",
            b"/{id}|x?q={a:[1]}",
            b"*",
            b"/a%2Fb",
            b"/caf\xc3\xa9",
            b"/caf\xe9",
            b"/\xff\x80?\xfe",
            b"/?q=\"unencoded\"&r=<b>",
            b"/`id`?a^b\\c",
            b"/a#fragment",
            b"/a b?c d",
            b"/http://host/",
            b"?q=1",
            b"a",
        ] {
            let expected = [b"GET ".as_slice(), target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            let sent = written(&request(target, &[("Host", b"a")], b""));
            assert_eq!(sent, Ok(expected), "{}", String::from_utf8_lossy(target));
        }
    }

    #[test]
    fn what_would_be_another_request_is_refused() {
        for target in [
            &b""[..],
            b"/a\r\nX: y",
            b"/a\nb",
            b"/a\0b",
            b" /a",
            b"/a ",
            b"http://host/",
            b"ftp://host",
        ] {
            let refused = written(&request(target, &[("Host", b"a")], b""));
            assert_eq!(
                refused,
                Err(Unsendable::Target),
                "{}",
                String::from_utf8_lossy(target)
            );
        }
        for (name, value) in [
            ("", &b"a"[..]),
            ("a b", b"a"),
            ("a", b"b\r\nc: d"),
            ("a", b"b\0"),
            ("\u{e9}", b"a"),
        ] {
            let refused = written(&request(b"/", &[(name, value)], b""));
            assert_eq!(refused, Err(Unsendable::Field), "{name:?}");
        }
        let mut method = request(b"/", &[], b"");
        method.method = Bytes::from("GE T");
        assert_eq!(written(&method), Err(Unsendable::Method));
        assert_eq!(
            written(&request(b"/", &[], b"unframed")),
            Err(Unsendable::Content)
        );
    }

    #[test]
    fn a_missing_host_is_filled_in_and_a_present_one_is_kept() {
        assert_eq!(
            written(&request(b"/", &[("X", b"\xe9")], b"")).unwrap(),
            b"GET / HTTP/1.1\r\nX: \xe9\r\nHost: shadow:9090\r\n\r\n"
        );
        assert_eq!(
            written(&request(b"/", &[("hOST", b"a.example")], b"")).unwrap(),
            b"GET / HTTP/1.1\r\nhOST: a.example\r\n\r\n"
        );
    }

    #[test]
    fn content_is_framed_as_its_fields_say_whatever_its_length() {
        for len in [0, 1, COPIED, COPIED + 1] {
            let body = vec![b'x'; len];
            let length = len.to_string();
            let sized = written(&request(
                b"/",
                &[("Host", b"a"), ("Content-Length", length.as_bytes())],
                &body,
            ))
            .unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
            assert_eq!(sized, [head.as_bytes(), &body].concat(), "{len}");

            let mut chunked = request(b"/", &[("Host", b"a"), ("Transfer-Encoding", b"chunked")], &body);
            chunked.trailers = vec![(Bytes::from("X-Sum"), Bytes::from("1"))];
            let head = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
            let (before, after) = if len == 0 {
                (String::new(), "")
            } else {
                (format!("{len:x}\r\n"), "\r\n")
            };
            let expected = [
                (head + &before).as_bytes(),
                &body,
                after.as_bytes(),
                b"0\r\nX-Sum: 1\r\n\r\n",
            ]
            .concat();
            assert_eq!(written(&chunked).unwrap(), expected, "{len}");
        }
    }
}
