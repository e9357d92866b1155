//! The values of HTML and XML documents: of attributes, and of texts.
//!
//! Bounds: [`SPOTS`] of one document, and the tokenizer's own.

use core::{hash::BuildHasher as _, ops::Range};
use std::borrow::Cow;

use html5gum::{HtmlString, StartTag, Token};

use crate::compare::markup::{is_void, tokens};

use super::{
    super::{
        class,
        place::{self, Place, Role},
        seed,
    },
    Edit, Visit, is_reference, url,
};

/// Values of one document.
const SPOTS: usize = 16_384;

/// Open elements whose names are known; deeper ones have the name of the last one.
const DEPTH: usize = 256;

/// Open elements that are searched for the one that an end tag closes.
const REACH: usize = 32;

/// Attributes that describe and style an element.
const NO_VALUES: [&[u8]; 20] = [
    b"alt",
    b"autocomplete",
    b"charset",
    b"class",
    b"crossorigin",
    b"dir",
    b"enctype",
    b"height",
    b"http-equiv",
    b"integrity",
    b"lang",
    b"media",
    b"method",
    b"placeholder",
    b"rel",
    b"role",
    b"style",
    b"target",
    b"type",
    b"width",
];

/// One value of a document.
#[derive(Debug)]
pub(in crate::values) struct Spot {
    pub(in crate::values) place: Place<'static>,
    pub(in crate::values) value: Vec<u8>,
    pub(in crate::values) at: Range<usize>,
    /// A hash of what has the value: element, attribute, and the name of a control.
    pub(in crate::values) owner: u64,
}

impl Spot {
    /// The value, if it is a reference with a path.
    pub(in crate::values) fn reference(&self) -> Option<&str> {
        let text = core::str::from_utf8(&self.value).ok()?;
        is_reference(text).then_some(text)
    }
}

/// Where a document about a `subject` has values to replace, in order, and the text of each replacement.
pub(in crate::values) fn markup_edits(
    text: &[u8],
    is_html: bool,
    subject: &str,
    visit: &mut Visit<'_>,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    for spot in spots(text, is_html, subject) {
        let new = match spot.reference() {
            Some(reference) => url(reference, visit).map(String::into_bytes),
            None => visit(&spot.place, &spot.value),
        };
        if let Some(new) = new {
            edits.push((spot.at, escaped(&new)));
        }
    }
    edits
}

/// A value as it is written in a document.
pub(super) fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            byte => out.push(*byte),
        }
    }
    out
}

/// The values of a document, in order.
pub(in crate::values) fn spots(text: &[u8], is_html: bool, subject: &str) -> Vec<Spot> {
    let mut reader = Reader {
        text,
        is_html,
        subject,
        open: Vec::new(),
        select: None,
        spots: Vec::new(),
    };
    for token in tokens::<usize>(text) {
        if reader.spots.len() >= SPOTS {
            break;
        }
        match token {
            Token::StartTag(tag) => reader.begin(&tag),
            Token::EndTag(tag) => reader.end(&tag.name),
            Token::String(text) => reader.string(&text.value, text.span.start..text.span.end),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    // In invalid markup a range may be that of another value.
    let mut end = 0;
    reader.spots.retain(|spot| {
        let follows = spot.at.start >= end && spot.at.end > spot.at.start;
        end = if follows { spot.at.end } else { end };
        follows
    });
    reader.spots
}

struct Reader<'t> {
    text: &'t [u8],
    is_html: bool,
    subject: &'t str,
    /// The names of the open elements.
    open: Vec<Vec<u8>>,
    /// The name of the list of options around.
    select: Option<String>,
    spots: Vec<Spot>,
}

impl Reader<'_> {
    fn begin(&mut self, tag: &StartTag<usize>) {
        let attribute = |name: &[u8]| tag.attributes.get(&HtmlString(name.to_vec()));
        let name = ["name", "property", "itemprop"]
            .iter()
            .find_map(|name| attribute(name.as_bytes()));
        let name = name.map(|name| String::from_utf8_lossy(&name.value).into_owned());
        let control = match &tag.name[..] {
            b"select" => {
                self.select.clone_from(&name);
                None
            }
            b"option" => self.select.clone(),
            b"input" | b"button" | b"meta" => name,
            _ => None,
        };
        let control = control.filter(|_| self.is_html);
        let mut attributes: Vec<_> = tag.attributes.iter().collect();
        attributes.sort_by_key(|(_, value)| value.span.start);
        for (name, value) in attributes {
            if value.value.is_empty() || NO_VALUES.contains(&name.as_slice()) {
                continue;
            }
            let is_content = matches!(&name[..], b"value" | b"content");
            let place = match &control {
                Some(control) if is_content => Place::field(self.subject, control),
                Some(_) if name.as_slice() == b"name" => continue,
                _ => {
                    let element = self.as_written(&tag.name, tag.span.start.saturating_add(1));
                    self.attribute(element, self.as_written(name, value.span.start))
                }
            };
            let named = control.as_deref().filter(|_| is_content).unwrap_or_default();
            let owner = seed().hash_one((&tag.name[..], &name[..], named));
            if let Some(at) = self.written(name, value.span.start..value.span.end) {
                self.add(place.to_static(), &value.value, at, owner);
            }
        }
        let has_content = !(tag.self_closing || self.is_html && is_void(&tag.name));
        if has_content && self.open.len() < DEPTH {
            let name = self.as_written(&tag.name, tag.span.start.saturating_add(1));
            self.open.push(name.to_vec());
        }
    }

    /// Closes the nearest open element of this name; without one the tag is ignored.
    fn end(&mut self, name: &[u8]) {
        if name == b"select" {
            self.select = None;
        }
        let is_it = |open: &Vec<u8>| open.eq_ignore_ascii_case(name);
        let found = self.open.iter().rev().take(REACH).position(is_it);
        if let Some(distance) = found {
            self.open
                .truncate(self.open.len().saturating_sub(distance.saturating_add(1)));
        }
    }

    fn string(&mut self, value: &[u8], at: Range<usize>) {
        let element = self.open.last().map_or(&b""[..], |name| name);
        let trimmed = value.trim_ascii();
        if trimmed.is_empty() || self.is_html && matches!(element, b"script" | b"style") {
            return;
        }
        let place = if self.is_html {
            Place {
                role: Role::Bare,
                noun: Cow::Borrowed("text"),
            }
        } else {
            let around = self.open.iter().rev().nth(1).map_or(&b""[..], |name| name);
            let noun = place::singular(&local(around)).into_owned();
            Place::field(&noun, &local(element)).to_static()
        };
        let owner = seed().hash_one((element, "text"));
        // The range without the blanks around, if these are written as they are read.
        let raw = self.text.get(at.clone()).unwrap_or_default();
        let lead = raw.len().saturating_sub(raw.trim_ascii_start().len());
        let start = at.start.saturating_add(lead);
        let at = start..start.saturating_add(raw.trim_ascii().len());
        self.add(place.to_static(), trimmed, at, owner);
    }

    /// The range of a value without its quotes, if the attribute is written as it should be.
    fn written(&self, name: &[u8], attribute: Range<usize>) -> Option<Range<usize>> {
        let text = self.text.get(attribute.clone())?;
        let value = text.get(name.len()..)?.trim_ascii_start().strip_prefix(b"=")?;
        let value = value.trim_ascii_start();
        let quoted = match value {
            [quote @ (b'"' | b'\''), rest @ ..] => Some((*quote, rest)),
            _ => None,
        };
        let (value, behind) = match quoted {
            Some((quote, rest)) => (rest.strip_suffix(&[quote])?, 1),
            None => (value, 0usize),
        };
        let end = attribute.end.checked_sub(behind)?;
        Some(end.checked_sub(value.len())?..end)
    }

    /// A name that is read in lower case, as the document has it: `orderId` ends with a word and `orderid` does not.
    fn as_written<'n>(&'n self, name: &'n [u8], start: usize) -> &'n [u8] {
        let written = self.text.get(start..start.saturating_add(name.len()));
        written
            .filter(|written| !self.is_html && written.eq_ignore_ascii_case(name))
            .unwrap_or(name)
    }

    fn attribute(&self, element: &[u8], name: &[u8]) -> Place<'static> {
        if !self.is_html {
            let noun = place::singular(&local(element)).into_owned();
            return Place::field(&noun, &local(name)).to_static();
        }
        let name = String::from_utf8_lossy(name);
        match name.strip_prefix("data-") {
            Some(name) => Place::field(self.subject, name).to_static(),
            // The name of an element in its document.
            None if matches!(&*name, "id" | "for" | "name") => Place {
                role: Role::Bare,
                noun: Cow::Borrowed("element"),
            },
            None => Place::field("element", &name).to_static(),
        }
    }

    fn add(&mut self, place: Place<'static>, value: &[u8], at: Range<usize>, owner: u64) {
        if self.spots.len() >= SPOTS || value.len() > class::LONGEST {
            return;
        }
        let mut spot = Spot {
            place,
            value: value.to_vec(),
            at,
            owner,
        };
        // References to one page with different identifiers have one owner.
        if let Some(reference) = spot.reference() {
            let names = reference
                .split(['/', '?', '&', '='])
                .filter(|part| !part.bytes().any(|byte| byte.is_ascii_digit()));
            spot.owner = names.fold(owner, |hash, name| seed().hash_one((hash, name)));
        }
        self.spots.push(spot);
    }
}

/// A name without the prefix of its namespace.
fn local(name: &[u8]) -> String {
    let start = memchr::memrchr(b':', name).map_or(0, |at| at.saturating_add(1));
    String::from_utf8_lossy(name.get(start..).unwrap_or_default()).into_owned()
}
