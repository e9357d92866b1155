//! Processing of a segment's payload and end of stream.

use bytes::Bytes;

use super::track::{Track, WINDOW};
use crate::{
    exchange::Incomplete,
    protocol::{Abandon, Chunk, Context},
    stream::Stored,
    wire::{Direction, Flags, Segment},
};

impl Track {
    /// Reads the payload, or stores it until the bytes before it have arrived.
    pub(super) fn take_payload(
        &mut self,
        direction: Direction,
        distance: i32,
        segment: &Segment<'_>,
        ack: Option<u64>,
        ctx: &mut Context<'_>,
    ) {
        if segment.flags.contains(Flags::RST) {
            // The text in a reset gives its reason (RFC 9293 section 3.5.3) and reaches no application.
            ctx.out.counters.reset_bytes += segment.payload.len() as u64;
            return;
        }
        if segment.flags.contains(Flags::URG) && !segment.payload.is_empty() {
            // Whether urgent data (RFC 9293 section 3.8.5) appears in the stream is the application's choice.
            return self
                .conn
                .distrust(Incomplete::UrgentData, Abandon::OutOfStep, ctx);
        }
        let old = distance.min(0).unsigned_abs() as usize;
        let fresh = segment.payload.get(old..).unwrap_or_default();
        if fresh.is_empty() {
            ctx.out.counters.duplicate_segments += u64::from(!segment.payload.is_empty());
        }
        let half = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        let Some(stream) = half.stream.as_mut().filter(|_| !half.ended) else {
            return;
        };
        let offset = stream.next() + u64::from(distance.max(0).unsigned_abs());
        let mut stored = Stored {
            at: segment.at,
            ack,
            starts_segment: old == 0,
            conflict: false,
            bytes: Bytes::new(),
            lost: 0,
        };
        let mut used = 0;
        if distance <= 0 && stream.is_empty() && !fresh.is_empty() {
            // The usual segment is read in place, without a copy.
            let chunk = Chunk {
                seq: stream.seq(offset),
                at: segment.at,
                offset,
                ack,
                starts_segment: stored.starts_segment,
                conflict: false,
                bytes: fresh,
            };
            used = self.conn.read(direction, &chunk, ctx).min(fresh.len());
            stream.advance(used as u64);
        } else if !fresh.is_empty() {
            ctx.out.counters.out_of_order_segments += 1;
        }
        if let Some(rest) = fresh.get(used..).filter(|rest| !rest.is_empty()) {
            stored.bytes = Bytes::copy_from_slice(rest);
            stored.starts_segment &= used == 0;
            let inserted = stream.insert(offset + used as u64, &stored);
            ctx.out.counters.conflicting_overlaps += u64::from(inserted.conflict);
        }
        if segment.missing > 0 && segment.payload.len() >= old {
            let lost = Stored {
                bytes: Bytes::new(),
                lost: u64::from(segment.missing),
                ..stored
            };
            stream.insert(offset + fresh.len() as u64, &lost);
        }
    }

    /// Records where the stream ends.
    pub(super) fn finish_stream(&mut self, direction: Direction, distance: i32, segment: &Segment<'_>) {
        let half = self.half_mut(direction);
        half.fin = true;
        let Some(stream) = &mut half.stream else { return };
        let len = segment.payload.len() as u64 + u64::from(segment.missing);
        // `distance` was measured before the payload advanced the stream.
        let first = segment.seq + u32::from(segment.flags.contains(Flags::SYN));
        let seq_end = first.after(len);
        if let (true, Some(end)) = (distance >= -WINDOW, stream.offset(seq_end)) {
            stream.end_at(end.max(stream.next()));
        }
    }
}
