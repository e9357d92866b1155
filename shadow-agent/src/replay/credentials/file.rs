//! A token in a file, read again when the file changes.
//!
//! Changes are found by checking the file's identity, size and times, four times a second: that detects a replaced
//! file, a changed symbolic link (as in Kubernetes) and a file written in place. A file that was just changed may be
//! half written, so it counts when it is the same in two checks in a row.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{LONGEST, News, Source};

const LOOK: Duration = Duration::from_millis(250);

/// A writer of the file chooses the token that the shadow system gets: only its owner may.
const OTHERS_WRITE: u32 = 0o022;

/// Distinguishes one state of a file from another.
type Mark = (u64, u64, u64, (i64, i64), (i64, i64));

pub(super) struct File {
    path: PathBuf,
    due: Option<Instant>,
    /// As last seen, and whether that state was read.
    seen: Option<(Mark, bool)>,
    gone: bool,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            due: None,
            seen: None,
            gone: false,
        }
    }

    fn look(&mut self) -> Result<News, String> {
        let wrong = |error: io::Error| error.to_string();
        let mark = mark(&fs::metadata(&self.path).map_err(wrong)?);
        let before = self.seen.replace((mark, true));
        match before {
            Some((same, true)) if same == mark && !self.gone => return Ok(News::Same),
            Some((old, _)) if old != mark => {
                self.seen = Some((mark, false));
                return Ok(News::Same);
            }
            // The first check, or the second of the same state.
            _ => {}
        }
        // Does not block on a pipe without a writer.
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&self.path)
            .map_err(wrong)?;
        let found = file.metadata().map_err(wrong)?;
        if !found.is_file() {
            return Err("it is no regular file".to_owned());
        }
        if found.mode() & OTHERS_WRITE != 0 {
            let mode = found.mode() & 0o7777;
            return Err(format!("others can write it (mode {mode:04o}): chmod go-w"));
        }
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text).map_err(wrong)?;
        if text.len() as u64 > LONGEST {
            return Err(format!("it holds more than {LONGEST} bytes"));
        }
        self.gone = false;
        Ok(News::Token(Bytes::copy_from_slice(text.trim_ascii())))
    }
}

impl Source for File {
    fn turn(&mut self) -> News {
        let now = Instant::now();
        if self.due.is_some_and(|due| now < due) {
            return News::Same;
        }
        self.due = Some(now + LOOK);
        self.look().unwrap_or_else(|why| {
            self.gone = true;
            News::None(why)
        })
    }
}

fn mark(found: &fs::Metadata) -> Mark {
    (
        found.dev(),
        found.ino(),
        found.size(),
        (found.mtime(), found.mtime_nsec()),
        (found.ctime(), found.ctime_nsec()),
    )
}
