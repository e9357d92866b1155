//! Standard output, and files that are written in place of it.

use std::{
    io::{self, Write as _},
    path::Path,
};

use super::{Exit, Failure};
use crate::{shown::screened, whole};

/// Prints a page of text or JSON, screened. Returns false when the reader has closed the pipe.
pub(super) fn print(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out
        .write_all(screened(text).as_bytes())
        .and_then(|()| out.flush())
    {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(unwritable(&error)),
    }
}

/// The failure when standard output cannot be written.
pub(super) fn unwritable(error: &io::Error) -> Failure {
    Failure::new(Exit::CannotCreate, format!("writing to standard output: {error}"))
}

/// The name of standard output where a file is expected.
pub(super) const STDOUT: &str = "-";

/// Writes to standard output or to a file. A file is written whole or not at all, and only its owner can read it.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if path == Path::new(STDOUT) {
        return print(text).map(drop);
    }
    whole::write(path, screened(text).as_bytes()).map_err(|error| unwritten(path, &error))
}

/// The failure when a file was not written, with advice.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::CannotCreate,
        format!(
            "cannot write {}: {error}; free space, or choose another file",
            path.display()
        ),
    )
}
