//! A parser for XML 1.0 with namespaces.

use core::hash::BuildHasher as _;
use std::borrow::Cow;

use hashbrown::DefaultHashBuilder;
use quick_xml::{
    Reader, escape,
    events::{BytesRef, BytesStart, Event},
};

use super::tree::{Attribute, Builder, Name, ParseError, Tree};

/// Namespaces in scope at once: a lookup is a linear search.
const MAX_NAMESPACES: usize = 64;

/// Parses a document.
pub(super) fn parse<'t>(text: &'t [u8], state: &DefaultHashBuilder) -> Result<Tree<'t>, ParseError> {
    let text = core::str::from_utf8(text).map_err(|error| ParseError::Invalid(error.valid_up_to() as u64))?;
    let mut reader = Reader::from_str(text);
    let mut parser = Parser {
        builder: Builder::new(),
        text: Text::default(),
        scopes: Vec::new(),
        namespaces: Vec::new(),
        state,
    };
    loop {
        let at = reader.buffer_position();
        match reader.read_event() {
            Ok(Event::Eof) if parser.scopes.is_empty() => break,
            Ok(event) => parser.event(event, at)?,
            Err(_) => return Err(ParseError::Invalid(reader.error_position())),
        }
    }
    parser.flush()?;
    let tree = parser.builder.finish();
    if tree.has_elements() {
        return Ok(tree);
    }
    Err(ParseError::Invalid(0))
}

struct Parser<'t, 's> {
    builder: Builder<'t>,
    text: Text<'t>,
    scopes: Vec<Scope>,
    /// Prefix and the hash of its namespace.
    namespaces: Vec<(Cow<'t, str>, u64)>,
    state: &'s DefaultHashBuilder,
}

/// The state that an open element changes for its content.
struct Scope {
    /// Namespaces in scope outside it.
    namespaces: usize,
    /// `xml:space="preserve"`.
    preserve: bool,
}

/// The text since the last element.
#[derive(Default)]
struct Text<'t>(Cow<'t, str>);

impl<'t> Text<'t> {
    fn push(&mut self, text: Cow<'t, str>) {
        if self.0.is_empty() {
            self.0 = text;
        } else {
            self.0.to_mut().push_str(&text);
        }
    }
}

impl<'t> Parser<'t, '_> {
    fn event(&mut self, event: Event<'t>, at: u64) -> Result<(), ParseError> {
        match event {
            Event::Start(start) => self.begin(&start, at),
            Event::Empty(start) => {
                self.begin(&start, at)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => {
                self.text.push(text.into_inner());
                Ok(())
            }
            Event::CData(text) => {
                self.text.push(text.into_inner());
                Ok(())
            }
            Event::GeneralRef(reference) => self.reference(&reference, at),
            Event::PI(instruction) => {
                self.flush()?;
                let target = format!("?{}", instruction.target());
                let content = instruction.content().trim().to_owned();
                self.other(target, content)
            }
            Event::DocType(text) => self.other("!DOCTYPE".to_owned(), text.trim().to_owned()),
            Event::Comment(_) | Event::Decl(_) => Ok(()),
            Event::Eof => Err(ParseError::Invalid(at)),
        }
    }

    fn other(&mut self, name: String, text: String) -> Result<(), ParseError> {
        self.builder
            .other(Cow::Owned(name.into_bytes()), Cow::Owned(text.into_bytes()))
    }

    /// Entities of a document type are compared by name.
    fn reference(&mut self, reference: &BytesRef<'t>, at: u64) -> Result<(), ParseError> {
        let text = match reference.resolve_char_ref() {
            Ok(Some(c)) => c.to_string(),
            Ok(None) => predefined(reference).map_or_else(|| format!("&{};", &**reference), str::to_owned),
            Err(_) => return Err(ParseError::Invalid(at)),
        };
        self.text.push(Cow::Owned(text));
        Ok(())
    }

    fn begin(&mut self, start: &BytesStart<'t>, at: u64) -> Result<(), ParseError> {
        self.flush()?;
        let outside = self.namespaces.len();
        let mut preserve = self.scopes.last().is_some_and(|scope| scope.preserve);
        let mut attributes = Vec::new();
        // The duplicate check of the library is quadratic.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_wrong| ParseError::Invalid(at))?;
            let (name, value) = (attribute.key.0, value(&attribute.value));
            match name.strip_prefix("xmlns") {
                Some("") => self.declare("", &value)?,
                Some(prefix) if prefix.starts_with(':') => {
                    self.declare(prefix.trim_start_matches(':'), &value)?;
                }
                _ => {
                    if name == "xml:space" {
                        preserve = value == "preserve";
                    }
                    attributes.push((name.to_owned(), value));
                }
            }
        }
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| Attribute {
                name: self.name(&name, false),
                value: Cow::Owned(value.into_bytes()),
                level: 0,
            })
            .collect();
        let name = self.name(start.name().0, true);
        self.builder.begin(name, attributes)?;
        self.scopes.push(Scope {
            namespaces: outside,
            preserve,
        });
        Ok(())
    }

    fn declare(&mut self, prefix: &str, namespace: &str) -> Result<(), ParseError> {
        if self.namespaces.len() >= MAX_NAMESPACES {
            return Err(ParseError::TooLarge);
        }
        let hash = if namespace.is_empty() {
            0
        } else {
            self.state.hash_one(namespace)
        };
        self.namespaces.push((Cow::Owned(prefix.to_owned()), hash));
        Ok(())
    }

    /// An attribute without a prefix is in no namespace (Namespaces in XML 1.0, section 6.2).
    fn name(&self, name: &str, element: bool) -> Name<'t> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let known = self.namespaces.iter().rev().find(|(known, _)| known == prefix);
        let space = match known {
            _ if prefix.is_empty() && !element => 0,
            Some((_, space)) => *space,
            None if prefix.is_empty() => 0,
            // `xml:`, or an undeclared prefix.
            None => self.state.hash_one(("prefix", prefix)),
        };
        Name {
            space,
            local: Cow::Owned(local.as_bytes().to_vec()),
        }
    }

    fn end(&mut self) -> Result<(), ParseError> {
        self.flush()?;
        if let Some(scope) = self.scopes.pop() {
            self.namespaces.truncate(scope.namespaces);
        }
        self.builder.end();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParseError> {
        let text = core::mem::take(&mut self.text).0;
        let preserve = self.scopes.last().is_some_and(|scope| scope.preserve);
        let text = match text {
            text if preserve => text,
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        if text.is_empty() {
            return Ok(());
        }
        self.builder.text(match line_ends(text) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }
}

/// An attribute's value. It is left as written if it refers to an entity that is not predefined.
fn value(raw: &str) -> String {
    let plain = escape::unescape(raw).unwrap_or(Cow::Borrowed(raw));
    plain.replace(['\t', '\r', '\n'], " ")
}

/// XML 1.0 section 2.11.
fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') {
        return Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    text
}

fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return None,
    })
}
