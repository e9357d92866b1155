//! Removal of secrets, before anything is kept.
//!
//! Owns: the replacement of secrets in targets, header fields, bodies, places and values before they enter a group, a
//! sample, a case or a report. A secret becomes a short keyed hash (`[redacted:1f9a03b2]`), so that equal values stay
//! equal and different ones stay different without being kept. Knowledge of the key would allow guessing values; the
//! caller draws it at random and does not store it. Bounds: one pass over the input, output up to the caller's cap,
//! JSON levels. Input over a bound, or unreadable, is replaced as a whole. Bias: too much rather than too little. A
//! secret is recognised by the name before or next to it, by the configured path that leads to it, or by its own form;
//! without any of these it is not recognised. Where a name is ambiguous (`state`, `session`), the value decides.

mod beside;
mod body;
mod csv;
mod detect;
mod form;
mod forms;
mod json;
mod judge;
mod markup;
mod names;
mod place;
mod steps;
mod strings;
mod words;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod everywhere_tests;
#[cfg(test)]
mod harmless_tests;
#[cfg(test)]
mod tests;

use core::fmt::Write as _;
use std::sync::Arc;

use prost_reflect::MessageDescriptor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    compare::{ABSENT, Discrepancy, JsonPath, PRESENT, REDACTED, paths::PathSet},
    descriptors::Descriptors,
};
use shadow_proto::exchange::Headers;

use form::Values;
use names::Names;

pub(crate) use beside::Answers;
pub use body::RedactedBody;

/// Characters of a value or a target that are shown in a report. The comparison keeps more, so that a secret that
/// begins within these is read completely, or far enough that none of it remains.
pub const SHOWN_CHARS: usize = 120;

/// Characters of a target or a header value that are read and kept.
const READ_CHARS: usize = 2048;

/// Fields whose value is a reference (RFC 9110 section 4), so that its query is parsed.
const REFERENCES: [&str; 4] = ["location", "content-location", "referer", "refresh"];

/// Secrets in addition to those recognised by name or form.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// Additional names of header fields, query and form parameters, JSON members and XML elements whose values are
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
    descriptors: Option<Descriptors>,
    /// The type of messages in bodies.
    message: Option<MessageDescriptor>,
}

impl core::fmt::Debug for Redactor {
    /// Does not show the key.
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
            descriptors: None,
            message: None,
        }
    }

    /// With the names of fields in messages of gRPC: names and paths apply to them then.
    #[must_use]
    pub fn knowing(mut self, descriptors: Option<Descriptors>) -> Self {
        self.descriptors = descriptors;
        self
    }

    /// Whether the value of a header field of this name may be secret, for any value.
    pub fn is_secret_field(&self, name: &str) -> bool {
        self.names.field(name).is_strong()
    }

    /// Like [`Redactor::is_secret_field`], for a query parameter.
    pub fn is_secret_parameter(&self, name: &str) -> bool {
        self.names.parameter(name).is_strong()
    }

    /// The value of anything named, shortened.
    pub fn named(&self, name: &str, value: &str) -> String {
        if self.names.document(name).hides(value) {
            self.hash(value)
        } else {
            self.text(value)
        }
    }

    /// A header or trailer field: its name and its value, up to a bound.
    pub fn header(&self, name: &[u8], value: &[u8]) -> (String, String) {
        let name = String::from_utf8_lossy(name);
        let value = String::from_utf8_lossy(value);
        let redacted = if self.names.field(&name).hides(&value) {
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
        let (out, cut) = self.read_target(target, Values::Json);
        match shortened(&out, SHOWN_CHARS) {
            (start, false) if !cut => start.to_owned(),
            (start, _) => format!("{start}…"),
        }
    }

    /// Like [`Redactor::target`], but in full length, up to a bound.
    pub fn whole_target(&self, target: &str) -> String {
        self.up_to_the_bound(target, Values::Json)
    }

    fn up_to_the_bound(&self, target: &str, values: Values) -> String {
        let (mut out, cut) = self.read_target(target, values);
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
            leaves,
        } = found;
        let (place, reader) = place::read(self, place);
        let value = |value: &str| match value {
            ABSENT | PRESENT => value.to_owned(),
            value => reader.value(self, value),
        };
        Discrepancy {
            category: *category,
            production: value(production),
            shadow: value(shadow),
            place,
            leaves: *leaves,
        }
    }

    /// Like [`Redactor::discrepancy`], for these answers: also without values that are next to a secret name in them.
    pub(crate) fn discrepancy_of(&self, found: &Discrepancy, answers: &Answers<'_>) -> Discrepancy {
        let Discrepancy {
            category,
            place,
            production,
            shadow,
            leaves,
        } = found;
        let of_head = |kind: &&str| place.starts_with(*kind);
        if ["header ", "trailer ", "status"].iter().any(of_head) {
            return self.discrepancy(found);
        }
        let secrets = answers.secrets(self);
        self.discrepancy(&Discrepancy {
            category: *category,
            place: place.clone(),
            production: secrets.hide(self, production),
            shadow: secrets.hide(self, shadow),
            leaves: *leaves,
        })
    }

    /// The place of a discrepancy or a group: member names can also be secrets.
    pub fn place(&self, place: &str) -> String {
        place::read(self, place).0
    }

    /// The beginning of any text, without secrets by name or form.
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

    /// The first `chars` characters, without secrets by name or form.
    fn by_detectors(&self, text: &str, chars: usize) -> String {
        detect::replace(text, chars, &self.names, &|secret| self.hash(secret))
    }

    /// A value of a document, up to `chars` characters of it: a reference by component, other text by its form.
    fn value(&self, value: &str, chars: usize) -> String {
        if is_reference("", value) {
            return self.up_to_the_bound(value, Values::Text);
        }
        self.by_detectors(value, chars)
    }

    /// The redacted target, and whether some of it was not read.
    fn read_target(&self, target: &str, values: Values) -> (String, bool) {
        // Never half of a part: half a secret cannot be recognised by form.
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
        // A fragment also has parameters, where a browser was redirected with a token.
        for part in query.split_inclusive(['?', '#']) {
            let mark = part.strip_suffix(['?', '#']);
            form::replace(mark.unwrap_or(part), usize::MAX, self, values, &mut out);
            if let Some(mark) = mark.and_then(|text| part.get(text.len()..)) {
                out.push_str(mark);
            }
        }
        (out, cut)
    }

    fn path(&self, path: &str, out: &mut String) {
        // Userinfo in an absolute target.
        let path = match path.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => {
                out.push_str(&self.by_form(scheme));
                out.push_str("://");
                let userinfo = forms::userinfo(rest).and_then(|len| rest.split_at_checked(len));
                if let Some((userinfo, rest)) = userinfo {
                    out.push_str(&self.hash(userinfo));
                    rest
                } else {
                    rest
                }
            }
            _ => path,
        };
        let mut before = "";
        for (number, segment) in path.split('/').enumerate() {
            if number > 0 {
                out.push('/');
            }
            self.segment(segment, before, out);
            before = segment;
        }
    }

    /// A path segment with its parameters (RFC 3986 section 3.3), `;jsessionid=…`, and with parts after colons.
    fn segment(&self, segment: &str, before: &str, out: &mut String) {
        if self.names.path_segment(before, segment) {
            return out.push_str(&self.hash(segment));
        }
        for part in segment.split_inclusive(';') {
            let (part, mark) = part.strip_suffix(';').map_or((part, ""), |part| (part, ";"));
            match part.split_once(['=', ':']) {
                Some((name, value)) if self.names.parameter(name).hides(value) => {
                    let named = part.len().saturating_sub(value.len());
                    out.push_str(part.get(..named).unwrap_or_default());
                    out.push_str(&self.hash(value));
                }
                _ if part.split(':').any(judge::looks_random) => {
                    for part in part.split_inclusive(':') {
                        let (part, mark) = part.strip_suffix(':').map_or((part, ""), |part| (part, ":"));
                        out.push_str(&self.by_form(part));
                        out.push_str(mark);
                    }
                }
                _ => out.push_str(&self.by_form(part)),
            }
            out.push_str(mark);
        }
    }

    fn by_form(&self, part: &str) -> String {
        if judge::looks_random(part) {
            self.hash(part)
        } else {
            self.by_detectors(part, usize::MAX)
        }
    }

    /// A keyed hash in place of a value, whatever the value is.
    pub fn keyed(&self, value: &[u8]) -> String {
        self.hash_bytes(value)
    }

    fn hash(&self, secret: &str) -> String {
        self.hash_bytes(secret.as_bytes())
    }

    fn hash_bytes(&self, secret: &[u8]) -> String {
        let hash = blake3::keyed_hash(&self.key, secret);
        let mut out = REDACTED.to_owned();
        for byte in hash.as_bytes().iter().take(4) {
            // Writing to a String does not fail.
            write!(out, "{byte:02x}").unwrap_or_default();
        }
        out.push(']');
        out
    }
}

/// Whether a path segment, or a part of it, is secret by the segment before it or by its own form. Without the
/// configured names.
pub(crate) fn is_secret_segment(before: &str, segment: &str) -> bool {
    let names = Names::default();
    let hidden = |(name, value)| names.parameter(name).hides(value);
    names.path_segment(before, segment) || segment.split_once([':', '=']).is_some_and(hidden)
}

/// RFC 3986 section 3.1. A value that only looks like a reference may have any text before its `://`.
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
