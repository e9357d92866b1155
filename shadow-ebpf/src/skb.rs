//! Packet bytes out of an skb.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::bpf_hdr_start_off::BPF_HDR_START_NET, helpers::generated::bpf_skb_load_bytes_relative,
    programs::TcContext,
};
use shadow_common::bytes::Load;

/// A packet in the kernel, addressed from its network header, whatever is in front of it.
pub(crate) struct Skb<'a>(pub(crate) &'a TcContext);

impl Skb<'_> {
    /// Copies `len` bytes from `offset` on. The verifier must know that `to` has so many.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `len` bytes.
    #[inline(always)]
    pub(crate) unsafe fn copy(&self, offset: usize, to: *mut u8, len: usize) -> bool {
        let Self(ctx) = self;
        // SAFETY: the skb is the context of this program run, and the caller vouches for `to`. A packet that is too
        // short is an error, not a short read.
        let code = unsafe {
            bpf_skb_load_bytes_relative(
                ctx.skb.skb.cast(),
                offset as u32,
                to.cast(),
                len as u32,
                BPF_HDR_START_NET,
            )
        };
        code == 0
    }
}

impl Load for Skb<'_> {
    #[inline(always)]
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        // SAFETY: `bytes` has room for N bytes.
        let whole = unsafe { self.copy(offset, bytes.as_mut_ptr().cast(), N) };
        // SAFETY: on success the helper has written all N bytes.
        whole.then(|| unsafe { bytes.assume_init() })
    }
}
