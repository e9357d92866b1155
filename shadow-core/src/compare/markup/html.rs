//! A tolerant HTML parser: the tokens of the HTML standard, and a tree by a few of its rules. The same rules apply to
//! both documents, so equal documents give equal trees, even where a browser would build different ones.

use std::borrow::Cow;

use html5gum::{StartTag, Token};

use super::{
    tokens::tokens,
    tree::{Attribute, Builder, Name, ParseError, Tree},
};

/// Elements that have no content (section 13.1.2).
const VOID: [&[u8]; 14] = [
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta", b"param",
    b"source", b"track", b"wbr",
];

/// Elements whose end tag may be left out before the next one of the same name (section 13.1.2.4).
const IMPLIED: [&[u8]; 8] = [b"li", b"p", b"dt", b"dd", b"tr", b"td", b"th", b"option"];

/// Elements in which blanks are significant.
const PREFORMATTED: [&[u8]; 4] = [b"pre", b"textarea", b"script", b"style"];

/// Open elements that are searched for the one that an end tag closes.
const REACH: usize = 32;

/// Whether an element of this name has no content.
pub(crate) fn is_void(name: &[u8]) -> bool {
    VOID.contains(&name)
}

/// Parses a document.
pub(super) fn parse<'t>(text: &[u8]) -> Result<Tree<'t>, ParseError> {
    let mut parser = Parser {
        builder: Builder::new(),
        text: Vec::new(),
    };
    for token in tokens::<()>(text) {
        parser.token(token)?;
    }
    parser.flush()?;
    Ok(parser.builder.finish())
}

struct Parser<'t> {
    builder: Builder<'t>,
    /// The text since the last tag: a comment does not end a text.
    text: Vec<u8>,
}

impl Parser<'_> {
    fn token(&mut self, token: Token) -> Result<(), ParseError> {
        match token {
            Token::String(text) => self.text.extend_from_slice(&text.value.0),
            Token::Comment(_) | Token::Error(_) => {}
            Token::StartTag(tag) => {
                self.flush()?;
                self.begin(tag)?;
            }
            Token::EndTag(tag) => {
                self.flush()?;
                self.end(&tag.name.0);
            }
            Token::Doctype(doctype) => {
                self.flush()?;
                let mut text = doctype.name.0;
                let identifiers = [doctype.public_identifier, doctype.system_identifier];
                for identifier in identifiers.into_iter().flatten() {
                    text.push(b' ');
                    text.extend(identifier.0);
                }
                self.builder.other(Cow::Borrowed(b"!DOCTYPE"), Cow::Owned(text))?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, tag: StartTag<()>) -> Result<(), ParseError> {
        let name = tag.name.0;
        if IMPLIED.contains(&name.as_slice()) && self.builder.open_name(0) == Some(&name) {
            self.builder.end();
        }
        let attributes = tag
            .attributes
            .into_iter()
            .map(|(name, value)| attribute(name.0, value.value.0))
            .collect();
        let void = tag.self_closing || is_void(&name);
        self.builder.begin(plain(name), attributes)?;
        if void {
            self.builder.end();
        }
        Ok(())
    }

    /// Closes the nearest open element of this name; without one the tag is ignored.
    fn end(&mut self, name: &[u8]) {
        let reach = self.builder.depth().min(REACH);
        let open = (0..reach).find(|distance| self.builder.open_name(*distance) == Some(name));
        for _ in 0..open.map_or(0, |distance| distance.saturating_add(1)) {
            self.builder.end();
        }
    }

    fn flush(&mut self) -> Result<(), ParseError> {
        let formatted = self
            .builder
            .open_name(0)
            .is_some_and(|name| PREFORMATTED.contains(&name));
        let text = core::mem::take(&mut self.text);
        let text = if formatted { text } else { collapsed(&text) };
        if text.is_empty() {
            return Ok(());
        }
        self.builder.text(Cow::Owned(text))
    }
}

fn plain<'t>(name: Vec<u8>) -> Name<'t> {
    Name {
        space: 0,
        local: Cow::Owned(name),
    }
}

/// Attributes whose presence is their value (HTML standard, section 2.3.2).
const BOOLEAN: [&[u8]; 22] = [
    b"allowfullscreen",
    b"async",
    b"autofocus",
    b"autoplay",
    b"checked",
    b"controls",
    b"default",
    b"defer",
    b"disabled",
    b"formnovalidate",
    b"inert",
    b"ismap",
    b"itemscope",
    b"loop",
    b"multiple",
    b"muted",
    b"nomodule",
    b"novalidate",
    b"open",
    b"readonly",
    b"required",
    b"selected",
];

/// A `class` is a set of words, and a boolean attribute has no value but itself; in other attributes every blank is
/// significant.
fn attribute<'t>(name: Vec<u8>, value: Vec<u8>) -> Attribute<'t> {
    let value = match name.as_slice() {
        b"class" => collapsed(&value),
        boolean if BOOLEAN.contains(&boolean) => Vec::new(),
        _ => value,
    };
    Attribute {
        name: plain(name),
        value: Cow::Owned(value),
        level: 0,
    }
}

/// Collapses runs of blanks into one, and trims the ends.
fn collapsed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for word in text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
    {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out
}
