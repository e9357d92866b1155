//! Content that an archive keeps in a file next to it (`_file`, as written by Playwright).
//!
//! A path that leaves the archive's folder, by `..`, an absolute path or a link, is not opened: archives come from
//! other hosts, and the content of the file would be sent. For the same reason names that begin with a dot are refused:
//! such files (`.env`, `.netrc`, what is in `.ssh`) are the content of no exchange. Bounds: [`MOST`] bytes; regular
//! files only.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// The largest content that is read.
const MOST: u64 = 64 << 20;

/// The folder of an archive.
#[derive(Clone, Debug)]
pub(super) struct Folder(Option<PathBuf>);

impl Folder {
    /// The folder of a file. Standard input has none.
    pub(super) fn of(archive: &Path) -> Self {
        let folder = match archive.parent() {
            _ if archive == Path::new("-") => None,
            Some(folder) if folder.as_os_str().is_empty() => Some(PathBuf::from(".")),
            folder => folder.map(Path::to_owned),
        };
        Self(folder)
    }

    /// The content of a file in the folder.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let folder = self.0.as_deref().ok_or(io::ErrorKind::NotFound)?;
        if name.split('/').any(|part| part.starts_with('.')) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let folder = openat(
            CWD,
            folder,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // Opening a pipe would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat2(&folder, name, flags, Mode::empty(), inside)?);
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut content = Vec::new();
        file.take(MOST + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_what_is_in_the_folder_is_read() {
        let outside = tempfile::tempdir().unwrap();
        let inside = outside.path().join("archive");
        fs::create_dir_all(inside.join("sub")).unwrap();
        fs::write(outside.path().join("secret"), "no").unwrap();
        fs::write(inside.join("a.json"), "{}").unwrap();
        fs::write(inside.join("sub/b"), "b").unwrap();
        fs::create_dir(inside.join(".ssh")).unwrap();
        for hidden in [".env", ".ssh/id", "sub/.netrc"] {
            fs::write(inside.join(hidden), "no").unwrap();
        }
        symlink("../secret", inside.join("link")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        let folder = Folder::of(&inside.join("x.har"));
        assert_eq!(folder.read("a.json").unwrap(), b"{}");
        assert_eq!(folder.read("sub/b").unwrap(), b"b");
        let secret = outside.path().join("secret");
        for name in [
            "../secret",
            "link",
            "up/secret",
            "sub/../../secret",
            secret.to_str().unwrap(),
            ".env",
            ".ssh/id",
            "sub/.netrc",
            "sub/../.env",
            "sub",
            "",
            "none",
        ] {
            assert!(folder.read(name).is_err(), "{name}");
        }
        assert!(Folder::of(Path::new("-")).read("a.json").is_err());
    }
}
