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
    maps::{Counters, SHADOW_RING, control, scratch},
    skb::{Origin, Skb},
};

/// Copies the segment; what became of it.
#[inline(always)]
pub(crate) fn segment(skb: &Skb<'_>, record: &RecordHeader, payload: usize, counters: Counters) -> Stat {
    let Some(scratch) = scratch() else {
        return Stat::RingFull;
    };
    let Some(header) = scratch.bytes.first_chunk_mut() else {
        return Stat::RingFull;
    };
    record.encode_into(header);
    let payload = scratch.forget(payload);
    let payload_len = scratch.forget(record.payload_len as usize);
    let len = payload_len.min(MAX_BYTES);
    if payload_len > MAX_BYTES {
        counters.add(Stat::Truncated, 1);
    }
    let wake = wake_flag(len);
    if len == 0 {
        return one(&scratch.bytes, 0, wake, counters);
    }
    let origin = match skb.origin() {
        Some(Origin::Frame(before)) => Origin::Frame(scratch.forget(before)),
        Some(Origin::Network) => Origin::Network,
        None => return Stat::LoadFailed,
    };
    let bytes = &mut scratch.bytes;
    // Every chunk but the last is full, so the offset is a constant in each round for the verifier, which follows all
    // sixteen.
    for chunk in 0..MAX_CHUNKS {
        let offset = chunk * CHUNK;
        let size = clamp_pow2((len - offset).min(CHUNK));
        if let Some(header) = bytes.first_chunk_mut() {
            RecordHeader::set_chunk(header, offset as u32, size as u32);
        }
        let to = bytes.as_mut_ptr().wrapping_add(HEADER);
        // SAFETY: the scratch has CHUNK bytes behind the header, and `size` is at most CHUNK.
        if !unsafe { skb.copy(origin, payload + offset, to, size) } {
            return Stat::LoadFailed;
        }
        let last = offset + CHUNK >= len;
        match one(bytes, size, if last { wake } else { NO_WAKEUP }, counters) {
            Stat::Emitted if !last => {}
            fate => return fate,
        }
    }
    Stat::Emitted
}

const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;
const FORCE_WAKEUP: u64 = BPF_RB_FORCE_WAKEUP as u64;

/// Writes one record of `size` payload bytes.
#[inline(always)]
fn one(bytes: &[u8], size: usize, flags: u64, counters: Counters) -> Stat {
    let Some(record) = bytes.get(..HEADER + size) else {
        return Stat::LoadFailed;
    };
    if SHADOW_RING.output::<[u8]>(record, flags).is_err() {
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
