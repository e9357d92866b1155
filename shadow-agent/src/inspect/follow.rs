//! Reads a growing file and the files that follow it.
//!
//! At the end of the file the reader waits until it is stopped, or until the next file of a rotated set
//! (`NAME-0002.pcapng` after `NAME-0001.pcapng`, or either as `.part`) appears. Sections of pcapng can be concatenated,
//! so the set reads as one file.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
    time::Duration,
};

/// How often the end is checked.
const LOOK: Duration = Duration::from_millis(200);

/// Reads a growing file.
#[derive(Debug)]
pub struct Following {
    file: File,
    /// The path without `.part`.
    path: PathBuf,
    /// Bytes read of the current file.
    read: u64,
    stop: Receiver<()>,
    stopped: bool,
}

impl Following {
    /// Opens the file, or the `.part` file that will be renamed to it. Ends when `stop` yields.
    pub fn open(path: &Path, stop: Receiver<()>) -> io::Result<Self> {
        let path = match path.to_string_lossy().strip_suffix(".part") {
            Some(whole) => PathBuf::from(whole),
            None => path.to_owned(),
        };
        Ok(Self {
            file: open(&path)?,
            path,
            read: 0,
            stop,
            stopped: false,
        })
    }
}

impl Following {
    /// Fails if no more data can arrive.
    fn check(&self) -> io::Result<()> {
        let about = self.file.metadata()?;
        if about.len() < self.read {
            return Err(io::Error::other(
                "the file was cut off, or begun anew, while it was followed",
            ));
        }
        if about.nlink() == 0 {
            return Err(io::Error::other("the file was removed while it was followed"));
        }
        Ok(())
    }
}

impl Read for Following {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(out)?;
            self.read += read as u64;
            if read > 0 || self.stopped || out.is_empty() {
                return Ok(read);
            }
            if let Some(next) = following(&self.path)
                && let Ok(file) = open(&next)
            {
                // Data written between the last read and the start of the next file is read first.
                let rest = self.file.read(out)?;
                if rest > 0 {
                    self.read += rest as u64;
                    return Ok(rest);
                }
                self.file = file;
                self.path = next;
                self.read = 0;
                continue;
            }
            self.check()?;
            self.stopped = !matches!(
                self.stop.recv_timeout(LOOK),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            );
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::open(path).or_else(|error| {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        File::open(part).map_err(|_absent| error)
    })
}

/// `NAME-0001.pcapng` is followed by `NAME-0002.pcapng`.
fn following(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let (base, digits) = stem.rsplit_once('-')?;
    if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u64>().ok()?.checked_add(1)?;
    let dot = if extension.is_empty() { "" } else { "." };
    Some(path.with_file_name(format!("{base}-{number:04}{dot}{extension}")))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, sync::mpsc, thread};

    use super::*;

    #[test]
    fn the_next_file_of_a_set() {
        let next = |name: &str| following(Path::new(name)).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(
            next("/a/b-0009.pcapng.zst").as_deref(),
            Some("/a/b-0010.pcapng.zst")
        );
        assert_eq!(next("b.pcapng"), None);
        assert_eq!(next("b-1.pcapng"), None);
    }

    #[test]
    fn what_is_written_later_is_read_and_the_next_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (
            folder.path().join("a-0001.x"),
            folder.path().join("a-0002.x.part"),
        );
        fs::write(&first, "one ").unwrap();
        let (stop, stopped) = mpsc::channel();
        let mut reader = Following::open(&first, stopped).unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            let mut file = fs::OpenOptions::new().append(true).open(&first).unwrap();
            file.write_all(b"two ").unwrap();
            fs::write(&second, "three").unwrap();
            thread::sleep(Duration::from_millis(600));
            stop.send(()).unwrap();
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        writer.join().unwrap();
        assert_eq!(text, "one two three");
    }

    #[test]
    fn a_file_that_is_cut_off_or_removed_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.x");
        let (_stop, stopped) = mpsc::channel();
        fs::write(&path, "one two").unwrap();
        let mut reader = Following::open(&path, stopped).unwrap();
        let mut text = [0; 7];
        reader.read_exact(&mut text).unwrap();
        fs::write(&path, "one").unwrap();
        let error = reader.read(&mut text).unwrap_err().to_string();
        assert!(error.contains("cut off"), "{error}");

        let (_stop, stopped) = mpsc::channel();
        let mut reader = Following::open(&path, stopped).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(reader.read(&mut text).unwrap(), 3, "what is in it is read");
        let error = reader.read(&mut text).unwrap_err().to_string();
        assert!(error.contains("removed"), "{error}");
    }
}
