//! Reads frames, one direction at a time.

use super::{
    conn::Conn,
    frame::{
        self, END_HEADERS, END_STREAM, FrameHead, HEADER, Kind, PADDED, PREFACE, PRIORITY, begins_frames,
    },
    side::{Frame, FrameStart, State},
};
use crate::{
    exchange::Incomplete,
    protocol::{Abandon, Chunk, Context, MessageStart},
    ranges::Role,
    wire::Direction,
};

/// Bytes kept of a frame that belongs to no block: SETTINGS with more are ignored, and so is what depends on them.
const MOST_CONTROL: usize = 600;

/// Bytes kept of a frame with a part of a block, besides the limit of a head: padding and a priority.
const BESIDE_BLOCK: usize = 261;

impl Conn {
    /// Reads some bytes; returns how many.
    pub(super) fn step(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        rest: &[u8],
        ctx: &mut Context<'_>,
    ) -> usize {
        match &mut self.side(direction).state {
            State::Preface(have) => {
                let left = PREFACE.get(*have..).unwrap_or_default();
                let take = left.len().min(rest.len());
                if chunk.conflict || rest.get(..take) != left.get(..take) {
                    self.abandon(Abandon::NotHttp, ctx);
                    return rest.len();
                }
                *have += take;
                if *have == PREFACE.len() {
                    self.side(direction).state = State::BETWEEN;
                }
                self.report(
                    direction,
                    chunk,
                    rest.get(..take).unwrap_or_default(),
                    Role::Framing,
                    ctx,
                );
                take
            }
            State::Head { .. } => self.read_head(direction, chunk, rest, ctx),
            State::Payload(_) => self.read_payload(direction, chunk, rest, ctx),
            State::Search => {
                let at_start = chunk.starts_segment && rest.len() == chunk.bytes.len() && !chunk.conflict;
                if at_start && direction == Direction::ToServer && rest.starts_with(PREFACE) {
                    self.restart(chunk.offset, ctx);
                    return 0;
                }
                if at_start && begins_frames(rest, direction) {
                    self.side(direction).state = State::BETWEEN;
                    return 0;
                }
                ctx.pass_over(direction, chunk, rest)
            }
            State::Closed => ctx.pass_over(direction, chunk, rest),
        }
    }

    fn report(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        bytes: &[u8],
        role: Role,
        ctx: &mut Context<'_>,
    ) {
        if ctx.out.ranges.is_some() {
            let sure = self.side(direction).doubt.is_none();
            let skip = bytes.as_ptr().addr().saturating_sub(chunk.bytes.as_ptr().addr());
            ctx.roles(direction, chunk.offset + skip as u64, sure)
                .read(0, role, bytes);
        }
    }

    fn read_head(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        rest: &[u8],
        ctx: &mut Context<'_>,
    ) -> usize {
        if chunk.conflict {
            // Where this frame ends is not certain.
            self.lose(direction, Incomplete::ConflictingOverlap, ctx);
            return 0;
        }
        let side = self.side(direction);
        let State::Head { bytes, have } = &mut side.state else {
            return 0;
        };
        if *have == 0 {
            side.frame_start = FrameStart {
                at: MessageStart {
                    at: chunk.at,
                    offset: chunk.offset_of(rest),
                    ack: chunk.ack,
                },
                segment: chunk.starts_segment && rest.len() == chunk.bytes.len(),
            };
        }
        let take = (HEADER - *have).min(rest.len());
        let part = rest.get(..take).unwrap_or_default();
        for (to, from) in bytes.iter_mut().skip(*have).zip(part) {
            *to = *from;
        }
        *have += take;
        if *have == HEADER {
            let (bytes, begin) = (*bytes, side.frame_start.at.offset);
            let head = FrameHead::parse(&bytes);
            let accepted = head.is_some_and(|head| self.begin_frame(direction, head, ctx));
            // Bytes that are no frame header may be anything.
            let role = if accepted { Role::Framing } else { Role::Unknown };
            let sure = self.side(direction).doubt.is_none();
            ctx.roles(direction, begin, sure).read(0, role, &bytes);
        }
        take
    }

    /// Begins a frame; false if no receiver accepts it.
    fn begin_frame(&mut self, direction: Direction, head: FrameHead, ctx: &mut Context<'_>) -> bool {
        ctx.out.counters.h2_frames += 1;
        let side = self.side(direction);
        let expected = match &side.block {
            Some(block) => head.kind == Kind::Continuation && head.stream == block.stream,
            // A HEADERS frame may have been missed before it.
            None => head.kind != Kind::Continuation,
        };
        let first = side.began || head.kind == Kind::Settings;
        let accepted = if side.doubt.is_some() {
            head.is_plausible(direction) || side.block.is_some() && head.is_valid(direction)
        } else {
            head.is_valid(direction) && head.len <= side.most_frame
        };
        if !expected || !first || !accepted {
            self.refuse(direction, ctx);
            return false;
        }
        side.began = true;
        let start = side.frame_start;
        side.frame_end = start.at.offset + HEADER as u64 + u64::from(head.len);
        match head.kind {
            Kind::Headers => {
                let ends = head.has(END_STREAM);
                self.open_block(direction, start, head.stream, (ends, false));
            }
            Kind::PushPromise => self.open_block(direction, start, head.stream, (false, true)),
            _ => {}
        }
        let padded = head.has(PADDED) && matches!(head.kind, Kind::Data | Kind::Headers | Kind::PushPromise);
        self.side(direction).state = State::Payload(Frame {
            head,
            left: head.len,
            padding: 0,
            pad_length_next: padded && head.kind == Kind::Data,
            payload: Vec::new(),
            fault: None,
        });
        if head.len == 0 {
            self.end_frame(direction, None, ctx);
        }
        true
    }

    fn read_payload(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        rest: &[u8],
        ctx: &mut Context<'_>,
    ) -> usize {
        let side = self.side(direction);
        let State::Payload(frame) = &mut side.state else {
            return 0;
        };
        if chunk.conflict {
            frame.fault = frame.fault.or(Some(Incomplete::ConflictingOverlap));
        }
        let take = usize::try_from(frame.left).unwrap_or(usize::MAX).min(rest.len());
        let part = rest.get(..take).unwrap_or_default();
        let head = frame.head;
        let most = match head.kind {
            Kind::Data => return self.read_data(direction, chunk, part, ctx),
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                Some(ctx.settings.limits.head.saturating_add(BESIDE_BLOCK))
            }
            Kind::Settings | Kind::RstStream | Kind::GoAway => Some(MOST_CONTROL),
            _ => None,
        };
        let mut whole = None;
        if let Some(most) = most {
            if frame.payload.len() + take > most {
                frame.fault = frame.fault.or(Some(Incomplete::HeadTooLarge));
            } else if u32::try_from(take) == Ok(head.len) {
                whole = Some(part);
            } else {
                frame.payload.extend_from_slice(part);
            }
        }
        // The bytes before a field block in its first frame are framing.
        let place = head.len - frame.left;
        let before = usize::try_from(head.before_block().saturating_sub(place)).unwrap_or(0);
        let (before, block) = part.split_at(before.min(part.len()));
        frame.left -= u32::try_from(take).unwrap_or(frame.left);
        let done = frame.left == 0;
        let role = match head.kind {
            Kind::Settings | Kind::RstStream | Kind::WindowUpdate | Kind::Priority => Role::Framing,
            Kind::Headers | Kind::PushPromise | Kind::Continuation => Role::FieldBlock,
            _ => Role::Unknown,
        };
        self.report(direction, chunk, before, Role::Framing, ctx);
        self.report(direction, chunk, block, role, ctx);
        if done {
            self.end_frame(direction, whole, ctx);
        }
        take
    }

    /// Reads a part of a DATA frame: `part` is within it.
    fn read_data(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        part: &[u8],
        ctx: &mut Context<'_>,
    ) -> usize {
        let side = self.side(direction);
        let State::Payload(frame) = &mut side.state else {
            return 0;
        };
        if let (true, Some((&padding, _))) = (frame.pad_length_next, part.split_first()) {
            frame.pad_length_next = false;
            frame.padding = u32::from(padding);
            frame.left -= 1;
            let (invalid, done) = (frame.padding > frame.left, frame.left == 0);
            self.report(
                direction,
                chunk,
                part.get(..1).unwrap_or_default(),
                Role::Framing,
                ctx,
            );
            if invalid {
                self.refuse(direction, ctx);
            } else if done {
                self.end_frame(direction, None, ctx);
            }
            return 1;
        }
        let content = usize::try_from(frame.left.saturating_sub(frame.padding)).unwrap_or(usize::MAX);
        let (content, padding) = part.split_at(content.min(part.len()));
        frame.left -= u32::try_from(part.len()).unwrap_or(frame.left);
        let (stream, fault, done) = (frame.head.stream, frame.fault, frame.left == 0);
        self.report(direction, chunk, content, Role::Content, ctx);
        self.report(direction, chunk, padding, Role::Unknown, ctx);
        self.data(direction, stream, content, (fault, chunk.at), ctx);
        if done {
            self.end_frame(direction, None, ctx);
        }
        part.len()
    }

    /// Handles a frame whose payload was read, or skipped. `whole`: the payload, if it came in one piece.
    pub(super) fn end_frame(&mut self, direction: Direction, whole: Option<&[u8]>, ctx: &mut Context<'_>) {
        let Some(frame) = self.take_frame(direction) else {
            return;
        };
        let Frame {
            head, payload, fault, ..
        } = frame;
        let payload = whole.unwrap_or(&payload);
        match head.kind {
            Kind::Data if head.has(END_STREAM) => self.end_message(direction, head.stream, fault, ctx),
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                self.end_block_frame(direction, &head, payload, fault, ctx);
            }
            Kind::Settings => self.settings(direction, &head, payload, fault),
            Kind::RstStream => self.reset(direction, head.stream, four(payload), ctx),
            Kind::GoAway => self.go_away(direction, four(payload), ctx),
            _ => {}
        }
    }

    fn end_block_frame(
        &mut self,
        direction: Direction,
        head: &FrameHead,
        payload: &[u8],
        fault: Option<Incomplete>,
        ctx: &mut Context<'_>,
    ) {
        let Some(mut block) = self.side(direction).block.take() else {
            return;
        };
        block.fault = block.fault.or(fault);
        if block.fault.is_none() {
            let Some(fragment) = fragment(head, payload) else {
                return self.refuse(direction, ctx);
            };
            if block.bytes.len() + fragment.len() > ctx.settings.limits.head {
                block.fault = Some(Incomplete::HeadTooLarge);
            } else if head.has(END_HEADERS) && block.bytes.is_empty() {
                return self.block(direction, &block, fragment, ctx);
            } else {
                block.bytes.extend_from_slice(fragment);
            }
        }
        if head.has(END_HEADERS) {
            let bytes = core::mem::take(&mut block.bytes);
            self.block(direction, &block, &bytes, ctx);
        } else {
            self.side(direction).block = Some(block);
        }
    }

    fn settings(
        &mut self,
        direction: Direction,
        head: &FrameHead,
        payload: &[u8],
        fault: Option<Incomplete>,
    ) {
        if head.has(frame::ACK) {
            return self.side(direction).acknowledge();
        }
        let other = self.side(direction.reverse());
        if fault.is_some() {
            return other.lose_settings();
        }
        let (mut table, mut frame_size) = (None, None);
        for setting in payload.chunks_exact(6) {
            if let &[a, b, w, x, y, z] = setting {
                let value = u32::from_be_bytes([w, x, y, z]);
                match u16::from_be_bytes([a, b]) {
                    1 => table = Some(value),
                    5 => frame_size = Some(value.min(frame::MOST_FRAME)),
                    _ => {}
                }
            }
        }
        other.announced(table, frame_size);
    }
}

/// The part of a block in a frame: without its padding, its priority and the number of a promised stream.
fn fragment<'a>(head: &FrameHead, payload: &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = payload;
    if head.kind == Kind::Continuation {
        return Some(rest);
    }
    if head.has(PADDED) {
        let (padding, behind) = rest.split_first()?;
        rest = behind.get(..behind.len().checked_sub(usize::from(*padding))?)?;
    }
    match head.kind {
        Kind::Headers if head.has(PRIORITY) => rest.get(5..),
        Kind::PushPromise => rest.get(4..),
        _ => Some(rest),
    }
}

/// The number in the first four bytes. `None` when they are missing.
fn four(payload: &[u8]) -> Option<u32> {
    match payload {
        &[a, b, c, d, ..] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}
