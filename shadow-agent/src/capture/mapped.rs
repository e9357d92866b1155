//! Words of kernel memory, mapped into this process: reading them is a load, no system call.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd as _},
    sync::atomic::{AtomicU64, Ordering},
};

use memmap2::{MmapOptions, MmapRaw};

/// The beginning of a map of the kernel program, read-only. Any thread may read it.
pub(super) struct Mapped(MmapRaw);

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped").field("bytes", &self.0.len()).finish()
    }
}

impl Mapped {
    /// Maps this many bytes.
    pub(super) fn of(map: impl AsFd, bytes: usize) -> io::Result<Self> {
        MmapOptions::new()
            .len(bytes)
            .map_raw_read_only(map.as_fd().as_raw_fd())
            .map(Self)
    }

    /// The present value of the word at this offset in bytes: a multiple of 8, inside the mapping.
    #[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
    pub(super) fn word(&self, offset: usize) -> u64 {
        assert!(
            offset.is_multiple_of(8) && offset < self.0.len().saturating_sub(7),
            "no word at {offset} of {self:?}"
        );
        let word = self.0.as_ptr().wrapping_add(offset).cast::<u64>();
        // SAFETY: the word is inside the mapping and aligned, as checked above. The mapping lives as long as `self`,
        // and the kernel keeps the memory while it is mapped. It is only read here, and the kernel writes a word whole.
        let word = unsafe { AtomicU64::from_ptr(word.cast_mut()) };
        word.load(Ordering::Acquire)
    }
}

/// Bytes of a page on this machine.
pub(super) fn page_size() -> io::Result<usize> {
    // SAFETY: asks for a number, and touches no memory.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_negative| io::Error::last_os_error())
}
