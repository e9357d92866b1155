//! Redaction of XML and HTML, complete or truncated.
//!
//! Bounds: nested elements. Over the bound, the rest of the text is replaced as a whole.
//!
//! Uses the tokens of the HTML standard, which any text has: names are in lower case, and XML's CDATA and instructions
//! are comments, which are also judged as text. Text that is not secret is copied unchanged.

use html5gum::{Span, Spanned, StartTag, Token};

use crate::compare::markup::tokens;

use super::{Redactor, beside::KnownSecrets, json::GROWTH, judge::Says};

/// Open elements; deeper ones are replaced as a whole.
const MAX_DEPTH: usize = 256;

/// Open elements that are searched for the one that an end tag closes.
const REACH: usize = 32;

/// Attributes that name an element; the others, or the text in it, are its value.
const NAMING: [&[u8]; 8] = [
    b"name",
    b"type",
    b"id",
    b"key",
    b"property",
    b"itemprop",
    b"autocomplete",
    b"for",
];

/// Attributes that are never a value, whatever the name of the element.
const HARMLESS: [&[u8]; 4] = [b"type", b"class", b"http-equiv", b"xmlns"];

/// Copies `text` without its secrets, until `shown` bytes of it are read, and returns whether something is left out.
pub(super) fn replace(
    text: &str,
    shown: usize,
    redactor: &Redactor,
    secrets: &mut KnownSecrets,
) -> (String, bool) {
    let mut scanner = Scanner {
        redactor,
        secrets,
        text,
        open: Vec::new(),
        beside: Says::Nothing,
        out: String::with_capacity(text.len().min(shown)),
    };
    let mut read = 0;
    for token in tokens::<usize>(text.as_bytes()) {
        if read >= shown || scanner.out.len() > shown.saturating_mul(GROWTH) {
            return (scanner.out, true);
        }
        if scanner.open.len() > MAX_DEPTH {
            let hash = redactor.hash(text.get(read..).unwrap_or_default());
            scanner.out.push_str(&hash);
            return (scanner.out, true);
        }
        read = scanner.token(token, shown.saturating_sub(read)).max(read);
    }
    // An unterminated tag is not a token, and is left out.
    (scanner.out, read < text.len())
}

/// Elements whose text names the value in the next one: cells, terms, members of converted formats.
const NAME_CELLS: [&[u8]; 9] = [
    b"td",
    b"th",
    b"dt",
    b"name",
    b"key",
    b"field",
    b"header",
    b"property",
    b"parameter",
];

/// Elements that hold the value.
const VALUE_CELLS: [&[u8]; 8] = [
    b"td", b"dd", b"value", b"val", b"string", b"content", b"data", b"text",
];

struct Scanner<'t, 'r> {
    redactor: &'r Redactor,
    secrets: &'r mut KnownSecrets,
    text: &'t str,
    /// Names of the open elements, each with the judgement of its content by it and its ancestors.
    open: Vec<(Vec<u8>, Says)>,
    /// The judgement of the next text by the last one, such as a name in the cell before the value.
    beside: Says,
    out: String,
}

impl Scanner<'_, '_> {
    /// Returns its end. `room` is how much of a text may be read.
    fn token(&mut self, token: Token<usize>, room: usize) -> usize {
        match token {
            Token::String(text) => {
                let raw = self.raw(text.span).to_owned();
                let says = self.beside(&String::from_utf8_lossy(&text.value));
                self.value(&raw, &text.value, says, room);
                text.span.end
            }
            Token::Comment(comment) => {
                let raw = self.raw(comment.span).to_owned();
                self.value(&raw, raw.as_bytes(), self.says(), room);
                comment.span.end
            }
            Token::StartTag(tag) => self.begin(&tag),
            Token::EndTag(tag) => {
                let mut reach = self.open.iter().rev().take(REACH);
                if let Some(distance) = reach.position(|(name, _)| *name == tag.name.0) {
                    self.open
                        .truncate(self.open.len().saturating_sub(distance.saturating_add(1)));
                }
                self.copy(tag.span.start, tag.span.end);
                tag.span.end
            }
            Token::Doctype(doctype) => {
                let raw = self.raw(doctype.span);
                let redacted = self.redactor.by_detectors(raw, usize::MAX);
                self.out.push_str(&redacted);
                doctype.span.end
            }
            Token::Error(_) => 0,
        }
    }

    fn raw(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn says(&self) -> Says {
        self.open.last().map_or(Says::Nothing, |(_, says)| *says)
    }

    /// The judgement of a text by its element, and by the text before it.
    fn beside(&mut self, text: &str) -> Says {
        let around = self.says();
        let element = self.open.last().map_or(&b""[..], |(name, _)| name);
        if text.trim().is_empty() {
            return around;
        }
        let before = core::mem::replace(&mut self.beside, Says::Nothing);
        let name = text.trim().trim_end_matches(':');
        if NAME_CELLS.contains(&element) && name.len() <= 128 && name.split_whitespace().nth(2).is_none() {
            self.beside = self.redactor.names.document(name);
        }
        if VALUE_CELLS.contains(&element) {
            around.max(before)
        } else {
            around
        }
    }

    /// `ns:password`, `user[password]`.
    fn says_of(&self, name: &[u8]) -> Says {
        self.redactor.names.document(&String::from_utf8_lossy(name))
    }

    /// Writes a value that was parsed as `value` and written as `raw`.
    fn value(&mut self, raw: &str, value: &[u8], says: Says, room: usize) {
        let value = String::from_utf8_lossy(value);
        // In invalid markup the raw text may contain more than the value.
        let as_sent = self.redactor.by_detectors(raw, room);
        if value.trim().is_empty() {
            return self.out.push_str(&as_sent);
        }
        let redacted = if says.hides(&value) {
            self.secrets.add(&value);
            self.redactor.hash(value.trim())
        } else {
            self.redactor.value(&value, room)
        };
        if redacted == value {
            self.out.push_str(&as_sent);
        } else {
            self.out.push_str(&escaped(&redacted));
        }
    }

    fn begin(&mut self, tag: &StartTag<usize>) -> usize {
        let named = tag
            .attributes
            .iter()
            .filter(|(name, _)| NAMING.contains(&name.as_slice()))
            .map(|(name, value)| {
                let parameter = (name.as_slice() == b"name").then(|| self.parameter(value));
                parameter.unwrap_or(Says::Nothing).max(self.says_of(value))
            })
            .max();
        let outside = self.says().max(self.says_of(&tag.name));
        let inside = outside.max(named.unwrap_or(Says::Nothing));
        let mut values: Vec<(Says, &Spanned<_, usize>)> = tag
            .attributes
            .iter()
            .map(|(name, value)| {
                let own = self.says_of(name);
                // Inside a secret a naming attribute is also a value, unless it is the name of a secret.
                let naming = NAMING.contains(&name.as_slice())
                    && (!outside.is_strong() || self.says_of(value).is_strong());
                let naming = naming || HARMLESS.contains(&name.as_slice());
                (if naming { own } else { own.max(inside) }, value)
            })
            .collect();
        values.sort_by_key(|(_, value)| value.span.start);
        let mut at = tag.span.start;
        for (says, value) in values {
            if value.span.start < at || value.span.end <= value.span.start {
                continue;
            }
            self.copy(at, value.span.start);
            let raw = self.raw(value.span).to_owned();
            let value_bytes: &[u8] = &value.value;
            self.value(&raw, value_bytes, says, usize::MAX);
            at = value.span.end;
        }
        self.copy(at, tag.span.end);
        if !tag.self_closing && !crate::compare::markup::is_void(&tag.name) {
            self.open.push((tag.name.0.clone(), inside));
        }
        tag.span.end
    }

    /// The name of a form field is a parameter name.
    fn parameter(&self, name: &[u8]) -> Says {
        self.redactor.names.parameter(&String::from_utf8_lossy(name))
    }

    fn copy(&mut self, start: usize, end: usize) {
        // Names, and in invalid markup any text.
        let raw = self.text.get(start..end).unwrap_or_default();
        self.out.push_str(&self.redactor.by_detectors(raw, usize::MAX));
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
