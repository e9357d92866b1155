//! Bodies, by their kind.

use serde::{Deserialize, Serialize};

use crate::{
    compare::{
        decode,
        media::{self, Kind},
    },
    exchange::{Body, Headers},
};

use super::{Redactor, form, json, shortened};

/// Bytes that a body may have once its content coding is removed; a larger one is not read.
const DECODED: usize = 32 << 20;

/// Bytes at the end of a body that was cut that are not shown: of a secret that begins there not enough is left for it
/// to be known. An e-mail address is the longest that is known only by its end (RFC 5321 section 4.5.3.1).
const TAIL: usize = 320;

/// A body as it may be kept.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RedactedBody {
    /// Bytes of the content as it was sent.
    pub len: u64,
    /// The content without its content coding and without secrets; `None` when it is no text, or cannot be read: what
    /// cannot be read cannot be judged.
    pub text: Option<String>,
    /// A keyed hash of the content as far as it was kept, so that equal bodies can be told.
    pub hash: String,
    /// Whether `text` is not all of it.
    pub cut: bool,
}

impl Redactor {
    /// A body of a message with these header fields: about `cap` bytes of it are read.
    pub fn body(&self, headers: &Headers, body: &Body, cap: usize) -> RedactedBody {
        let coded = headers.get("content-encoding").is_some();
        let text = if coded && !body.is_whole() {
            None
        } else {
            decode::decode(headers, &body.kept, DECODED)
                .ok()
                .and_then(|content| {
                    let known = content
                        .len()
                        .saturating_sub(if body.is_whole() { 0 } else { TAIL });
                    self.content(headers, &content, cap.min(known))
                })
        };
        let (text, cut) = match text {
            Some((text, cut)) => (Some(text), cut || !body.is_whole()),
            None => (None, body.len > 0),
        };
        RedactedBody {
            len: body.len,
            text,
            hash: self.hash_bytes(&body.kept),
            cut,
        }
    }

    /// The text of decoded content, and whether something of it is not there.
    fn content(&self, headers: &Headers, content: &[u8], cap: usize) -> Option<(String, bool)> {
        let text = as_text(content)?;
        let kind = match media::kind(headers) {
            Kind::Unknown if text.trim_start().starts_with(['{', '[']) => Kind::Json,
            kind => kind,
        };
        Some(match kind {
            Kind::Json => self.json(text, cap),
            _ if headers.get("content-type").is_some_and(is_form) => {
                let mut out = String::new();
                let whole = form::replace(text, cap, self, &mut out);
                (out, !whole)
            }
            Kind::Bytes => return None,
            Kind::Text | Kind::Unknown => self.plain(text, cap),
        })
    }

    fn json(&self, text: &str, cap: usize) -> (String, bool) {
        let json::Replaced { text, cut } = json::replace(text, cap, json::Start::root(self));
        (text, cut)
    }

    fn plain(&self, text: &str, cap: usize) -> (String, bool) {
        let out = self.by_detectors(text, cap);
        (out, shortened(text, cap).1)
    }
}

fn is_form(value: &[u8]) -> bool {
    value
        .get(..33)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"application/x-www-form-urlencoded"))
}

/// Content as UTF-8, also when it was cut inside a character.
fn as_text(content: &[u8]) -> Option<&str> {
    let text = match core::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            core::str::from_utf8(content.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    memchr::memchr(0, text.as_bytes()).is_none().then_some(text)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
