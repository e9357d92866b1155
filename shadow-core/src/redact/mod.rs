//! Secrets out, before anything is kept.
//!
//! Owns: what is replaced in targets, header fields, bodies, places and values on their way into a group, a sample, a
//! case or a report. A secret becomes a short keyed hash (`[redacted:1f9a03b2]`), so that equal stays equal and
//! different stays different without the value being kept. Whoever has the key could try values; the caller draws it
//! at random and keeps it nowhere.
//! Bounds: one pass over what is given, output up to the caller's cap, JSON levels. What is over a bound, or cannot be
//! read, is replaced as a whole.
//! Bias: too much rather than too little. A secret is known by the name in front of it, by the configured path that
//! leads to it, or by its own form; what has none of these is not known as one.

mod body;
mod detect;
mod form;
mod json;
mod markup;
mod names;
mod place;
mod steps;
mod strings;

#[cfg(test)]
mod everywhere_tests;
#[cfg(test)]
mod tests;

use core::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::compare::{ABSENT, Discrepancy, JsonPath, paths::PathSet};
use shadow_proto::exchange::Headers;

use names::Names;

pub use body::RedactedBody;

/// Characters of a value or a target that are shown in a report. The comparison keeps more, so that a secret which
/// begins within these is seen whole, or as far as nothing of it can be left.
pub const SHOWN_CHARS: usize = 120;

/// How everything begins that takes the place of a secret.
pub(crate) const MARK: &str = "[redacted:";

/// Characters of a target or a header value that are looked at and kept.
const READ_CHARS: usize = 2048;

/// Fields whose value is a reference (RFC 9110 section 4), so that its query is read as one.
const REFERENCES: [&str; 4] = ["location", "content-location", "referer", "refresh"];

/// What is taken for a secret, besides what is known by its name or its form.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// Further names of header fields, query and form parameters, JSON members and XML elements whose values are
    /// secret. Letter case, `-` and `_` do not matter.
    pub names: Vec<String>,
    /// JSON places whose values are secret, as JSONPath (RFC 9535): `$.patient.birthday`, `$..notes`.
    pub paths: Vec<JsonPath>,
}

/// Replaces secrets.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
    names: Arc<Names>,
    paths: Arc<PathSet>,
}

impl core::fmt::Debug for Redactor {
    /// Not the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Redactor")
            .field("names", &self.names)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor with a key that the caller drew at random.
    pub fn new(key: [u8; 32], config: &RedactConfig) -> Self {
        Self {
            key,
            names: Arc::new(Names::new(&config.names)),
            paths: Arc::new(PathSet::of(config.paths.iter().map(JsonPath::steps))),
        }
    }

    /// Whether a name says that its value is secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.names.is_secret(name)
    }

    /// As [`Redactor::is_secret`], for a query parameter.
    pub fn is_secret_parameter(&self, name: &str) -> bool {
        self.names.is_secret_parameter(name)
    }

    /// The value of anything with a name, shortened.
    pub fn named(&self, name: &str, value: &str) -> String {
        if self.names.is_secret(name) {
            self.hash(value)
        } else {
            self.text(value)
        }
    }

    /// A header or trailer field: its name and its value, up to a bound.
    pub fn header(&self, name: &[u8], value: &[u8]) -> (String, String) {
        let name = String::from_utf8_lossy(name);
        let value = String::from_utf8_lossy(value);
        let redacted = if self.names.is_secret_field(&name) {
            self.hash(&value)
        } else if is_reference(&name, &value) {
            self.whole_target(&value)
        } else {
            self.up_to(READ_CHARS, &value)
        };
        (self.up_to(SHOWN_CHARS, &name), redacted)
    }

    /// Every field of a head or of the trailers, in order.
    pub fn headers(&self, headers: &Headers) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(name, value)| self.header(name, value))
            .collect()
    }

    /// A request target, shortened to what a report shows. Parameters are judged by name and by form, path segments
    /// by form.
    pub fn target(&self, target: &str) -> String {
        let (out, cut) = self.read_target(target);
        match shortened(&out, SHOWN_CHARS) {
            (start, false) if !cut => start.to_owned(),
            (start, _) => format!("{start}…"),
        }
    }

    /// As [`Redactor::target`], but as long as it is, up to a bound.
    pub fn whole_target(&self, target: &str) -> String {
        let (mut out, cut) = self.read_target(target);
        if cut {
            out.push('…');
        }
        out
    }

    /// A discrepancy: values by the names in its place, by the paths that lead there and by their form, the place
    /// itself by its form.
    pub fn discrepancy(&self, found: &Discrepancy) -> Discrepancy {
        let Discrepancy {
            category,
            place,
            production,
            shadow,
        } = found;
        let (place, reader) = place::read(self, place);
        let value = |value: &str| match value {
            ABSENT => ABSENT.to_owned(),
            value => reader.value(self, value),
        };
        Discrepancy {
            category: *category,
            production: value(production),
            shadow: value(shadow),
            place,
        }
    }

    /// The place of a discrepancy or a group: member names can be secrets too.
    pub fn place(&self, place: &str) -> String {
        place::read(self, place).0
    }

    /// Any text: the beginning of it, without what has the name or the form of a secret.
    pub fn text(&self, text: &str) -> String {
        self.up_to(SHOWN_CHARS, text)
    }

    fn up_to(&self, chars: usize, text: &str) -> String {
        let (_, cut) = shortened(text, chars);
        let mut out = self.by_detectors(text, chars);
        if cut && !out.ends_with('…') {
            out.push('…');
        }
        out
    }

    /// The first `chars` characters without what has the name or the form of a secret.
    fn by_detectors(&self, text: &str, chars: usize) -> String {
        detect::replace(text, chars, &self.names, &|secret| self.hash(secret))
    }

    /// A value of a document, up to `chars` characters of it: a reference as one, other text by its form.
    fn value(&self, value: &str, chars: usize) -> String {
        if is_reference("", value) {
            return self.whole_target(value);
        }
        self.by_detectors(value, chars)
    }

    /// The redacted target, and whether something of it was not looked at.
    fn read_target(&self, target: &str) -> (String, bool) {
        // Never half of a part: half a secret has no form to be known by.
        let (target, cut) = match target.char_indices().nth(READ_CHARS) {
            Some((end, _)) => {
                let start = target.get(..end).unwrap_or_default();
                let whole = start.rfind(['/', '?', '&', '#']).unwrap_or_default();
                (start.get(..whole).unwrap_or_default(), true)
            }
            None => (target, false),
        };
        let (path, query) = target.find(['?', '#']).map_or((target, ""), |at| {
            target.split_at_checked(at).unwrap_or((target, ""))
        });
        let mut out = String::with_capacity(target.len());
        self.path(path, &mut out);
        // A fragment too has parameters, where a browser was sent back with a token.
        for part in query.split_inclusive(['?', '#']) {
            let mark = part.strip_suffix(['?', '#']);
            form::replace(mark.unwrap_or(part), usize::MAX, self, &mut out);
            if let Some(mark) = mark.and_then(|text| part.get(text.len()..)) {
                out.push_str(mark);
            }
        }
        (out, cut)
    }

    fn path(&self, path: &str, out: &mut String) {
        // Userinfo in an absolute target.
        let path = match path
            .split_once("://")
            .map(|(scheme, rest)| (scheme, rest.split_once('@')))
        {
            Some((scheme, Some((userinfo, rest)))) if is_scheme(scheme) && !userinfo.contains('/') => {
                out.push_str(&self.by_form(scheme));
                out.push_str("://");
                out.push_str(&self.hash(userinfo));
                out.push('@');
                rest
            }
            _ => path,
        };
        for (number, segment) in path.split('/').enumerate() {
            if number > 0 {
                out.push('/');
            }
            // `;jsessionid=…` (RFC 3986 section 3.3).
            for (number, part) in segment.split(';').enumerate() {
                if number > 0 {
                    out.push(';');
                }
                match part.split_once('=') {
                    Some((name, value)) if self.names.is_secret(name) => {
                        out.push_str(name);
                        out.push('=');
                        out.push_str(&self.hash(value));
                    }
                    _ => out.push_str(&self.by_form(part)),
                }
            }
        }
    }

    fn by_form(&self, part: &str) -> String {
        if detect::looks_random(part) {
            self.hash(part)
        } else {
            self.by_detectors(part, usize::MAX)
        }
    }

    fn hash(&self, secret: &str) -> String {
        self.hash_bytes(secret.as_bytes())
    }

    fn hash_bytes(&self, secret: &[u8]) -> String {
        let hash = blake3::keyed_hash(&self.key, secret);
        let mut out = MARK.to_owned();
        for byte in hash.as_bytes().iter().take(4) {
            // A String takes everything.
            write!(out, "{byte:02x}").unwrap_or_default();
        }
        out.push(']');
        out
    }
}

/// RFC 3986 section 3.1. A value that only looks like a reference may have anything in front of its `://`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Whether a value is a reference: by the field that it is in, or because it looks like one.
fn is_reference(name: &str, value: &str) -> bool {
    let field = REFERENCES.iter().any(|field| name.eq_ignore_ascii_case(field));
    let one_word = !value.contains(char::is_whitespace);
    field
        || (one_word && (value.starts_with('/') || value.contains("://")) && value.contains(['?', '@', '#']))
}

/// The first `chars` characters, and whether there are more.
fn shortened(text: &str, chars: usize) -> (&str, bool) {
    match text.char_indices().nth(chars) {
        Some((end, _)) => (text.get(..end).unwrap_or(text), true),
        None => (text, false),
    }
}
