//! Decodes field blocks (RFC 7541) with provenance: of each field it is known whether its bytes were seen, in the block
//! itself or where the entry that it refers to was inserted.
//!
//! Owns: the dynamic table of one direction, and what the other side's SETTINGS allow. Bounds: bytes and fields of one
//! block by `Limits`; what exceeds them is decoded for the table and not kept. Bias: after a loss nothing older is
//! used, because an entry with a shifted index decodes without an error, to a wrong value.

use core::ops::Range;

use bytes::Bytes;

use super::{
    huffman, static_table,
    table::{Entry, Table},
};
use crate::limits::Limits;

/// Size of a table before any SETTINGS.
const INITIAL: u32 = 4_096;

/// Most bytes and fields that are allocated before they are decoded. Not more than an open stream needs beside them:
/// what is allocated in vain is not counted.
const ROOM: (usize, usize) = (512, 16);

/// A block that no receiver accepts: a connection error of type COMPRESSION_ERROR.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Broken;

/// The fields of one block, in one buffer.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) raw: Vec<u8>,
    /// The fields whose name and value are known.
    pub(super) lines: Vec<Line>,
    /// Whether there are others.
    pub(super) unknown: bool,
    /// Whether fields were left out because of a limit.
    pub(super) too_large: bool,
}

/// Ranges of [`Fields::raw`].
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: Range<u32>,
    pub(super) value: Range<u32>,
}

impl Fields {
    fn with_capacity((bytes, fields): (usize, usize)) -> Self {
        let (most_bytes, most_fields) = ROOM;
        Self {
            // A request adds the name of its Host field.
            raw: Vec::with_capacity(bytes.min(most_bytes) + b"host".len()),
            lines: Vec::with_capacity(fields.min(most_fields)),
            ..Self::default()
        }
    }

    pub(super) fn part(&self, range: &Range<u32>) -> &[u8] {
        self.raw
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// Keeps what was appended from `start` on, with the name ending at `middle`, unless that exceeds a limit.
    fn keep(&mut self, start: usize, middle: usize, known: bool, limits: &Limits) {
        let over = self.raw.len() > limits.head || self.lines.len() >= limits.fields;
        let ends = (
            u32::try_from(start),
            u32::try_from(middle),
            u32::try_from(self.raw.len()),
        );
        match ends {
            (Ok(start), Ok(middle), Ok(end)) if known && !over => self.lines.push(Line {
                name: start..middle,
                value: middle..end,
            }),
            _ => {
                self.unknown |= !known;
                self.too_large |= over;
                self.raw.truncate(start);
            }
        }
    }
}

/// The decoder of one direction.
#[derive(Debug)]
pub(super) struct Decoder {
    table: Table,
    /// The largest table that the other side allows; `None` when its SETTINGS may have been missed.
    allowed: Option<u32>,
    /// Whether the next block must begin with an update of the size (RFC 7541 section 4.2).
    owes_update: bool,
    /// Decoded bytes and fields of the latest block: the next one is similar.
    latest: (usize, usize),
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            table: Table::new(),
            allowed: Some(INITIAL),
            owes_update: false,
            latest: ROOM,
        }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.table.held()
    }

    /// A block was missed, or a part of one.
    pub(super) fn lose(&mut self) {
        self.table.lose();
        self.owes_update = false;
    }

    /// SETTINGS of the other side, or their acknowledgement, were missed.
    pub(super) fn lose_settings(&mut self) {
        self.allowed = None;
        self.owes_update = false;
    }

    /// This side acknowledged a SETTINGS_HEADER_TABLE_SIZE of the other.
    pub(super) fn allow(&mut self, size: u32) {
        if self.allowed.is_some() {
            self.allowed = Some(size);
        }
        self.owes_update |= self.table.max().is_some_and(|max| max > size as usize);
    }

    /// Decodes one complete block.
    pub(super) fn decode(&mut self, block: &[u8], limits: &Limits) -> Result<Fields, Broken> {
        let updates = block.first().is_some_and(|first| first & 0xe0 == 0x20);
        if core::mem::take(&mut self.owes_update) && !updates {
            // It is not certain which entries the encoder evicted.
            self.table.lose();
        }
        let mut fields = Fields::with_capacity(self.latest);
        if updates && block.iter().all(|byte| byte & 0xe0 == 0x20) {
            // No message has such a block: a recording masked it.
            self.table.lose();
            fields.unknown = true;
            return Ok(fields);
        }
        let read = self.read(block, &mut fields, limits);
        self.latest = (fields.raw.len(), fields.lines.len());
        if read.is_none() {
            self.table.lose();
        }
        read.map(|()| fields).ok_or(Broken)
    }

    fn read(&mut self, block: &[u8], fields: &mut Fields, limits: &Limits) -> Option<()> {
        let mut input = block;
        let mut first = true;
        while let Some(&byte) = input.first() {
            if byte & 0xe0 == 0x20 {
                let size = integer(&mut input, 5)?;
                // Section 4.2: at the beginning of a block, and within what the other side allows.
                if !first || self.allowed.is_some_and(|allowed| size > allowed) {
                    return None;
                }
                self.table.resize(size as usize);
                continue;
            }
            first = false;
            let start = fields.raw.len();
            if byte & 0x80 != 0 {
                let index = integer(&mut input, 7)?;
                let found = self.entry(index)?;
                if !fields.too_large {
                    let (name, value) = (found.name(), found.value());
                    fields.raw.extend_from_slice(name.unwrap_or_default());
                    let middle = fields.raw.len();
                    fields.raw.extend_from_slice(value.unwrap_or_default());
                    fields.keep(start, middle, name.is_some() && value.is_some(), limits);
                }
                continue;
            }
            let inserts = byte & 0x40 != 0;
            let index = integer(&mut input, if inserts { 6 } else { 4 })?;
            let mut name_known = true;
            // A name that is used again is not copied for each entry: few bytes may refer to a long name.
            let mut shared = None;
            if index == 0 {
                string(&mut input, &mut fields.raw)?;
            } else {
                let found = self.entry(index)?;
                name_known = found.name().is_some();
                shared = found.shared_name().filter(|_| inserts);
                if !fields.too_large {
                    fields.raw.extend_from_slice(found.name().unwrap_or_default());
                }
            }
            let middle = fields.raw.len();
            string(&mut input, &mut fields.raw)?;
            if inserts {
                let copy = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
                let name = match shared {
                    Some(name) => Some(name),
                    None if index == 0 => copy(fields.raw.get(start..middle)),
                    None => None,
                };
                let value = copy(fields.raw.get(middle..));
                self.table.insert(Entry { name, value });
            }
            fields.keep(start, middle, name_known, limits);
        }
        Some(())
    }

    /// The entry with this index (section 2.3.3); `None` for index 0.
    fn entry(&self, index: u32) -> Option<Found<'_>> {
        let index = u64::from(index);
        if let Some((name, value)) = static_table::entry(index) {
            return Some(Found::Static(name, value));
        }
        let place = index.checked_sub(static_table::LEN + 1)?;
        let known = usize::try_from(place)
            .ok()
            .and_then(|place| self.table.get(place));
        Some(known.map_or(Found::Unknown, Found::Dynamic))
    }
}

/// The referent of an index.
#[derive(Clone, Copy)]
enum Found<'a> {
    Static(&'static [u8], &'static [u8]),
    Dynamic(&'a Entry),
    /// An entry that was inserted before what was seen.
    Unknown,
}

impl Found<'_> {
    fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Static(name, _) => Some(name),
            Self::Dynamic(entry) => entry.name.as_deref(),
            Self::Unknown => None,
        }
    }

    fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Static(_, value) => Some(value),
            Self::Dynamic(entry) => entry.value.as_deref(),
            Self::Unknown => None,
        }
    }

    fn shared_name(&self) -> Option<Bytes> {
        match self {
            Self::Static(name, _) => Some(Bytes::from_static(name)),
            Self::Dynamic(entry) => entry.name.clone(),
            Self::Unknown => None,
        }
    }
}

/// An integer with a prefix of so many bits (section 5.1). One over 32 bits is invalid (section 7.4).
fn integer(input: &mut &[u8], prefix: u8) -> Option<u32> {
    let (&first, mut rest) = input.split_first()?;
    let most = (1_u8 << prefix) - 1;
    let mut value = u64::from(first & most);
    if first & most == most {
        let mut shift = 0_u32;
        loop {
            let (&byte, behind) = rest.split_first()?;
            rest = behind;
            value += u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 28 {
                return None;
            }
        }
    }
    *input = rest;
    u32::try_from(value).ok()
}

/// Appends a string literal (section 5.2).
fn string(input: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
    let coded = input.first()? & 0x80 != 0;
    let len = usize::try_from(integer(input, 7)?).ok()?;
    let (text, rest) = input.split_at_checked(len)?;
    *input = rest;
    if coded {
        huffman::decode(text, out)
    } else {
        out.extend_from_slice(text);
        Some(())
    }
}

#[cfg(test)]
#[path = "hpack_tests.rs"]
mod tests;
