//! The notation of RFC 9535.
//!
//! Filters (`?`) are refused, with the column: a rule names places, and where it applies must not depend on the content
//! of the answers. Two selectors are added to those of the RFC, because findings print them: `[id=4]` names the
//! elements with that member, `[name='two words']` likewise, and `.3` the field of that number in a message of gRPC.

use super::{PathError, Select, Step, is_shorthand, is_shorthand_char};

/// Integers above this are not exact in JSON (RFC 9535 section 2.1, RFC 7493 section 2.2).
const EXACT: i64 = (1 << 53) - 1;

/// Reads one path.
pub(super) fn steps(path: &str) -> Result<Vec<Step>, PathError> {
    Parser { path, rest: path }.steps()
}

struct Parser<'a> {
    path: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn steps(&mut self) -> Result<Vec<Step>, PathError> {
        if !self.eat("$") {
            return Err(self.wrong("a path begins with $"));
        }
        let mut steps = Vec::new();
        while !self.rest.is_empty() {
            self.blank();
            let descend = self.eat("..");
            let select = if self.eat("[") {
                self.bracket()?
            } else if descend || self.eat(".") {
                vec![self.shorthand()?]
            } else {
                return Err(self.wrong("expected . or [ here"));
            };
            steps.push(Step {
                descend,
                select: select.into(),
            });
        }
        Ok(steps)
    }

    fn shorthand(&mut self) -> Result<Select, PathError> {
        if self.eat("*") {
            return Ok(Select::Any);
        }
        let end = self
            .rest
            .find(|c: char| !is_shorthand_char(c))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !is_shorthand(name) {
            return Err(self.wrong("expected a name; write other names as ['name']"));
        }
        self.rest = rest;
        Ok(Select::Name(name.into()))
    }

    /// The content of `[` and `]`: one or more selectors.
    fn bracket(&mut self) -> Result<Vec<Select>, PathError> {
        let mut selectors = Vec::new();
        loop {
            self.blank();
            selectors.push(self.selector()?);
            self.blank();
            if self.eat("]") {
                return Ok(selectors);
            }
            if !self.eat(",") {
                return Err(self.wrong("expected ] or a comma here"));
            }
        }
    }

    fn selector(&mut self) -> Result<Select, PathError> {
        if self.eat("*") {
            Ok(Select::Any)
        } else if self.eat("'") {
            let name = self.quoted('\'')?;
            self.name_or_keyed(name)
        } else if self.eat("\"") {
            let name = self.quoted('"')?;
            self.name_or_keyed(name)
        } else if self.rest.starts_with('?') {
            Err(self.wrong(
                "filters are not supported: where a rule applies must not depend on values; name the place with \
                 names, indices, slices and wildcards",
            ))
        } else if let Some(name) = self.bare_name() {
            self.name_or_keyed(name)
        } else {
            self.index_or_slice()
        }
    }

    /// A word before an equals sign.
    fn bare_name(&mut self) -> Option<Box<str>> {
        let (name, _) = self.rest.split_once('=').filter(|(name, _)| is_word(name))?;
        self.rest = self.rest.get(name.len()..)?;
        Some(name.into())
    }

    fn name_or_keyed(&mut self, name: Box<str>) -> Result<Select, PathError> {
        if !self.eat("=") {
            return Ok(Select::Name(name));
        }
        let value = if self.eat("'") {
            self.quoted('\'')?
        } else if self.eat("\"") {
            self.quoted('"')?
        } else {
            let end = self.rest.find([']', ',', ' ']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            if value.is_empty() {
                return Err(self.wrong("expected a value; write others than words as 'value'"));
            }
            self.rest = rest;
            value.into()
        };
        Ok(Select::Keyed { name, value })
    }

    fn index_or_slice(&mut self) -> Result<Select, PathError> {
        let start = self.integer()?;
        self.blank();
        if !self.eat(":") {
            return start
                .map(Select::Index)
                .ok_or_else(|| self.wrong("expected an index, a slice, a quoted name or *"));
        }
        self.blank();
        let end = self.integer()?;
        self.blank();
        let mut step = None;
        if self.eat(":") {
            self.blank();
            step = self.integer()?;
        }
        Ok(Select::Slice {
            start,
            end,
            step: step.unwrap_or(1),
        })
    }

    /// An integer, if there is one.
    fn integer(&mut self) -> Result<Option<i64>, PathError> {
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let digits = digits.get(..count).unwrap_or_default();
        let end = count.saturating_add(usize::from(self.rest.starts_with('-')));
        let (text, rest) = self.rest.split_at(end);
        if text.is_empty() {
            return Ok(None);
        }
        if digits.is_empty() || text == "-0" || (digits.len() > 1 && digits.starts_with('0')) {
            return Err(self.wrong("an integer is 0, or begins with another digit or with - and one"));
        }
        match text.parse() {
            Ok(number) if (-EXACT..=EXACT).contains(&number) => {
                self.rest = rest;
                Ok(Some(number))
            }
            _ => Err(self.wrong("the integer is out of range")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Box<str>, PathError> {
        let mut name = String::new();
        loop {
            let before = self.rest;
            let Some(c) = self.next() else {
                return Err(self.wrong("the quoted name does not end"));
            };
            match c {
                '\\' => name.push(self.escaped(quote)?),
                c if c == quote => return Ok(name.into()),
                c if c < ' ' => {
                    self.rest = before;
                    return Err(self.wrong("a control character is written as an escape"));
                }
                c => name.push(c),
            }
        }
    }

    fn escaped(&mut self, quote: char) -> Result<char, PathError> {
        let before = self.rest;
        let c = match self.next() {
            Some('b') => Some('\u{8}'),
            Some('t') => Some('\t'),
            Some('n') => Some('\n'),
            Some('f') => Some('\u{c}'),
            Some('r') => Some('\r'),
            Some(c @ ('/' | '\\')) => Some(c),
            Some(c) if c == quote => Some(c),
            Some('u') => self.unicode(),
            _ => None,
        };
        c.ok_or_else(|| {
            self.rest = before;
            self.wrong("no such escape: there are \\b \\t \\n \\f \\r \\/ \\\\ \\uXXXX and the quote")
        })
    }

    /// After `\u`: four digits, or a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let second = self.eat("\\u").then(|| self.hex4())??;
        char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?])
            .next()?
            .ok()
    }

    fn hex4(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        self.rest = rest;
        plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn wrong(&self, problem: &'static str) -> PathError {
        let read = self
            .path
            .chars()
            .count()
            .saturating_sub(self.rest.chars().count());
        PathError {
            path: self.path.to_owned(),
            column: read.saturating_add(1),
            problem,
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@'))
}
