//! Requests of Connect: how they are recognised.

use shadow_proto::{exchange::Request, request_target};

/// The field of a request with content.
const VERSION: &str = "connect-protocol-version";

/// Whether a request says by a field that it is a call of Connect.
pub(crate) fn has_version(request: &Request) -> bool {
    request.headers.get(VERSION).is_some()
}

/// Whether a request is a call of Connect, also one with GET, whose message is in the query.
pub(crate) fn is_call(request: &Request) -> bool {
    let by_query = || {
        let query = request_target::split(&request.target).1.unwrap_or_default();
        request_target::pairs(query).any(|pair| pair == (b"connect", b"v1"))
    };
    has_version(request) || request.method == "GET" && by_query()
}
