//! The grammar of RFC 8259, and common deviations from it.
//!
//! The lenient grammar also takes `NaN`, `Infinity`, `-Infinity`, a comma after the last element or member, and control
//! characters in strings.

use super::{
    reuse::Parsed,
    tape::{Kind, MAX_DEPTH, MAX_NODES, Node, ParseError},
};

/// Fills the array of a tape. Iterative: each level costs an entry in `open` and no stack.
pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) nodes: Vec<Node>,
    /// The arrays and objects that are not yet closed.
    pub(super) open: Vec<u32>,
    lenient: bool,
}

/// The tokens that may come next.
pub(super) enum Next {
    Value,
    /// The first element, or the end.
    Element,
    /// A name; `true` when the end may come instead.
    Name(bool),
    /// After a value.
    Comma,
}

impl<'a> Parser<'a> {
    /// The values of a whole text, in document order.
    pub(super) fn parse(text: &'a [u8], lenient: bool) -> Result<Vec<Node>, ParseError> {
        Self::new(text, lenient).whole(Next::Value, None)
    }

    /// The values of a text that holds one document and nothing else.
    pub(super) fn whole(mut self, next: Next, known: Option<Parsed<'_>>) -> Result<Vec<Node>, ParseError> {
        self.document(next, known)?;
        self.skip_blank();
        if self.at < self.text.len() {
            return Err(self.invalid());
        }
        Ok(self.nodes)
    }

    /// The values of the document that a text begins with, and the offset of its end.
    pub(super) fn prefix(text: &'a [u8]) -> Result<(Vec<Node>, usize), ParseError> {
        let mut parser = Self::new(text, true);
        parser.document(Next::Value, None)?;
        Ok((parser.nodes, parser.at))
    }

    pub(super) fn new(text: &'a [u8], lenient: bool) -> Self {
        Self {
            text,
            at: 0,
            // Typical of compact documents; too small an estimate costs a copy.
            nodes: Vec::with_capacity((text.len() / 10).clamp(8, 4096)),
            open: Vec::new(),
            lenient,
        }
    }

    fn document(&mut self, mut next: Next, mut known: Option<Parsed<'_>>) -> Result<(), ParseError> {
        loop {
            if matches!(next, Next::Comma) {
                if self.open.is_empty() {
                    return Ok(());
                }
                if let Some(known) = &mut known
                    && self.follow(known)?
                {
                    return Ok(());
                }
            }
            self.skip_blank();
            let byte = self.text.get(self.at).copied();
            next = match (next, byte) {
                (Next::Element, Some(b']')) | (Next::Name(true), Some(b'}')) => self.close()?,
                (Next::Value | Next::Element, Some(byte)) => self.value(byte)?,
                (Next::Name(_), Some(b'"')) => self.name()?,
                (Next::Comma, Some(byte)) => self.behind_value(byte)?,
                _ => return Err(self.invalid()),
            };
        }
    }

    fn value(&mut self, byte: u8) -> Result<Next, ParseError> {
        match byte {
            b'{' => return self.begin(Kind::Object, Next::Name(true)),
            b'[' => return self.begin(Kind::Array, Next::Element),
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true", Kind::True)?,
            b'f' => self.literal(b"false", Kind::False)?,
            b'n' => self.literal(b"null", Kind::Null)?,
            b'N' if self.lenient => self.literal(b"NaN", Kind::Number)?,
            b'I' if self.lenient => self.literal(b"Infinity", Kind::Number)?,
            _ => return Err(self.invalid()),
        }
        Ok(Next::Comma)
    }

    fn begin(&mut self, kind: Kind, next: Next) -> Result<Next, ParseError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        let index = self.push(kind, self.at)?;
        self.open.push(index);
        self.at += 1;
        Ok(next)
    }

    fn name(&mut self) -> Result<Next, ParseError> {
        self.string()?;
        self.skip_blank();
        if self.text.get(self.at) != Some(&b':') {
            return Err(self.invalid());
        }
        self.at += 1;
        Ok(Next::Value)
    }

    /// Ends a value and counts it in the enclosing one.
    fn behind_value(&mut self, byte: u8) -> Result<Next, ParseError> {
        let Some(around) = self
            .open
            .last()
            .and_then(|&index| self.nodes.get_mut(index as usize))
        else {
            return Err(self.invalid());
        };
        around.len = around.len.saturating_add(1);
        match (byte, around.kind) {
            (b',', Kind::Object) => {
                self.at += 1;
                Ok(Next::Name(self.lenient))
            }
            (b',', _) => {
                self.at += 1;
                Ok(if self.lenient { Next::Element } else { Next::Value })
            }
            (b']', Kind::Array) | (b'}', Kind::Object) => self.close(),
            _ => Err(self.invalid()),
        }
    }

    fn close(&mut self) -> Result<Next, ParseError> {
        self.at += 1;
        let (next, end) = (offset(self.nodes.len()), offset(self.at));
        let Some(node) = self
            .open
            .pop()
            .and_then(|index| self.nodes.get_mut(index as usize))
        else {
            return Err(self.invalid());
        };
        node.next = next;
        node.end = end;
        Ok(Next::Comma)
    }

    fn string(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let mut kind = Kind::Plain;
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                Some(_) if self.lenient => self.at += 1,
                _ => return Err(self.invalid()),
            }
        }
        self.at += 1;
        self.push(kind, start)?;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        let behind = self.text.get(self.at + 1..).unwrap_or_default();
        let len = match behind {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => 6,
            _ => return Err(self.invalid()),
        };
        self.at += len;
        Ok(())
    }

    fn number(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let infinity = b"-Infinity";
        if self.lenient
            && self
                .text
                .get(start..)
                .is_some_and(|rest| rest.starts_with(infinity))
        {
            return self.literal(infinity, Kind::Number);
        }
        self.eat(b"-");
        if !self.eat(b"0") {
            self.digits()?;
        }
        if self.eat(b".") {
            self.digits()?;
        }
        if self.eat(b"eE") {
            self.eat(b"+-");
            self.digits()?;
        }
        self.push(Kind::Number, start)?;
        Ok(())
    }

    fn eat(&mut self, any: &[u8]) -> bool {
        let found = self.text.get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.invalid())
        } else {
            Ok(())
        }
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<(), ParseError> {
        let start = self.at;
        if !self.text.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.invalid());
        }
        self.at += word.len();
        self.push(kind, start)?;
        Ok(())
    }

    fn skip_blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// Adds a node that ends here; the end of an array or object is set when it closes.
    fn push(&mut self, kind: Kind, start: usize) -> Result<u32, ParseError> {
        if self.nodes.len() >= MAX_NODES {
            return Err(ParseError::TooMany);
        }
        let index = offset(self.nodes.len());
        self.nodes.push(Node {
            kind,
            start: offset(start),
            end: offset(self.at),
            next: index.saturating_add(1),
            len: 0,
        });
        Ok(index)
    }

    fn invalid(&self) -> ParseError {
        ParseError::Invalid(self.at)
    }
}

/// Texts over 4 GiB were refused, and there are fewer nodes than bytes.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
