//! How a payload is cut into ring records.
//!
//! Segmentation offload hands the kernel program packets of up to 64 KiB, and the verifier wants a copy of bounded
//! size: a payload goes through the ring as up to [`MAX_CHUNKS`] records of up to [`CHUNK`] bytes. Payload after
//! [`MAX_BYTES`] (BIG TCP only) is not copied; the last record says how much that is.

/// Payload bytes in one record at most. A power of two: see [`clamp_pow2`].
pub const CHUNK: usize = 4096;

/// Records for one segment at most.
pub const MAX_CHUNKS: usize = 16;

/// Payload bytes copied of one segment at most.
pub const MAX_BYTES: usize = CHUNK * MAX_CHUNKS;

/// `len` forced into `1..=CHUNK` by a mask.
///
/// The callers pass nothing else; this is for the verifier, and its form matters. With plain comparisons LLVM proves
/// `len != 0` from the loop condition and drops the check, while the verifier, which lost that relation when the
/// register was spilled, sees a possible zero-sized read and refuses the program (aya issue #1207). A mask leaves a
/// bound on the very register that the helper gets. Kernels 5.10 and 6.1 accept the mask and refuse `clamp`.
#[inline(always)]
#[must_use]
pub fn clamp_pow2(len: usize) -> usize {
    let len = core::hint::black_box(len);
    (len.min(CHUNK).wrapping_sub(1) & (CHUNK - 1)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_range_are_kept_and_others_are_forced_in() {
        assert!(CHUNK.is_power_of_two());
        for len in [1, 2, 1448, CHUNK - 1, CHUNK] {
            assert_eq!(clamp_pow2(len), len);
        }
        assert_eq!(clamp_pow2(CHUNK + 1), CHUNK);
        assert_eq!(clamp_pow2(usize::MAX), CHUNK);
        assert_eq!(clamp_pow2(0), CHUNK);
    }
}
