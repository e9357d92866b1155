//! The kill switch as a file: for anything that can write a file on the node and do nothing else, such as a
//! configuration manager or a person without this program.
//!
//! While the file exists it kills, again and again, so that it cannot be missed; removing it does not resume. Bounds:
//! one look costs one system call, and at most [`MAX_WHY`] bytes of it are read.

use std::{
    fs::{self, OpenOptions},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::peer;

/// How often the file is looked for, and so its additional delay over other ways to kill.
pub const PERIOD: Duration = Duration::from_millis(50);

/// The most that is read of it.
const MAX_WHY: u64 = 1_024;

/// The file whose existence kills.
#[derive(Clone, Debug)]
pub struct KillFile {
    path: PathBuf,
}

/// The file exists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its owner.
    pub who: String,
    /// Its first line.
    pub why: String,
}

impl KillFile {
    /// A kill file at this path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it exists. Anything there counts, including an unreadable file or a dangling link.
    pub fn look(&self) -> Option<Found> {
        let data = fs::symlink_metadata(&self.path).ok()?;
        Some(Found {
            who: format!("{} ({})", self.path.display(), peer::user(data.uid())),
            why: if data.is_file() {
                self.first_line()
            } else {
                String::new()
            },
        })
    }

    fn first_line(&self) -> String {
        // Another process may have put a pipe in its place meanwhile: reading must never block.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let mut bytes = Vec::new();
        let read = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&self.path)
            .and_then(|file| file.take(MAX_WHY).read_to_end(&mut bytes));
        if read.is_err() {
            return String::new();
        }
        let text = String::from_utf8_lossy(&bytes);
        text.lines().next().unwrap_or_default().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_existence_counts_and_its_first_line_is_the_reason() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = KillFile::new(folder.path().join("kill"));
        assert_eq!(file.look(), None);
        fs::write(file.path(), "incident 4711 \nmore\n").expect("write");
        let found = file.look().expect("found");
        assert_eq!(found.why, "incident 4711");
        let uid = rustix::process::geteuid().as_raw();
        assert!(found.who.contains(&format!("uid {uid}")), "{found:?}");
        fs::write(file.path(), vec![b'x'; 100_000]).expect("write");
        assert_eq!(file.look().expect("found").why.len(), 1_024);
        fs::remove_file(file.path()).expect("remove");
        assert_eq!(file.look(), None);
    }

    #[test]
    fn what_is_no_file_counts_too_and_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = KillFile::new(folder.path().join("kill"));
        std::os::unix::fs::symlink("/nowhere/at/all", file.path()).expect("link");
        assert!(file.look().is_some(), "a link to nowhere");
        fs::remove_file(file.path()).expect("remove");
        fs::create_dir(file.path()).expect("folder");
        assert!(file.look().is_some(), "a folder");
        fs::remove_dir(file.path()).expect("remove");
        let made = std::process::Command::new("mkfifo").arg(file.path()).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("SKIPPED: no mkfifo");
            return;
        }
        assert_eq!(file.look().expect("a pipe").why, "");
    }
}
