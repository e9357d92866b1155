//! Message body length: RFC 9112 section 6.3, rule by rule.

use super::{
    foreign,
    head::{RequestHead, ResponseHead},
    host::Hosts,
};
use crate::{
    exchange::{Incomplete, Version},
    protocol::Abandon,
};

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// A fixed number of bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
    /// The connection is no longer HTTP after this head (rule 2, and a 101 response).
    Switch,
}

/// Properties of a request that affect the framing of its response.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum RequestKind {
    #[default]
    Other,
    Head,
    Connect,
}

impl RequestKind {
    pub(crate) fn by(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// The last transfer coding.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Coding {
    #[default]
    Absent,
    Chunked,
    Other,
}

/// Framing and host information from the fields of a head, gathered in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    coding: Coding,
    /// An invalid length, two different ones, or another coding after "chunked", which must be the last one.
    ambiguous: bool,
    /// "chunked" twice (RFC 9112 section 6.1): the outer one still determines where the message ends.
    chunked_twice: bool,
    /// The protocol that an Upgrade field requests or names.
    pub(super) protocol: Option<Abandon>,
    pub(super) hosts: Hosts,
    /// Whether the client waits for 100 (Continue) before the body (RFC 9110 section 10.1.1).
    pub(crate) expect: bool,
}

impl FramingFields {
    pub(crate) fn of<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut said = Self::default();
        for (name, value) in fields {
            match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => said.hosts.add(value),
                6 => said.expect |= name.eq_ignore_ascii_case(b"expect"),
                7 if name.eq_ignore_ascii_case(b"upgrade") => {
                    said.protocol = Some(foreign::upgraded(value));
                }
                14 if name.eq_ignore_ascii_case(b"content-length") => said.length(value),
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => said.coding(value),
                _ => {}
            }
        }
        said
    }

    /// Rule 5: one valid value, or several identical ones.
    fn length(&mut self, value: &[u8]) {
        for value in value.split(|byte| *byte == b',') {
            let length = decimal(value.trim_ascii());
            self.ambiguous |= length.is_none() || self.length.is_some() && self.length != length;
            self.length = length;
        }
    }

    fn coding(&mut self, value: &[u8]) {
        for coding in value.split(|byte| *byte == b',') {
            let chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
            let again = self.coding == Coding::Chunked;
            self.chunked_twice |= again && chunked;
            self.ambiguous |= again && !chunked;
            self.coding = if chunked { Coding::Chunked } else { Coding::Other };
        }
    }

    /// Whether a length or a coding is present.
    pub(super) fn has_framing(&self) -> bool {
        self.length.is_some() || self.coding != Coding::Absent
    }

    /// Rules 3 to 8 except for differences between requests and responses: `absent` without a length and a coding,
    /// `other` with a coding that does not end with "chunked".
    ///
    /// Rule 3 and RFC 9112 section 6.1: a length with a coding, or a coding in HTTP/1.0, is used to smuggle requests.
    fn framing(
        &self,
        version: Version,
        absent: Framing,
        other: Result<Framing, Incomplete>,
    ) -> Result<Framing, Incomplete> {
        let both = self.length.is_some() || version == Version::Http10;
        match self.coding {
            _ if self.ambiguous => Err(Incomplete::AmbiguousFraming),
            Coding::Absent => Ok(self.length.map_or(absent, Framing::Length)),
            Coding::Chunked | Coding::Other if both => Err(Incomplete::AmbiguousFraming),
            Coding::Chunked => Ok(Framing::Chunked),
            Coding::Other => other,
        }
    }
}

/// Rules 3 to 5 and 7 for a request.
pub(crate) fn request(head: &RequestHead) -> Result<Framing, Incomplete> {
    // Rule 4: without chunked as the final coding the length cannot be determined.
    let other = Err(Incomplete::AmbiguousFraming);
    if head.said.chunked_twice {
        // A server may support "chunked" but not a list of it: then it reads the content as the next request.
        return other;
    }
    head.said.framing(head.version, Framing::None, other)
}

/// The fault of a response whose content has a certain end and an uncertain meaning.
pub(crate) fn response_fault(head: &ResponseHead, framing: Framing) -> Option<Incomplete> {
    (head.said.chunked_twice && framing == Framing::Chunked).then_some(Incomplete::AmbiguousFraming)
}

/// Rules 1 to 8 for a response.
pub(crate) fn response(head: &ResponseHead, asked: RequestKind) -> Result<Framing, Incomplete> {
    match (head.status, asked) {
        (101, _) => return Ok(Framing::Switch),
        (200..=299, RequestKind::Connect) => return Ok(Framing::Switch),
        (100..=199 | 204 | 304, _) | (_, RequestKind::Head) => return Ok(Framing::None),
        _ => {}
    }
    let other = Ok(Framing::UntilClose);
    head.said.framing(head.version, Framing::UntilClose, other)
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
