//! From a captured request to one that hyper sends with the same bytes.
//!
//! Order and letter case of the fields are kept, and of repeated ones the order among them; fields of one name that
//! stood apart are written together (RFC 9110 section 5.3: the order of different names means nothing). HTTP/1.0
//! requests are sent as HTTP/1.1, as an intermediary must (RFC 9110 section 2.5). Names of trailers are written in
//! lower case. Drops: a request that could not
//! be written byte for byte is refused as [`Unsendable`], before anything is sent. These are targets that `http::Uri`
//! does not hold unchanged: a fragment, or bytes that must be percent-encoded (RFC 3986 section 2) and were not.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{HOST, TRAILER},
};
use shadow_core::rewrite::ShadowRequest;

use super::{body::RequestBody, case::CaseCache};

/// A request that cannot be sent as it was captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsendable {
    /// No token (RFC 9110 section 9.1).
    #[error("the method is no token")]
    Method,
    /// Would be changed on its way through the client.
    #[error("the request target cannot be sent unchanged")]
    Target,
    /// A field that is no valid field.
    #[error("a field name or value cannot be sent")]
    Field,
    /// Some of its content is not there.
    #[error("the content is not whole")]
    Content,
}

/// Makes the request that is sent. `authority` becomes the `Host` of a request that has none, as HTTP/1.1 demands.
pub(super) fn prepare(
    request: &ShadowRequest,
    authority: &str,
    cases: &CaseCache,
) -> Result<Request<RequestBody>, Unsendable> {
    let mut headers = fields(&request.headers)?;
    if !headers.contains_key(HOST) {
        let host = HeaderValue::from_str(authority).map_err(|_invalid| Unsendable::Field)?;
        headers.append(HOST, host);
    }
    let content = request.body.clone();
    let body = if request.is_chunked() {
        let trailers = fields(&request.trailers)?;
        announce(&trailers, &mut headers)?;
        RequestBody::chunked(content, trailers)
    } else {
        RequestBody::sized(content)
    };
    let mut sent = Request::new(body);
    *sent.method_mut() = Method::from_bytes(&request.method).map_err(|_invalid| Unsendable::Method)?;
    *sent.uri_mut() = target(&request.target)?;
    *sent.version_mut() = Version::HTTP_11;
    *sent.headers_mut() = headers;
    *sent.extensions_mut() = cases.extensions(&request.headers);
    Ok(sent)
}

/// The target as a `Uri` that prints as the same bytes.
fn target(captured: &Bytes) -> Result<Uri, Unsendable> {
    let uri = Uri::from_maybe_shared(captured.clone()).map_err(|_invalid| Unsendable::Target)?;
    let same = match (uri.scheme(), uri.authority(), uri.path_and_query()) {
        (None, None, Some(path)) => path.as_str().as_bytes() == captured,
        _ => uri.to_string().as_bytes() == captured,
    };
    if same { Ok(uri) } else { Err(Unsendable::Target) }
}

fn fields(captured: &[(Bytes, Bytes)]) -> Result<HeaderMap, Unsendable> {
    let mut map = HeaderMap::with_capacity(captured.len().saturating_add(1));
    for (name, value) in captured {
        let name = HeaderName::from_bytes(name).map_err(|_invalid| Unsendable::Field)?;
        let value = HeaderValue::from_maybe_shared(value.clone()).map_err(|_invalid| Unsendable::Field)?;
        map.append(name, value);
    }
    Ok(map)
}

/// hyper sends only trailers that a `Trailer` field names, so one is added for those that were not announced.
fn announce(trailers: &HeaderMap, headers: &mut HeaderMap) -> Result<(), Unsendable> {
    let announced = |name: &HeaderName| {
        headers
            .get_all(TRAILER)
            .iter()
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(name.as_str()))
    };
    let missing: Vec<&str> = trailers
        .keys()
        .filter(|name| !announced(name))
        .map(HeaderName::as_str)
        .collect();
    if !missing.is_empty() {
        let list = HeaderValue::from_str(&missing.join(", ")).map_err(|_invalid| Unsendable::Field)?;
        headers.append(TRAILER, list);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use shadow_proto::exchange::Version as Captured;

    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        list.iter()
            .map(|(name, value)| (bytes(name), bytes(value)))
            .collect()
    }

    fn request(target: &str, headers: &[(&str, &str)]) -> ShadowRequest {
        ShadowRequest {
            method: Bytes::from_static(b"GET"),
            target: Bytes::copy_from_slice(target.as_bytes()),
            version: Captured::Http11,
            headers: pairs(headers),
            body: Bytes::new(),
            trailers: Vec::new(),
        }
    }

    fn prepared(request: &ShadowRequest) -> Result<Request<RequestBody>, Unsendable> {
        prepare(request, "shadow:9090", &CaseCache::default())
    }

    #[test]
    fn targets_that_hyper_prints_unchanged_are_taken() {
        for target in [
            "/",
            "/a/b?c=d&e=%20",
            "/?",
            "/a//b/../c",
            "/{id}|x?q={a:[1]}",
            "*",
            "/a%2Fb",
            "/caf\u{e9}",
        ] {
            let sent = prepared(&request(target, &[("Host", "a")]));
            assert_eq!(
                sent.map(|sent| sent.uri().to_string()),
                Ok(target.to_owned()),
                "{target}"
            );
        }
    }

    #[test]
    fn targets_that_would_change_or_cannot_be_written_are_refused() {
        for target in ["/a#fragment", "/a b", "http://host", "", "/?q=\"unencoded\""] {
            let refused = prepared(&request(target, &[("Host", "a")]));
            assert_eq!(refused.map(|_| ()), Err(Unsendable::Target), "{target:?}");
        }
    }

    #[test]
    fn a_missing_host_is_filled_in_and_a_present_one_is_kept() {
        let without = prepared(&request("/", &[])).unwrap();
        assert_eq!(without.headers()[HOST], "shadow:9090");
        let with = prepared(&request("/", &[("Host", "a.example")])).unwrap();
        assert_eq!(with.headers()[HOST], "a.example");
    }

    #[test]
    fn trailers_are_announced_once() {
        let chunked = [
            ("Host", "a"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", "X-One"),
        ];
        let mut request = request("/", &chunked);
        request.trailers = pairs(&[("X-One", "1"), ("X-Two", "2")]);
        let sent = prepared(&request).unwrap();
        let trailer: Vec<_> = sent.headers().get_all(TRAILER).iter().collect();
        assert_eq!(trailer, ["X-One", "x-two"]);
    }
}
