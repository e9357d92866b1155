//! Words of memory that others see too, mapped into this process: using them is a load or a store, no system call.

use std::{
    fmt,
    fs::File,
    io,
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
    pub(super) fn word(&self, offset: usize) -> u64 {
        word(&self.0, offset).load(Ordering::Acquire)
    }
}

/// The beginning of a file, for writing. Another process reads what was written last, however this one ended. Any
/// thread may write.
pub(crate) struct MappedFile(MmapRaw);

/// File systems in which a page that was written once can be written again without room on the disk. In another one
/// the kernel would end this process by SIGBUS when the disk is full; so it would on XFS and btrfs once a copy of the
/// file shares its blocks.
const KEEP_THEIR_PAGES: [libc::c_long; 2] = [libc::TMPFS_MAGIC, libc::EXT4_SUPER_MAGIC];

impl fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedFile")
            .field("bytes", &self.0.len())
            .finish()
    }
}

impl MappedFile {
    /// Maps this many bytes, which have been written before and are never cut off.
    pub(crate) fn of(file: &File, bytes: usize) -> io::Result<Self> {
        let kind = rustix::fs::fstatfs(file)?.f_type;
        if !KEEP_THEIR_PAGES.contains(&kind) || file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        MmapOptions::new().len(bytes).map_raw(file).map(Self)
    }

    /// Writes the word at this offset in bytes, in the order of bytes of a file: little-endian.
    pub(crate) fn set_word(&self, offset: usize, value: u64) {
        word(&self.0, offset).store(value.to_le(), Ordering::Release);
    }
}

/// The word at this offset in bytes: a multiple of 8, inside the mapping.
#[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
fn word(map: &MmapRaw, offset: usize) -> &AtomicU64 {
    assert!(
        offset.is_multiple_of(8) && offset < map.len().saturating_sub(7),
        "no word at {offset} of {map:?}"
    );
    let word = map.as_mut_ptr().wrapping_add(offset).cast::<u64>();
    // SAFETY: the word is inside the mapping and aligned, as checked above. The mapping lives as long as `map`, and the
    // kernel keeps the memory while it is mapped. Every access is atomic, here and in the kernel, which writes a word
    // whole; one that is mapped for reading is never stored to.
    unsafe { AtomicU64::from_ptr(word) }
}

/// Bytes of a page on this machine.
pub(super) fn page_size() -> io::Result<usize> {
    // SAFETY: asks for a number, and touches no memory.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_negative| io::Error::last_os_error())
}
