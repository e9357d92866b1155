//! The files of a recording: one after the other, each under a temporary name until it is complete.
//!
//! Bounds: `max_size` bytes a file, `files` of them; the oldest of this recording is removed when there would be more.
//! Mode 0600: only the owner may read captured data. A file that is being written is `NAME.part`; a crash leaves that,
//! readable up to its last complete block.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::RecordError;

/// Bytes that are compressed together: each is a separate frame, so that a file is readable up to its last frame.
const FRAME: usize = 1 << 20;

/// Names of the files.
#[derive(Debug)]
pub(super) struct Names {
    base: PathBuf,
    numbered: bool,
    next: u64,
    keep: usize,
    done: VecDeque<PathBuf>,
    removed: u64,
}

impl Names {
    pub(super) fn new(base: PathBuf, numbered: bool, keep: usize) -> Self {
        Self {
            base,
            numbered,
            next: 1,
            keep: keep.max(1),
            done: VecDeque::new(),
            removed: 0,
        }
    }

    /// Refuses to begin a set where one exists: its numbers would reach the existing files during the recording.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        if !self.numbered {
            return Ok(());
        }
        let (stem, extension) = parts(&self.base);
        let folder = match self.base.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // A folder that cannot be listed may be writable.
        let Ok(entries) = fs::read_dir(folder) else {
            return Ok(());
        };
        let is_of_set = |name: &str| {
            let name = name.strip_suffix(".part").unwrap_or(name);
            let number = name
                .strip_prefix(&stem)
                .and_then(|rest| rest.strip_prefix('-'))
                .and_then(|rest| rest.strip_suffix(&extension));
            number.is_some_and(|number| number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let mut names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        match names.find(|name| is_of_set(name)) {
            Some(name) => Err(RecordError::Set(self.base.with_file_name(name))),
            None => Ok(()),
        }
    }

    /// How many files were removed.
    pub(super) fn removed(&self) -> u64 {
        self.removed
    }

    /// Creates the next file; removes the oldest when there would be one too many.
    pub(super) fn create(&mut self, zstd: bool) -> Result<Output, RecordError> {
        while self.done.len() >= self.keep {
            if let Some(path) = self.done.pop_front() {
                fs::remove_file(&path).map_err(|source| RecordError::Remove { path, source })?;
                self.removed += 1;
            }
        }
        let path = if self.numbered {
            numbered(&self.base, self.next)
        } else {
            self.base.clone()
        };
        self.next += 1;
        let mut temporary = path.clone().into_os_string();
        temporary.push(".part");
        let temporary = PathBuf::from(temporary);
        if path.exists() {
            return Err(RecordError::Exists(path));
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => RecordError::Exists(temporary.clone()),
                _ => RecordError::Create {
                    path: temporary.clone(),
                    source,
                },
            })?;
        Ok(Output {
            file,
            temporary,
            path,
            held: Vec::with_capacity(FRAME),
            good: 0,
            zstd,
        })
    }

    /// Renames a complete file to its final name.
    pub(super) fn done(&mut self, output: Output) -> io::Result<()> {
        self.done.push_back(output.close()?);
        Ok(())
    }
}

/// `dir/name.ext` becomes `dir/name-0001.ext`.
fn numbered(base: &Path, number: u64) -> PathBuf {
    let (stem, extension) = parts(base);
    base.with_file_name(format!("{stem}-{number:04}{extension}"))
}

/// The name up to its first dot, and the rest.
fn parts(base: &Path) -> (String, String) {
    let name = base.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) = name.split_at(name.find('.').unwrap_or(name.len()));
    (stem.to_owned(), extension.to_owned())
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    /// Complete blocks that are not written yet.
    held: Vec<u8>,
    /// Bytes of the file that are complete blocks.
    good: u64,
    zstd: bool,
}

impl Output {
    /// Its final path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn close(mut self) -> io::Result<PathBuf> {
        if let Err(error) = self.flush() {
            self.salvage();
            return Err(error);
        }
        self.file.sync_data()?;
        fs::rename(&self.temporary, &self.path)?;
        Ok(self.path)
    }

    /// Whether every block is in the file.
    pub(super) fn is_flushed(&self) -> bool {
        self.held.is_empty()
    }

    /// Removes a file in which nothing was recorded.
    pub(super) fn discard(self) {
        if let Err(error) = fs::remove_file(&self.temporary) {
            tracing::warn!(%error, "an empty recording stays under its temporary name");
        }
    }

    /// After a failed write: truncates the file to complete blocks, and keeps it under its final name.
    pub(super) fn salvage(self) {
        if self.good == 0 {
            return self.discard();
        }
        let cut = self.file.set_len(self.good);
        if let Err(error) = cut.and_then(|()| fs::rename(&self.temporary, &self.path)) {
            tracing::warn!(%error, "a recording stays under its temporary name");
        }
    }
}

impl Write for Output {
    /// A call is one complete block.
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(block);
        if self.held.len() >= FRAME {
            self.flush()?;
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let packed;
        let bytes = if self.zstd {
            packed = ruzstd::encoding::compress_to_vec(
                &self.held[..],
                ruzstd::encoding::CompressionLevel::Fastest,
            );
            &packed
        } else {
            &self.held
        };
        self.file.seek(SeekFrom::Start(self.good))?;
        self.file.write_all(bytes)?;
        self.good += bytes.len() as u64;
        self.held.clear();
        Ok(())
    }
}
