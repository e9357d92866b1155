//! A JSON text (RFC 8259) as a flat array of values in document order.

use std::borrow::Cow;

use super::{parse::Parser, reuse::Parsed};

/// Nested arrays and objects.
pub(crate) const MAX_DEPTH: usize = 128;

/// Values, member names included, of one document. 20 bytes each.
pub(crate) const MAX_NODES: usize = 1 << 20;

/// The reason why a text could not be parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ParseError {
    /// Not JSON by its grammar, or not UTF-8 (RFC 8259 section 8.1).
    #[error("no JSON from byte {0}")]
    Invalid(usize),
    /// Deeper than [`MAX_DEPTH`].
    #[error("JSON nested too deeply")]
    TooDeep,
    /// More values than [`MAX_NODES`], or more than 4 GiB.
    #[error("JSON with too many values")]
    TooMany,
}

/// The kind of a value. Strings with an escape are distinct, because the others can be compared byte for byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    Number,
    Plain,
    Escaped,
    Array,
    Object,
}

impl Kind {
    /// Whether two values have the same JSON type.
    pub(crate) fn same_type(self, other: Self) -> bool {
        self.name() == other.name()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::False | Self::True => "boolean",
            Self::Number => "number",
            Self::Plain | Self::Escaped => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    pub(crate) fn is_text_or_number(self) -> bool {
        matches!(self, Self::Number | Self::Plain | Self::Escaped)
    }

    pub(crate) fn is_scalar(self) -> bool {
        !matches!(self, Self::Array | Self::Object)
    }
}

/// One value, as offsets into the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// The next node after this one and its descendants.
    pub(super) next: u32,
    /// Elements, or members.
    pub(super) len: u32,
}

/// A parsed document.
#[derive(Debug, PartialEq)]
pub(crate) struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// The text without a byte order mark, if it can be parsed.
fn checked(text: &[u8]) -> Result<&str, ParseError> {
    let text = match core::str::from_utf8(text) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => return Err(ParseError::Invalid(error.valid_up_to())),
    };
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError::TooMany);
    }
    Ok(text)
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'t> {
    tape: &'t Tape<'t>,
    index: u32,
    node: Node,
}

impl<'a> Tape<'a> {
    /// Parses a whole text. A leading byte order mark is ignored, as RFC 8259 section 8.1 allows.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        Self::whole(text, false)
    }

    /// Parses a whole text with the lenient grammar.
    pub(crate) fn lenient(text: &'a [u8]) -> Result<Self, ParseError> {
        Self::whole(text, true)
    }

    /// Parses a whole text as [`Tape::parse`] does, without what another document begins and ends with.
    pub(crate) fn like(text: &'a [u8], known: &Tape<'_>) -> Result<Self, ParseError> {
        let text = checked(text)?;
        let known = Parsed::new(known.text.as_bytes(), &known.nodes, text.as_bytes());
        let nodes = Parser::like(text.as_bytes(), known)?;
        Ok(Self { text, nodes })
    }

    fn whole(text: &'a [u8], lenient: bool) -> Result<Self, ParseError> {
        let text = checked(text)?;
        let nodes = Parser::parse(text.as_bytes(), lenient)?;
        Ok(Self { text, nodes })
    }

    /// Parses the document at the beginning of a text with the lenient grammar; also returns its length.
    pub(crate) fn prefix(text: &'a str) -> Result<(Self, usize), ParseError> {
        if u32::try_from(text.len()).is_err() {
            return Err(ParseError::TooMany);
        }
        let (nodes, len) = Parser::prefix(text.as_bytes())?;
        Ok((Self { text, nodes }, len))
    }

    /// The outermost value.
    pub(crate) fn root(&self) -> Option<Value<'_>> {
        self.value(0)
    }

    /// The number of values, member names included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Every value in document order, member names included.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value<'_>> {
        (0u32..).map_while(|index| self.value(index))
    }

    fn value(&self, index: u32) -> Option<Value<'_>> {
        self.nodes.get(index as usize).map(|&node| Value {
            tape: self,
            index,
            node,
        })
    }
}

impl<'t> Value<'t> {
    pub(crate) fn kind(self) -> Kind {
        self.node.kind
    }

    /// Its number in the document.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    /// Elements, or members.
    pub(crate) fn len(self) -> usize {
        self.node.len as usize
    }

    /// Its text; strings include the quotes.
    pub(crate) fn raw(self) -> &'t str {
        self.tape
            .text
            .get(self.node.start as usize..self.node.end as usize)
            .unwrap_or_default()
    }

    /// The position of its text.
    pub(crate) fn range(self) -> core::ops::Range<usize> {
        self.node.start as usize..self.node.end as usize
    }

    /// The elements of an array, or alternately the names and values of an object.
    fn children(self) -> impl Iterator<Item = Value<'t>> {
        let Value { tape, index, node } = self;
        let first = if node.kind.is_scalar() {
            node.next
        } else {
            index.saturating_add(1)
        };
        let mut at = first;
        core::iter::from_fn(move || {
            if at >= node.next {
                return None;
            }
            let child = tape.value(at)?;
            at = child.node.next;
            Some(child)
        })
    }

    pub(crate) fn elements(self) -> impl Iterator<Item = Value<'t>> {
        self.children()
    }

    /// Names and values, in order, duplicates included.
    pub(crate) fn members(self) -> impl Iterator<Item = (Value<'t>, Value<'t>)> {
        let mut children = self.children();
        core::iter::from_fn(move || children.next().zip(children.next()))
    }

    /// The unescaped content of a string, or a number as it is written.
    pub(crate) fn content(self) -> Cow<'t, [u8]> {
        match self.node.kind {
            Kind::Number => Cow::Borrowed(self.raw().as_bytes()),
            _ => self.string(),
        }
    }

    /// The last member of a name, as with most readers.
    pub(crate) fn get(self, name: &str) -> Option<Self> {
        self.member(name.as_bytes())
    }

    /// As [`Value::get`].
    pub(crate) fn member(self, name: &[u8]) -> Option<Self> {
        if self.node.kind != Kind::Object {
            return None;
        }
        let named = self.members().filter(|(given, _)| given.is_named(name));
        named.last().map(|(_, value)| value)
    }

    /// Whether the content of a string is this name.
    fn is_named(self, name: &[u8]) -> bool {
        match self.node.kind {
            // The text has quotes.
            Kind::Plain => {
                let (start, end) = (self.node.start as usize, self.node.end as usize);
                let content = start.saturating_add(1)..end.saturating_sub(1);
                content.len() == name.len() && self.tape.text.as_bytes().get(content) == Some(name)
            }
            _ => *self.string() == *name,
        }
    }

    /// The content of a string as UTF-8. A lone surrogate, which JSON allows and UTF-8 does not, becomes the three
    /// bytes of its generalised encoding (WTF-8), so that different strings always stay different.
    pub(crate) fn string(self) -> Cow<'t, [u8]> {
        let raw = self.raw().as_bytes();
        let inner = raw
            .strip_prefix(b"\"")
            .and_then(|raw| raw.strip_suffix(b"\""))
            .unwrap_or(raw);
        match self.node.kind {
            Kind::Escaped => Cow::Owned(unescape(inner)),
            _ => Cow::Borrowed(inner),
        }
    }
}

fn unescape(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let behind = escape.get(2..).unwrap_or_default();
        let short = match escape.get(1) {
            Some(b'u') => None,
            Some(b'b') => Some(8),
            Some(b'f') => Some(12),
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            Some(b't') => Some(b'\t'),
            other => other.copied(),
        };
        rest = match short {
            Some(byte) => {
                out.push(byte);
                behind
            }
            None => unescape_unicode(behind, &mut out),
        };
    }
    out.extend_from_slice(rest);
    out
}

/// Takes the four digits after `\u`, and those of a low surrogate if there is one.
fn unescape_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (first, rest) = hex4(text);
    let mut code = first;
    let mut rest = rest;
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = rest.strip_prefix(b"\\u")
        && let (low @ 0xdc00..0xe000, behind) = hex4(second)
    {
        code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
        rest = behind;
    }
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            for (shift, mark) in [(12, 0xe0), (6, 0x80), (0, 0x80)] {
                let bits = (code >> shift) & if shift == 12 { 0x0f } else { 0x3f };
                out.push(mark | u8::try_from(bits).unwrap_or_default());
            }
        }
    }
    rest
}

fn hex4(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, &[]));
    let code = digits.iter().fold(0, |code: u32, digit| {
        (code << 4) | char::from(*digit).to_digit(16).unwrap_or_default()
    });
    (code, rest)
}
