//! Redaction of places, and their meaning for the values found there.

use crate::compare::paths::{Key, parted};

use super::{
    Redactor, SHOWN_CHARS,
    beside::KnownSecrets,
    json::{self, Secret, Start, member_name},
    judge::Says,
    shortened,
    steps::Steps,
};

/// How the values at a place are redacted.
#[derive(Debug)]
pub(super) enum Reader {
    /// By the name, together with the value.
    Named(Says),
    /// JSON at this place; the steps are followed again for each value.
    Json(String),
    /// A reference.
    Reference,
    /// Any text.
    Text,
}

/// The redacted place, and how to read its values.
pub(super) fn read(redactor: &Redactor, place: &str) -> (String, Reader) {
    if let Some((part, inside)) = multipart(place)
        && let named @ Reader::Named(says) = outside_json(redactor, part)
        && says.is_strong()
    {
        // Names of what is inside a secret are part of it.
        let head = inside == "body" || inside.starts_with("header ");
        let inside = if head {
            inside.to_owned()
        } else {
            redactor.hash(inside)
        };
        return (
            format!("{} {inside}", redactor.by_detectors(part, usize::MAX)),
            named,
        );
    }
    let (whole, part) = parted(place);
    let (mut shown, reader) = value(redactor, whole);
    let Some(part) = part else {
        return (shown, reader);
    };
    let around = match &reader {
        Reader::Named(says) => *says,
        Reader::Json(path) => said_by(start(redactor, path).secret()),
        Reader::Reference | Reader::Text => Says::Nothing,
    };
    shown.push(' ');
    match part.split_once(' ') {
        Some((kind, name)) if around.is_strong() && name.parse::<usize>().is_err() => {
            shown.push_str(kind);
            shown.push(' ');
            shown.push_str(&redactor.hash(name));
        }
        _ => shown.push_str(&redactor.by_detectors(part, usize::MAX)),
    }
    let reader = match part_reader(redactor, part) {
        _ if around.is_strong() => Reader::Named(Says::Secret),
        Reader::Named(says) => Reader::Named(says.max(around)),
        reader if around == Says::Nothing => reader,
        _ => Reader::Named(around),
    };
    (shown, reader)
}

/// `part NAME`, and the place inside the part.
fn multipart(place: &str) -> Option<(&str, &str)> {
    let name = place.strip_prefix("part ")?;
    let end = name.find(' ')?.saturating_add("part ".len());
    let (part, inside) = place.split_at_checked(end)?;
    Some((part, inside.trim_start()))
}

fn said_by(secret: Secret) -> Says {
    match secret {
        Secret::No => Says::Nothing,
        Secret::Named(says) => says,
        Secret::Path => Says::Secret,
    }
}

/// How to read a part of a text.
fn part_reader(redactor: &Redactor, part: &str) -> Reader {
    let (kind, name) = part.split_once(' ').unwrap_or((part, ""));
    let names = name.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    // A reference may be in a parameter of another one.
    let last = [" query ", " fragment "]
        .into_iter()
        .find_map(|kind| Some(name.rsplit_once(kind)?.1))
        .unwrap_or(name);
    let parameter = matches!(kind, "query" | "field" | "fragment").then(|| redactor.names.parameter(last));
    let said = names
        .map(|name| redactor.names.document(name))
        .chain(parameter)
        .max()
        .unwrap_or(Says::Nothing);
    match kind {
        // A token is a secret, whatever it contains, and a key may be one.
        "claim" | "parameter" | "signature" | "key" => Reader::Named(Says::Secret),
        _ if said > Says::Nothing => Reader::Named(said),
        "path" | "host" => Reader::Reference,
        _ => Reader::Text,
    }
}

fn value(redactor: &Redactor, place: &str) -> (String, Reader) {
    let Some(at) = json_part(place) else {
        return (
            redactor.by_detectors(place, usize::MAX),
            outside_json(redactor, place),
        );
    };
    let (before, path) = place.split_at_checked(at).unwrap_or((place, ""));
    let mut shown = redactor.by_detectors(before, usize::MAX);
    shown.push('$');
    let named = outside_json(redactor, before);
    // Inside a secret value, what was read as names is part of the value: `part password $.name`.
    let inside_secret = matches!(named, Reader::Named(says) if says.is_strong());
    let mut start = Start::root(redactor);
    for step in Steps::new(path) {
        let around = start.secret();
        match step.key() {
            Some(Key::Name(name)) => {
                start.enter(Key::Name(name));
                // Where a path ends in a wildcard, the names are also data.
                let around = if start.secret() == Secret::Path {
                    Secret::Path
                } else {
                    around
                };
                let redacted = if inside_secret {
                    redactor.hash(name)
                } else {
                    member_name(redactor, name, around)
                };
                if redacted == name {
                    shown.push_str(step.text);
                } else {
                    shown.push_str(&Key::Name(&redacted).to_string());
                }
            }
            Some(key @ (Key::Index(_) | Key::Item(..))) => {
                shown.push_str(step.text);
                start.enter(key);
            }
            Some(Key::Some) => {
                let around = if inside_secret {
                    Secret::Path
                } else {
                    start.secret()
                };
                shown.push_str(&keyed(redactor, step.text, around));
                start.enter(Key::Some);
            }
            // A generalised step; steps of markup do not occur in JSON.
            None | Some(Key::Child(_) | Key::Attribute(_)) => shown.push_str(step.text),
        }
    }
    let reader = match named {
        Reader::Named(says) if says > Says::IfLikely => named,
        _ => Reader::Json(path.to_owned()),
    };
    (shown, reader)
}

/// The step to an element that is identified by a member; the value of the member is redacted as text.
fn keyed(redactor: &Redactor, step: &str, around: Secret) -> String {
    let inner = step.strip_prefix('[').and_then(|step| step.strip_suffix(']'));
    let Some((name, value)) = inner.and_then(|inner| inner.split_once('=')) else {
        return step.to_owned();
    };
    let plain = value.trim_matches('\'');
    let said = redactor
        .names
        .document(name.trim_matches('\''))
        .max(said_by(around));
    if said.hides(plain) {
        return format!("[{name}='{}']", redactor.hash(plain));
    }
    let shown = redactor.by_detectors(value, usize::MAX);
    format!("[{name}={shown}]")
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
        .or_else(|| place.strip_prefix("trailer "))
        .and_then(|field| field.split(' ').next());
    let parameter = place.strip_prefix("field ");
    let said = names
        .map(|name| redactor.names.document(name))
        .chain(field.map(|name| redactor.names.field(name)))
        .chain(parameter.map(|name| redactor.names.parameter(name)))
        .max();
    if let Some(says) = said.filter(|says| *says > Says::Nothing && !is_attribute(place)) {
        return Reader::Named(says);
    }
    match field {
        Some(name) if super::is_reference(name, "") => Reader::Reference,
        _ => Reader::Text,
    }
}

/// Whether the values are those of an attribute of a cookie: `header set-cookie sid samesite`. Values of cookies have
/// no parts of their own.
fn is_attribute(place: &str) -> bool {
    const ATTRIBUTES: [&str; 8] = [
        "domain",
        "httponly",
        "max-age",
        "partitioned",
        "path",
        "priority",
        "samesite",
        "secure",
    ];
    let mut words = place.split(' ');
    words.next() == Some("header")
        && words.next() == Some("set-cookie")
        && words.next().is_some()
        && words.next_back().is_some_and(|last| ATTRIBUTES.contains(&last))
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
                let start = start(redactor, path);
                match start.secret() {
                    Secret::Named(says) if says > Says::IfLikely => Self::Named(says).value(redactor, value),
                    Secret::No | Secret::Named(_) => shown(value, start),
                    Secret::Path => redactor.hash(value.trim_matches('"')),
                }
            }
        }
    }
}

/// The state at the end of a path.
fn start<'r>(redactor: &'r Redactor, path: &str) -> Start<'r> {
    let mut start = Start::root(redactor);
    for step in Steps::new(path) {
        if let Some(key) = step.key() {
            start.enter(key);
        }
    }
    start
}

fn shown(value: &str, start: Start<'_>) -> String {
    let json::Replaced { text, cut } = json::replace(value, SHOWN_CHARS, start, &mut KnownSecrets::default());
    match shortened(&text, SHOWN_CHARS.saturating_mul(2)) {
        (text, false) if !cut => text.to_owned(),
        (text, _) => format!("{}…", text.trim_end_matches('…')),
    }
}
