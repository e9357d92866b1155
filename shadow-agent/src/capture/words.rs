//! The control map in the memory of this process (`BPF_F_MMAPABLE`, since Linux 5.5): reading it is a load, no system
//! call.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd as _},
    sync::atomic::{AtomicU64, Ordering},
};

use memmap2::{MmapOptions, MmapRaw};
use shadow_common::config::Slot;

/// The words of a control map, read-only.
pub(super) struct Words(MmapRaw);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

impl Words {
    /// Fails for maps of agents from before this flag was set.
    pub(super) fn of(map: impl AsFd) -> io::Result<Self> {
        let len = size_of::<u64>() * Slot::COUNT as usize;
        MmapOptions::new()
            .len(len)
            .map_raw_read_only(map.as_fd().as_raw_fd())
            .map(Self)
    }

    /// The present value.
    #[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
    pub(super) fn get(&self, slot: Slot) -> u64 {
        let word = self.0.as_ptr().cast::<u64>().wrapping_add(slot.index() as usize);
        // SAFETY: the mapping is as long as all slots, starts at a page, and lives as long as `self`. It is the map's
        // own memory, which the kernel keeps while it is mapped. It is only read here, and written by the kernel.
        let word = unsafe { AtomicU64::from_ptr(word.cast_mut()) };
        word.load(Ordering::Acquire)
    }
}
