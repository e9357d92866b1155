//! The log of `shadow explain`: one line for each packet of one flow, with its fate and never with payload.
//!
//! Bounds: [`MOST_LINES`] lines a second and CPU; what is left out is counted. The facts of a packet are kept in a map
//! while its fate is decided. Then the program ends with a tail call to the one that logs: the stack of 512 bytes has
//! no room for both.

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::map,
    maps::{Array, PerCpuArray, ProgramArray},
    programs::TcContext,
};
use aya_log_ebpf::info;
use shadow_common::{
    bytes::Load as _,
    config::REQUESTS_EGRESS,
    explain::{self, MOST_LINES, Packet, WORDS},
    flow::Endpoint,
    headers::Headers,
    stat::Stat,
};

use crate::{
    gate::{Hook, field},
    skb::Skb,
};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// In place of a protocol: the logging program looks for it.
const UNKNOWN: u8 = 0;

/// The flow, set by user space before the program is attached.
#[map]
static SHADOW_ASKED: Array<[u64; 3]> = Array::with_max_entries(1, 0);

/// The second, lines logged in it, and lines left out since the start.
#[map]
static SHADOW_LIMIT: PerCpuArray<[u64; 3]> = PerCpuArray::with_max_entries(1, 0);

/// The packet whose fate is being decided.
#[map]
static SHADOW_FACTS: PerCpuArray<[u64; WORDS]> = PerCpuArray::with_max_entries(1, 0);

/// The program that logs, set by user space before the others are attached.
#[map]
static SHADOW_NEXT: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// This CPU's facts.
#[inline(always)]
fn facts() -> Option<&'static mut [u64; WORDS]> {
    let facts = SHADOW_FACTS.get_ptr_mut(0)?;
    // SAFETY: the pointer came from a successful lookup; TC programs run with bottom halves off, so nothing else uses
    // this CPU's slot meanwhile.
    Some(unsafe { &mut *facts })
}

/// Whether a segment belongs to the flow. Its facts are kept for [`tell`].
#[inline(always)]
pub(crate) fn is_asked(ctx: &TcContext, segment: &Headers) -> bool {
    let (Some(asked), Some(facts)) = (SHADOW_ASKED.get(0), facts()) else {
        return false;
    };
    *facts = Packet {
        src: segment.src,
        dst: segment.dst,
        seq: segment.seq,
        ack: segment.ack,
        len: segment.payload_len as u32,
        flags: segment.flags,
        ..empty(ctx, TCP)
    }
    .words();
    let is_asked = explain::is_asked(asked, facts);
    if !is_asked {
        let [at, ..] = facts;
        *at = 0;
    }
    is_asked
}

/// Keeps that a packet may belong to the flow: the logging program looks for its addresses.
#[inline(always)]
pub(crate) fn may_be_asked(ctx: &TcContext) {
    if let Some(facts) = facts() {
        *facts = empty(ctx, UNKNOWN).words();
    }
}

#[inline(always)]
fn empty(ctx: &TcContext, protocol: u8) -> Packet {
    let nobody = Endpoint {
        addr: [0; 16],
        port: 0,
    };
    Packet {
        // SAFETY: a helper without arguments.
        at: unsafe { bpf_ktime_get_ns() },
        src: nobody,
        dst: nobody,
        seq: 0,
        ack: 0,
        len: 0,
        ifindex: field(ctx, |skb| skb.ifindex),
        flags: 0,
        protocol,
        fate: Stat::Seen,
        egress: false,
    }
}

/// Ends the program by logging the packet that [`is_asked`] has kept, if it has kept one.
#[inline(always)]
pub(crate) fn tell(ctx: &TcContext, hook: Hook, fate: Stat) {
    let Some(facts) = facts() else {
        return;
    };
    let [at, .., last] = facts;
    if *at != 0 {
        *last |= Packet::end(fate.index() as u64, hook.requests == REQUESTS_EGRESS);
        // SAFETY: nothing follows that would not be done then.
        unsafe { SHADOW_NEXT.tail_call(ctx, 0) };
    }
}

/// Logs the packet whose facts are kept.
#[inline(always)]
pub(crate) fn log(ctx: &TcContext) {
    let (Some(asked), Some(facts)) = (SHADOW_ASKED.get(0), facts()) else {
        return;
    };
    let [at, .., last] = *facts;
    // Of the next packet nothing is known.
    let [next, ..] = facts;
    *next = 0;
    let [.., protocol, _, _] = last.to_le_bytes();
    if protocol == UNKNOWN {
        let Some(packet) = other(ctx) else {
            return;
        };
        *facts = packet.words();
        let [.., word] = facts;
        *word |= last;
    }
    if explain::is_asked(asked, facts) && admits(at) {
        let [kept, ..] = facts;
        *kept = at;
        // SAFETY: the words are as many bytes, and nothing writes them while they are read.
        let bytes = unsafe { core::slice::from_raw_parts(facts.as_ptr().cast::<u8>(), WORDS * 8) };
        info!(ctx, "{:x}", bytes);
    }
    let [next, ..] = facts;
    *next = 0;
}

/// The addresses of a packet that is no whole TCP segment, and the ports of UDP without IP options.
#[inline(always)]
fn other(ctx: &TcContext) -> Option<Packet> {
    let skb = Skb(ctx);
    let [version] = skb.load::<1>(0)?;
    let (src, dst, protocol, ports) = if version >> 4 == 4 {
        let [_, _, _, _, _, _, flags, offset, _, protocol] = skb.load::<10>(0)?;
        let [s0, s1, s2, s3, d0, d1, d2, d3] = skb.load::<8>(12)?;
        let whole = u16::from_be_bytes([flags, offset]) & 0x3fff == 0;
        let at = if protocol == UDP && whole && version & 0x0f == 5 {
            Some(20)
        } else {
            None
        };
        (
            Endpoint::v4([s0, s1, s2, s3], 0),
            Endpoint::v4([d0, d1, d2, d3], 0),
            protocol,
            at,
        )
    } else {
        let [protocol] = skb.load::<1>(6)?;
        let (src, dst) = (skb.load::<16>(8)?, skb.load::<16>(24)?);
        let at = if protocol == UDP { Some(40) } else { None };
        (Endpoint::v6(src, 0), Endpoint::v6(dst, 0), protocol, at)
    };
    let [s0, s1, d0, d1] = match ports {
        Some(at) => skb.load::<4>(at).unwrap_or([0; 4]),
        None => [0; 4],
    };
    Some(Packet {
        src: Endpoint {
            port: u16::from_be_bytes([s0, s1]),
            ..src
        },
        dst: Endpoint {
            port: u16::from_be_bytes([d0, d1]),
            ..dst
        },
        ..empty(ctx, protocol)
    })
}

/// Whether one more line may be logged in this second.
#[inline(always)]
fn admits(now: u64) -> bool {
    let Some(limit) = SHADOW_LIMIT.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: the pointer came from a successful lookup, and only this CPU uses the slot.
    let [second, lines, left_out] = unsafe { &mut *limit };
    if *second != now >> 30 {
        *second = now >> 30;
        *lines = 0;
    }
    if *lines >= MOST_LINES {
        *left_out += 1;
        return false;
    }
    *lines += 1;
    true
}
