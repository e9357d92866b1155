//! The values in a message, each with its place, and messages with some of them replaced.
//!
//! Owns: where a message has values, in every notation, and how a replacement is written there. Only whole values are
//! visited: never a part of a longer word. Bounds: the parser's limits, and the content of one message. Bias: content
//! that cannot be read is left as it is.

mod form;
mod json;
mod markup;
mod target;

use core::ops::Range;
use std::borrow::Cow;

pub(super) use form::{form, multipart};
pub(super) use json::{Names, is_reference, json, json_edits};
pub(super) use markup::{Spot, markup_edits, spots};
pub(super) use target::{target, url};

use super::place::{Place, Role};

/// Looks at each value, and returns the one to write in its place, if any.
pub(super) type Visit<'v> = dyn FnMut(&Place<'_>, &[u8]) -> Option<Vec<u8>> + 'v;

/// A range of a text, and its replacement.
pub(super) type Edit = (Range<usize>, Vec<u8>);

/// A text with some ranges replaced, in order.
pub(super) fn written(text: &[u8], edits: Vec<Edit>) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    let mut made = Vec::with_capacity(text.len());
    let mut copied = 0;
    for (range, new) in edits {
        made.extend_from_slice(text.get(copied..range.start).unwrap_or_default());
        made.extend_from_slice(&new);
        copied = range.end;
    }
    made.extend_from_slice(text.get(copied..).unwrap_or_default());
    Some(made)
}

/// How a value is written in a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Written {
    /// As a number of JSON.
    Number,
    /// As a string of JSON.
    String,
    /// As an attribute or a text of HTML or XML.
    Markup,
}

impl Written {
    /// Another value in its place.
    pub(super) fn literal(self, value: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Number => json::literal(true, value),
            Self::String => json::literal(false, value),
            Self::Markup => markup::escaped(&value),
        }
    }
}

/// The cookies of a request (RFC 6265 section 4.2.1).
pub(super) fn cookies(value: &[u8], visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let mut changed = false;
    let pairs: Vec<Cow<'_, [u8]>> = value
        .split(|byte| *byte == b';')
        .map(|pair| match cookie(pair, visit) {
            Some(made) => {
                changed = true;
                Cow::Owned(made)
            }
            None => Cow::Borrowed(pair),
        })
        .collect();
    changed.then(|| pairs.join(b";".as_slice()))
}

/// The cookie of an answer (RFC 6265 section 4.1.1), without its attributes.
pub(super) fn set_cookie(value: &[u8], visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (pair, rest) = value.split_at_checked(end)?;
    let mut made = cookie(pair, visit)?;
    made.extend_from_slice(rest);
    Some(made)
}

fn cookie(pair: &[u8], visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let sign = memchr::memchr(b'=', pair)?;
    let (name, value) = pair.split_at_checked(sign)?;
    let value = value.get(1..).unwrap_or_default();
    let place = cookie_place(name.trim_ascii());
    let made = visit(&place, value.trim_ascii())?;
    is_field_text(&made).then(|| [name, b"=", &made].concat())
}

/// The place of a cookie's value.
fn cookie_place(name: &[u8]) -> Place<'static> {
    Place {
        role: Role::Current,
        noun: Cow::Owned(format!("cookie {}", String::from_utf8_lossy(name))),
    }
}

/// The place of an entity tag of the resource at a path.
pub(super) fn etag_place(path: &str) -> Place<'static> {
    Place {
        role: Role::Current,
        noun: Cow::Owned(format!("etag {}", path.trim_end_matches('/'))),
    }
}

/// A list of entity tags (RFC 9110 section 8.8.3): all of them, or nothing is replaced.
pub(super) fn etags(value: &[u8], path: &str, visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let place = etag_place(path);
    let made: Option<Vec<Vec<u8>>> = value
        .split(|byte| *byte == b',')
        .map(|tag| visit(&place, tag.trim_ascii()).filter(|tag| is_field_text(tag)))
        .collect();
    made.map(|tags| tags.join(b", ".as_slice()))
}

/// The value of any other field: a token as a whole, or behind the name of a scheme (RFC 9110 section 11.4), or a
/// reference.
pub(super) fn field(name: &[u8], value: &[u8], visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(value).ok()?;
    if text.starts_with('/') || text.contains("://") {
        return url(text, visit).map(String::into_bytes);
    }
    let scheme = match text.split_once(' ') {
        Some((scheme, rest)) if is_credentials(name) && !scheme.eq_ignore_ascii_case("basic") => {
            Some((scheme, rest.trim()))
        }
        Some(_) => return None,
        None => None,
    };
    let token = scheme.map_or(text, |(_, token)| token);
    let place = Place {
        role: Role::Token,
        noun: String::from_utf8_lossy(name),
    };
    let made = visit(&place, token.as_bytes()).filter(|made| is_field_text(made))?;
    Some(match scheme {
        Some((scheme, _)) => [scheme.as_bytes(), b" ", &made].concat(),
        None => made,
    })
}

fn is_credentials(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"proxy-authorization")
}

/// Whether text can be written into a field: nothing in it ends a line, or a cookie.
fn is_field_text(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b','))
}
