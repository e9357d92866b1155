//! Packet bytes out of an skb.
//!
//! Headers are addressed from the network header, whatever is in front of it. The helper that does so reads the
//! linear part of an skb only; with segmentation offload most of the payload is in page fragments, which the other
//! helper reads, from the start of the frame. [`Skb::origin`] finds out how the two are apart.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::bpf_hdr_start_off::BPF_HDR_START_NET,
    helpers::generated::{bpf_skb_load_bytes, bpf_skb_load_bytes_relative, bpf_skb_pull_data},
    programs::TcContext,
};
use shadow_common::bytes::Load;

use crate::maps::scratch;

/// Bytes in front of the network header: Ethernet, none (tun, WireGuard), Ethernet with a VLAN tag in it.
const LINK_HEADERS: [usize; 3] = [14, 0, 18];

/// Bytes pulled into the linear part when headers are not there: both at their longest.
const PULL: u32 = 18 + 60 + 60;

/// A packet in the kernel, addressed from its network header.
pub(crate) struct Skb<'a>(pub(crate) &'a TcContext);

/// How the payload is reached.
pub(crate) enum Origin {
    /// From the network header: everything is in the linear part.
    Network,
    /// From the start of the frame, the network header being so many bytes after it.
    Frame(usize),
}

impl Skb<'_> {
    /// How the payload of this packet is reached.
    #[inline(always)]
    pub(crate) fn origin(&self) -> Option<Origin> {
        let Self(ctx) = self;
        if ctx.data_end() - ctx.data() >= ctx.len() as usize {
            return Some(Origin::Network);
        }
        // The kernel shows programs no offset of the network header, but the IP header is known when it is seen: it
        // has the addresses, the length and the checksum or flow label of this very packet.
        let header: Words = self.load(0).map(words)?;
        for before in LINK_HEADERS {
            let mut there = MaybeUninit::<[u8; 20]>::uninit();
            // SAFETY: `there` has room for 20 bytes.
            let whole = unsafe { self.copy(false, before, there.as_mut_ptr().cast(), 20) };
            // SAFETY: on success the helper has written all 20 bytes.
            if whole && words(unsafe { there.assume_init() }) == header {
                return Some(Origin::Frame(before));
            }
        }
        None
    }

    /// Copies `len` bytes from `offset` on, counted from the network header or from the start of the frame. The
    /// verifier must know that `to` has so many.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `len` bytes.
    #[inline(always)]
    pub(crate) unsafe fn copy(&self, linear: bool, offset: usize, to: *mut u8, len: usize) -> bool {
        let Self(ctx) = self;
        let (skb, to) = (ctx.skb.skb.cast(), to.cast());
        let code = if linear {
            // SAFETY: the skb is the context of this program run, and the caller vouches for `to`. A packet that is too
            // short is an error, not a short read.
            unsafe { bpf_skb_load_bytes_relative(skb, offset as u32, to, len as u32, BPF_HDR_START_NET) }
        } else {
            // SAFETY: as above.
            unsafe { bpf_skb_load_bytes(skb, offset as u32, to, len as u32) }
        };
        code == 0
    }

    /// Makes sure that the first `need` bytes are in the linear part.
    ///
    /// A few drivers leave headers in a page fragment. The stack pulls the same bytes as soon as the packet gets there;
    /// nothing that anybody can see of the packet changes.
    #[inline(always)]
    pub(crate) fn pull_headers(&self, need: u32) {
        let Self(ctx) = self;
        let linear = (ctx.data_end() - ctx.data()) as u32;
        if linear < need && linear < ctx.len() {
            // SAFETY: the skb is the context of this program run, and no pointer into it is held. A failure shows
            // when the headers are loaded.
            unsafe { bpf_skb_pull_data(ctx.skb.skb, ctx.len().min(PULL)) };
        }
    }
}

type Words = [u32; 5];

/// For a comparison without a loop over bytes.
#[inline(always)]
fn words(bytes: [u8; 20]) -> Words {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = bytes;
    [
        [a, b, c, d],
        [e, f, g, h],
        [i, j, k, l],
        [m, n, o, p],
        [q, r, s, t],
    ]
    .map(u32::from_ne_bytes)
}

impl Load for Skb<'_> {
    #[inline(always)]
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        // SAFETY: `bytes` has room for N bytes.
        let whole = unsafe { self.copy(true, offset, bytes.as_mut_ptr().cast(), N) };
        // SAFETY: on success the helper has written all N bytes.
        whole.then(|| unsafe { bytes.assume_init() })
    }

    #[inline(always)]
    fn forget(&self, number: usize) -> usize {
        scratch().map_or(0, |scratch| scratch.job.forget(number as u64) as usize)
    }
}
