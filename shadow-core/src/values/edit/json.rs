//! The scalar values of a JSON document.

use std::borrow::Cow;

use crate::compare::tape::{Kind, Tape, Value};

use super::{
    super::place::{self, Place, Role},
    Edit, Visit, url, written,
};

/// The names of the objects of a document: what the place of a value in it means.
#[derive(Clone, Debug)]
pub(in crate::values) struct Names<'d> {
    /// The name of the object, or of the elements of the array.
    pub(in crate::values) noun: Cow<'d, str>,
    /// Whether the object has an identifier of its own.
    named: bool,
}

impl<'d> Names<'d> {
    /// For the outermost value of a document about a `subject`.
    pub(in crate::values) fn of(subject: &'d str) -> Self {
        Self {
            noun: Cow::Borrowed(subject),
            named: false,
        }
    }

    /// The same inside an object: its `type` says what it is where it is written as JSON:API says.
    pub(in crate::values) fn inside(&self, object: Value<'_>) -> Names<'static> {
        let mut named = false;
        let mut typed = None;
        for (name, value) in object.members() {
            if !value.kind().is_scalar() {
                continue;
            }
            let text = name.string();
            named |= matches!(&*text, b"id" | b"_id" | b"uuid" | b"pk");
            if &*text == b"type" && value.kind() == Kind::Plain {
                typed = Some(value.string().into_owned());
            }
        }
        let is_typed = named && (object.get("attributes").is_some() || object.len() == 2);
        let noun = typed
            .filter(|_| is_typed)
            .and_then(|name| String::from_utf8(name).ok())
            .map_or_else(
                || self.noun.clone().into_owned(),
                |name| place::singular(&name).into_owned(),
            );
        Names {
            noun: Cow::Owned(noun),
            named,
        }
    }

    /// The same for the value of a member.
    pub(in crate::values) fn member(&self, key: &str) -> Names<'static> {
        Names {
            noun: Cow::Owned(place::nested(&self.noun, key, self.named).into_owned()),
            named: false,
        }
    }

    /// The place of a scalar member, or of the scalars in an array that is one.
    pub(in crate::values) fn place<'p>(&'p self, key: Option<&'p str>) -> Place<'p> {
        match key {
            Some(key) => Place::field(&self.noun, key),
            None => Place {
                role: Role::Bare,
                noun: Cow::Borrowed(&self.noun),
            },
        }
    }
}

/// Replaces scalar values; `None` if none is replaced, or the text is no JSON.
pub(in crate::values) fn json(text: &[u8], names: &Names<'_>, visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    written(text, json_edits(text, names, visit))
}

/// Where a document has values to replace, in order, and the text of each replacement.
pub(in crate::values) fn json_edits(text: &[u8], names: &Names<'_>, visit: &mut Visit<'_>) -> Vec<Edit> {
    let mut edits = Edits {
        made: Vec::new(),
        visit,
    };
    // The parser's positions are those behind a byte order mark.
    let is_marked = text.starts_with("\u{feff}".as_bytes());
    if let Ok(tape) = Tape::parse(text)
        && let Some(root) = tape.root().filter(|_| !is_marked)
    {
        edits.value(root, names, None);
    }
    edits.made
}

struct Edits<'e, 'v> {
    made: Vec<Edit>,
    visit: &'e mut Visit<'v>,
}

impl Edits<'_, '_> {
    /// Recursion depth is that of the document, which the parser bounds. `key` is the name of the member that the value
    /// is, or that its array is.
    fn value(&mut self, value: Value<'_>, names: &Names<'_>, key: Option<(&Names<'_>, &str)>) {
        match value.kind() {
            Kind::Object => {
                let inside = names.inside(value);
                for (name, member) in value.members() {
                    let key = name.string();
                    let key = String::from_utf8_lossy(&key);
                    if member.kind().is_scalar() {
                        self.scalar(member, &inside.place(Some(&key)));
                    } else {
                        self.value(member, &inside.member(&key), Some((&inside, &key)));
                    }
                }
            }
            Kind::Array => {
                for element in value.elements() {
                    self.value(element, names, key);
                }
            }
            _ => match key {
                Some((around, key)) => self.scalar(value, &around.place(Some(key))),
                None => self.scalar(value, &names.place(None)),
            },
        }
    }

    fn scalar(&mut self, value: Value<'_>, place: &Place<'_>) {
        let text = match value.kind() {
            Kind::Number | Kind::Plain | Kind::Escaped => value.content(),
            _ => return,
        };
        let is_number = value.kind() == Kind::Number;
        if let Some(new) = scalar(is_number, &text, place, self.visit) {
            self.made.push((value.range(), new));
        }
    }
}

/// The text of a scalar with its value replaced.
fn scalar(is_number: bool, text: &[u8], place: &Place<'_>, visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    let reference = core::str::from_utf8(text)
        .ok()
        .filter(|text| !is_number && is_reference(text));
    let new = match reference {
        Some(reference) => url(reference, visit)?.into_bytes(),
        None => visit(place, text)?,
    };
    Some(literal(is_number, new))
}

/// A value as JSON: a number stays one if it can.
pub(super) fn literal(is_number: bool, new: Vec<u8>) -> Vec<u8> {
    let is_integer = new.iter().all(u8::is_ascii_digit) && (new.first() != Some(&b'0') || new.len() == 1);
    if is_number && is_integer && !new.is_empty() {
        return new;
    }
    let text = String::from_utf8_lossy(&new);
    serde_json::Value::String(text.into_owned())
        .to_string()
        .into_bytes()
}

/// Whether a text is a reference with a path.
pub(in crate::values) fn is_reference(text: &str) -> bool {
    (text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://"))
        && !text.contains(char::is_whitespace)
}
