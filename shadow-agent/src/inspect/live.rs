//! A file that is still being written: results are shown before a read that may have to wait.
//!
//! Only the reader knows when that is: buffered data may end within a record, or in blocks that are not packets.

use std::{
    io::{self, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// An output that the reader flushes.
#[derive(Debug)]
pub struct Shown<W>(Arc<Mutex<W>>);

impl<W: Write> Shown<W> {
    /// Wraps an output.
    pub fn new(out: W) -> Self {
        Self(Arc::new(Mutex::new(out)))
    }

    /// A reader that flushes the output before each read.
    pub fn before<R: Read>(&self, reader: R) -> Showing<R, W> {
        Showing {
            reader,
            out: Self(Arc::clone(&self.0)),
        }
    }

    fn out(&self) -> MutexGuard<'_, W> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out().flush()
    }
}

/// See [`Shown::before`].
#[derive(Debug)]
pub struct Showing<R, W> {
    reader: R,
    out: Shown<W>,
}

impl<R: Read, W: Write> Read for Showing<R, W> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // An error of the output is reported by its next write.
        drop(self.out.flush());
        self.reader.read(out)
    }
}
