//! Copies a segment into the ring, chunk by chunk.
//!
//! Each record is put together in per-CPU scratch and written with `bpf_ringbuf_output`: it is as long as its data, while
//! a reservation has to be as long as the longest chunk.

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

/// Copies the segment whose payload starts `payload` bytes behind the network header; what became of it.
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
        wake,
    };
    let skb = ctx.as_ptr().cast();
    let mut index = 0;
    while index < MAX_CHUNKS {
        match chunk(skb, scratch, index) {
            Step::More => counters.add(Stat::Chunks, 1),
            Step::Done => {
                counters.add(Stat::Chunks, 1);
                return Stat::Emitted;
            }
            Step::Full => return Stat::RingFull,
            Step::Short => return Stat::LoadFailed,
        }
        // Hidden from the optimiser, which would unroll the loop.
        index = core::hint::black_box(index + 1);
    }
    Stat::Emitted
}

/// What became of one chunk.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Step {
    More,
    Done,
    Full,
    Short,
}

/// Copies chunk `index` of the job in the scratch.
///
/// A function of its own for the kernel too: the loop around it then fits into registers. Inlined, its counter was spilled
/// and the loop got an edge that Linux 5.10 takes for endless.
#[inline(never)]
fn chunk(skb: *mut __sk_buff, scratch: &mut Scratch, index: usize) -> Step {
    // SAFETY: the scratch is ours alone, and written by the caller. Volatile, or the optimiser would pass the values in
    // registers and the verifier would know their past.
    let Job {
        start,
        linear,
        len,
        wake,
    } = unsafe { (&raw const scratch.job).read_volatile() };
    let (start, len) = (start as usize, len as usize);
    // Every chunk but the last is full, so the offset is a constant for the verifier in each round.
    let offset = index * CHUNK;
    if len <= offset {
        return Step::Done;
    }
    let size = clamp_pow2((len - offset).min(CHUNK));
    RecordHeader::set_chunk(&mut scratch.header, offset as u32, size as u32);
    let to = scratch.chunk.as_mut_ptr();
    let ctx = TcContext::new(skb);
    // SAFETY: `to` has CHUNK bytes, and `size` is at most CHUNK.
    if !unsafe { Skb(&ctx).copy(linear != 0, start + offset, to, size) } {
        return Step::Short;
    }
    let last = offset + CHUNK >= len;
    if !output(scratch, size, if last { wake } else { NO_WAKEUP }) {
        return Step::Full;
    }
    if last { Step::Done } else { Step::More }
}

/// Writes one record with `size` bytes of payload, at most CHUNK.
#[inline(always)]
fn output(scratch: &Scratch, size: usize, flags: u64) -> bool {
    let start = core::ptr::from_ref(scratch).cast::<u8>();
    // SAFETY: the scratch starts with the header, and the chunk follows without padding (both are multiples of 8 bytes).
    let record = unsafe { core::slice::from_raw_parts(start, HEADER + size) };
    SHADOW_RING.output::<[u8]>(record, flags).is_ok()
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
