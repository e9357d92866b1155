//! Selection of the files that are read.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The project's own captures.
pub(crate) fn own() -> Vec<PathBuf> {
    within(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps"))
}

/// The project's own, and those of the directory in `SHADOW_PCAPS`.
pub(crate) fn all() -> Vec<PathBuf> {
    let mut files = own();
    if let Some(more) = env::var_os("SHADOW_PCAPS") {
        files.extend(within(Path::new(&more)));
    }
    files
}

fn within(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no captures in {}", directory.display());
    files
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
