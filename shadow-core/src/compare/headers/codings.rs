//! Content codings as the result of a negotiation (RFC 9110 section 12.5.3).
//!
//! Two answers in different codings are the same if the client can read both. A coding that the request does not accept
//! is a difference, and so is much content without a coding where production had one.

use shadow_proto::exchange::{Headers, Request};

use crate::compare::{Side, decode, media};

/// Bytes of content that every server that compresses finds worth it.
const WORTH: u64 = 8 << 10;

/// The codings of an answer, in the order in which they were applied. Names that mean no coding are left out.
pub(super) fn named(headers: &Headers) -> Vec<String> {
    elements("content-encoding", headers)
        .filter(|name| !decode::is_none(name.as_bytes()))
        .map(|name| normal(&name))
        .collect()
}

fn elements<'h>(field: &'h str, headers: &'h Headers) -> impl Iterator<Item = String> + 'h {
    headers
        .get_all(field)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|element| String::from_utf8_lossy(element.trim_ascii()).to_ascii_lowercase())
}

/// Former names of codings (RFC 9110 section 8.4.1).
fn normal(name: &str) -> String {
    match name {
        "x-gzip" => "gzip",
        "x-compress" => "compress",
        name => name,
    }
    .to_owned()
}

/// Whether the client can read the shadow system's codings as well as production's.
pub(super) fn are_negotiated(request: &Request, production: Side<'_>, shadow: Side<'_>) -> bool {
    let (left, right) = (named(production.headers), named(shadow.headers));
    if left == right {
        return true;
    }
    if right.is_empty() {
        let is_lost = shadow.body.len >= WORTH && accepts(&request.headers, left.last());
        return !is_lost && accepts(&request.headers, None);
    }
    // The client reads what production sends it.
    let reads = |coding: &String| left.contains(coding) || accepts(&request.headers, Some(coding));
    right.iter().all(reads)
}

/// Whether a request accepts a coding, or content without one. Without the field it accepts any.
fn accepts(request: &Headers, coding: Option<&String>) -> bool {
    if request.get("accept-encoding").is_none() {
        return true;
    }
    let name = coding.map_or("identity", String::as_str);
    let weight = |wanted: &str| {
        let said = elements("accept-encoding", request).find(|element| {
            let said = element.split(';').next().unwrap_or_default().trim();
            normal(said) == wanted
        })?;
        let weight = media::parameter(said.as_bytes(), "q");
        let weight = weight.and_then(|weight| String::from_utf8(weight).ok()?.parse::<f64>().ok());
        Some(weight.unwrap_or(1.0))
    };
    match weight(name).or_else(|| weight("*")) {
        Some(weight) => weight > 0.0,
        None => coding.is_none(),
    }
}
