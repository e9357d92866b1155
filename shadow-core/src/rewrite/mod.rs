//! What is sent to the shadow system for a captured request.
//!
//! Owns: the difference between the request that production received and the one that the shadow system receives. It
//! is as small as HTTP allows: field order, letter case, target and framing stay; what concerned only the captured
//! connection goes (RFC 9110 section 7.6.1), and a marker is added by which the agent knows its own requests again.
//! Bias: the shadow system stands where production stood, so what production was sent is what it is sent, end-to-end
//! credentials included.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::exchange::{Exchange, Headers, Version};

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

/// The field by which a replayed request is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker {
    name: String,
    value: String,
}

/// A marker that cannot be a header field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MarkerError {
    /// The name is no token (RFC 9110 section 5.1).
    #[error("{0:?} is no header field name")]
    Name(String),
    /// The name has a meaning of its own.
    #[error(
        "{0:?} has a meaning in HTTP and cannot mark replayed requests; choose a name of your own, e.g. Shadow-Replay"
    )]
    Taken(String),
    /// The value has characters that a field value cannot have (RFC 9110 section 5.5).
    #[error("the value of the marker must be visible ASCII")]
    Value,
}

impl Default for Marker {
    fn default() -> Self {
        Self {
            name: "Shadow-Replay".to_owned(),
            value: "1".to_owned(),
        }
    }
}

impl Marker {
    /// A field of this name and value. Its presence alone marks a request, whatever the value.
    pub fn new(name: &str, value: &str) -> Result<Self, MarkerError> {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(MarkerError::Name(name.to_owned()));
        }
        let field = name.as_bytes();
        if is_hop_by_hop(field)
            || [b"host".as_slice(), b"content-length", b"expect"]
                .iter()
                .any(|taken| field.eq_ignore_ascii_case(taken))
        {
            return Err(MarkerError::Taken(name.to_owned()));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MarkerError::Value);
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// The field name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The field value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// How requests are changed.
#[derive(Clone, Debug)]
pub struct RewritePolicy {
    host: HostPolicy,
    authority: Bytes,
    marker: (Bytes, Bytes),
}

/// What becomes of the Host field.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPolicy {
    /// As the client sent it: the shadow system sees the name that production sees.
    #[default]
    Preserve,
    /// The authority of the shadow system.
    Shadow,
}

impl RewritePolicy {
    /// `authority` is the shadow system's `host:port`, used under [`HostPolicy::Shadow`] only.
    pub fn new(host: HostPolicy, authority: &str, marker: &Marker) -> Self {
        Self {
            host,
            authority: Bytes::copy_from_slice(authority.as_bytes()),
            marker: (
                Bytes::copy_from_slice(marker.name.as_bytes()),
                Bytes::copy_from_slice(marker.value.as_bytes()),
            ),
        }
    }
}

/// Fields that concern one connection only (RFC 9110 section 7.6.1), besides those that Connection names.
/// Transfer-Encoding is one too, and is handled as framing.
const HOP_BY_HOP: [&[u8]; 5] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"upgrade",
];

fn is_hop_by_hop(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"transfer-encoding")
        || HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop))
}

/// Builds the request for the shadow system. The exchange's request must be whole, as the gate makes sure.
///
/// Values are slices of the captured head and body: nothing is copied but the marker's handles.
pub fn rewrite(exchange: &Exchange, policy: &RewritePolicy) -> ShadowRequest {
    let request = &exchange.request;
    let (target, authority) = origin_form(&request.method, &request.target);
    let host = match policy.host {
        HostPolicy::Shadow => Some(policy.authority.clone()),
        // RFC 9112 section 3.2.2: with an absolute target the Host field means nothing.
        HostPolicy::Preserve => authority,
    };
    let named = connection_names(&request.headers);
    let chunked = request.headers.get("transfer-encoding").is_some();

    let mut headers = Vec::with_capacity(request.headers.len().saturating_add(2));
    let mut host_sent = false;
    let mut framed = false;
    for (name, value) in request.headers.iter_bytes() {
        let field = name.to_ascii_lowercase();
        let kept = match field.as_slice() {
            b"host" => {
                let first = !core::mem::replace(&mut host_sent, true);
                first.then(|| host.clone().unwrap_or(value))
            }
            // Where the captured request had its framing, and once. What an `obs` duplicate would say has been read.
            b"transfer-encoding" => {
                (!core::mem::replace(&mut framed, true)).then(|| transfer_codings(&request.headers, value))
            }
            b"content-length" if chunked => None,
            b"content-length" => (!core::mem::replace(&mut framed, true))
                .then(|| Bytes::from(request.body.kept.len().to_string())),
            // The body is sent at once: nobody would wait for the 100.
            b"expect" if value.eq_ignore_ascii_case(b"100-continue") => None,
            other if is_hop_by_hop(other) || named.iter().any(|hop| hop == other) => None,
            _ => Some(value),
        };
        headers.extend(kept.map(|value| (name, value)));
    }
    if let (false, Some(host)) = (host_sent, host) {
        headers.insert(0, (Bytes::from_static(b"Host"), host));
    }
    headers.push(policy.marker.clone());
    let trailers = if chunked {
        request.trailers.iter_bytes().collect()
    } else {
        Vec::new()
    };
    ShadowRequest {
        method: request.method.clone(),
        target,
        version: request.version,
        headers,
        body: request.body.kept.clone(),
        trailers,
    }
}

/// All transfer codings in one field: several fields are one list.
fn transfer_codings(headers: &Headers, first: Bytes) -> Bytes {
    let all: Vec<&[u8]> = headers.get_all("transfer-encoding").collect();
    if all.len() == 1 {
        first
    } else {
        all.join(b", ".as_slice()).into()
    }
}

/// The fields that Connection names, in lower case. Some are never meant for one connection only, whatever it says:
/// a request that drops its own Host or length that way would be another request.
fn connection_names(headers: &Headers) -> Vec<Vec<u8>> {
    const KEPT: [&[u8]; 3] = [b"host", b"content-length", b"transfer-encoding"];
    headers
        .get_all("connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && !KEPT.contains(&name.as_slice()))
        .collect()
}

/// An absolute-form target (RFC 9112 section 3.2.2) as origin form or `*`, and its authority. Any other target stays.
fn origin_form(method: &[u8], target: &Bytes) -> (Bytes, Option<Bytes>) {
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

#[cfg(test)]
mod tests;
