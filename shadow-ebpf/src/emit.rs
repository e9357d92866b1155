//! Copies a segment into the ring, chunk by chunk.
//!
//! Each record is put together in per-CPU scratch and written with `bpf_ringbuf_output`: it is as long as its data, while
//! a reservation has to be as long as the longest chunk.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use shadow_common::{
    chunk::{CHUNK, MAX_BYTES, MAX_CHUNKS, clamp_pow2},
    config::Slot,
    record::{HEADER, RecordHeader},
    stat::Stat,
};

use crate::{
    maps::{Counters, SHADOW_RING, Scratch, control, scratch},
    skb::Skb,
};

/// Copies the segment; what became of it.
#[inline(always)]
pub(crate) fn segment(skb: &Skb<'_>, mut record: RecordHeader, payload: usize, counters: Counters) -> Stat {
    let Some(scratch) = scratch() else {
        return Stat::RingFull;
    };
    let len = (record.payload_len as usize).min(MAX_BYTES);
    if record.payload_len as usize > MAX_BYTES {
        counters.add(Stat::Truncated, 1);
    }
    let wake = wake_flag(len);
    if len == 0 {
        return one(scratch, &record, 0, wake, counters);
    }
    let mut offset = 0;
    for _ in 0..MAX_CHUNKS {
        let size = clamp_pow2((len - offset).min(CHUNK));
        record.chunk_offset = offset as u32;
        record.chunk_len = size as u32;
        let to = scratch.as_mut_ptr().wrapping_add(HEADER);
        // SAFETY: the scratch has CHUNK bytes behind the header, and `size` is at most CHUNK.
        if !unsafe { skb.copy(payload + offset, to, size) } {
            return Stat::LoadFailed;
        }
        let last = offset + size >= len;
        match one(scratch, &record, size, if last { wake } else { NO_WAKEUP }, counters) {
            Stat::Emitted if !last => offset += size,
            fate => return fate,
        }
    }
    Stat::Emitted
}

const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;
const FORCE_WAKEUP: u64 = BPF_RB_FORCE_WAKEUP as u64;

/// Writes one record of `size` payload bytes.
#[inline(always)]
fn one(scratch: &mut Scratch, record: &RecordHeader, size: usize, flags: u64, counters: Counters) -> Stat {
    if let Some(header) = scratch.first_chunk_mut() {
        record.encode_into(header);
    }
    let Some(bytes) = scratch.get(..HEADER + size) else {
        return Stat::LoadFailed;
    };
    if SHADOW_RING.output::<[u8]>(bytes, flags).is_err() {
        return Stat::RingFull;
    }
    counters.add(Stat::Chunks, 1);
    Stat::Emitted
}

/// Whether the reader is woken: only when this segment takes the ring past the threshold.
///
/// The reader comes by itself every millisecond or two while data flows, and a wake-up costs the packet's CPU an
/// interrupt: it is for bursts that would fill the ring before that.
#[inline(always)]
fn wake_flag(len: usize) -> u64 {
    let threshold = control(Slot::Wake);
    let used = SHADOW_RING.query(u64::from(BPF_RB_AVAIL_DATA));
    if used < threshold && used + len as u64 + HEADER as u64 >= threshold {
        FORCE_WAKEUP
    } else {
        NO_WAKEUP
    }
}
