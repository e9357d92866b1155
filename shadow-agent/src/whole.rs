//! Files that are written as a whole or not at all.
//!
//! Owns: how the agent and its commands make and replace a file, often as root in a folder that is not root's. The new
//! content gets a random name in the same folder, which is created and never opened (so no link is followed and nobody
//! else owns it), mode 0600, is flushed to the disk, and is renamed last. A failure leaves nothing. A device or a FIFO
//! is written to and never replaced, and so are files in `/dev` and `/proc`.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// Suffix of the unfinished file; files left by a killed process are found by it.
pub const UNFINISHED: &str = "new";

/// Maximum size of a file that is read as a whole.
const MOST: u64 = 1 << 30;

/// Writes a file, readable by its owner only, or writes into a special file.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    match special(path)? {
        Some(mut file) => file.write_all(content),
        None => replace(path, content, Mode::Private),
    }
}

/// The same for a file of the agent's own: whatever is in its place is replaced, and nothing is waited for.
pub fn place(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, Mode::Private)
}

/// As [`place`], for everybody to read.
pub fn publish(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, Mode::Public)
}

/// Replaces a regular file, which keeps its mode and its owner. Anything else, including a link, is refused.
pub fn rewrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let former = fs::symlink_metadata(path)?;
    if !former.is_file() {
        return Err(refused("it is no regular file, and is not replaced"));
    }
    replace(path, content, Mode::As(&former))
}

/// The content of a regular file of this user, of root, or of the owner of its folder. A link is not followed.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open_own(path, OpenOptions::new().read(true), false)?;
    let mut content = Vec::new();
    file.take(MOST).read_to_end(&mut content)?;
    Ok(content)
}

/// Opens a regular file of this user, or makes it with mode 0600. A link is not followed, and a file that is not
/// regular does not block.
pub fn open_or_make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    open_own(path, &mut options, true)
}

fn open_own(path: &Path, options: &mut OpenOptions, strict: bool) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = options.custom_flags(flags).open(path).map_err(|error| {
        match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::LOOP) => refused("it is a link; remove it"),
            Some(rustix::io::Errno::NXIO) => refused("it is no regular file; remove it"),
            _ => error,
        }
    })?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(refused("it is no regular file; remove it"));
    }
    let (me, owner) = (rustix::process::geteuid().as_raw(), facts.uid());
    let folder = || fs::metadata(folder_of(path)).is_ok_and(|folder| folder.uid() == owner);
    if owner == me || (!strict && (owner == 0 || folder())) {
        return Ok(file);
    }
    Err(refused("it belongs to another user; remove it"))
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// An existing special file to write to: a device, a FIFO, or a name of an open file such as `/dev/stdout`.
fn special(path: &Path) -> io::Result<Option<File>> {
    let folder = fs::canonicalize(folder_of(path))?;
    let is_system = folder == Path::new("/dev") || folder.starts_with("/proc");
    let Ok(facts) = fs::symlink_metadata(path) else {
        return Ok(None);
    };
    let kind = facts.file_type();
    if kind.is_block_device() || kind.is_socket() || kind.is_dir() {
        return Err(refused(
            "it is neither a file nor something to write to; name another",
        ));
    }
    if !is_system && !kind.is_char_device() && !kind.is_fifo() {
        return Ok(None);
    }
    if !is_system && kind.is_fifo() && facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused("it is a FIFO of another user; name another"));
    }
    let mut options = OpenOptions::new();
    options.append(true);
    if !is_system {
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    }
    let file = options.open(path)?;
    let facts = file.metadata()?;
    let opened = facts.file_type();
    // Another user's FIFO would hand them what is written.
    let is_own = facts.uid() == rustix::process::geteuid().as_raw();
    if is_system || opened.is_char_device() || opened.is_fifo() && is_own {
        return Ok(Some(file));
    }
    Err(refused("it was replaced meanwhile; name another"))
}

/// The mode of a new file.
#[derive(Clone, Copy)]
enum Mode<'f> {
    /// For its owner only.
    Private,
    /// For everybody to read.
    Public,
    /// Mode and owner of the old file.
    As(&'f fs::Metadata),
}

fn replace(path: &Path, content: &[u8], mode: Mode<'_>) -> io::Result<()> {
    let folder = folder_of(path);
    let mut fresh = tempfile::Builder::new()
        .prefix(".shadow-")
        .suffix(&format!(".{UNFINISHED}"))
        .tempfile_in(&folder)?;
    fresh.write_all(content)?;
    let file = fresh.as_file();
    match mode {
        Mode::Private => {}
        Mode::Public => file.set_permissions(Permissions::from_mode(0o644))?,
        Mode::As(former) => {
            if former.uid() != rustix::process::geteuid().as_raw() {
                let (user, group) = (former.uid(), former.gid());
                std::os::unix::fs::fchown(file, Some(user), Some(group))?;
            }
            file.set_permissions(Permissions::from_mode(former.mode() & 0o777))?;
        }
    }
    file.sync_all()?;
    fresh.persist(path).map_err(|failed| failed.error)?;
    // The content is safe; syncing the name, too, is best effort.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("lists");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn no_link_is_followed_and_the_file_is_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let (victim, path) = (folder.path().join("victim"), folder.path().join("page"));
        fs::write(&victim, "precious").expect("writes");
        for linked in ["page", "page.new", "page.part", "page.tmp"] {
            symlink(&victim, folder.path().join(linked)).expect("links");
        }
        write(&path, b"one").expect("writes");
        assert_eq!(fs::read(&victim).expect("reads"), b"precious");
        let facts = fs::symlink_metadata(&path).expect("is there");
        assert!(facts.is_file());
        assert_eq!(facts.mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).expect("reads"), b"one");
        // A file that somebody else made before, and can read, is replaced and not written into.
        fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("sets");
        let before = facts.ino();
        write(&path, b"two").expect("writes");
        let facts = fs::symlink_metadata(&path).expect("is there");
        assert_ne!(facts.ino(), before);
        assert_eq!(facts.mode() & 0o777, 0o600);
        assert_eq!(
            names(folder.path()),
            ["page", "page.new", "page.part", "page.tmp", "victim"]
        );
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page");
        fs::create_dir(&path).expect("makes");
        write(&path, b"one").expect_err("a folder");
        replace(&path, b"one", Mode::Private).expect_err("a folder");
        assert_eq!(names(folder.path()), ["page"]);
        if Path::new("/dev/full").exists() {
            let error = write(Path::new("/dev/full"), b"one").expect_err("full");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
            assert!(!fs::metadata("/dev/full").expect("is there").is_file());
        }
        write(Path::new("/dev/null"), b"one").expect("a device is written to");
        assert!(!fs::metadata("/dev/null").expect("is there").is_file());
    }

    #[test]
    fn a_fifo_is_written_to_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .expect("makes");
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).expect("reads")
        });
        write(&path, b"through").expect("writes");
        assert_eq!(reader.join().expect("ends"), b"through");
        assert!(
            fs::symlink_metadata(&path)
                .expect("is there")
                .file_type()
                .is_fifo()
        );
        // And nothing waits for a FIFO in the place of a file of the agent's own.
        open_or_make(&path).expect_err("no file");
        read(&path).expect_err("no file");
        place(&path, b"a file").expect("replaces");
        assert_eq!(read(&path).expect("a file"), b"a file");
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode_and_a_link_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("shadow.yaml"), folder.path().join("link"));
        fs::write(&path, "a").expect("writes");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("sets");
        rewrite(&path, b"b").expect("writes");
        assert_eq!(fs::metadata(&path).expect("is there").mode() & 0o777, 0o640);
        symlink(&path, &link).expect("links");
        rewrite(&link, b"c").expect_err("a link");
        assert_eq!(fs::read(&path).expect("reads"), b"b");
        read(&link).expect_err("a link");
        open_or_make(&link).expect_err("a link");
        assert_eq!(read(&path).expect("a file"), b"b");
    }
}
