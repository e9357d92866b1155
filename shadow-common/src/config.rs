//! The maps between the agent and the kernel program: their names, keys and values.
//!
//! Each control slot has one kind of writer, so that no update can undo another: the kill switch of a command line tool
//! and the heartbeat of the agent never share a word.

use crate::flow::{Endpoint, FlowKey};

/// Array of `u64`, indexed by [`Slot`]. A name that other tools recognise: a hung agent's map is found by it.
pub const CONTROL_MAP: &str = "SHADOW_CONTROL";
/// Array of `u8`, indexed by TCP port: the `PORT_*` bits.
pub const PORTS_MAP: &str = "SHADOW_PORTS";
/// Hash from [`EndpointKey`] to `u8`: the `ENDPOINT_*` values.
pub const ENDPOINTS_MAP: &str = "SHADOW_ENDPTS";
/// LRU hash from [`MuteKey`] to `u8`: the `MUTED` values.
pub const MUTED_MAP: &str = "SHADOW_MUTED";
/// Per-CPU array of one `[u64; Stat::COUNT]`.
pub const STATS_MAP: &str = "SHADOW_STATS";
/// The ring buffer of records.
pub const RING_MAP: &str = "SHADOW_RING";

/// Per-CPU array of one `u64`: the label of the attachment through which this packet came, see [`label`].
pub const LABEL_MAP: &str = "SHADOW_LABEL";
/// Program array: [`INSIDE_INGRESS_PROGRAM`] and [`INSIDE_EGRESS_PROGRAM`].
pub const INSIDE_MAP: &str = "SHADOW_INSIDE";
/// Array of `[u64; Heard::COUNT]`, indexed by [`heard_index`].
pub const HEARD_MAP: &str = "SHADOW_HEARD";

/// The program for the ingress hook.
pub const INGRESS_PROGRAM: &str = "shadow_ingress";
/// The program for the egress hook.
pub const EGRESS_PROGRAM: &str = "shadow_egress";

/// The program for the ingress hook of an interface in another network namespace. Entered by a tail call from a program
/// that has written the label.
pub const INSIDE_INGRESS_PROGRAM: &str = "shadow_ns_in";
/// The same for the egress hook.
pub const INSIDE_EGRESS_PROGRAM: &str = "shadow_ns_out";

/// Set in the interface number of a record whose attachment has a label: numbers of interfaces are positive `int`s.
pub const LABELLED: u32 = 1 << 31;

/// Attachments with a label that can exist at once.
pub const MOST_LABELS: u32 = 1024;

/// The word in [`LABEL_MAP`]: the number that records carry in place of the interface (every network namespace has an
/// interface number 2), and the hook at which requests are copied ([`REQUESTS_ANYWHERE`] or one of the others).
#[inline(always)]
#[must_use]
pub const fn label(number: u32, requests: u64) -> u64 {
    (number | LABELLED) as u64 | requests << 32
}

/// The number of a label.
#[inline(always)]
#[must_use]
pub const fn label_number(label: u64) -> u32 {
    (label & 0xffff_ffff) as u32
}

/// The hook at which an attachment with this label copies requests.
#[inline(always)]
#[must_use]
pub const fn label_requests(label: u64) -> u64 {
    label >> 32
}

/// Where [`HEARD_MAP`] keeps the times of a labelled attachment.
#[inline(always)]
#[must_use]
pub const fn heard_index(number: u32) -> u32 {
    number % MOST_LABELS
}

/// When an attachment last passed a packet to or from a target (monotonic clock, ns; 0 for never), whether the packet
/// was copied or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Heard {
    /// To the server.
    ToServer = 0,
    /// From the server.
    ToClient = 1,
    /// To the server, with payload.
    PayloadToServer = 2,
    /// From the server, with payload.
    PayloadToClient = 3,
}

impl Heard {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The word for a packet.
    #[inline(always)]
    #[must_use]
    pub const fn of(to_server: bool, payload: bool) -> Self {
        match (to_server, payload) {
            (true, false) => Self::ToServer,
            (false, false) => Self::ToClient,
            (true, true) => Self::PayloadToServer,
            (false, true) => Self::PayloadToClient,
        }
    }
}

/// Value of [`Slot::Layout`]: raised whenever a slot changes its meaning.
pub const LAYOUT: u64 = u64::from_be_bytes(*b"shadow\0\x01");

/// One word of the control map.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Slot {
    /// The kill switch: 0 copies nothing. Written by people, through the agent or past it.
    Armed = 0,
    /// Copy nothing after this time (monotonic clock, ns). Written by the capture loop.
    Deadline = 1,
    /// Sampling threshold, see [`crate::sample`]. Written by people and by the rollout.
    Threshold = 2,
    /// Not 0 once any flow was muted: until then the mute map is not looked at.
    MutedAny = 3,
    /// Wake the reader when the ring gets fuller than this many bytes.
    Wake = 4,
    /// Socket mark of the agent's own connections, under [`Slot::MarkMask`]; 0 for none.
    Mark = 5,
    /// [`LAYOUT`].
    Layout = 6,
    /// Process id of the agent, in its own pid namespace.
    OwnerPid = 7,
    /// Start time of the agent (clock ticks since boot, field 22 of `/proc/PID/stat`): pids are used again.
    OwnerStart = 8,
    /// Bits of a packet's mark that are compared with [`Slot::Mark`]: other software sets bits of its own.
    MarkMask = 9,
    /// Hook at which requests are copied, [`REQUESTS_ANYWHERE`] or one of the others; answers are copied at the other
    /// hook.
    Requests = 10,
    /// Not 0 once a connection of the agent's own was seen. Written by the kernel program.
    OwnAny = 11,
}

/// [`Slot::Requests`]: requests and answers are copied at both hooks.
pub const REQUESTS_ANYWHERE: u64 = 0;
/// [`Slot::Requests`]: requests are copied where they come in, answers where they go out.
pub const REQUESTS_INGRESS: u64 = 1;
/// [`Slot::Requests`]: requests are copied where they go out, answers where they come in.
pub const REQUESTS_EGRESS: u64 = 2;

impl Slot {
    /// How many slots the control map has.
    pub const COUNT: u32 = 12;

    /// Its key in the control map.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> u32 {
        self as u32
    }
}

/// Every endpoint with this port is a target.
pub const PORT_ANY: u8 = 1;
/// Some endpoint with this port is in the endpoint map: look there.
pub const PORT_LISTED: u8 = 2;

/// Endpoint map: a target.
pub const ENDPOINT_TARGET: u8 = 1;
/// Endpoint map: a shadow system, never captured even when its port is a target.
pub const ENDPOINT_EXCLUDED: u8 = 2;

/// Mute map: a connection for which user space has no use.
pub const MUTED: u8 = 1;
/// Mute map: a connection of the agent's own, whose answers carry no mark.
pub const MUTED_OWN: u8 = 2;

/// Key of the endpoint map: the address, then the port in network order.
pub type EndpointKey = [u8; 18];

/// Key of the mute map: the smaller endpoint's key, then the larger one's.
pub type MuteKey = [u8; 36];

/// The endpoint map's key for an endpoint.
#[inline(always)]
#[must_use]
pub fn endpoint_key(end: &Endpoint) -> EndpointKey {
    let mut key = [0; 18];
    let (addr, port) = key.split_at_mut(16);
    addr.copy_from_slice(&end.addr);
    port.copy_from_slice(&end.port.to_be_bytes());
    key
}

/// The mute map's key for a connection.
#[inline(always)]
#[must_use]
pub fn mute_key(flow: &FlowKey) -> MuteKey {
    let mut key = [0; 36];
    let (low, high) = key.split_at_mut(18);
    low.copy_from_slice(&endpoint_key(&flow.low));
    high.copy_from_slice(&endpoint_key(&flow.high));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_laid_out_as_documented() {
        let a = Endpoint::v4([10, 0, 0, 1], 0x0102);
        let b = Endpoint::v4([10, 0, 0, 2], 0x0304);
        let key = mute_key(&FlowKey::new(b, a));
        assert_eq!(key[..18], endpoint_key(&a));
        assert_eq!(key[18..], endpoint_key(&b));
        assert_eq!(key[10..18], [0xff, 0xff, 10, 0, 0, 1, 1, 2]);
    }

    #[test]
    fn a_label_keeps_its_parts_and_is_no_interface() {
        for number in [1, 2, MOST_LABELS, LABELLED - 1] {
            let word = label(number, REQUESTS_INGRESS);
            assert_eq!(label_requests(word), REQUESTS_INGRESS);
            assert_eq!(label_number(word), number | LABELLED);
            assert!(
                i32::try_from(label_number(word)).is_err(),
                "an interface has such a number"
            );
            assert_eq!(heard_index(label_number(word)), number % MOST_LABELS);
        }
    }

    #[test]
    fn names_fit_the_kernel() {
        for name in [
            CONTROL_MAP,
            PORTS_MAP,
            ENDPOINTS_MAP,
            MUTED_MAP,
            STATS_MAP,
            RING_MAP,
            LABEL_MAP,
            INSIDE_MAP,
            HEARD_MAP,
            INGRESS_PROGRAM,
            EGRESS_PROGRAM,
            INSIDE_INGRESS_PROGRAM,
            INSIDE_EGRESS_PROGRAM,
        ] {
            assert!(name.len() < 16, "{name}: the kernel keeps 15 bytes of a name");
        }
    }
}
