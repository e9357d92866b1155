//! XML and HTML, whole or cut off anywhere.
//!
//! By the tokens of the HTML standard, which any text has: names in lower case, and what XML calls CDATA or an
//! instruction as a comment, which is judged as text too. What is not secret is copied as it was written.

use html5gum::{DefaultEmitter, Span, Spanned, StartTag, Token, Tokenizer};

use super::{Redactor, json::GROWTH};

/// Open elements; what is deeper is replaced as a whole.
const MAX_DEPTH: usize = 256;

/// Open elements among which the one is looked for that an end tag closes.
const REACH: usize = 32;

/// Attributes that say what an element is, so that the others, or the text in it, are its value.
const NAMING: [&[u8]; 7] = [
    b"name",
    b"id",
    b"key",
    b"property",
    b"itemprop",
    b"autocomplete",
    b"for",
];

/// Attributes that are no value, whatever the element is called.
const HARMLESS: [&[u8]; 4] = [b"type", b"class", b"http-equiv", b"xmlns"];

/// Copies `text` without its secrets, until `shown` bytes of it were read, and says whether something is left out.
pub(super) fn replace(text: &str, shown: usize, redactor: &Redactor) -> (String, bool) {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut scanner = Scanner {
        redactor,
        text,
        open: Vec::new(),
        out: String::with_capacity(text.len().min(shown)),
    };
    let mut read = 0;
    for token in Tokenizer::new_with_emitter(text, emitter) {
        // Reading from memory does not fail.
        let Ok(token) = token;
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
    // A tag that does not end is none, and is not there.
    (scanner.out, read < text.len())
}

struct Scanner<'t, 'r> {
    redactor: &'r Redactor,
    text: &'t str,
    /// Names of the open elements, and whether they or one around them are secret.
    open: Vec<(Vec<u8>, bool)>,
    out: String,
}

impl Scanner<'_, '_> {
    /// Returns where it ends. `room` is how much of a text is to be read.
    fn token(&mut self, token: Token<usize>, room: usize) -> usize {
        match token {
            Token::String(text) => {
                let raw = self.raw(text.span).to_owned();
                self.value(&raw, &text.value, self.is_secret(), room);
                text.span.end
            }
            Token::Comment(comment) => {
                let raw = self.raw(comment.span).to_owned();
                self.value(&raw, raw.as_bytes(), self.is_secret(), room);
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

    fn is_secret(&self) -> bool {
        self.open.last().is_some_and(|(_, secret)| *secret)
    }

    fn is_secret_name(&self, name: &[u8]) -> bool {
        // `ns:password`, `user[password]`.
        let name = String::from_utf8_lossy(name);
        name.split([':', '[', ']', '.'])
            .any(|part| self.redactor.names.is_secret(part))
    }

    /// What was read as `value`, written as `raw`.
    fn value(&mut self, raw: &str, value: &[u8], secret: bool, room: usize) {
        let value = String::from_utf8_lossy(value);
        // In what is broken, more may stand there than was read as the value.
        let as_sent = self.redactor.by_detectors(raw, room);
        if value.trim().is_empty() {
            return self.out.push_str(&as_sent);
        }
        let redacted = if secret {
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
            .any(|(name, value)| NAMING.contains(&name.as_slice()) && self.is_secret_name(value));
        let element = self.is_secret_name(&tag.name);
        // In something that is secret, what names is a value as well, unless it is the name of a secret.
        let outside = self.is_secret() || element;
        let inside = outside || named;
        let mut values: Vec<(bool, &Spanned<_, usize>)> = tag
            .attributes
            .iter()
            .map(|(name, value)| {
                let naming = NAMING.contains(&name.as_slice()) && (!outside || self.is_secret_name(value));
                let naming = naming || HARMLESS.contains(&name.as_slice());
                (self.is_secret_name(name) || (inside && !naming), value)
            })
            .collect();
        values.sort_by_key(|(_, value)| value.span.start);
        let mut at = tag.span.start;
        for (secret, value) in values {
            if value.span.start < at || value.span.end <= value.span.start {
                continue;
            }
            self.copy(at, value.span.start);
            let raw = self.raw(value.span).to_owned();
            let value_bytes: &[u8] = &value.value;
            self.value(&raw, value_bytes, secret, usize::MAX);
            at = value.span.end;
        }
        self.copy(at, tag.span.end);
        if !tag.self_closing && !crate::compare::markup::is_void(&tag.name) {
            self.open.push((tag.name.0.clone(), inside));
        }
        tag.span.end
    }

    fn copy(&mut self, start: usize, end: usize) {
        // Names, and in what is broken anything.
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
