//! Types shared by every later module: messages, exchanges and the reasons why one is incomplete.

use bytes::Bytes;

use shadow_common::flow::Endpoint;

use crate::{seq::SeqNum, time::Timestamp};

/// A request with its production response, as seen on the wire.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The connection it came from.
    pub flow: Flow,
    /// Its position on that connection, from 0, counting every request that was seen.
    pub index: u64,
    /// Where it begins in the client's stream.
    pub place: Place,
    /// The request.
    pub request: Request,
    /// The response, if one was paired.
    pub response: Option<Response>,
    /// The four timestamps.
    pub timing: Timing,
    /// `None` when both messages are complete and certainly belong together.
    pub incomplete: Option<Incomplete>,
}

impl Exchange {
    /// Whether both messages are complete and certainly belong together. Only then may they be compared.
    pub fn is_complete(&self) -> bool {
        self.incomplete.is_none()
    }
}

/// A response whose request was not seen, or is not known.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// The connection it came from.
    pub flow: Flow,
    /// The response.
    pub response: Response,
    /// First and last byte of the response; the request fields are `None`.
    pub timing: Timing,
    /// Why it has no request.
    pub incomplete: Incomplete,
}

/// One TCP connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Flow {
    /// The end that sends requests.
    pub client: Endpoint,
    /// The end that answers.
    pub server: Endpoint,
}

/// Where a request begins. Every observer of a connection sees the same numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The client's initial sequence number, which tells connections between the same endpoints apart. `None` when its
    /// SYN was not seen.
    pub opened: Option<SeqNum>,
    /// The sequence number of the request's first byte. `None` where requests share the stream (HTTP/2), and in
    /// recordings of messages.
    pub begins: Option<SeqNum>,
}

/// When the first and the last byte of each message were captured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timing {
    /// First byte of the request.
    pub request_first: Option<Timestamp>,
    /// Last byte of the request.
    pub request_last: Option<Timestamp>,
    /// First byte of the final response (interim responses do not count).
    pub response_first: Option<Timestamp>,
    /// Last byte of the response.
    pub response_last: Option<Timestamp>,
}

/// An HTTP request (RFC 9112 section 3).
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, as sent (methods are case-sensitive).
    pub method: Bytes,
    /// Request target, as sent.
    pub target: Bytes,
    /// HTTP version.
    pub version: Version,
    /// Header fields, in order, names as sent.
    pub headers: Headers,
    /// The content, without transfer coding.
    pub body: Body,
    /// Trailer fields.
    pub trailers: Headers,
}

/// An HTTP response (RFC 9112 section 4).
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// HTTP version.
    pub version: Version,
    /// Reason phrase, as sent.
    pub reason: Bytes,
    /// Header fields, in order, names as sent.
    pub headers: Headers,
    /// The content, without transfer coding.
    pub body: Body,
    /// Trailer fields.
    pub trailers: Headers,
}

/// The version of HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As written in a start line; HTTP/2 has none.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// Header or trailer fields in the order and the letter case in which they were sent.
///
/// One shared buffer and a list of spans: a captured head costs two allocations regardless of its field count.
#[derive(Clone, Default)]
pub struct Headers {
    raw: Bytes,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    name: (u32, u32),
    value: (u32, u32),
}

impl Headers {
    /// No fields.
    pub fn none() -> &'static Self {
        static NONE: Headers = Headers {
            raw: Bytes::new(),
            spans: Vec::new(),
        };
        &NONE
    }

    /// No fields yet, with the buffer that later spans point into.
    pub fn new(raw: Bytes) -> Self {
        Self {
            raw,
            spans: Vec::new(),
        }
    }

    /// As [`Headers::new`], with capacity for `fields`.
    pub fn with_capacity(raw: Bytes, fields: usize) -> Self {
        Self {
            raw,
            spans: Vec::with_capacity(fields),
        }
    }

    /// Adds a field whose name and value are `start..end` ranges of the buffer. Ranges outside it read as empty.
    pub fn push_span(&mut self, name: core::ops::Range<u32>, value: core::ops::Range<u32>) {
        self.spans.push(Span {
            name: (name.start, name.end),
            value: (value.start, value.end),
        });
    }

    /// From owned pairs, for tests and for messages that were not captured.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut raw = Vec::new();
        let mut spans = Vec::new();
        let mut add = |part: &[u8]| {
            let start = raw.len();
            raw.extend_from_slice(part);
            (
                u32::try_from(start).unwrap_or(u32::MAX),
                u32::try_from(raw.len()).unwrap_or(u32::MAX),
            )
        };
        for (name, value) in pairs {
            let name = add(name.as_ref());
            spans.push(Span {
                name,
                value: add(value.as_ref()),
            });
        }
        Self {
            raw: raw.into(),
            spans,
        }
    }

    /// Name and value of each field, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator {
        self.spans
            .iter()
            .map(|span| (self.part(span.name), self.part(span.value)))
    }

    /// As [`Headers::iter`], as slices that share the buffer.
    pub fn iter_bytes(&self) -> impl ExactSizeIterator<Item = (Bytes, Bytes)> {
        self.spans
            .iter()
            .map(|span| (self.shared(span.name), self.shared(span.value)))
    }

    /// Every value of a field, by case-insensitive name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first value of a field, by case-insensitive name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Size of the shared buffer in bytes.
    pub fn allocated(&self) -> usize {
        self.raw.len()
    }

    fn shared(&self, span: (u32, u32)) -> Bytes {
        match self.part(span) {
            [] => Bytes::new(),
            part => self.raw.slice_ref(part),
        }
    }

    fn part(&self, (start, end): (u32, u32)) -> &[u8] {
        self.raw.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl core::fmt::Debug for Headers {
    /// Prints names only: values may be secrets, and debug output reaches logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name)))
            .finish()
    }
}

/// Message content after the transfer coding was removed.
#[derive(Clone, Default)]
pub struct Body {
    /// Length in bytes, including bytes that were not kept; bytes in gaps count when the framing gives their number.
    pub len: u64,
    /// The first bytes, up to the cap; the complete content when [`Body::is_whole`].
    pub kept: Bytes,
    /// BLAKE3 of the complete content. Always present when digests are on, the body has no gaps, and `kept` is not
    /// all of it.
    pub digest: Option<[u8; 32]>,
    /// Bytes in declared gaps.
    pub missing: u64,
}

impl Body {
    /// A body whose bytes are all kept.
    pub fn whole(kept: impl Into<Bytes>) -> Self {
        let kept = kept.into();
        Self {
            len: kept.len() as u64,
            kept,
            digest: None,
            missing: 0,
        }
    }

    /// Whether `kept` is the complete content.
    pub fn is_whole(&self) -> bool {
        self.missing == 0 && self.kept.len() as u64 == self.len
    }

    /// BLAKE3 of the content: the running one, or that of the kept bytes when they are all. `None` with a gap.
    pub fn blake3(&self) -> Option<[u8; 32]> {
        if self.is_whole() {
            return Some(*blake3::hash(&self.kept).as_bytes());
        }
        self.digest
    }
}

impl core::fmt::Debug for Body {
    /// Never prints the content.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            len,
            kept,
            digest: _,
            missing,
        } = self;
        write!(f, "Body({len} bytes, {} kept, {missing} missing)", kept.len())
    }
}

crate::catalogue! {
    /// Why an exchange is incomplete. An incomplete exchange is never compared.
    Incomplete {
        /// The capture began, or resumed, in the middle of the connection: what belongs together is not certain yet.
        Midstream = "midstream",
        /// Bytes of the request were not captured.
        RequestGap = "request_gap",
        /// Bytes of the response were not captured.
        ResponseGap = "response_gap",
        /// The connection ended inside the request.
        RequestCut = "request_cut",
        /// The connection ended inside the response.
        ResponseCut = "response_cut",
        /// The connection ended, or was forgotten, before a response.
        NoResponse = "no_response",
        /// A response without a request that it could answer.
        Unrequested = "unrequested",
        /// Two readings of the framing are possible (RFC 9112 sections 6.3, 11.2): conflicting lengths, obsolete
        /// folding, bare line feeds.
        AmbiguousFraming = "ambiguous_framing",
        /// The request could be taken to be for two hosts (RFC 9112 sections 3.2, 3.2.2): several Host fields, a
        /// value that is no host, or another one in the target.
        AmbiguousHost = "ambiguous_host",
        /// Not HTTP by its grammar (RFC 9112, RFC 9113 section 8).
        Malformed = "malformed",
        /// A head, its number of fields or its trailers over the limit.
        HeadTooLarge = "head_too_large",
        /// Retransmitted bytes differed from those first seen.
        ConflictingOverlap = "conflicting_overlap",
        /// Urgent data came on the connection (RFC 9293 section 3.8.5), which an application may read elsewhere or
        /// not at all.
        UrgentData = "urgent_data",
        /// Multipath TCP (RFC 8684) spread the stream over several TCP connections, of which each has only parts.
        Multipath = "mptcp",
        /// More requests outstanding than the limit.
        PipelineFull = "pipeline_full",
        /// Given up to stay under the memory or flow limit.
        Evicted = "evicted",
        /// The flow was idle for too long.
        Idle = "idle",
        /// The capture ended first.
        CaptureEnd = "capture_end",
        /// HTTP/2: a field refers to an entry of the dynamic table that was inserted before what was captured, or the
        /// field block itself was not captured.
        H2HeaderState = "h2_header_state",
        /// HTTP/2: the capture began in the middle of the connection, and it is not proven yet where frames begin.
        H2JoinedMidway = "h2_joined_midway",
        /// HTTP/2: frames were not captured, and it is not proven yet where the next ones begin, or the message may
        /// lack some of them.
        H2Gap = "h2_gap",
        /// HTTP/2: the stream was reset before both messages had ended.
        H2Reset = "h2_reset",
        /// HTTP/2: the server did not process the request: it refused the stream, or GOAWAY named a lower one.
        H2Unprocessed = "h2_unprocessed",
        /// HTTP/2: a CONNECT request, also an extended one (RFC 8441): the stream carries another protocol.
        H2Tunnel = "h2_tunnel",
        /// A recording that is no capture does not hold the content of the request.
        BodyNotSaved = "body_not_saved",
        /// A recording that is no capture holds content from which the bytes on the wire do not follow.
        BodyAltered = "body_altered",
        /// A record that cannot be read, or has no request in it.
        BadRecord = "bad_record",
    }
}
