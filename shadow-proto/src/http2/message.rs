//! Messages from decoded fields (RFC 9113 section 8): pseudo-header fields, and what makes a message malformed.
//!
//! The result has the same form for every version: `:authority` is a Host field, the first one. Bias: a message that a
//! receiver has to refuse (section 8.1.1) is malformed here, too, so nothing of it becomes another request in HTTP/1. A
//! binary value of gRPC becomes the base64 that every peer reads.

use core::ops::Range;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use bytes::Bytes;

use super::hpack::{Fields, Line};
use crate::{
    exchange::{Body, Headers, Incomplete, Request, Response, Version},
    http1::begins::is_token,
};

/// The fields of a block by their kind.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    fields: Fields,
    method: Option<Range<u32>>,
    scheme: Option<Range<u32>>,
    authority: Option<Range<u32>>,
    path: Option<Range<u32>>,
    status: Option<Range<u32>>,
    /// `:protocol` (RFC 8441).
    protocol: bool,
    /// The number of pseudo-header fields: they come first.
    pseudo: usize,
    hosts: usize,
    /// The announced length of the content.
    pub(super) length: Option<u64>,
    pub(super) fault: Option<Incomplete>,
}

impl Sorted {
    pub(super) fn of(mut fields: Fields) -> Self {
        encode_binary(&mut fields);
        let mut sorted = Self::default();
        let mut valid = true;
        for (place, line) in fields.lines.iter().enumerate() {
            let (name, value) = (fields.part(&line.name), fields.part(&line.value));
            valid &= is_value(value);
            if name.first() == Some(&b':') {
                // Section 8.3: before all regular fields.
                valid &= sorted.pseudo == place && sorted.add_pseudo(name, line);
                sorted.pseudo += 1;
            } else {
                valid &= sorted.add_regular(name, value);
            }
        }
        let fault = (!valid).then_some(Incomplete::Malformed);
        let limit = fields.too_large.then_some(Incomplete::HeadTooLarge);
        let unknown = fields.unknown.then_some(Incomplete::H2HeaderState);
        sorted.fault = fault.or(limit).or(unknown);
        sorted.fields = fields;
        sorted
    }

    /// `false` for one that is repeated or not defined.
    fn add_pseudo(&mut self, name: &[u8], line: &Line) -> bool {
        let place = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            b":status" => &mut self.status,
            b":protocol" => return !core::mem::replace(&mut self.protocol, true),
            _ => return false,
        };
        place.replace(line.value.clone()).is_none()
    }

    /// `false` for one that makes the message malformed (sections 8.2.1, 8.2.2).
    fn add_regular(&mut self, name: &[u8], value: &[u8]) -> bool {
        match name {
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => false,
            b"te" => value.eq_ignore_ascii_case(b"trailers"),
            b"host" => {
                self.hosts += 1;
                true
            }
            b"content-length" => {
                let text = core::str::from_utf8(value).ok();
                let digits =
                    text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
                let length = digits.and_then(|digits| digits.parse().ok());
                let same = self.length.is_none() || self.length == length;
                self.length = length;
                same && length.is_some()
            }
            _ => {
                // Every byte is looked at: that is faster than a loop that may end early.
                let invalid = |byte: &u8| !is_token(*byte) || byte.is_ascii_uppercase();
                !name.is_empty() && !name.iter().fold(false, |found, byte| found | invalid(byte))
            }
        }
    }

    fn text(&self, range: Option<&Range<u32>>) -> Option<&[u8]> {
        range.map(|range| self.fields.part(range))
    }

    /// Whether it may begin a request: it has a pseudo-header field of one, or unknown fields.
    pub(super) fn may_be_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.pseudo == 0 && self.fields.unknown
    }

    /// Whether it has pseudo-header fields: then it is no trailer section.
    pub(super) fn has_pseudo(&self) -> bool {
        self.pseudo > 0
    }

    /// Whether a field is not known.
    pub(super) fn has_unknown(&self) -> bool {
        self.fields.unknown
    }

    /// Whether this is CONNECT, plain or extended (section 8.5, RFC 8441).
    pub(super) fn is_connect(&self) -> bool {
        self.text(self.method.as_ref()) == Some(b"CONNECT")
    }

    /// The status code, if there is a valid one.
    pub(super) fn status(&self) -> Option<u16> {
        match self.text(self.status.as_ref())? {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_digit) => {
                let digit = |byte: u8| u16::from(byte - b'0');
                Some(digit(a) * 100 + digit(b) * 10 + digit(c)).filter(|status| *status >= 100)
            }
            _ => None,
        }
    }

    /// The fault of a request head.
    fn request_fault(&self) -> Option<Incomplete> {
        let method = self.text(self.method.as_ref());
        let path = self.text(self.path.as_ref());
        let authority = self.text(self.authority.as_ref());
        let connect = self.is_connect();
        // Without an unknown field, a missing one is known to be missing.
        let complete = connect || method.is_some() && self.scheme.is_some() && path.is_some();
        let status = self.status.is_some() || self.protocol && !connect;
        let method_valid =
            method.is_none_or(|method| !method.is_empty() && method.iter().all(|byte| is_token(*byte)));
        let path_valid = path.is_none_or(|path| {
            let form = path.first() == Some(&b'/') || path == b"*" && method == Some(b"OPTIONS");
            form && !path
                .iter()
                .any(|byte| byte.is_ascii_control() || matches!(byte, b' ' | b'#'))
        });
        if status || !method_valid || !path_valid || !complete && !self.has_unknown() {
            return Some(Incomplete::Malformed);
        }
        let host = self.host();
        let stray = |byte: &u8| {
            byte.is_ascii_whitespace() || matches!(byte, b'@' | b'/' | b'\\' | b'?' | b'#' | b',')
        };
        let odd = |host: &[u8]| host.iter().any(stray);
        let ambiguous = self.hosts > 1
            || authority.is_some_and(odd)
            || host.is_some_and(odd)
            || matches!((authority, host), (Some(a), Some(b)) if a != b);
        ambiguous.then_some(Incomplete::AmbiguousHost)
    }

    /// The value of the Host field.
    fn host(&self) -> Option<&[u8]> {
        let host = |line: &&Line| self.hosts > 0 && self.fields.part(&line.name) == b"host";
        let line = self.fields.lines.iter().find(host)?;
        Some(self.fields.part(&line.value))
    }

    /// A request without its content. What is not known is empty, and the fault says so.
    pub(super) fn into_request(mut self, keep: bool) -> (Request, Option<Incomplete>) {
        let fault = self.fault.or_else(|| self.request_fault());
        let mut host = None;
        if let (Some(authority), true) = (self.authority, keep) {
            // RFC 9113 section 8.3.1: `:authority` is what Host is in HTTP/1.
            let start = u32::try_from(self.fields.raw.len()).unwrap_or(u32::MAX);
            self.fields.raw.extend_from_slice(b"host");
            host = Some(Line {
                name: start..start.saturating_add(4),
                value: authority,
            });
        }
        let shared = Bytes::from(self.fields.raw);
        let part = |range: &Range<u32>| shared.get(range.start as usize..range.end as usize);
        let method = self.method.as_ref().and_then(part).map(usual);
        let target = self.path.as_ref().and_then(part).unwrap_or_default();
        let target = if keep {
            shared.slice_ref(target)
        } else {
            Bytes::copy_from_slice(target)
        };
        let headers = if keep {
            headers(&shared, self.fields.lines, host)
        } else {
            Headers::default()
        };
        let request = Request {
            method: method.unwrap_or_default(),
            target,
            version: Version::Http2,
            headers,
            body: Body::default(),
            trailers: Headers::default(),
        };
        (request, fault)
    }

    /// A response without its content, when its status is known.
    pub(super) fn into_response(self, keep: bool) -> (Option<Response>, Option<Incomplete>) {
        let status = self.status();
        let requests = self.method.is_some() || self.path.is_some() || self.scheme.is_some();
        let none = status.is_none() && !self.has_unknown();
        let malformed = requests || none || self.authority.is_some() || self.protocol;
        let fault = self.fault.or(malformed.then_some(Incomplete::Malformed));
        // Unknown without a fault cannot be: a status that is not there is one of the unknown fields.
        let fault = fault.or(status.is_none().then_some(Incomplete::H2HeaderState));
        let response = status.map(|status| Response {
            status,
            version: Version::Http2,
            reason: Bytes::new(),
            headers: self.into_fields(keep),
            body: Body::default(),
            trailers: Headers::default(),
        });
        (response, fault)
    }

    /// The fields of a trailer section.
    pub(super) fn into_trailers(self, keep: bool) -> (Headers, Option<Incomplete>) {
        let fault = self.fault.or(self.has_pseudo().then_some(Incomplete::Malformed));
        (self.into_fields(keep), fault)
    }

    fn into_fields(self, keep: bool) -> Headers {
        if keep {
            headers(&Bytes::from(self.fields.raw), self.fields.lines, None)
        } else {
            Headers::default()
        }
    }
}

/// The fields that are no pseudo-header fields; `host` comes first, and replaces the one that was sent.
fn headers(raw: &Bytes, lines: Vec<Line>, host: Option<Line>) -> Headers {
    let replaced = host.is_some();
    let is_kept = |line: &Line| {
        let name = raw.get(line.name.start as usize..line.name.end as usize);
        let name = name.unwrap_or_default();
        name.first() != Some(&b':') && !(replaced && name == b"host")
    };
    let mut headers = Headers::with_capacity(raw.clone(), lines.len());
    let regular = lines.into_iter().filter(is_kept);
    for Line { name, value } in host.into_iter().chain(regular) {
        headers.push_span(name, value);
    }
    headers
}

/// Encodes values that gRPC's C core sends to itself without base64: a zero byte, then the bytes as they are ("true
/// binary metadata", gRPC proposal G1). Both peers agree on that in SETTINGS, so another peer is sent base64.
fn encode_binary(fields: &mut Fields) {
    let Fields { raw, lines, .. } = fields;
    for Line { name, value } in lines {
        let part = |range: &Range<u32>| raw.get(range.start as usize..range.end as usize);
        let is_binary = part(name).is_some_and(|name| name.ends_with(b"-bin"));
        let Some([0, bytes @ ..]) = part(value).filter(|_| is_binary) else {
            continue;
        };
        let text = BASE64_STANDARD_NO_PAD.encode(bytes);
        let start = raw.len();
        raw.extend_from_slice(text.as_bytes());
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(raw.len())) {
            *value = start..end;
        }
    }
}

/// Whether this is a valid field value (section 8.2.1).
fn is_value(value: &[u8]) -> bool {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !blank(value.first()) && !blank(value.last()) && memchr::memchr3(0, b'\r', b'\n', value).is_none()
}

/// A method that does not keep the block alive, if it is one of a few.
fn usual(method: &[u8]) -> Bytes {
    match method {
        b"GET" => Bytes::from_static(b"GET"),
        b"POST" => Bytes::from_static(b"POST"),
        b"HEAD" => Bytes::from_static(b"HEAD"),
        _ => Bytes::copy_from_slice(method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a trailer section, and its fault.
    fn trailers(pairs: &[(&str, &[u8])]) -> (Vec<(String, Vec<u8>)>, Option<Incomplete>) {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            let start = u32::try_from(fields.raw.len()).unwrap();
            fields.raw.extend_from_slice(name.as_bytes());
            let middle = u32::try_from(fields.raw.len()).unwrap();
            fields.raw.extend_from_slice(value);
            let end = u32::try_from(fields.raw.len()).unwrap();
            fields.lines.push(Line {
                name: start..middle,
                value: middle..end,
            });
        }
        let (headers, fault) = Sorted::of(fields).into_trailers(true);
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let found = headers.iter().map(|(name, value)| (text(name), value.to_vec()));
        (found.collect(), fault)
    }

    #[test]
    fn a_binary_value_becomes_base64() {
        let sent: [(&str, &[u8]); 4] = [
            ("a-bin", b"\0\0\r\n "),
            ("b-bin", b"\0"),
            ("c-bin", b"AA0KIA"),
            ("grpc-status", b"0"),
        ];
        let (fields, fault) = trailers(&sent);
        let read: Vec<(&str, &[u8])> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        assert_eq!(
            read,
            [
                ("a-bin", &b"AA0KIA"[..]),
                ("b-bin", b""),
                ("c-bin", b"AA0KIA"),
                ("grpc-status", b"0")
            ]
        );
        assert_eq!(fault, None);
    }

    #[test]
    fn a_zero_byte_anywhere_else_is_malformed() {
        for (name, value) in [
            ("a", &b"\0b"[..]),
            ("a-bin", b"b\0"),
            ("a-binary", b"\0b"),
            ("a-bin", b"\r\0"),
        ] {
            assert_eq!(
                trailers(&[(name, value)]).1,
                Some(Incomplete::Malformed),
                "{name} {value:?}"
            );
        }
    }
}
