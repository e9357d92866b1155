//! From a request of HTTP/2 to one of HTTP/1.1.
//!
//! Framing is added, because HTTP/2 needs no field for it; cookies become one field (RFC 9113 section 8.2.3); `te`,
//! which would concern the connection, is left out.

use std::borrow::Cow;

use bytes::Bytes;
use shadow_core::rewrite::ShadowRequest;
use shadow_proto::exchange::Version;

/// Methods whose requests state a length of zero (RFC 9110 section 8.6).
const WITH_CONTENT: [&[u8]; 3] = [b"POST", b"PUT", b"PATCH"];

/// The request as HTTP/1.1 carries it.
pub(super) fn for_http1(request: &ShadowRequest) -> Cow<'_, ShadowRequest> {
    if request.version != Version::Http2 {
        return Cow::Borrowed(request);
    }
    let mut headers: Vec<(Bytes, Bytes)> = Vec::with_capacity(request.headers.len().saturating_add(1));
    let mut cookies: Vec<&[u8]> = Vec::new();
    let mut first = 0;
    let mut has_length = false;
    for (name, value) in &request.headers {
        if name.eq_ignore_ascii_case(b"cookie") {
            if cookies.is_empty() {
                first = headers.len();
            }
            cookies.push(value);
            continue;
        }
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        // Content of a stated length has no trailers in HTTP/1.1.
        if name.eq_ignore_ascii_case(b"te") || is_length && !request.trailers.is_empty() {
            continue;
        }
        has_length |= is_length;
        headers.push((name.clone(), value.clone()));
    }
    if !cookies.is_empty() {
        let cookie = (Bytes::from_static(b"cookie"), cookies.join(&b"; "[..]).into());
        headers.insert(first, cookie);
    }
    if !has_length && (!request.body.is_empty() || !request.trailers.is_empty()) {
        headers.push((
            Bytes::from_static(b"transfer-encoding"),
            Bytes::from_static(b"chunked"),
        ));
    } else if !has_length && WITH_CONTENT.contains(&request.method.as_ref()) {
        headers.push((Bytes::from_static(b"content-length"), Bytes::from_static(b"0")));
    }
    Cow::Owned(ShadowRequest {
        headers,
        ..request.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(
        method: &'static str,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
        trailers: bool,
    ) -> String {
        let pair = |(name, value): &(&'static str, &'static str)| (Bytes::from(*name), Bytes::from(*value));
        let request = ShadowRequest {
            method: method.into(),
            target: "/".into(),
            version: Version::Http2,
            headers: headers.iter().map(pair).collect(),
            body: body.into(),
            trailers: trailers
                .then(|| ("x-sum".into(), "1".into()))
                .into_iter()
                .collect(),
            is_repeatable: false,
            is_first: false,
        };
        let wire = super::super::request::Wire::new(&for_http1(&request), "shadow").unwrap();
        String::from_utf8(wire.parts().concat()).unwrap()
    }

    #[test]
    fn framing_is_added_where_http2_has_none() {
        let host = ("host", "a");
        for (method, headers, body, trailers, expected) in [
            (
                "GET",
                &[host, ("te", "trailers")][..],
                "",
                false,
                "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            ),
            (
                "POST",
                &[host],
                "",
                false,
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
            ),
            (
                "POST",
                &[host],
                "hello",
                false,
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ),
            (
                "POST",
                &[host, ("content-length", "5")],
                "hello",
                false,
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
            ),
            (
                "POST",
                &[("content-length", "5"), host],
                "hello",
                true,
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
            ),
        ] {
            assert_eq!(sent(method, headers, body, trailers), expected);
        }
    }

    #[test]
    fn cookies_become_one_field() {
        let headers = [("host", "a"), ("cookie", "b=1"), ("x", "y"), ("cookie", "c=2")];
        assert_eq!(
            sent("GET", &headers, "", false),
            "GET / HTTP/1.1\r\nhost: a\r\ncookie: b=1; c=2\r\nx: y\r\n\r\n"
        );
    }
}
