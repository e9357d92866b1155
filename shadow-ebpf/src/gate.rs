//! Which packets are copied: one question after the other, the cheap ones first.

use aya_ebpf::{helpers::bpf_ktime_get_ns, programs::TcContext};
use shadow_common::{
    config::{
        self, ENDPOINT_EXCLUDED, ENDPOINT_TARGET, MUTED_OWN, PORT_ANY, PORT_LISTED, REQUESTS_ANYWHERE, Slot,
    },
    flow::{Endpoint, FlowKey},
    hash,
    headers::{self, ACK, FIN, Headers, RST, SYN, Skip},
    record::RecordHeader,
    sample,
    stat::Stat,
};

#[cfg(feature = "explain")]
use crate::explain;
use crate::{
    TCX_NEXT, emit,
    maps::{Counters, SHADOW_ENDPTS, SHADOW_MUTED, control, port, set_control},
    skb::Skb,
};

const ETH_P_IP: u32 = 0x0800;
const ETH_P_IPV6: u32 = 0x86dd;
const ETH_HLEN: u32 = 14;

/// The hook that a program is for.
#[derive(Clone, Copy)]
pub(crate) struct Hook {
    /// The hook's number among the values of [`Slot::Requests`].
    pub(crate) requests: u64,
    /// Whether the attachment has a label.
    pub(crate) inside: bool,
}

impl Hook {
    /// Whether segments of this direction are copied here.
    #[inline(always)]
    fn takes(self, label: u64, to_server: bool) -> bool {
        let requests = if self.inside {
            config::label_requests(label)
        } else {
            control(Slot::Requests)
        };
        requests == REQUESTS_ANYWHERE || (requests == self.requests) == to_server
    }
}

/// Counts the packet and gives it its one fate.
#[inline(always)]
pub(crate) fn packet(ctx: &TcContext, hook: Hook) -> i32 {
    let Some(counters) = Counters::get() else {
        return TCX_NEXT;
    };
    counters.add(Stat::Seen, 1);
    let fate = fate(ctx, hook, counters);
    counters.add(fate, 1);
    #[cfg(feature = "explain")]
    explain::tell(ctx, hook, fate);
    TCX_NEXT
}

#[inline(always)]
fn fate(ctx: &TcContext, hook: Hook, counters: Counters) -> Stat {
    #[cfg(not(feature = "explain"))]
    if control(Slot::Armed) == 0 {
        return Stat::Disarmed;
    }
    let label = label(hook);
    let segment = match parse(ctx) {
        Ok(segment) => segment,
        Err(Skip::NotIp) => return Stat::NotTargeted,
        Err(Skip::NotTcp) => return no_segment(ctx, Stat::NotTargeted),
        Err(Skip::Fragment) => return no_segment(ctx, Stat::Fragment),
        Err(Skip::Malformed) => return no_segment(ctx, Stat::Malformed),
    };
    // Of packets of another flow nothing is logged, so the flow has to be known first.
    #[cfg(feature = "explain")]
    if !explain::is_asked(ctx, &segment) {
        return Stat::NotTargeted;
    }
    #[cfg(feature = "explain")]
    if control(Slot::Armed) == 0 {
        return Stat::Disarmed;
    }
    let to_server = match target(&segment) {
        Side::None => return Stat::NotTargeted,
        Side::Excluded => return Stat::Own,
        Side::Destination => true,
        Side::Source => false,
    };
    let mark = control(Slot::Mark);
    if mark != 0 && mark == u64::from(field(ctx, |skb| skb.mark)) & control(Slot::MarkMask) {
        remember_own(&segment);
        return Stat::Own;
    }
    if !hook.takes(label, to_server) {
        return Stat::OtherHook;
    }
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    #[cfg(not(feature = "explain"))]
    if hook.inside {
        crate::maps::heard(label, to_server, segment.payload_len > 0, now);
    }
    if now > control(Slot::Deadline) {
        return Stat::Expired;
    }
    let client = if to_server { &segment.src } else { &segment.dst };
    if !sample::selects(control(Slot::Threshold), hash::client(client)) {
        return Stat::Unsampled;
    }
    if control(Slot::MutedAny) | control(Slot::OwnAny) != 0 {
        match muted(&segment) {
            0 => {}
            MUTED_OWN => return Stat::Own,
            _ => return Stat::Muted,
        }
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
        ifindex: if hook.inside {
            config::label_number(label)
        } else {
            field(ctx, |skb| skb.ifindex)
        },
        payload_len: segment.payload_len as u32,
        chunk_offset: 0,
        chunk_len: 0,
        options: options as u8,
    };
    emit::segment(ctx, &record, segment.payload_offset, counters)
}

/// The label of the attachment; 0 without one.
#[cfg(not(feature = "explain"))]
#[inline(always)]
fn label(hook: Hook) -> u64 {
    if hook.inside { crate::maps::label() } else { 0 }
}

/// `shadow explain` attaches to interfaces of its own network namespace only.
#[cfg(feature = "explain")]
#[inline(always)]
fn label(_: Hook) -> u64 {
    0
}

/// The fate of a packet of IP that is no whole TCP segment.
#[inline(always)]
fn no_segment(_ctx: &TcContext, fate: Stat) -> Stat {
    #[cfg(feature = "explain")]
    explain::may_be_asked(_ctx);
    fate
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

/// Remembers a connection of the agent's own by its SYN. Its answers carry no mark, and where the node translates the
/// address of a shadow system, they come from an endpoint that is not excluded.
#[inline(always)]
fn remember_own(segment: &Headers) {
    if segment.flags & (SYN | ACK) == SYN {
        let key = config::mute_key(&FlowKey::new(segment.src, segment.dst));
        // Without room the answers are copied, and user space does not find their request.
        let _full = SHADOW_MUTED.insert(key, MUTED_OWN, 0);
        set_control(Slot::OwnAny, 1);
    }
}

/// The reason why user space has no use for this connection, or 0. A SYN starts a new one on the same ports; only for
/// a connection of the agent's own its answer does not.
#[inline(always)]
fn muted(segment: &Headers) -> u8 {
    let key = config::mute_key(&FlowKey::new(segment.src, segment.dst));
    // SAFETY: the value is one byte, copied at once.
    let value = unsafe { SHADOW_MUTED.get(key) }.copied().unwrap_or(0);
    if value == 0 || segment.flags & SYN == 0 || value == MUTED_OWN && segment.flags & ACK != 0 {
        return value;
    }
    // An entry that is not there is as good as removed.
    let _absent = SHADOW_MUTED.remove(key);
    0
}

/// A field of the context.
#[inline(always)]
pub(crate) fn field(ctx: &TcContext, read: impl FnOnce(&aya_ebpf::bindings::__sk_buff) -> u32) -> u32 {
    // SAFETY: the context is valid while the program runs; the verifier rewrites each access to one checked load.
    read(unsafe { &*ctx.skb.skb })
}
