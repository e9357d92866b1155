//! Secrets out, before anything is kept.
//!
//! Owns: what is replaced in values, places and request targets on their way into a group, a sample or a report. A
//! secret becomes a short keyed hash (`[redacted:1f9a03b2]`), so that equal stays equal and different stays different
//! without the value being kept. Whoever has the key could try values; the caller draws it at random and keeps it
//! nowhere.
//! Bias: too much rather than too little. What has no name and no form of a secret is not known as one.

mod detect;
mod names;

#[cfg(test)]
mod tests;

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::compare::{ABSENT, Discrepancy};

use names::Names;

/// Characters of a value or a target that are shown. The comparison keeps more, so that a secret which begins within
/// these is seen whole, or as far as nothing of it can be left.
pub const SHOWN_CHARS: usize = 120;

/// Characters of a target that are looked at.
const READ_CHARS: usize = 2048;

/// What is taken for a secret, besides what is known by its name or its form.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// Further names of header fields, query parameters and JSON members whose values are secret. Letter case, `-`
    /// and `_` do not matter.
    pub names: Vec<String>,
}

/// Replaces secrets.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
    names: Names,
}

impl core::fmt::Debug for Redactor {
    /// Not the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Redactor")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor with a key that the caller drew at random.
    pub fn new(key: [u8; 32], config: &RedactConfig) -> Self {
        Self {
            key,
            names: Names::new(&config.names),
        }
    }

    /// The value of a header field, or of anything else with a name.
    pub fn named(&self, name: &str, value: &str) -> String {
        if self.names.is_secret(name) {
            self.hash(value)
        } else {
            self.text(value)
        }
    }

    /// A request target. Parameters are judged by name and by form, path segments by form.
    pub fn target(&self, target: &str) -> String {
        // Read further than is shown, and never half of a part: half a secret has no form to be known by.
        let (target, cut) = match target.char_indices().nth(READ_CHARS) {
            Some((end, _)) => {
                let start = target.get(..end).unwrap_or_default();
                let whole = start.rfind(['/', '?', '&']).unwrap_or_default();
                (start.get(..whole).unwrap_or_default(), true)
            }
            None => (target, false),
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut out = String::with_capacity(target.len());
        self.path(path, &mut out);
        if let Some(query) = query {
            out.push('?');
            self.query(query, &mut out);
        }
        match shortened(&out) {
            (start, false) if !cut => start.to_owned(),
            (start, _) => format!("{start}…"),
        }
    }

    /// A discrepancy: values by the names in its place and by their form, the place itself by its form.
    pub fn discrepancy(&self, found: &Discrepancy) -> Discrepancy {
        let Discrepancy {
            category,
            place,
            production,
            shadow,
        } = found;
        let secret = place
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')))
            .any(|name| self.names.is_secret(name));
        let value = |value: &str| match value {
            ABSENT => ABSENT.to_owned(),
            value if secret => self.hash(value.trim_matches('"')),
            value => self.text(value),
        };
        Discrepancy {
            category: *category,
            place: detect::replace(place, usize::MAX, &self.names, &|secret| self.hash(secret)),
            production: value(production),
            shadow: value(shadow),
        }
    }

    /// Any text: the beginning of it, without what has the name or the form of a secret.
    pub fn text(&self, text: &str) -> String {
        let (_, cut) = shortened(text);
        let mut out = detect::replace(text, SHOWN_CHARS, &self.names, &|secret| self.hash(secret));
        if cut && !out.ends_with('…') {
            out.push('…');
        }
        out
    }

    fn path(&self, path: &str, out: &mut String) {
        // Userinfo in an absolute target.
        let path = match path
            .split_once("://")
            .map(|(scheme, rest)| (scheme, rest.split_once('@')))
        {
            Some((scheme, Some((userinfo, rest)))) if !userinfo.contains('/') => {
                out.push_str(scheme);
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
            out.push_str(&self.by_form(segment));
        }
    }

    fn query(&self, query: &str, out: &mut String) {
        for (number, pair) in query.split('&').enumerate() {
            if number > 0 {
                out.push('&');
            }
            match pair.split_once('=') {
                Some((name, value)) => {
                    out.push_str(&self.by_form(name));
                    out.push('=');
                    if self.names.is_secret_parameter(name) {
                        out.push_str(&self.hash(value));
                    } else {
                        out.push_str(&self.by_form(value));
                    }
                }
                None => out.push_str(&self.by_form(pair)),
            }
        }
    }

    fn by_form(&self, part: &str) -> String {
        if detect::looks_random(part) {
            self.hash(part)
        } else {
            detect::replace(part, usize::MAX, &self.names, &|secret| self.hash(secret))
        }
    }

    fn hash(&self, secret: &str) -> String {
        let hash = blake3::keyed_hash(&self.key, secret.as_bytes());
        let mut out = "[redacted:".to_owned();
        for byte in hash.as_bytes().iter().take(4) {
            // A String takes everything.
            write!(out, "{byte:02x}").unwrap_or_default();
        }
        out.push(']');
        out
    }
}

/// The first [`SHOWN_CHARS`] characters, and whether there are more.
fn shortened(text: &str) -> (&str, bool) {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => (text.get(..end).unwrap_or(text), true),
        None => (text, false),
    }
}
