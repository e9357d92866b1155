//! Copies a segment into the ring, chunk by chunk.
//!
//! Each record is put together in per-CPU scratch and written with `bpf_ringbuf_output`: it is as long as its data,
//! while a reservation has to be as long as the longest chunk.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{__sk_buff, BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    programs::TcContext,
};
use shadow_common::{
    chunk::{CHUNK, MAX_BYTES, MAX_CHUNKS, clamp_pow2},
    config::Slot,
    record::{HEADER, RecordHeader},
    stat::Stat,
};

use crate::{
    maps::{Counters, Job, SHADOW_RING, Scratch, control, scratch},
    skb::{Origin, Skb},
};

const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;
const FORCE_WAKEUP: u64 = BPF_RB_FORCE_WAKEUP as u64;

/// Copies the segment whose payload starts `payload` bytes after the network header. Returns its fate.
#[inline(always)]
pub(crate) fn segment(ctx: &TcContext, record: &RecordHeader, payload: usize, counters: Counters) -> Stat {
    let Some(scratch) = scratch() else {
        return Stat::RingFull;
    };
    scratch.header = record.words();
    let payload_len = scratch.job.forget(u64::from(record.payload_len)) as usize;
    let len = payload_len.min(MAX_BYTES);
    if payload_len > MAX_BYTES {
        counters.add(Stat::Truncated, 1);
    }
    let wake = wake_flag(len);
    if record.options > 0 {
        let size = clamp_pow2(scratch.job.forget(u64::from(record.options)) as usize);
        let to = scratch.chunk.as_mut_ptr();
        // SAFETY: `to` has CHUNK bytes, and `size` is at most CHUNK.
        if !unsafe { Skb(ctx).copy(true, payload.wrapping_sub(size), to, size) } {
            return Stat::LoadFailed;
        }
        if !output(scratch, size, wake) {
            return Stat::RingFull;
        }
        counters.add(Stat::Chunks, 1);
        if payload_len == 0 {
            return Stat::Emitted;
        }
        scratch.header = RecordHeader {
            options: 0,
            ..*record
        }
        .words();
    }
    if len == 0 {
        if !output(scratch, 0, wake) {
            return Stat::RingFull;
        }
        counters.add(Stat::Chunks, 1);
        return Stat::Emitted;
    }
    let (start, linear) = match Skb(ctx).origin() {
        Some(Origin::Network) => (payload, 1),
        Some(Origin::Frame(before)) => (payload + before, 0),
        None => return Stat::LoadFailed,
    };
    scratch.job = Job {
        start: start as u64,
        linear,
        len: len as u64,
        offset: 0,
        wake,
        step: MORE,
    };
    let skb = ctx.as_ptr().cast();
    for _ in 0..MAX_CHUNKS {
        chunk(skb, scratch);
        match scratch.job.step() {
            MORE => counters.add(Stat::Chunks, 1),
            DONE => {
                counters.add(Stat::Chunks, 1);
                return Stat::Emitted;
            }
            FULL => return Stat::RingFull,
            _ => return Stat::LoadFailed,
        }
    }
    Stat::Emitted
}

/// Result of one chunk: copied and more to do, the last one copied, the ring was full, the packet was too short.
const MORE: u64 = 0;
const DONE: u64 = 1;
const FULL: u64 = 2;
const SHORT: u64 = 3;

/// Copies the next chunk of the job in the scratch.
///
/// It takes its job from the scratch and leaves its result there, so that nothing but the counter lives in registers
/// across rounds. It is inlined: before Linux 6.3 a program with functions makes the verifier take every number for
/// one that it has to know exactly, and it would walk 150,000 instructions.
#[inline(always)]
fn chunk(skb: *mut __sk_buff, scratch: &mut Scratch) {
    // SAFETY: the scratch is ours alone, and written by the caller. Volatile, or the optimiser could pass the values in
    // registers.
    let job = unsafe { (&raw const scratch.job).read_volatile() };
    let (start, len, offset) = (job.start as usize, job.len as usize, job.offset as usize);
    let size = clamp_pow2(len.wrapping_sub(offset).min(CHUNK));
    RecordHeader::set_chunk(&mut scratch.header, offset as u32, size as u32);
    let to = scratch.chunk.as_mut_ptr();
    let ctx = TcContext::new(skb);
    // SAFETY: `to` has CHUNK bytes, and `size` is at most CHUNK.
    if !unsafe { Skb(&ctx).copy(job.linear != 0, start + offset, to, size) } {
        scratch.job.step = SHORT;
        return;
    }
    let last = offset + CHUNK >= len;
    if !output(scratch, size, if last { job.wake } else { NO_WAKEUP }) {
        scratch.job.step = FULL;
        return;
    }
    scratch.job.offset = (offset + CHUNK) as u64;
    scratch.job.step = if last { DONE } else { MORE };
}

/// Writes one record with `size` bytes of payload, at most CHUNK.
#[inline(always)]
fn output(scratch: &Scratch, size: usize, flags: u64) -> bool {
    let start = core::ptr::from_ref(scratch).cast::<u8>();
    // SAFETY: the scratch starts with the header, and the chunk follows without padding (both are multiples of 8
    // bytes).
    let record = unsafe { core::slice::from_raw_parts(start, HEADER + size) };
    SHADOW_RING.output::<[u8]>(record, flags).is_ok()
}

/// Whether the reader is woken: only when this segment fills the ring above the threshold.
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
