//! Places in rules: in JSON as in RFC 9535, in XML and HTML as in the reports of the comparison.
//!
//! `/order/item/@id`: elements by name, then an attribute or `text()`. `[2]` is the second of that name,
//! `[@name='total']` the one with that attribute, `[text='Cart']` the one with that text, `[text='Cart…']` those whose
//! text begins with it; without any of these, all. `*` is any name, `//` any number of levels. A place printed by a
//! finding or a group matches the value found there.

use core::str::FromStr;

use super::{PathError, Select, Step, parse};
use crate::compare::as_text::written_as_text;

/// A place in a body: `$.items[*].price`, or `/order/item/@id`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlacePath {
    text: String,
    steps: Vec<Step>,
    markup: bool,
    /// A part of the text there: `word 3`, `query token`.
    part: Option<Box<str>>,
}

/// The node that a step of a path matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Child {
    /// `None` for any name.
    name: Option<Box<str>>,
    which: Which,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Which {
    Any,
    /// From 1.
    Position(usize),
    /// By an attribute, `@name`, or by `text`.
    With(Box<str>, Box<str>),
}

/// A node of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    /// Among its siblings of the same name, from 1.
    pub(crate) position: usize,
    /// The properties shown in a place: attributes, `@name`, and its `text`.
    pub(crate) known: &'a [(&'a str, &'a str)],
}

impl Child {
    pub(super) fn matches(&self, node: Node<'_>) -> bool {
        let named = self.name.as_deref().is_none_or(|name| name == node.name);
        named
            && match &self.which {
                Which::Any => true,
                Which::Position(position) => *position == node.position,
                Which::With(name, value) => node.known.iter().any(|(known, given)| {
                    let beginning = value.strip_suffix('…');
                    **name == **known
                        && beginning.map_or(**value == **given, |beginning| given.starts_with(beginning))
                }),
            }
    }
}

impl PlacePath {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a place in XML or HTML.
    pub fn is_markup(&self) -> bool {
        self.markup
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The part of a text that it names, unless it names the whole value.
    pub(crate) fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }
}

/// Parts of texts with a name or a number, and those without.
const NAMED: [&str; 7] = ["word", "path", "query", "field", "claim", "parameter", "fragment"];
const SINGLE: [&str; 6] = ["scheme", "host", "path", "fragment", "signature", "key"];

/// A place, and the part of a text after it. What is quoted in a path or a line is no part.
pub(crate) fn parted(text: &str) -> (&str, Option<&str>) {
    let markup = text.starts_with('/');
    let path = markup || text.starts_with('$') || text.contains(" $");
    let (mut quote, mut before) = (None, "");
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            // Names of members are escaped, values in paths into markup are not.
            (Some('\''), '\\') if !markup => _ = chars.next(),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if path && before.ends_with(['[', '=']) => quote = Some(c),
            (None, '"') if before == "line " => quote = Some(c),
            (None, ' ') => {
                let (path, part) = text.split_at(at);
                let part = part.trim_start();
                if is_part(part) {
                    return (path, Some(part));
                }
            }
            (None, _) => {}
        }
        before = text.get(..at.saturating_add(c.len_utf8())).unwrap_or_default();
    }
    (text, None)
}

fn is_part(text: &str) -> bool {
    match text.split_once(' ') {
        Some((kind, name)) => NAMED.contains(&kind) && !name.is_empty(),
        None => SINGLE.contains(&text),
    }
}

impl FromStr for PlacePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let markup = text.starts_with('/');
        let (path, part) = parted(text);
        let steps = match text.chars().next() {
            Some('/') => steps(path)?,
            Some('$') => parse::steps(path)?,
            _ => {
                return Err(wrong(
                    text,
                    text,
                    "a path begins with $, or in XML and HTML with /",
                ));
            }
        };
        Ok(Self {
            text: text.to_owned(),
            steps,
            markup,
            part: part.map(Box::from),
        })
    }
}

impl TryFrom<String> for PlacePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

written_as_text!(
    PlacePath,
    "a path such as $.items[*].price, or /order/item/@id in XML and HTML"
);

fn wrong(path: &str, rest: &str, problem: &'static str) -> PathError {
    let read = path.chars().count().saturating_sub(rest.chars().count());
    PathError {
        path: path.to_owned(),
        column: read.saturating_add(1),
        problem,
    }
}

/// The steps of a path into markup.
fn steps(path: &str) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    let mut rest = path;
    while let Some(behind) = rest.strip_prefix('/') {
        let (descend, behind) = match behind.strip_prefix('/') {
            Some(behind) => (true, behind),
            None => (false, behind),
        };
        let end = behind.find(['/', '[']).unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        if name.is_empty() || name == "@" {
            return Err(wrong(path, behind, "expected a name, @name, text() or *"));
        }
        let any = |name: &str| (name != "*").then(|| Box::from(name));
        let select = if let Some(name) = name.strip_prefix('@') {
            if !after.is_empty() {
                return Err(wrong(path, after, "nothing is in an attribute"));
            }
            Select::Attribute(any(name))
        } else {
            let (which, after) = which(path, after)?;
            rest = after;
            Select::Child(Child {
                name: any(name),
                which,
            })
        };
        if matches!(select, Select::Attribute(_)) {
            rest = after;
        }
        steps.push(Step {
            descend,
            select: Box::from([select]),
        });
    }
    if rest.is_empty() {
        return Ok(steps);
    }
    Err(wrong(path, rest, "expected / here"))
}

/// The content of the brackets, if there are any.
fn which<'p>(path: &str, rest: &'p str) -> Result<(Which, &'p str), PathError> {
    let Some(inner) = rest.strip_prefix('[') else {
        return Ok((Which::Any, rest));
    };
    if let Some((with, behind)) = with(inner) {
        return Ok((with, behind));
    }
    let (inside, behind) = inner
        .split_once(']')
        .ok_or_else(|| wrong(path, rest, "the bracket does not end"))?;
    let which = match (inside, inside.parse()) {
        ("*", _) => Which::Any,
        (_, Ok(position @ 1..)) => Which::Position(position),
        _ => {
            return Err(wrong(
                path,
                inner,
                "expected a position from 1, *, @name='…' or text='…'",
            ));
        }
    };
    Ok((which, behind))
}

/// `@name='value']` or `text='value']`, and the rest after it.
fn with(inner: &str) -> Option<(Which, &str)> {
    let (name, value) = inner.split_once('=')?;
    let plain = name.strip_prefix('@').map_or(name == "text", |name| {
        !name.is_empty() && !name.contains(['/', '[', ']', '\'', '"'])
    });
    let quote = value
        .chars()
        .next()
        .filter(|c| plain && matches!(c, '\'' | '"'))?;
    let (value, behind) = value.strip_prefix(quote)?.split_once(quote)?;
    Some((Which::With(name.into(), value.into()), behind.strip_prefix(']')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_into_markup_is_read_or_refused_with_its_column() {
        for path in [
            "/order",
            "/order/item/@id",
            "/a/b[2]/text()[1]",
            "/a//b/@*",
            "//b",
            "/form/input[@name='csrf']/@value",
            "/a/*[*]/c",
            "/a[@id='1']/@b",
            "//a[text='a [b]/c']",
            "/!DOCTYPE",
            "/?xml-stylesheet",
        ] {
            let read: PlacePath = path.parse().unwrap_or_else(|error| panic!("{error}"));
            assert!(read.is_markup() && read.as_str() == path, "{read:?}");
        }
        for (path, column) in [
            ("/", 2),
            ("//", 3),
            ("/a/", 4),
            ("/a/@", 4),
            ("/a/@b/c", 6),
            ("/a[0]", 4),
            ("/a[x]", 4),
            ("/a[id='1']", 4),
            ("/a[@id=1]", 4),
            ("/a[1", 3),
            ("/a[1]b", 6),
            ("order/item", 1),
            ("", 1),
        ] {
            let error = path.parse::<PlacePath>().expect_err(path);
            assert_eq!(error.column, column, "{error}");
        }
        for (path, part) in [
            ("$.a query t u", Some("query t u")),
            ("$['a word 3']", None),
            ("$['it\\'s a word'].b word 3", Some("word 3")),
            ("$['\\\\'].b word 3", Some("word 3")),
            ("$['a word 3\\\\\\' word 4']", None),
            ("$[id='the path 1'].b host", Some("host")),
            ("/a[@id='\\']/@b path 2", Some("path 2")),
            ("/a[text=\"it's a word 3\"]/@b path 2", Some("path 2")),
            ("/a/@href path 2", Some("path 2")),
            ("$.jwt signature", Some("signature")),
        ] {
            let read: PlacePath = path.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.part(), part, "{path}");
        }
        assert_eq!(
            parted("line \"the path is\" word 4"),
            ("line \"the path is\"", Some("word 4"))
        );
        let json: PlacePath = "$.a[*]".parse().unwrap_or_else(|error| panic!("{error}"));
        assert!(!json.is_markup());
    }
}
