//! How long a message body is: RFC 9112 section 6.3, rule by rule.

use super::head::{RequestHead, ResponseHead};
use crate::exchange::{Headers, Incomplete, Version};

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
    /// The connection is no longer HTTP after this head (rule 2, and a 101 response).
    Switch,
}

/// What a request says about the response to it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Asked {
    #[default]
    Other,
    Head,
    Connect,
}

impl Asked {
    pub(crate) fn by(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Rules 3 to 5 and 7 for a request.
pub(crate) fn request(head: &RequestHead) -> Result<Framing, Incomplete> {
    let length = content_length(&head.headers)?;
    match transfer_coding(&head.headers, head.version, length)? {
        Coding::Absent => Ok(length.map_or(Framing::None, Framing::Length)),
        Coding::Chunked => Ok(Framing::Chunked),
        // Rule 4: without chunked as the final coding the length cannot be determined.
        Coding::Other => Err(Incomplete::AmbiguousFraming),
    }
}

/// Rules 1 to 8 for a response.
pub(crate) fn response(head: &ResponseHead, asked: Asked) -> Result<Framing, Incomplete> {
    match (head.status, asked) {
        (101, _) => return Ok(Framing::Switch),
        (200..=299, Asked::Connect) => return Ok(Framing::Switch),
        (100..=199 | 204 | 304, _) | (_, Asked::Head) => return Ok(Framing::None),
        _ => {}
    }
    let length = content_length(&head.headers)?;
    match transfer_coding(&head.headers, head.version, length)? {
        Coding::Absent => Ok(length.map_or(Framing::UntilClose, Framing::Length)),
        Coding::Chunked => Ok(Framing::Chunked),
        Coding::Other => Ok(Framing::UntilClose),
    }
}

enum Coding {
    Absent,
    Chunked,
    Other,
}

/// Rule 3 and RFC 9112 section 6.1: both lengths at once, or a coding in HTTP/1.0, is how requests are smuggled.
fn transfer_coding(headers: &Headers, version: Version, length: Option<u64>) -> Result<Coding, Incomplete> {
    let mut codings = headers
        .get_all("transfer-encoding")
        .flat_map(|value| value.split(|b| *b == b','));
    let Some(first) = codings.next() else {
        return Ok(Coding::Absent);
    };
    if length.is_some() || version == Version::Http10 {
        return Err(Incomplete::AmbiguousFraming);
    }
    let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let mut chunked = is_chunked(first);
    for coding in codings {
        // "chunked" must be last and must not be applied twice.
        if chunked {
            return Err(Incomplete::AmbiguousFraming);
        }
        chunked = is_chunked(coding);
    }
    Ok(if chunked { Coding::Chunked } else { Coding::Other })
}

/// Rule 5: one valid value, or several that are the same.
fn content_length(headers: &Headers) -> Result<Option<u64>, Incomplete> {
    let mut length = None;
    for value in headers
        .get_all("content-length")
        .flat_map(|value| value.split(|b| *b == b','))
    {
        let value = decimal(value.trim_ascii()).ok_or(Incomplete::AmbiguousFraming)?;
        if length.is_some_and(|known| known != value) {
            return Err(Incomplete::AmbiguousFraming);
        }
        length = Some(value);
    }
    Ok(length)
}

/// `1*DIGIT`: no sign, no space, no overflow.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
