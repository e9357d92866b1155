//! The lines of a log, one by one.

use std::io::{self, BufRead as _, BufReader, Read};

/// The longest line that is read. The rest of a longer one is skipped.
const MAX_LINE: usize = 256 << 10;
const BUFFER: usize = 64 << 10;

/// A file that is being read.
pub(super) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    /// Lines so far.
    pub(super) number: u64,
}

impl Lines {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER, reader),
            number: 0,
        }
    }

    /// Reads the next line into `line`, without its end. Returns whether it is whole; `None` at the end of the file.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        line.clear();
        let mut is_whole = true;
        let mut begun = false;
        loop {
            let part = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                part => part?,
            };
            if part.is_empty() && !begun {
                return Ok(None);
            }
            if !std::mem::replace(&mut begun, true) {
                self.number += 1;
            }
            let end = memchr::memchr(b'\n', part);
            let text = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
            let room = MAX_LINE.saturating_sub(line.len());
            is_whole &= text.len() <= room;
            line.extend_from_slice(text.get(..room).unwrap_or(text));
            let used = text.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() || used == 0 {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if self.number == 1 && line.starts_with("\u{feff}".as_bytes()) {
                    line.drain(.."\u{feff}".len());
                }
                return Ok(Some(is_whole));
            }
        }
    }
}
