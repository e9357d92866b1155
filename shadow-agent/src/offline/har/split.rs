//! Splits an archive into its entries, without holding the rest of it.
//!
//! Only strings and brackets are tracked; the parser handles the rest, so that a fault inside one entry does not affect
//! the others. Bounds: one entry of at most [`MAX_ENTRY`] bytes and [`MAX_VALUES`] values; a larger one is skipped. No
//! recursion.

use std::io::{self, Read};

/// The longest entry that is read.
pub(super) const MAX_ENTRY: usize = 64 << 20;
/// Values and members of one entry: each costs the parser far more memory than its bytes.
const MAX_VALUES: u64 = 100_000;
const CHUNK: usize = 64 << 10;
/// The longest member name that is compared.
const MAX_NAME: usize = 16;
/// The member of the top level, and the member in it with the entries.
const PATH: [&[u8]; 2] = [b"log", b"entries"];

/// The next part of the archive.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// An entry that begins at this byte; its text is in the buffer.
    Entry(u64),
    /// An entry that is too long.
    TooLong(u64),
    /// The end of the archive.
    End,
}

/// The reason why no entry follows.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the file ends at byte {0}, within the archive")]
    CutOff(u64),
    #[error("{1} at byte {0}")]
    Syntax(u64, &'static str),
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
}

/// An archive that is being read.
pub(super) struct Splitter {
    reader: Box<dyn Read + Send>,
    chunk: Vec<u8>,
    /// The consumed part of `chunk`.
    at: usize,
    /// The offset of `chunk` in the file.
    offset: u64,
    /// The matched length of [`PATH`]; inside the entries one more than its length.
    depth: usize,
    begun: bool,
    /// Whether the member `log` was there.
    pub(super) has_log: bool,
}

impl Splitter {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            chunk: Vec::new(),
            at: 0,
            offset: 0,
            depth: 0,
            begun: false,
            has_log: false,
        }
    }

    /// The next entry, its text in `out`.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<Next, Fault> {
        if !self.begun {
            self.begun = true;
            for mark in "\u{feff}".bytes() {
                if self.peek()? == Some(mark) {
                    self.at += 1;
                }
            }
            self.expect(b'{', "no JSON object begins")?;
        }
        loop {
            let Some(byte) = self.solid()? else {
                return Err(Fault::CutOff(self.place()));
            };
            if byte == b',' {
                self.at += 1;
            } else if self.depth == PATH.len() {
                if byte == b']' {
                    self.at += 1;
                    self.depth -= 1;
                    continue;
                }
                if byte == b'}' {
                    return Err(Fault::Syntax(self.place(), "the list of entries is not closed"));
                }
                out.clear();
                let start = self.place();
                let whole = self.value(Some(out))?;
                return Ok(if whole {
                    Next::Entry(start)
                } else {
                    Next::TooLong(start)
                });
            } else if byte == b'}' {
                self.at += 1;
                match self.depth.checked_sub(1) {
                    Some(depth) => self.depth = depth,
                    // Another archive may follow.
                    None if self.solid()? == Some(b'{') => self.at += 1,
                    None => return Ok(Next::End),
                }
            } else {
                self.member(out)?;
            }
        }
    }

    /// Reads a member of the top level, or of `log`.
    fn member(&mut self, name: &mut Vec<u8>) -> Result<(), Fault> {
        name.clear();
        if self.peek()? != Some(b'"') {
            return Err(Fault::Syntax(self.place(), "the name of a member is missing"));
        }
        self.text(&mut |part| {
            let room = MAX_NAME.saturating_sub(name.len());
            name.extend_from_slice(part.get(..room).unwrap_or(part));
        })?;
        self.expect(b':', "a colon is missing")?;
        let value = self.solid()?;
        let [log, entries] = PATH;
        let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
        match (self.depth, value) {
            (0, Some(b'{')) if name == Some(log) => {
                self.has_log = true;
                self.at += 1;
                self.depth = 1;
            }
            (1, Some(b'[')) if name == Some(entries) => {
                self.at += 1;
                self.depth = 2;
            }
            _ => {
                self.value(None)?;
            }
        }
        Ok(())
    }

    /// Skips a value. Returns whether all of it is in `out`.
    fn value(&mut self, mut out: Option<&mut Vec<u8>>) -> Result<bool, Fault> {
        let mut whole = true;
        let mut keep = |part: &[u8]| {
            if let Some(out) = out.as_deref_mut() {
                if out.len() + part.len() > MAX_ENTRY {
                    whole = false;
                    out.clear();
                }
                if whole {
                    out.extend_from_slice(part);
                }
            }
        };
        let (mut open, mut values) = (0_u64, 0_u64);
        loop {
            let Some(byte) = self.peek()? else {
                return Err(Fault::CutOff(self.place()));
            };
            values += u64::from(matches!(byte, b'{' | b'[' | b','));
            match byte {
                b'"' => self.text(&mut keep)?,
                b'{' | b'[' => {
                    open += 1;
                    self.give(1, &mut keep);
                }
                b'}' | b']' if open == 0 => break,
                b'}' | b']' => {
                    open -= 1;
                    self.give(1, &mut keep);
                }
                b',' if open == 0 => break,
                _ => {
                    // Up to the next significant byte.
                    let rest = self.rest();
                    let length = rest
                        .iter()
                        .position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b','))
                        .unwrap_or(rest.len())
                        .max(1);
                    self.give(length, &mut keep);
                    continue;
                }
            }
            if open == 0 {
                break;
            }
        }
        Ok(whole && values <= MAX_VALUES)
    }

    /// Skips a string with its quotes.
    fn text(&mut self, keep: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        self.give(1, keep);
        loop {
            if self.peek()?.is_none() {
                return Err(Fault::CutOff(self.place()));
            }
            let rest = self.rest();
            match memchr::memchr2(b'"', b'\\', rest) {
                None => self.give(rest.len(), keep),
                Some(place) if rest.get(place) == Some(&b'"') => {
                    self.give(place + 1, keep);
                    return Ok(());
                }
                Some(place) => {
                    self.give(place + 1, keep);
                    // The escaped byte may be a quote.
                    if self.peek()?.is_some() {
                        self.give(1, keep);
                    }
                }
            }
        }
    }

    fn give(&mut self, length: usize, keep: &mut dyn FnMut(&[u8])) {
        let end = self.chunk.len().min(self.at + length);
        keep(self.chunk.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    fn expect(&mut self, wanted: u8, what: &'static str) -> Result<(), Fault> {
        match self.solid()? {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Fault::Syntax(self.place(), what)),
            None => Err(Fault::CutOff(self.place())),
        }
    }

    /// The next byte that is not white space, without consuming it.
    fn solid(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                other => return Ok(other),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        if self.at >= self.chunk.len() {
            self.offset += self.chunk.len() as u64;
            self.at = 0;
            self.chunk.resize(CHUNK, 0);
            let read = loop {
                match self.reader.read(&mut self.chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.chunk.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(self.chunk.get(self.at).copied())
    }

    fn rest(&self) -> &[u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    fn place(&self) -> u64 {
        self.offset + self.at as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Vec<String>, String) {
        let mut split = Splitter::new(Box::new(io::Cursor::new(text.as_bytes().to_vec())));
        let (mut found, mut out) = (Vec::new(), Vec::new());
        loop {
            match split.next(&mut out) {
                Ok(Next::Entry(_)) => found.push(String::from_utf8_lossy(&out).trim().to_owned()),
                Ok(end) => return (found, format!("{end:?}")),
                Err(fault) => return (found, fault.to_string()),
            }
        }
    }

    #[test]
    fn entries_are_found_wherever_they_are() {
        let end = || "End".to_owned();
        for (text, entries) in [
            ("{\"log\":{\"entries\":[]}}", &[][..]),
            (
                "\u{feff} {\"log\":{\"entries\":[{\"a\":\"]}\\\"\"}, 5 ,null,[1,{}]]}}",
                &["{\"a\":\"]}\\\"\"}", "5", "null", "[1,{}]"],
            ),
            (
                "{\"a\":{\"entries\":[1]},\"entries\":[2],\"log\":{\"x\":[{\"entries\":[3]}],\"entries\":[4],\"pages\":[5]},\"b\":6}",
                &["4"],
            ),
            ("{\"log\":{\"entries\":[1],\"entries\":[2]}}", &["1", "2"]),
            ("{\"log\":[],\"log\":{\"entries\":{}}}", &[]),
            ("{}", &[]),
        ] {
            let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
            assert_eq!(all(text), (entries, end()), "{text}");
        }
    }

    #[test]
    fn an_entry_of_too_many_values_is_passed_over() {
        let text = format!("{{\"log\":{{\"entries\":[[{}],{{}}]}}}}", "{},".repeat(60_000));
        let mut split = Splitter::new(Box::new(io::Cursor::new(text.into_bytes())));
        let mut out = Vec::new();
        assert_eq!(split.next(&mut out).unwrap(), Next::TooLong(19));
        assert!(matches!(split.next(&mut out), Ok(Next::Entry(_))) && out == b"{}");
        assert_eq!(split.next(&mut out).unwrap(), Next::End);
    }

    #[test]
    fn a_cut_or_broken_archive_gives_what_is_before_the_fault() {
        for (text, entries, fault) in [
            ("{\"log\":", 0, "ends at byte 7"),
            (
                "{\"log\":{\"entries\":[{\"a\":1},{\"b\":\"x",
                1,
                "ends at byte 34",
            ),
            ("{\"log\":{\"entries\":[{}", 1, "ends at byte 21"),
            ("[1]", 0, "no JSON object begins at byte 0"),
            ("{log:1}", 0, "the name of a member is missing at byte 1"),
            ("{\"log\" 1}", 0, "a colon is missing at byte 7"),
        ] {
            let (found, failure) = all(text);
            assert_eq!(found.len(), entries, "{text}");
            assert!(failure.contains(fault), "{text}: {failure}");
        }
    }
}
