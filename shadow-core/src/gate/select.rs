//! Which requests may be sent to the shadow system at all.

use serde::{Deserialize, Serialize};

use crate::exchange::{Exchange, Request};

/// Which exchanges are replayed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// What happens to requests that may change state.
    pub writes: Writes,
}

/// What happens to requests that may change state.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Writes {
    /// They are skipped and counted.
    #[default]
    Skip,
    /// They are replayed: whoever says so asserts that the shadow system's state is its own.
    Replay,
}

/// The safe methods (RFC 9110 section 9.2.1). Methods are case-sensitive, and one that is not known may do anything.
const SAFE_METHODS: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];

/// Fields by which frameworks let a request act as another method than it says.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// The query parameter of the same meaning.
const METHOD_PARAMETER: &[u8] = b"_method";

fn is_safe(method: &[u8]) -> bool {
    SAFE_METHODS.contains(&method)
}

/// Whether the request may change state: by its method, or by a method that it asks to be treated as.
///
/// An override only ever makes a request more of a write: a POST that claims to be a GET is still a POST to a server
/// that does not know the override.
pub(super) fn is_write(request: &Request) -> bool {
    let overridden = || {
        METHOD_OVERRIDES
            .iter()
            .flat_map(|name| request.headers.get_all(name))
            .any(|method| !is_safe(&method.trim_ascii().to_ascii_uppercase()))
    };
    !is_safe(&request.method) || overridden() || parameter_overrides(&request.target)
}

/// Whether sending it twice leaves the same state as sending it once (RFC 9110 section 9.2.2). PUT and DELETE do,
/// unless they ask to be treated as something else.
pub(super) fn is_idempotent(request: &Request) -> bool {
    let overrides = |request: &Request| {
        METHOD_OVERRIDES
            .iter()
            .any(|name| request.headers.get(name).is_some())
            || parameter_overrides(&request.target)
    };
    let repeatable = matches!(&*request.method, b"PUT" | b"DELETE");
    !is_write(request) || (repeatable && !overrides(request))
}

fn parameter_overrides(target: &[u8]) -> bool {
    let Some(mark) = memchr::memchr(b'?', target) else {
        return false;
    };
    let query = target.get(mark.saturating_add(1)..).unwrap_or_default();
    query.split(|byte| matches!(byte, b'&' | b';')).any(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default();
        let method = parts.next().unwrap_or_default();
        percent_decoded(name).eq_ignore_ascii_case(METHOD_PARAMETER)
            && !is_safe(&percent_decoded(method).to_ascii_uppercase())
    })
}

/// Percent-decoded (RFC 3986 section 2.1); what is no valid triplet stays as it is.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let triplet = match (byte, behind) {
            (b'%', [high, low, tail @ ..]) => hex(*high)
                .zip(hex(*low))
                .map(|(high, low)| (high << 4 | low, tail)),
            _ => None,
        };
        if let Some((value, tail)) = triplet {
            decoded.push(value);
            rest = tail;
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Whether the connection carries something else from here on, or was asked to.
///
/// A request to upgrade that was declined could be sent without the offer (RFC 9110 section 7.8 makes Upgrade
/// hop-by-hop), but many servers answer it differently then (426, 400): a false difference.
pub(super) fn changes_protocol(exchange: &Exchange) -> bool {
    exchange.request.method.as_ref() == b"CONNECT"
        || exchange.request.headers.get("upgrade").is_some()
        || exchange
            .response
            .as_ref()
            .is_some_and(|response| response.status == 101)
}
