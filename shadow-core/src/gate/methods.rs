//! Methods that a request may act as: its own, and those that frameworks let it ask for.
//!
//! Bias: an override can only turn a request into a write. A POST that claims to be a GET is still a POST to a server
//! that does not know the override.

use std::borrow::Cow;

use shadow_proto::{exchange::Request, request_target};

/// The safe methods (RFC 9110 section 9.2.1). Methods are case-sensitive, and an unknown one may do anything.
const SAFE_METHODS: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];

/// Fields with which frameworks let a request act as another method. `_` is equivalent to `-` on servers that pass
/// fields on as CGI does (RFC 3875 section 4.1.18).
const FIELDS: [&[u8]; 6] = [
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"x-method",
    b"http-method-override",
    b"method-override",
];

/// Query or form parameters with the same meaning.
const PARAMETERS: [&[u8]; 6] = [
    b"_method",
    b"$httpmethod",
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"httpmethodoverride",
];

/// Length of the longest field or parameter name above.
const LONGEST: usize = 22;

pub(super) fn is_safe(method: &[u8]) -> bool {
    SAFE_METHODS.contains(&method)
}

/// Whether the request may change state, by its own method or by one that it asks to be treated as.
pub(super) fn is_write(request: &Request) -> bool {
    !is_safe(&request.method) || !overrides(request, is_safe)
}

/// Whether sending it twice leaves the same state as sending it once (RFC 9110 section 9.2.2). This holds for PUT and
/// DELETE unless they ask to be treated as another method.
pub(super) fn is_idempotent(request: &Request) -> bool {
    let repeatable = matches!(request.method.as_ref(), b"PUT" | b"DELETE");
    !is_write(request) || (repeatable && overrides(request, |_| false))
}

/// Whether `good` holds for all methods that the request asks to be treated as, in upper case.
pub(super) fn overrides(request: &Request, good: impl Fn(&[u8]) -> bool) -> bool {
    let good = |method: &[u8]| good(&method.trim_ascii().to_ascii_uppercase());
    let in_fields = request
        .headers
        .iter()
        .all(|(name, value)| !is_one_of(&FIELDS, name) || good(value));
    let (_, query) = request_target::split(&request.target);
    in_fields && query.is_none_or(|query| in_pairs(query, &good)) && in_form(request, &good)
}

fn in_pairs(text: &[u8], good: &impl Fn(&[u8]) -> bool) -> bool {
    request_target::pairs(text).all(|(name, value)| {
        !is_one_of(&PARAMETERS, &trimmed(name)) || good(&request_target::form_decoded(value))
    })
}

/// The name without list brackets, as PHP and Rack read it: `_method[]`.
fn trimmed(name: &[u8]) -> Cow<'_, [u8]> {
    match request_target::form_decoded(name) {
        Cow::Borrowed(name) => Cow::Borrowed(name.split(|byte| *byte == b'[').next().unwrap_or_default()),
        Cow::Owned(name) => Cow::Owned(
            name.split(|byte| *byte == b'[')
                .next()
                .unwrap_or_default()
                .to_vec(),
        ),
    }
}

/// Checks a form in the body. A multipart form is not parsed: it is enough that it contains such a name.
fn in_form(request: &Request, good: &impl Fn(&[u8]) -> bool) -> bool {
    let body = &request.body.kept;
    if body.is_empty() {
        return true;
    }
    let media = request
        .headers
        .get("content-type")
        .unwrap_or_default()
        .trim_ascii();
    let is = |kind: &[u8]| {
        media
            .get(..kind.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(kind))
    };
    if is(b"multipart/") {
        let lower = body.to_ascii_lowercase();
        !PARAMETERS
            .iter()
            .any(|name| memchr::memmem::find(&lower, name).is_some())
    } else if is(b"application/x-www-form-urlencoded") {
        in_pairs(body, good)
    } else {
        true
    }
}

fn is_one_of(names: &[&[u8]], name: &[u8]) -> bool {
    if name.len() > LONGEST {
        return false;
    }
    names.iter().any(|known| {
        known.len() == name.len()
            && known
                .iter()
                .zip(name)
                .all(|(known, byte)| *known == byte.to_ascii_lowercase() || (*known == b'-' && *byte == b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_longer_than_the_longest() {
        let longest = FIELDS.iter().chain(&PARAMETERS).map(|name| name.len()).max();
        assert_eq!(longest, Some(LONGEST));
    }
}
