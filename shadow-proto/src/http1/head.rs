//! Start lines and header fields.

use core::mem::MaybeUninit;
use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr;

use super::{
    framing::FramingFields,
    head_copy::{HeadCopy, method},
    host,
};
use crate::exchange::{Headers, Incomplete, Version};

/// Number of fields parsed without a heap allocation.
pub(super) const USUAL_FIELDS: usize = 48;

/// Collects the bytes of one head up to its empty line.
#[derive(Debug, Default)]
pub(crate) struct HeadBuffer {
    bytes: Vec<u8>,
    scan: Scan,
}

/// Scan position in a head, so that no byte is scanned twice.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    at: usize,
    line: usize,
    suspicious: bool,
}

/// Result of [`HeadBuffer::push`].
#[derive(Debug)]
pub(crate) enum HeadStep<'a> {
    /// The empty line has not arrived.
    More,
    /// A complete head.
    Complete(RawHead<'a>),
    /// No end within the limit.
    TooLarge,
}

/// The bytes of one head including its empty line. They are borrowed when one segment holds them all.
#[derive(Clone, Debug)]
pub(crate) struct RawHead<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Bare line feeds or folded lines (RFC 9112 sections 2.2 and 5.2): readers disagree about these.
    pub(crate) suspicious: bool,
}

impl RawHead<'_> {
    /// A copy that outlives the segment.
    pub(crate) fn into_owned(self) -> RawHead<'static> {
        RawHead {
            bytes: Cow::Owned(self.bytes.into_owned()),
            suspicious: self.suspicious,
        }
    }
}

impl HeadBuffer {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The bytes so far.
    pub(crate) fn so_far(&self) -> &[u8] {
        &self.bytes
    }

    /// Consumes bytes up to the end of the head; returns how many.
    pub(crate) fn push<'a>(&mut self, input: &'a [u8], limit: usize) -> (usize, HeadStep<'a>) {
        if self.bytes.is_empty() {
            // The usual head arrives in one segment and is read in place.
            let mut scan = Scan::default();
            let window = input.get(..limit).unwrap_or(input);
            if let Some(end) = scan.find_end(window) {
                let bytes = Cow::Borrowed(window.get(..end).unwrap_or_default());
                return (
                    end,
                    HeadStep::Complete(RawHead {
                        bytes,
                        suspicious: scan.suspicious,
                    }),
                );
            }
        }
        let before = self.bytes.len();
        let room = limit.saturating_sub(before);
        self.bytes.extend_from_slice(input.get(..room).unwrap_or(input));
        if let Some(end) = self.scan.find_end(&self.bytes) {
            self.bytes.truncate(end);
            let suspicious = self.scan.suspicious;
            let bytes = Cow::Owned(core::mem::take(&mut self.bytes));
            self.clear();
            return (
                end.saturating_sub(before),
                HeadStep::Complete(RawHead { bytes, suspicious }),
            );
        }
        if input.len() >= room {
            return (input.len(), HeadStep::TooLarge);
        }
        (input.len(), HeadStep::More)
    }
}

impl Scan {
    /// The offset after the empty line.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(found) = memchr(b'\n', bytes.get(self.at..)?) {
            let feed = self.at + found;
            let line = bytes.get(self.line..feed)?;
            self.suspicious |= !line.ends_with(b"\r");
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.suspicious |= self.line > 0 && matches!(line.first(), Some(b' ' | b'\t'));
            self.at = feed + 1;
            self.line = feed + 1;
            if line.is_empty() {
                return Some(feed + 1);
            }
        }
        self.at = bytes.len();
        None
    }
}

/// A parsed request head.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Bytes,
    pub(crate) target: Bytes,
    pub(crate) version: Version,
    pub(crate) headers: Headers,
    pub(crate) said: FramingFields,
    /// Whether two readers could disagree about its host.
    pub(crate) ambiguous_host: bool,
}

/// A parsed response head.
#[derive(Clone, Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) reason: Bytes,
    pub(crate) headers: Headers,
    pub(crate) said: FramingFields,
}

/// Parses a request head (RFC 9112 section 3). Without `keep` its fields are read but not kept.
pub(crate) fn request(raw: &RawHead<'_>, max_fields: usize, keep: bool) -> Result<RequestHead, Incomplete> {
    let read = |bytes: &[u8]| {
        with_fields(max_fields, |fields| {
            let mut parsed = httparse::Request::new(&mut []);
            let config = httparse::ParserConfig::default();
            config.parse_request_with_uninit_headers(&mut parsed, bytes, fields)?;
            Ok(request_of(bytes, &parsed, keep))
        })
    };
    read(&raw.bytes).or_else(|fault| {
        let (target, plain) = odd_target(&raw.bytes).ok_or(fault)?;
        Ok(RequestHead {
            target,
            ..read(&plain)?
        })
    })
}

/// The target of a request line in origin form that has bytes of another character set than UTF-8, and the head with
/// plain letters in their place. RFC 9112 section 3.2 allows none of them, but servers route them like any others.
fn odd_target(raw: &[u8]) -> Option<(Bytes, Vec<u8>)> {
    let line = raw.split(|byte| *byte == b'\n').next()?;
    let start = memchr(b' ', line)?.checked_add(1)?;
    let end = start.checked_add(memchr(b' ', line.get(start..)?)?)?;
    let target = line
        .get(start..end)
        .filter(|target| target.first() == Some(&b'/'))?;
    if core::str::from_utf8(target).is_ok() {
        return None;
    }
    let mut plain = raw.to_vec();
    for byte in plain.get_mut(start..end)? {
        if !byte.is_ascii() {
            *byte = b'x';
        }
    }
    Some((Bytes::copy_from_slice(target), plain))
}

/// Builds the request head from the `parsed` form of `raw`.
pub(super) fn request_of(raw: &[u8], parsed: &httparse::Request<'_, '_>, keep: bool) -> RequestHead {
    let kept = HeadCopy::new(raw, keep);
    let mut head = RequestHead {
        method: method(&kept, parsed.method.unwrap_or_default().as_bytes()),
        target: kept.part(parsed.path.unwrap_or_default().as_bytes()),
        version: version(parsed.version),
        said: said(parsed.headers),
        headers: kept.fields(parsed.headers),
        ambiguous_host: false,
    };
    head.ambiguous_host = host::is_ambiguous(&head, parsed.headers);
    head
}

/// Parses a response head (RFC 9112 section 4). Without `keep` its fields are read but not kept.
pub(crate) fn response(raw: &RawHead<'_>, max_fields: usize, keep: bool) -> Result<ResponseHead, Incomplete> {
    with_fields(max_fields, |fields| {
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        config.parse_response_with_uninit_headers(&mut parsed, &raw.bytes, fields)?;
        Ok(response_of(&raw.bytes, &parsed, keep))
    })
}

/// Builds the response head from the `parsed` form of `raw`.
pub(super) fn response_of(raw: &[u8], parsed: &httparse::Response<'_, '_>, keep: bool) -> ResponseHead {
    let kept = HeadCopy::new(raw, keep);
    let status = parsed.code.unwrap_or_default();
    ResponseHead {
        status,
        version: version(parsed.version),
        reason: kept.reason(status, reason_phrase(raw)),
        said: said(parsed.headers),
        headers: kept.fields(parsed.headers),
    }
}

fn said(fields: &[httparse::Header<'_>]) -> FramingFields {
    FramingFields::of(fields.iter().map(|field| (field.name.as_bytes(), field.value)))
}

/// The third part of a parsed status line. httparse drops a phrase with obs-text, which is valid.
fn reason_phrase(raw: &[u8]) -> &[u8] {
    let line = raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut parts = line.trim_ascii_end().splitn(3, |byte| *byte == b' ');
    parts.nth(2).unwrap_or_default()
}

/// Parses a trailer section, including its empty line.
pub(crate) fn trailers(raw: &RawHead<'_>, max_fields: usize, keep: bool) -> Result<Headers, Incomplete> {
    let mut fields = vec![httparse::EMPTY_HEADER; max_fields];
    match httparse::parse_headers(&raw.bytes, &mut fields) {
        Ok(httparse::Status::Complete((_, parsed))) => Ok(HeadCopy::new(&raw.bytes, keep).fields(parsed)),
        Ok(httparse::Status::Partial) => Err(Incomplete::Malformed),
        Err(error) => Err(fault(error)),
    }
}

fn with_fields<'b, H>(
    max: usize,
    mut parse: impl FnMut(&mut [MaybeUninit<httparse::Header<'b>>]) -> Result<H, httparse::Error>,
) -> Result<H, Incomplete> {
    let mut usual = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let usual = usual.get_mut(..max.min(USUAL_FIELDS)).unwrap_or_default();
    match parse(usual) {
        Err(httparse::Error::TooManyHeaders) if max > USUAL_FIELDS => {
            parse(&mut vec![MaybeUninit::uninit(); max]).map_err(fault)
        }
        other => other.map_err(fault),
    }
}

fn fault(error: httparse::Error) -> Incomplete {
    match error {
        httparse::Error::TooManyHeaders => Incomplete::HeadTooLarge,
        _ => Incomplete::Malformed,
    }
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) {
        Version::Http10
    } else {
        Version::Http11
    }
}

/// Reads as much as possible of an invalid request head, for display only.
pub(crate) fn lenient_request(raw: &[u8]) -> RequestHead {
    let (line, headers) = lenient(raw);
    let mut words = line.splitn(2, |b| *b == b' ');
    let method = Bytes::copy_from_slice(words.next().unwrap_or_default());
    let rest = words.next().unwrap_or_default();
    let (target, old) = match memchr::memmem::rfind(rest, b" HTTP/") {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.ends_with(b"1.0")),
        None => (rest, false),
    };
    let version = if old { Version::Http10 } else { Version::Http11 };
    RequestHead {
        method,
        target: Bytes::copy_from_slice(target),
        version,
        headers,
        said: FramingFields::default(),
        ambiguous_host: false,
    }
}

/// Reads as much as possible of an invalid response head, for display only.
pub(crate) fn lenient_response(raw: &[u8]) -> ResponseHead {
    let (line, headers) = lenient(raw);
    let mut words = line.splitn(3, |b| *b == b' ');
    let version = if words.next() == Some(b"HTTP/1.0") {
        Version::Http10
    } else {
        Version::Http11
    };
    let code = words.next().and_then(|word| core::str::from_utf8(word).ok());
    let status = code.and_then(|code| code.parse().ok()).unwrap_or_default();
    let reason = Bytes::copy_from_slice(words.next().unwrap_or_default());
    ResponseHead {
        status,
        version,
        reason,
        headers,
        said: FramingFields::default(),
    }
}

fn lenient(raw: &[u8]) -> (&[u8], Headers) {
    let mut lines = raw.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end);
    let first = lines.next().unwrap_or_default();
    let fields = lines.filter_map(|line| {
        let colon = memchr(b':', line)?;
        Some((
            line.get(..colon)?.trim_ascii(),
            line.get(colon + 1..)?.trim_ascii(),
        ))
    });
    (first, Headers::from_pairs(fields))
}
