//! The records of one GoReplay file.

use std::io::{self, Read};

use memchr::memmem;
use shadow_proto::time::Timestamp;

/// The separator between two payloads.
const SEPARATOR: &[u8] = "\n\u{1f435}\u{1f648}\u{1f649}\n".as_bytes();
/// The longest payload that is read.
const MAX_PAYLOAD: usize = 64 << 20;
const READ: usize = 256 << 10;

/// The line before a payload.
pub(super) struct Head<'a> {
    pub(super) kind: u8,
    pub(super) id: &'a [u8],
    pub(super) at: Timestamp,
}

impl<'a> Head<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let kind = match words.next()? {
            [kind @ b'1'..=b'3'] => *kind,
            _ => return None,
        };
        let id = words.next()?;
        let sign = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > 64 || !id.iter().all(sign) {
            return None;
        }
        let at = str::from_utf8(words.next()?).ok()?.trim_end().parse().ok()?;
        Some(Self {
            kind,
            id,
            at: Timestamp::from_nanos(at),
        })
    }
}

/// The text after blank lines and a byte order mark, which editors add.
pub(super) fn without_blanks(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(text)
        .trim_ascii_start()
}

/// Whether a file begins like a GoReplay file.
pub(in crate::offline) fn looks_like(start: &[u8]) -> bool {
    let line = without_blanks(start)
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    Head::parse(line).is_some() || memmem::find(start, SEPARATOR).is_some()
}

/// Whether bytes are enough to tell whether a record begins.
fn begins(bytes: &[u8]) -> bool {
    const LONGEST: usize = 256;
    let bytes = bytes.trim_ascii_start();
    bytes.len() > LONGEST || memchr::memchr(b'\n', bytes).is_some()
}

/// Whether the message of a payload has less content than its Content-Length announces.
fn is_cut(payload: &[u8]) -> bool {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = memmem::find(payload, END) else {
        return false;
    };
    let (head, content) = payload.split_at(end);
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at(memchr::memchr(b':', line)?);
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let value = is_length.then(|| value.get(1..))??;
        str::from_utf8(value.trim_ascii()).ok()?.parse::<usize>().ok()
    });
    length.is_some_and(|length| content.len().saturating_sub(END.len()) < length)
}

/// One payload with its header line; the payload is empty if it is too long.
pub(super) struct Record {
    pub(super) place: String,
    pub(super) payload: Vec<u8>,
}

/// A file that is being read.
pub(super) struct File {
    pub(super) name: String,
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already searched for a separator.
    searched: usize,
    /// The offset of `buffer` in the file.
    offset: u64,
    number: u64,
    /// Whether the file was read to its end.
    ended: bool,
    /// The latest time of its requests.
    pub(super) at: Timestamp,
}

impl File {
    pub(super) fn new(name: String, reader: Box<dyn Read + Send>) -> Self {
        Self {
            name,
            reader,
            buffer: Vec::new(),
            searched: 0,
            offset: 0,
            number: 0,
            ended: false,
            at: Timestamp::default(),
        }
    }

    /// The place of the next record.
    pub(super) fn place(&self) -> String {
        format!("{}: record {} at byte {}", self.name, self.number, self.offset)
    }

    /// The next record; `None` at the end.
    pub(super) fn record(&mut self) -> io::Result<Option<Record>> {
        let mut place = self.place();
        let mut too_long = false;
        loop {
            let from = self.searched.saturating_sub(SEPARATOR.len());
            let found = self
                .buffer
                .get(from..)
                .and_then(|rest| memmem::find(rest, SEPARATOR))
                .map(|found| from + found);
            if let Some(end) = found {
                let next = end + SEPARATOR.len();
                if !self.ended && !begins(self.buffer.get(next..).unwrap_or_default()) {
                    self.fill()?;
                    continue;
                }
                if !too_long && self.is_content(end, next) {
                    self.searched = next + SEPARATOR.len();
                    continue;
                }
                let mut payload = self.pass(next);
                payload.truncate(end);
                if too_long {
                    payload.clear();
                } else if payload.iter().all(u8::is_ascii_whitespace) {
                    place = self.place();
                    continue;
                }
                self.number += 1;
                return Ok(Some(Record { place, payload }));
            }
            self.searched = self.searched.max(self.buffer.len());
            if self.buffer.len() > MAX_PAYLOAD {
                // The rest of the payload is skipped: the records after it can be read.
                too_long = true;
                self.pass(self.buffer.len() - SEPARATOR.len());
            }
            if self.ended {
                let mut payload = self.pass(self.buffer.len());
                let blank = payload.iter().all(u8::is_ascii_whitespace);
                if too_long {
                    payload.clear();
                } else if blank {
                    return Ok(None);
                }
                self.number += 1;
                return Ok(Some(Record { place, payload }));
            }
            self.fill()?;
        }
    }

    /// Reads more of the file.
    fn fill(&mut self) -> io::Result<()> {
        let have = self.buffer.len();
        self.buffer.resize(have + READ, 0);
        let read = self.reader.read(self.buffer.get_mut(have..).unwrap_or_default());
        self.buffer.truncate(have + *read.as_ref().unwrap_or(&0));
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
            Ok(read) => {
                self.ended = read == 0;
                Ok(())
            }
        }
    }

    /// Whether a separator is content of the message before it: more of it is announced, and no record follows.
    fn is_content(&self, end: usize, next: usize) -> bool {
        let rest = self.buffer.get(next..).unwrap_or_default().trim_ascii_start();
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        !rest.is_empty() && Head::parse(line).is_none() && self.buffer.get(..end).is_some_and(is_cut)
    }

    /// Removes the first bytes of the buffer.
    fn pass(&mut self, length: usize) -> Vec<u8> {
        self.searched = 0;
        self.offset += length as u64;
        self.buffer.drain(..length).collect()
    }
}
