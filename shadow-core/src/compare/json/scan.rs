//! The values of a document with their positions, for changes of its text.

use core::ops::Range;

use crate::compare::paths::Key;

use super::{
    ROOT,
    tape::{Tape, Value},
};

/// Values of one document that are listed.
const MOST: usize = 4096;

/// Bytes of a place above which no further steps are written.
const LONGEST: usize = 400;

/// One member or element, by its positions in the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Element {
    /// As in a difference.
    pub(crate) place: String,
    /// A member's name with its quotes.
    pub(crate) name: Option<Range<usize>>,
    pub(crate) value: Range<usize>,
    /// With its name and one comma, so that the rest is a document without it.
    pub(crate) whole: Range<usize>,
    /// The next element of its array, if that is another value.
    pub(crate) next: Option<Range<usize>>,
    pub(crate) is_scalar: bool,
}

/// The members and elements of a document; `None` if it is not JSON. Of large documents only evenly chosen ones.
pub(crate) fn scan(text: &[u8]) -> Option<Vec<Element>> {
    let tape = Tape::parse(text).ok()?;
    let root = tape.root()?;
    // A byte order mark is not part of the tape's text.
    let skipped = if text.starts_with("\u{feff}".as_bytes()) {
        3
    } else {
        0
    };
    let mut scan = Scan {
        found: Vec::new(),
        skipped,
        every: tape.len().checked_div(MOST).unwrap_or_default().saturating_add(1),
        seen: 0,
    };
    scan.children(root, ROOT);
    Some(scan.found)
}

struct Scan {
    found: Vec<Element>,
    skipped: usize,
    every: usize,
    seen: usize,
}

impl Scan {
    /// Recursion depth is that of the document, which the parser bounds.
    fn children(&mut self, parent: Value<'_>, place: &str) {
        let named: Vec<(Option<Value<'_>>, Value<'_>)> = if parent.kind() == super::tape::Kind::Object {
            parent
                .members()
                .map(|(name, value)| (Some(name), value))
                .collect()
        } else if parent.kind().is_scalar() {
            return;
        } else {
            parent.elements().map(|value| (None, value)).collect()
        };
        let mut before: Option<Value<'_>> = None;
        for (index, (name, value)) in named.iter().enumerate() {
            let next = named.get(index.saturating_add(1));
            let step = match name {
                Some(name) => Key::Name(&String::from_utf8_lossy(&name.string())).to_string(),
                None => Key::Index(index).to_string(),
            };
            let here = if place.len() < LONGEST {
                format!("{place}{step}")
            } else {
                place.to_owned()
            };
            self.seen = self.seen.saturating_add(1);
            if self.seen.is_multiple_of(self.every) {
                let start = self.range(name.unwrap_or(*value)).start;
                let own = self.range(*value);
                let whole = match (before, next) {
                    // From the end of the one before, with the comma.
                    (Some(before), _) => self.range(before).end..own.end,
                    (None, Some((next_name, next))) => start..self.range(next_name.unwrap_or(*next)).start,
                    (None, None) => start..own.end,
                };
                let next = next.filter(|(_, next)| next.raw() != value.raw());
                self.found.push(Element {
                    place: here.clone(),
                    name: name.map(|name| self.range(name)),
                    value: own,
                    whole,
                    next: next.map(|(_, next)| self.range(*next)),
                    is_scalar: value.kind().is_scalar(),
                });
            }
            self.children(*value, &here);
            before = Some(*value);
        }
    }

    fn range(&self, value: Value<'_>) -> Range<usize> {
        let range = value.range();
        range.start.saturating_add(self.skipped)..range.end.saturating_add(self.skipped)
    }
}
