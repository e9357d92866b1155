//! HTTP Archives (HAR 1.2), as browsers and proxies save them.
//!
//! Owns: reading entries one by one (`split`) and converting each to an exchange if it is unambiguous (`entry`,
//! `content`, `url`). Other entries become incomplete exchanges with a named reason, or, if no server was asked, are
//! counted separately. An archive holds content without its codings, and text without its charset: both are restored,
//! or left out of the comparison. Bounds: one entry of 64 MiB; [`ORDERED`] exchanges or [`ORDERED_BYTES`] are held to
//! sort them by time. Drops: nothing without a count and a place.

mod attached;
mod charset;
mod content;
mod entry;
mod fields;
mod lenient;
mod split;
mod url;

use std::{cmp::Reverse, collections::BinaryHeap, io::Read, path::Path, sync::Arc};

use serde_json::Value;
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    FeedState, Reader,
    feed::{Waiting, weight},
};
use crate::{capture::SourceError, pipeline::CaptureCounters};
use attached::Folder;
pub(super) use entry::broken;
use entry::{Archive, Made};
use split::{Next, Splitter};

/// Exchanges held for sorting by time: recorders write in the order of the start, or of the end.
const ORDERED: usize = 4_096;
/// Limit of their bytes.
const ORDERED_BYTES: usize = 8 << 20;

/// One archive.
pub(super) struct Har {
    name: String,
    told: Arc<FeedState>,
    entries: Splitter,
    archive: Archive,
    /// The text of an entry.
    text: Vec<u8>,
    number: u64,
    before: Timestamp,
    ordered: BinaryHeap<Reverse<Waiting>>,
    ordered_bytes: usize,
    ended: bool,
    given: u64,
}

impl std::fmt::Debug for Har {
    /// Omits the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Har({}, {} entries)", self.name, self.number)
    }
}

impl Har {
    /// Starts reading an archive. `body` bytes of each body are kept.
    pub(super) fn new(
        path: &Path,
        reader: Box<dyn Read + Send>,
        body: usize,
        told: &Arc<FeedState>,
    ) -> Result<Self, String> {
        let mut har = Self {
            name: path.display().to_string(),
            told: Arc::clone(told),
            entries: Splitter::new(reader),
            archive: Archive {
                folder: Folder::of(path),
                limit: body,
            },
            text: Vec::new(),
            number: 0,
            before: Timestamp::default(),
            ordered: BinaryHeap::new(),
            ordered_bytes: 0,
            ended: false,
            given: 0,
        };
        har.step().map_err(|fault| format!("no HAR 1.2: {fault}"))?;
        if har.ended && !har.entries.has_log {
            return Err(
                "a JSON document that is neither HAR (no `log`) nor a bundle (no `format`)".to_owned(),
            );
        }
        told.notes.file(&har.name, "HAR");
        told.notes.records(&har.name, har.number);
        Ok(har)
    }

    /// Reads one entry.
    fn step(&mut self) -> Result<(), split::Fault> {
        let place = match self.entries.next(&mut self.text)? {
            Next::End => {
                self.ended = true;
                return Ok(());
            }
            Next::Entry(place) => place,
            Next::TooLong(place) => {
                self.text.clear();
                place
            }
        };
        let number = self.number;
        self.number += 1;
        let made = match parsed(&mut self.text) {
            Some(entry) => self.archive.exchange(number, &entry, self.before),
            None => Made::Exchange(Box::new(broken(number, self.before)), true),
        };
        let at = || format!("{}: entry {number} at byte {place}", self.name);
        let exchange = match made {
            Made::Aside(reason, what) => {
                self.told.notes.add(reason, 1, what, at);
                return Ok(());
            }
            Made::Exchange(exchange, timed) => {
                if !timed {
                    let what = "entries have no time that can be read; that of the entry before is taken";
                    self.told.notes.add("no_time", 1, what, at);
                }
                exchange
            }
        };
        if let Some(reason) = exchange.incomplete {
            self.told
                .notes
                .add(reason.as_str(), 1, "entries are not replayed for this reason", at);
        }
        self.before = exchange.timing.request_first.unwrap_or_default();
        let bytes = weight(&exchange);
        self.ordered_bytes += bytes;
        self.ordered.push(Reverse(Waiting {
            at: self.before,
            number,
            bytes,
            exchange,
        }));
        Ok(())
    }
}

/// An entry, if its text is JSON in UTF-8.
fn parsed(text: &mut [u8]) -> Option<Value> {
    whole_characters(text);
    let entry: Value = serde_json::from_slice(text)
        .or_else(|_| serde_json::from_slice(&repaired(text)))
        .ok()?;
    entry["request"].is_object().then_some(entry)
}

/// JSON of writers that are not strict: numbers that are none become `null`, and control characters in strings are
/// escaped.
fn repaired(text: &[u8]) -> Vec<u8> {
    const NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut out = Vec::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        if !quoted && let Some(after) = NUMBERS.iter().find_map(|number| rest.strip_prefix(*number)) {
            out.extend_from_slice(b"null");
            rest = after;
            continue;
        }
        rest = behind;
        if quoted && byte < b' ' {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.push(byte);
        }
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
    }
    out
}

/// Half of a surrogate pair is not a character. It is replaced by U+FFFD, which is recognized when content is read.
fn whole_characters(text: &mut [u8]) {
    let unit = |text: &[u8], at: usize| -> Option<u16> {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        match (unit(text, at), unit(text, at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => at += 12,
            (Some(0xd800..0xe000), _) => {
                if let Some(place) = text.get_mut(at..at + 6) {
                    place.copy_from_slice(b"\\ufffd");
                }
                at += 6;
            }
            // Also for an escaped backslash.
            _ => at += 2,
        }
    }
}

impl Reader for Har {
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError> {
        let before = self.number;
        while !self.ended && self.ordered.len() < ORDERED && self.ordered_bytes < ORDERED_BYTES {
            if let Err(fault) = self.step() {
                // A file that is cut off because the run was ended is not damaged.
                if !self.told.is_ending() {
                    let what = "archives are damaged; what comes before the damage is used";
                    self.told
                        .notes
                        .add("damaged", 1, what, || format!("{}: {fault}", self.name));
                }
                self.ended = true;
            }
        }
        self.told.notes.records(&self.name, self.number - before);
        let Some(Reverse(next)) = self.ordered.pop() else {
            return Ok(None);
        };
        self.ordered_bytes -= next.bytes;
        self.given += 1;
        sink(next.exchange);
        Ok(Some(next.at))
    }

    fn count(&self, into: &mut CaptureCounters) {
        into.exchanges += self.given;
    }
}
