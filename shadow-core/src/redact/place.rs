//! Places: what they show themselves, and what they say about the values found there.

use crate::compare::paths::Key;

use super::{
    Redactor, SHOWN_CHARS,
    beside::Told,
    json::{self, Secret, Start, member_name},
    judge::Says,
    shortened,
    steps::Steps,
};

/// How the values at a place are redacted.
#[derive(Debug)]
pub(super) enum Reader {
    /// The name decides, with the value.
    Named(Says),
    /// JSON at this place; the steps lead there again for each value.
    Json(String),
    /// A reference.
    Reference,
    /// Any text.
    Text,
}

/// The place as it may be shown, and how to read its values.
pub(super) fn read(redactor: &Redactor, place: &str) -> (String, Reader) {
    let Some(at) = json_part(place) else {
        return (
            redactor.by_detectors(place, usize::MAX),
            outside_json(redactor, place),
        );
    };
    let (before, path) = place.split_at_checked(at).unwrap_or((place, ""));
    let mut shown = redactor.by_detectors(before, usize::MAX);
    shown.push('$');
    let mut start = Start::root(redactor);
    for step in Steps::new(path) {
        let around = start.secret();
        match step.key() {
            Some(Key::Name(name)) => {
                start.enter(Key::Name(name));
                // Where a path ends in a wildcard, the names are data too.
                let around = if start.secret() == Secret::Path {
                    Secret::Path
                } else {
                    around
                };
                let redacted = member_name(redactor, name, around);
                if redacted == name {
                    shown.push_str(step.text);
                } else {
                    shown.push_str(&Key::Name(&redacted).to_string());
                }
            }
            Some(key @ (Key::Index(_) | Key::Element(..))) => {
                shown.push_str(step.text);
                start.enter(key);
            }
            // A generalised step; steps of markup are none of JSON.
            None | Some(Key::Child(_) | Key::Attribute(_)) => shown.push_str(step.text),
        }
    }
    let named = outside_json(redactor, before);
    let reader = match named {
        Reader::Named(says) if says > Says::IfLikely => named,
        _ => Reader::Json(path.to_owned()),
    };
    (shown, reader)
}

/// Where the JSON path in a place begins: `$.x`, `event 3 $.x`.
fn json_part(place: &str) -> Option<usize> {
    if place.starts_with('$') {
        return Some(0);
    }
    place.find(" $").map(|at| at.saturating_add(1))
}

/// `header set-cookie`, `/html/body/@class`, `field password`.
fn outside_json(redactor: &Redactor, place: &str) -> Reader {
    let names = place.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    let field = place
        .strip_prefix("header ")
        .or_else(|| place.strip_prefix("trailer "));
    let parameter = place.strip_prefix("field ");
    let said = names
        .map(|name| redactor.names.document(name))
        .chain(field.map(|name| redactor.names.field(name)))
        .chain(parameter.map(|name| redactor.names.parameter(name)))
        .max();
    if let Some(says) = said.filter(|says| *says > Says::Nothing) {
        return Reader::Named(says);
    }
    match field {
        Some(name) if super::is_reference(name, "") => Reader::Reference,
        _ => Reader::Text,
    }
}

impl Reader {
    /// A value found at the place, shortened.
    pub(super) fn value(&self, redactor: &Redactor, value: &str) -> String {
        match self {
            Self::Named(says) => {
                let plain = value.trim_matches('"');
                if says.hides(plain) {
                    redactor.hash(plain)
                } else {
                    redactor.text(value)
                }
            }
            Self::Reference => redactor.target(value),
            Self::Text => redactor.text(value),
            Self::Json(path) => {
                let mut start = Start::root(redactor);
                for step in Steps::new(path) {
                    if let Some(key) = step.key() {
                        start.enter(key);
                    }
                }
                match start.secret() {
                    Secret::Named(says) if says > Says::IfLikely => Self::Named(says).value(redactor, value),
                    Secret::No | Secret::Named(_) => shown(value, start),
                    Secret::Path => redactor.hash(value.trim_matches('"')),
                }
            }
        }
    }
}

fn shown(value: &str, start: Start<'_>) -> String {
    let json::Replaced { text, cut } = json::replace(value, SHOWN_CHARS, start, &mut Told::default());
    match shortened(&text, SHOWN_CHARS.saturating_mul(2)) {
        (text, false) if !cut => text.to_owned(),
        (text, _) => format!("{}…", text.trim_end_matches('…')),
    }
}
