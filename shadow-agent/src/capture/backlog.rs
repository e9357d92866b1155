//! The amount of data in the ring that waits to be read.
//!
//! Owns: a read-only mapping of the two pages in which the kernel keeps the ring's positions (`struct bpf_ringbuf`,
//! kernel/bpf/ringbuf.c): the consumer position and the producer position. aya's `RingBuf` maps them too, but does not
//! expose them. Bias: a record that is being read counts as waiting.

use std::{
    io,
    os::fd::AsFd,
    ptr::{self, NonNull},
    sync::atomic::{AtomicUsize, Ordering::Acquire},
};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The positions of one ring. Any thread may read them.
#[derive(Debug)]
pub(super) struct Backlog {
    pages: NonNull<u8>,
    page: usize,
    size: u64,
}

// SAFETY: the mapping is readable until it is dropped, and only ever read, through atomics.
unsafe impl Send for Backlog {}
// SAFETY: as above.
unsafe impl Sync for Backlog {}

impl Backlog {
    /// Maps the positions of the ring with this descriptor, which holds `size` bytes.
    pub(super) fn of(ring: &impl AsFd, size: u64) -> io::Result<Self> {
        let page = page_size()?;
        // SAFETY: a fresh mapping at an address of the kernel's choice aliases no memory of ours.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                2 * page,
                ProtFlags::READ,
                MapFlags::SHARED,
                ring,
                0,
            )
        }?;
        let pages = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { pages, page, size })
    }

    /// Bytes that were written and not read yet.
    pub(super) fn bytes(&self) -> u64 {
        // In this order, bytes read meanwhile count as waiting, and the difference is never negative.
        let read = self.position(0);
        let written = self.position(self.page);
        (written.wrapping_sub(read) as u64).min(self.size)
    }

    /// How many bytes the ring holds.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn position(&self, offset: usize) -> usize {
        // SAFETY: both offsets are the beginning of a page of the mapping.
        let place = unsafe { self.pages.add(offset) }.cast::<AtomicUsize>();
        // SAFETY: the place is mapped and aligned, and the kernel writes the word whole (smp_store_release).
        unsafe { place.as_ref() }.load(Acquire)
    }
}

fn page_size() -> io::Result<usize> {
    // SAFETY: asks for a number, and touches no memory.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_negative| io::Error::last_os_error())
}

impl Drop for Backlog {
    fn drop(&mut self) {
        // SAFETY: mapped by `of` with this length, and no reference into it exists.
        let unmapped = unsafe { munmap(self.pages.as_ptr().cast(), 2 * self.page) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
