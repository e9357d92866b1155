//! A request in the form sent to the shadow system.

use bytes::Bytes;

use shadow_proto::exchange::Version;

/// A request to send.
#[derive(Clone)]
pub struct ShadowRequest {
    /// Method.
    pub method: Bytes,
    /// Request target, in origin form or `*`.
    pub target: Bytes,
    /// The version the client used.
    pub version: Version,
    /// Fields in the order and letter case of the captured request. They contain at most one of `Content-Length` and
    /// `Transfer-Encoding`, at most once; it determines the framing of `body`. A request that came over HTTP/2 may have
    /// neither, whatever its content.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Content without transfer coding.
    pub body: Bytes,
    /// Trailer fields; empty unless the body is chunked, or the request came over HTTP/2.
    pub trailers: Vec<(Bytes, Bytes)>,
    /// Whether sending it twice leaves the same state as sending it once (RFC 9110 section 9.2.2).
    pub is_repeatable: bool,
    /// Whether it was the first on the client's connection.
    pub is_first: bool,
}

impl core::fmt::Debug for ShadowRequest {
    /// Shows the method and counts only: targets and values may hold secrets, and debug output reaches logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            method,
            target: _,
            version,
            headers,
            body,
            trailers,
            is_repeatable: _,
            is_first: _,
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
    /// Whether to send the body chunked. Otherwise it has a Content-Length, or there is no body.
    pub fn is_chunked(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(b"transfer-encoding"))
    }
}
