//! The most recent masked bytes of one stream.

use std::collections::VecDeque;

use super::{MASK, text::Renderer, without_bytes};
use shadow_proto::{
    engine::Role,
    wire::{Direction, Segment},
};

/// Bytes that are kept for copies when no segment waits for them.
const KEPT: usize = 64 << 10;
/// Longest piece: pieces are dropped as a whole.
const PIECE: usize = 16 << 10;
/// Replaces each byte of a compressed field block (HTTP/2): a reference to an entry of the dynamic table that is not
/// there, because nothing is inserted (RFC 7541 section 6.1). A reader of the recording sees fields that are unknown.
const MASKED_FIELD: u8 = 0xfe;
/// Memory of a piece in addition to its bytes.
const OVERHEAD: usize = 64;

/// The part of one stream that was read.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// In order, without overlaps.
    pieces: VecDeque<Piece>,
    /// The offset up to which the stream was read.
    end: u64,
    kept: usize,
    /// Whether the value of the last field name is masked.
    secret: bool,
}

#[derive(Debug)]
struct Piece {
    start: u64,
    len: u64,
    /// The masked bytes; `None` when all are masked.
    bytes: Option<Vec<u8>>,
}

impl Window {
    /// Takes bytes that were read; returns how many more bytes it keeps.
    pub(super) fn push(
        &mut self,
        direction: Direction,
        offset: u64,
        role: Role,
        bytes: &[u8],
        renderer: &Renderer,
    ) -> usize {
        let before = self.kept;
        self.end = self.end.max(offset + bytes.len() as u64);
        match role {
            Role::Unknown => {}
            Role::FieldBlock => self.add(offset, &vec![MASKED_FIELD; bytes.len()]),
            Role::StartLine => self.add(offset, &renderer.start_line(direction, bytes)),
            Role::FieldName => {
                self.secret = renderer.is_secret_field(bytes);
                self.add(offset, bytes);
            }
            Role::FieldValue if self.secret => self.add(offset, &Renderer::masked(bytes)),
            Role::Content | Role::Extension if renderer.hides_content() => {
                self.add_masked(offset, bytes.len() as u64);
            }
            Role::FieldValue | Role::Framing | Role::Content | Role::Extension => self.add(offset, bytes),
        }
        self.kept.saturating_sub(before)
    }

    fn add(&mut self, offset: u64, rendered: &[u8]) {
        self.kept += rendered.len();
        if let Some(Piece {
            start,
            len,
            bytes: Some(bytes),
        }) = self.pieces.back_mut()
            && *start + *len == offset
            && bytes.len() + rendered.len() <= PIECE
        {
            bytes.extend_from_slice(rendered);
            *len += rendered.len() as u64;
            return;
        }
        self.kept += OVERHEAD;
        self.pieces.push_back(Piece {
            start: offset,
            len: rendered.len() as u64,
            bytes: Some(rendered.to_vec()),
        });
    }

    fn add_masked(&mut self, offset: u64, more: u64) {
        if let Some(Piece {
            start,
            len,
            bytes: None,
        }) = self.pieces.back_mut()
            && *start + *len == offset
        {
            *len += more;
            return;
        }
        if let Ok(short) = usize::try_from(more)
            && short <= OVERHEAD
        {
            return self.add(offset, &vec![MASK; short]);
        }
        self.kept += OVERHEAD;
        self.pieces.push_back(Piece {
            start: offset,
            len: more,
            bytes: None,
        });
    }

    /// Bytes held.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Whether everything about these bytes that can be known is known.
    pub(super) fn is_read(&self, at: i64, len: usize) -> bool {
        let end = at.saturating_add(i64::try_from(len).unwrap_or(i64::MAX));
        len == 0 || u64::try_from(end).map_or(true, |end| end <= self.end)
    }

    /// Drops all but the newest bytes; returns how many.
    pub(super) fn trim(&mut self) -> usize {
        let before = self.kept;
        while self.kept > KEPT
            && let Some(piece) = self.pieces.pop_front()
        {
            self.kept = self.kept.saturating_sub(piece.cost());
        }
        before.saturating_sub(self.kept)
    }

    /// Drops all bytes before an offset, or all.
    pub(super) fn forget(&mut self, from: Option<i64>) {
        let from = from.map_or(u64::MAX, |from| u64::try_from(from).unwrap_or(0));
        while let Some(piece) = self.pieces.pop_front_if(|piece| piece.start + piece.len <= from) {
            self.kept = self.kept.saturating_sub(piece.cost());
        }
    }

    /// Passes the segment on with its bytes masked; unread ones are cut off.
    pub(super) fn paint(&self, segment: &Segment<'_>, at: i64, write: &mut dyn FnMut(&Segment<'_>)) {
        let len = segment.payload.len() as u64;
        let mut out: Vec<u8> = Vec::new();
        let Some(end) = at
            .checked_add_unsigned(len)
            .and_then(|end| u64::try_from(end).ok())
        else {
            return write(&without_bytes(segment));
        };
        // Bytes before the stream are not known.
        let before = if at < 0 { at.unsigned_abs() } else { 0 };
        let from = u64::try_from(at).unwrap_or(0);
        let first = self
            .pieces
            .partition_point(|piece| piece.start + piece.len <= from);
        for piece in self.pieces.range(first..).take_while(|piece| piece.start < end) {
            let start = piece.start.max(from);
            let stop = (piece.start + piece.len).min(end);
            let place = |offset: u64| usize::try_from(offset - from + before).unwrap_or(usize::MAX);
            out.resize(place(start), MASK);
            let sent = segment.payload.get(place(start)..place(stop)).unwrap_or_default();
            let skip = usize::try_from(start - piece.start).unwrap_or(usize::MAX);
            match piece.bytes.as_ref().and_then(|bytes| bytes.get(skip..)) {
                // Another copy may have different bytes at a place that is shown.
                Some(shown) => out.extend(
                    sent.iter()
                        .zip(shown)
                        .map(|(sent, shown)| if sent == shown { *sent } else { MASK }),
                ),
                None => out.resize(out.len() + sent.len(), MASK),
            }
        }
        // Read bytes without a role are masked; unread bytes are cut off, so that they do not appear to have been read.
        let read = usize::try_from(self.end.clamp(from, end) - from + before).unwrap_or(usize::MAX);
        out.resize(out.len().max(read.min(segment.payload.len())), MASK);
        let cut = u32::try_from(segment.payload.len() - out.len().min(segment.payload.len()));
        write(&Segment {
            payload: &out,
            missing: segment.missing.saturating_add(cut.unwrap_or(u32::MAX)),
            ..*segment
        });
    }
}

impl Piece {
    fn cost(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len) + OVERHEAD
    }
}
