//! From a captured request to one of HTTP/2.
//!
//! Field names are in lower case, as HTTP/2 demands; everything else stays as production received it. Drops: a request
//! that would differ on the wire from the captured one is refused as [`Unsendable`], before anything is sent.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use shadow_core::rewrite::ShadowRequest;

use super::super::Unsendable;

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(in super::super) struct Request {
    pub(super) head: http::Request<()>,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    /// Whether it may be sent once more when its connection ended without an answer.
    pub(in super::super) is_repeatable: bool,
}

impl Request {
    /// Builds the request. `authority` becomes the authority of a request that names none.
    pub(in super::super) fn new(
        request: &ShadowRequest,
        scheme: Scheme,
        authority: &str,
    ) -> Result<Self, Unsendable> {
        let method = Method::from_bytes(&request.method).map_err(|_invalid| Unsendable::Method)?;
        let has = |wanted: &[u8]| {
            let mut names = request.headers.iter().map(|(name, _)| name);
            names.any(|name| name.eq_ignore_ascii_case(wanted))
        };
        let came_framed = request.version != shadow_proto::exchange::Version::Http2;
        if came_framed && !request.body.is_empty() && !request.is_chunked() && !has(b"content-length") {
            return Err(Unsendable::Content);
        }
        let mut host = None;
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case(b"host") {
                host.get_or_insert(value);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                // The frames are the framing. Another coding than chunked is part of the content.
                if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Unsendable::Content);
                }
            } else {
                append(&mut headers, name, value)?;
            }
        }
        let authority = match host {
            Some(host) => Authority::try_from(host.as_ref()),
            None => Authority::try_from(authority),
        };
        let mut trailers = HeaderMap::new();
        for (name, value) in &request.trailers {
            append(&mut trailers, name, value)?;
        }
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority.map_err(|_invalid| Unsendable::Field)?)
            .path_and_query(target(&request.target)?)
            .build()
            .map_err(|_invalid| Unsendable::Target)?;
        let mut head = http::Request::new(());
        *head.method_mut() = method;
        *head.uri_mut() = uri;
        *head.version_mut() = http::Version::HTTP_2;
        *head.headers_mut() = headers;
        Ok(Self {
            head,
            body: request.body.clone(),
            trailers: Some(trailers).filter(|trailers| !trailers.is_empty()),
            is_repeatable: request.is_repeatable,
        })
    }
}

/// The path of a request, byte for byte.
fn target(target: &Bytes) -> Result<PathAndQuery, Unsendable> {
    let path = PathAndQuery::from_maybe_shared(target.clone()).map_err(|_invalid| Unsendable::Target)?;
    // A fragment would be left out.
    if path.as_str().as_bytes() == target.as_ref() {
        Ok(path)
    } else {
        Err(Unsendable::Target)
    }
}

fn append(headers: &mut HeaderMap, name: &[u8], value: &Bytes) -> Result<(), Unsendable> {
    let name = HeaderName::from_bytes(name).map_err(|_invalid| Unsendable::Field)?;
    let value = HeaderValue::from_maybe_shared(value.clone()).map_err(|_invalid| Unsendable::Field)?;
    headers
        .try_append(name, value)
        .map(drop)
        .map_err(|_too_many| Unsendable::Field)
}

#[cfg(test)]
mod tests {
    use shadow_proto::exchange::Version;

    use super::*;

    fn request(
        version: Version,
        target: &'static [u8],
        headers: &[(&'static str, &'static [u8])],
    ) -> ShadowRequest {
        ShadowRequest {
            method: Bytes::from("POST"),
            target: Bytes::from_static(target),
            version,
            headers: headers
                .iter()
                .map(|(name, value)| (Bytes::from(*name), Bytes::from_static(value)))
                .collect(),
            body: Bytes::from_static(b"hello"),
            trailers: vec![(Bytes::from("x-sum"), Bytes::from("1"))],
            is_repeatable: false,
            is_first: false,
        }
    }

    fn made(request: &ShadowRequest) -> Result<Request, Unsendable> {
        Request::new(request, Scheme::HTTP, "shadow:9090")
    }

    #[test]
    fn a_request_of_either_version_becomes_one_of_http2() {
        let captured = [
            ("hOST", &b"shop.example:8080"[..]),
            ("Transfer-Encoding", b"chunked"),
            ("X-Id", b"1"),
            ("x-id", b"\xe9"),
        ];
        for (version, headers) in [(Version::Http11, &captured[..]), (Version::Http2, &captured[2..])] {
            let sent = made(&request(version, b"/a/b?c=d&e=%20", headers)).unwrap();
            let authority = sent.head.uri().authority().unwrap().as_str();
            let expected = if headers.len() > 2 {
                "shop.example:8080"
            } else {
                "shadow:9090"
            };
            assert_eq!(authority, expected);
            assert_eq!(sent.head.uri().path_and_query().unwrap(), "/a/b?c=d&e=%20");
            let ids: Vec<&[u8]> = sent
                .head
                .headers()
                .get_all("x-id")
                .iter()
                .map(HeaderValue::as_bytes)
                .collect();
            assert_eq!(ids, [&b"1"[..], b"\xe9"]);
            assert_eq!(sent.head.headers().len(), 2, "{:?}", sent.head.headers());
            assert_eq!(sent.trailers.unwrap()["x-sum"], "1");
        }
    }

    #[test]
    fn what_would_be_another_request_is_refused() {
        for target in [
            &b""[..],
            b"a",
            b"/a b",
            b"/a#b",
            b"/\xff",
            b"/a\r\nb",
            b"http://host/",
        ] {
            let refused = made(&request(Version::Http2, target, &[])).map(drop);
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
            ("host", b"a b"),
        ] {
            let refused = made(&request(Version::Http2, b"/", &[(name, value)])).map(drop);
            assert_eq!(refused, Err(Unsendable::Field), "{name:?}");
        }
        let unframed = made(&request(Version::Http11, b"/", &[])).map(drop);
        assert_eq!(unframed, Err(Unsendable::Content));
        let coded = [("transfer-encoding", &b"gzip, chunked"[..])];
        assert_eq!(
            made(&request(Version::Http11, b"/", &coded)).map(drop),
            Err(Unsendable::Content)
        );
        let mut method = request(Version::Http2, b"/", &[]);
        method.method = Bytes::from("GE T");
        assert_eq!(made(&method).map(drop), Err(Unsendable::Method));
    }
}
