//! Copies of the parts of a head that outlive the segment it was parsed in.

use core::ops::Range;

use bytes::Bytes;

use crate::exchange::Headers;

/// One shared copy of a head; if its fields are not requested, a copy of each requested part instead.
pub(super) struct HeadCopy<'r> {
    raw: &'r [u8],
    shared: Option<Bytes>,
}

impl<'r> HeadCopy<'r> {
    pub(super) fn new(raw: &'r [u8], fields: bool) -> Self {
        Self {
            raw,
            shared: fields.then(|| Bytes::copy_from_slice(raw)),
        }
    }

    /// A part of the head.
    pub(super) fn part(&self, part: &[u8]) -> Bytes {
        let range = range(self.raw, part);
        let range = range.start as usize..range.end as usize;
        match &self.shared {
            _ if part.is_empty() => Bytes::new(),
            Some(shared) if range.end <= shared.len() => shared.slice(range),
            _ => Bytes::copy_from_slice(part),
        }
    }

    /// A reason phrase. Most servers send the one that RFC 9110 lists for the code.
    pub(super) fn reason(&self, status: u16, sent: &[u8]) -> Bytes {
        let usual = ::http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .map(str::as_bytes);
        match usual {
            Some(usual) if usual == sent => Bytes::from_static(usual),
            _ => self.part(sent),
        }
    }

    /// Its fields; none when they are not kept.
    pub(super) fn fields(self, fields: &[httparse::Header<'_>]) -> Headers {
        let Self { raw, shared } = self;
        let Some(shared) = shared else {
            return Headers::default();
        };
        let mut headers = Headers::with_capacity(shared, fields.len());
        for field in fields {
            headers.push_span(range(raw, field.name.as_bytes()), range(raw, field.value));
        }
        headers
    }
}

/// A method. Most requests use one of a few, which need no allocation.
pub(super) fn method(kept: &HeadCopy<'_>, sent: &[u8]) -> Bytes {
    const USUAL: [&[u8]; 7] = [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"];
    match USUAL.into_iter().find(|usual| *usual == sent) {
        Some(usual) => Bytes::from_static(usual),
        None => kept.part(sent),
    }
}

/// The range of a part within a head; a head is at most `Limits::head` long.
fn range(raw: &[u8], part: &[u8]) -> Range<u32> {
    let start = part.as_ptr().addr().saturating_sub(raw.as_ptr().addr());
    let start = u32::try_from(start).unwrap_or(u32::MAX);
    start..start.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX))
}
