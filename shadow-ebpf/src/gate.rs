//! Which packets are copied: one question after the other, the cheap ones first.

use aya_ebpf::{helpers::bpf_ktime_get_ns, programs::TcContext};
use shadow_common::{
    config::{self, ENDPOINT_EXCLUDED, ENDPOINT_TARGET, PORT_ANY, PORT_LISTED, Slot},
    flow::{Endpoint, FlowKey},
    hash,
    headers::{self, FIN, Headers, RST, SYN, Skip},
    record::RecordHeader,
    sample,
    stat::Stat,
};

use crate::{
    TCX_NEXT, emit,
    maps::{Counters, SHADOW_ENDPTS, SHADOW_MUTED, control, port},
    skb::Skb,
};

const ETH_P_IP: u32 = 0x0800;
const ETH_P_IPV6: u32 = 0x86dd;
const ETH_HLEN: u32 = 14;

/// Counts the packet and gives it its one fate.
#[inline(always)]
pub(crate) fn packet(ctx: &TcContext) -> i32 {
    let Some(counters) = Counters::get() else {
        return TCX_NEXT;
    };
    counters.add(Stat::Seen, 1);
    counters.add(fate(ctx, counters), 1);
    TCX_NEXT
}

#[inline(always)]
fn fate(ctx: &TcContext, counters: Counters) -> Stat {
    if control(Slot::Armed) == 0 {
        return Stat::Disarmed;
    }
    let segment = match parse(ctx) {
        Ok(segment) => segment,
        Err(Skip::NotIp | Skip::NotTcp) => return Stat::NotTargeted,
        Err(Skip::Fragment) => return Stat::Fragment,
        Err(Skip::Malformed) => return Stat::Malformed,
    };
    let to_server = match target(&segment) {
        Side::None => return Stat::NotTargeted,
        Side::Excluded => return Stat::Own,
        Side::Destination => true,
        Side::Source => false,
    };
    let mark = control(Slot::Mark);
    if mark != 0 && mark == u64::from(field(ctx, |skb| skb.mark)) {
        return Stat::Own;
    }
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if now > control(Slot::Deadline) {
        return Stat::Expired;
    }
    if !sample::selects(control(Slot::Threshold), hash::pair(&segment.src, &segment.dst)) {
        return Stat::Unsampled;
    }
    if control(Slot::MutedAny) != 0 && is_muted(&segment) {
        return Stat::Muted;
    }
    let options = headers::needed_options(&Skb(ctx), &segment);
    if segment.payload_len == 0 && segment.flags & (SYN | FIN | RST) == 0 && options == 0 {
        return Stat::NoPayload;
    }
    let record = RecordHeader {
        at: now,
        src: segment.src,
        dst: segment.dst,
        seq: segment.seq,
        ack: segment.ack,
        flags: segment.flags,
        to_server,
        ifindex: field(ctx, |skb| skb.ifindex),
        payload_len: segment.payload_len as u32,
        chunk_offset: 0,
        chunk_len: 0,
        options: options as u8,
    };
    emit::segment(ctx, &record, segment.payload_offset, counters)
}

#[inline(always)]
fn parse(ctx: &TcContext) -> Result<Headers, Skip> {
    // A field of the context costs one instruction, a load from the packet a helper call.
    let protocol = u32::from(u16::from_be(field(ctx, |skb| skb.protocol) as u16));
    // Without the Ethernet header, which not every device has: a packet from a driver that leaves headers in page
    // fragments has less than this in front of them, and one of the stack's own never has.
    let need = match protocol {
        ETH_P_IP => 40,
        ETH_P_IPV6 => 60,
        _ => return Err(Skip::NotIp),
    };
    let skb = Skb(ctx);
    skb.pull_headers(need);
    // The length matters for BIG TCP only, which exists on Ethernet-like devices only.
    let len = ctx.len().saturating_sub(ETH_HLEN);
    headers::parse(&skb, len as usize)
}

/// Which end of a segment is a target.
enum Side {
    None,
    Excluded,
    Destination,
    Source,
}

/// Two array lookups for most packets; the endpoint map only where a port says so.
#[inline(always)]
fn target(segment: &Headers) -> Side {
    let to = port(segment.dst.port);
    let from = port(segment.src.port);
    if to | from == 0 {
        return Side::None;
    }
    let to = end(to, &segment.dst);
    let from = end(from, &segment.src);
    if to == ENDPOINT_EXCLUDED || from == ENDPOINT_EXCLUDED {
        Side::Excluded
    } else if to == ENDPOINT_TARGET {
        Side::Destination
    } else if from == ENDPOINT_TARGET {
        Side::Source
    } else {
        Side::None
    }
}

#[inline(always)]
fn end(bits: u8, endpoint: &Endpoint) -> u8 {
    if bits & PORT_LISTED != 0 {
        // SAFETY: the value is one byte, copied at once.
        if let Some(&listed) = unsafe { SHADOW_ENDPTS.get(config::endpoint_key(endpoint)) } {
            return listed;
        }
    }
    bits & PORT_ANY
}

/// Whether user space has no use for this connection. A SYN starts a new one on the same ports.
#[inline(always)]
fn is_muted(segment: &Headers) -> bool {
    let key = config::mute_key(&FlowKey::new(segment.src, segment.dst));
    if segment.flags & SYN != 0 {
        // An entry that is not there is as good as removed.
        let _absent = SHADOW_MUTED.remove(key);
        return false;
    }
    // SAFETY: only whether there is a value matters.
    unsafe { SHADOW_MUTED.get(key) }.is_some()
}

/// A field of the context.
#[inline(always)]
fn field(ctx: &TcContext, read: impl FnOnce(&aya_ebpf::bindings::__sk_buff) -> u32) -> u32 {
    // SAFETY: the context is valid while the program runs; the verifier rewrites each access to one checked load.
    read(unsafe { &*ctx.skb.skb })
}
