//! A request as it is sent to the shadow system.

use bytes::Bytes;

use shadow_proto::exchange::Version;

/// A request to be sent.
#[derive(Clone)]
pub struct ShadowRequest {
    /// Method.
    pub method: Bytes,
    /// Request target, in origin form or `*`.
    pub target: Bytes,
    /// The version the client used.
    pub version: Version,
    /// Fields in the order and the letter case of the captured request. At most one of `Content-Length` and
    /// `Transfer-Encoding` is there, and at most once; it says how `body` is to be framed.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Content without transfer coding.
    pub body: Bytes,
    /// Trailer fields; empty unless the body is chunked.
    pub trailers: Vec<(Bytes, Bytes)>,
}

impl core::fmt::Debug for ShadowRequest {
    /// Method, and counts: targets and values may hold secrets, and debug output reaches logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            method,
            target: _,
            version,
            headers,
            body,
            trailers,
        } = self;
        write!(
            f,
            "ShadowRequest({} {}, {} fields, {} bytes, {} trailers)",
            String::from_utf8_lossy(method),
            version.as_str(),
            headers.len(),
            body.len(),
            trailers.len()
        )
    }
}

impl ShadowRequest {
    /// Whether the body is to be sent chunked. Otherwise it has a Content-Length, or there is none.
    pub fn is_chunked(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(b"transfer-encoding"))
    }
}
