//! The amount of data in the ring that waits to be read.
//!
//! Owns: a read-only mapping of the two pages in which the kernel keeps the ring's positions (`struct bpf_ringbuf`,
//! kernel/bpf/ringbuf.c): the consumer position and the producer position. aya's `RingBuf` maps them too, but does not
//! expose them. Bias: a record that is being read counts as waiting.

use std::{io, os::fd::AsFd};

use super::mapped::{Mapped, page_size};

/// The positions of one ring. Any thread may read them.
#[derive(Debug)]
pub(super) struct Backlog {
    pages: Mapped,
    page: usize,
    size: u64,
}

impl Backlog {
    /// Maps the positions of the ring with this descriptor, which holds `size` bytes.
    pub(super) fn of(ring: &impl AsFd, size: u64) -> io::Result<Self> {
        let page = page_size()?;
        let pages = Mapped::of(ring, page.saturating_mul(2))?;
        Ok(Self { pages, page, size })
    }

    /// Bytes that were written and not read yet.
    pub(super) fn bytes(&self) -> u64 {
        // In this order, bytes read meanwhile count as waiting, and the difference is never negative.
        let read = self.pages.word(0);
        let written = self.pages.word(self.page);
        written.wrapping_sub(read).min(self.size)
    }

    /// How many bytes the ring holds.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}
