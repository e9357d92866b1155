//! From a line to an exchange.

use core::net::IpAddr;

use shadow_common::flow::Endpoint;
use shadow_core::gate;
use shadow_proto::{
    exchange::{Body, Exchange, Flow, Headers, Incomplete, Request, Response, Timing, Version},
    time::Timestamp,
};

use super::{
    super::har,
    line::{Line, RequestLine},
};

/// Makes an exchange of a line whose request began, or whose answer ended, at `at`.
///
/// Of the content of the answer at most the length is known; `missing` is not zero where it is not. A request that is
/// not safe may have had content, which no log holds.
pub(super) fn exchange(line: Line, number: u64, at: Timestamp, host: Option<&[u8]>) -> Exchange {
    let timing = timing(&line, at);
    let empty = har::broken(number, timing.request_first.unwrap_or_default());
    let flow = Flow {
        client: line.client.map_or(empty.flow.client, endpoint),
        ..empty.flow
    };
    let response = line
        .status
        .map(|status| response(status, line.bytes, line.location));
    let incomplete = match (&line.request, &response) {
        (None, _) => Some(Incomplete::Malformed),
        (_, None) => Some(Incomplete::NoResponse),
        (_, Some(_)) => line.is_cut.then_some(Incomplete::ResponseCut),
    };
    let host = line.host.as_deref().or(host);
    let Some(request) = line.request.map(|asked| request(asked, host, line.fields)) else {
        return Exchange {
            flow,
            timing,
            incomplete,
            ..empty
        };
    };
    Exchange {
        flow,
        request,
        response,
        timing,
        incomplete,
        ..empty
    }
}

fn request(asked: RequestLine, host: Option<&[u8]>, mut fields: Vec<(Vec<u8>, Vec<u8>)>) -> Request {
    let has_host = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    if let Some(host) = host.filter(|_| !has_host) {
        fields.insert(0, (b"Host".to_vec(), host.to_vec()));
    }
    // Content is not sent, so neither is what describes it.
    let describes = |name: &[u8]| {
        [
            b"content-length".as_slice(),
            b"transfer-encoding",
            b"expect",
            b"content-type",
        ]
        .iter()
        .any(|field| name.eq_ignore_ascii_case(field))
    };
    fields.retain(|(name, value)| is_field(name, value) && !describes(name));
    let mut request = Request {
        method: asked.method.into(),
        target: asked.target.into(),
        version: asked.version,
        headers: Headers::from_pairs(fields),
        body: Body::default(),
        trailers: Headers::default(),
    };
    request.body.missing = u64::from(!gate::is_safe(&request));
    request
}

fn response(status: u16, bytes: Option<u64>, location: Option<Vec<u8>>) -> Response {
    Response {
        status,
        version: Version::Http11,
        reason: "".into(),
        headers: Headers::from_pairs(location.map(|location| ("Location", location))),
        body: Body {
            len: bytes.unwrap_or_default(),
            missing: u64::from(bytes.is_none()),
            ..Body::default()
        },
        trailers: Headers::default(),
    }
}

/// Whether a field can be sent (RFC 9110 section 5.5).
fn is_field(name: &[u8], value: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':')
        && value
            .iter()
            .all(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t')
}

fn endpoint(address: IpAddr) -> Endpoint {
    let addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    Endpoint {
        addr: addr.octets(),
        port: 0,
    }
}

/// The time until the first byte is that until the last one where a log has only this. Without either, the time of the
/// first byte is not known, and no latency is compared.
fn timing(line: &Line, at: Timestamp) -> Timing {
    let whole = line.whole.or(line.first);
    let lasted = whole.unwrap_or_default();
    let nanos = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
    let began = if line.at_end {
        Timestamp::from_nanos(at.as_nanos().saturating_sub(nanos))
    } else {
        at
    };
    Timing {
        request_first: Some(began),
        request_last: Some(began),
        response_first: whole.map(|whole| began + line.first.unwrap_or(whole)),
        response_last: Some(began + lasted),
    }
}
