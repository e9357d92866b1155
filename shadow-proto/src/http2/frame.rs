//! Frame headers (RFC 9113 section 4.1), and whether bytes are likely to be one.

use crate::wire::Direction;

/// Size of a frame header.
pub(super) const HEADER: usize = 9;

/// The client's connection preface (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Largest payload of a frame unless the receiver allows more (SETTINGS_MAX_FRAME_SIZE).
pub(super) const USUAL_FRAME: u32 = 1 << 14;

/// Largest value of SETTINGS_MAX_FRAME_SIZE.
pub(super) const MOST_FRAME: u32 = (1 << 24) - 1;

/// DATA and HEADERS: the last frame of this side of the stream.
pub(super) const END_STREAM: u8 = 0x1;
/// SETTINGS and PING: an acknowledgement.
pub(super) const ACK: u8 = 0x1;
/// HEADERS, PUSH_PROMISE and CONTINUATION: the last frame of the field block.
pub(super) const END_HEADERS: u8 = 0x4;
/// DATA, HEADERS and PUSH_PROMISE: padding follows.
pub(super) const PADDED: u8 = 0x8;
/// HEADERS: a priority comes first.
pub(super) const PRIORITY: u8 = 0x20;

/// Frame types (RFC 9113 section 6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// PRIORITY_UPDATE (RFC 9218), ALTSVC (RFC 7838), ORIGIN (RFC 8336): known, and without meaning here.
    Extension,
    /// Ignored, as section 5.5 requires.
    Unknown,
}

/// A frame header.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHead {
    pub(super) len: u32,
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// Whether the reserved bit is set.
    reserved: bool,
}

impl FrameHead {
    /// From the first nine bytes.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[high, middle, low, kind, flags], rest) = bytes.split_first_chunk()?;
        let &stream: &[u8; 4] = rest.first_chunk()?;
        let stream = u32::from_be_bytes(stream);
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::RstStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            0xa | 0xc | 0x10 => Kind::Extension,
            _ => Kind::Unknown,
        };
        Some(Self {
            len: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: stream & 0x7fff_ffff,
            reserved: stream & 0x8000_0000 != 0,
        })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Bytes of the payload before a field block: the length of the padding, a priority, a promised stream.
    pub(super) fn before_block(&self) -> u32 {
        let padding = u32::from(self.has(PADDED));
        match self.kind {
            Kind::Headers if self.has(PRIORITY) => padding + 5,
            Kind::Headers => padding,
            Kind::PushPromise => padding + 4,
            _ => 0,
        }
    }

    /// Whether a receiver accepts this header: sizes and streams are as section 6 requires.
    pub(super) fn is_valid(&self, from: Direction) -> bool {
        let Self { len, stream, .. } = *self;
        // The least that the flags require: the length of the padding, a priority.
        let extra = u32::from(self.has(PADDED));
        let from_client = from == Direction::ToServer;
        match self.kind {
            Kind::Data => stream != 0 && len >= extra,
            Kind::Headers => {
                let priority = if self.has(PRIORITY) { 5 } else { 0 };
                let opens = !from_client || !stream.is_multiple_of(2);
                stream != 0 && opens && len >= extra + priority
            }
            Kind::Priority => stream != 0 && len == 5,
            Kind::RstStream => stream != 0 && len == 4,
            Kind::Settings => stream == 0 && len.is_multiple_of(6) && (len == 0 || !self.has(ACK)),
            Kind::PushPromise => stream != 0 && !from_client && len >= extra + 4,
            Kind::Ping => stream == 0 && len == 8,
            Kind::GoAway => stream == 0 && len >= 8,
            Kind::WindowUpdate => len == 4,
            Kind::Continuation => stream != 0,
            Kind::Extension | Kind::Unknown => true,
        }
    }

    /// Whether this is likely to be a frame header, when it is not known that it is one: nothing unusual in it.
    pub(super) fn is_plausible(&self, from: Direction) -> bool {
        let defined = match self.kind {
            Kind::Data => END_STREAM | PADDED,
            Kind::Headers => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Kind::Settings | Kind::Ping => ACK,
            Kind::PushPromise => END_HEADERS | PADDED,
            Kind::Continuation => END_HEADERS,
            Kind::Unknown => return false,
            _ => 0,
        };
        !self.reserved && self.flags & !defined == 0 && self.len <= USUAL_FRAME && self.is_valid(from)
    }
}

/// Whether these bytes are likely to begin with a frame, and every further header in them is plausible, too.
pub(super) fn begins_frames(bytes: &[u8], from: Direction) -> bool {
    chain(bytes, from).is_some()
}

/// Whether these bytes are likely to be whole frames and nothing else, of a connection that is already open.
pub(crate) fn are_frames(bytes: &[u8], from: Direction) -> bool {
    chain(bytes, from) == Some(0)
}

/// Follows frame headers to the end; returns how many bytes the last frame lacks. `None` when one is not plausible, or
/// when there is no complete header.
fn chain(bytes: &[u8], from: Direction) -> Option<usize> {
    let mut rest = bytes;
    let mut found = None;
    while !rest.is_empty() {
        let Some(head) = FrameHead::parse(rest) else {
            // A part of a header proves nothing.
            return found.map(|_| HEADER.saturating_sub(rest.len()));
        };
        if !head.is_plausible(from) || found.is_none() && head.kind == Kind::Continuation {
            return None;
        }
        let size = HEADER.saturating_add(usize::try_from(head.len).ok()?);
        found = Some(size.saturating_sub(rest.len()));
        rest = rest.get(size..).unwrap_or_default();
    }
    found
}

/// Whether a client's connection preface begins here.
pub(crate) fn begins_with_preface(bytes: &[u8]) -> bool {
    bytes.starts_with(PREFACE)
}

/// Whether a server's first bytes may be the SETTINGS that an HTTP/2 server begins with, also of a shorter part.
pub(crate) fn may_begin_server(bytes: &[u8]) -> bool {
    match bytes {
        [] => false,
        [0] | [0, 0] | [0, 0, _] => true,
        [0, 0, len, 4, rest @ ..] => len.is_multiple_of(6) && rest.iter().take(5).all(|byte| *byte == 0),
        _ => false,
    }
}
