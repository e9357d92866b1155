//! Redaction of bodies, by kind.

use serde::{Deserialize, Serialize};

use crate::compare::{
    decode, events, grpc,
    media::{self, Kind},
    multipart,
};
use shadow_proto::exchange::{Body, Headers};

use super::{Redactor, beside::KnownSecrets, csv, form, json, markup, shortened};

/// Largest decoded body in bytes; a larger one is not read.
const DECODED: usize = 32 << 20;

/// Bytes at the end of a truncated body that are not shown: too little may be left of a secret that begins there to
/// recognise it. An e-mail address is the longest one that is recognised only by its end (RFC 5321 section 4.5.3.1).
const TAIL: usize = 320;

/// Nested multiparts.
const MAX_NESTED: usize = 4;

/// A redacted body, which may be kept.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RedactedBody {
    /// Bytes of the content as it was sent.
    pub len: u64,
    /// The content without its content coding and without secrets; `None` when it is not text, or cannot be read:
    /// unreadable content cannot be checked.
    pub text: Option<String>,
    /// A keyed hash of the content as far as it was kept, so that equal bodies can be recognised.
    pub hash: String,
    /// Whether `text` is not all of it.
    pub cut: bool,
}

impl Redactor {
    /// For the contents of requests with this target, and of the answers to them.
    pub(crate) fn of_call(&self, target: &[u8]) -> [Self; 2] {
        let method = self.descriptors.as_ref().and_then(|known| known.method(target));
        [true, false].map(|asks| Self {
            message: method
                .map(|method| if asks { &method.input } else { &method.output })
                .cloned(),
            ..self.clone()
        })
    }

    /// Redacts a body of a message with these header fields; about `cap` bytes of it are read.
    pub fn body(&self, headers: &Headers, body: &Body, cap: usize) -> RedactedBody {
        self.read_body(headers, body, cap, &mut KnownSecrets::default())
    }

    pub(super) fn read_body(
        &self,
        headers: &Headers,
        body: &Body,
        cap: usize,
        secrets: &mut KnownSecrets,
    ) -> RedactedBody {
        let coded = headers.get("content-encoding").is_some();
        let text = if coded && (!body.is_whole() || !decode::is_known(headers)) {
            None
        } else {
            decode::decode(headers, &body.kept, DECODED)
                .ok()
                .and_then(|content| {
                    let known = content
                        .len()
                        .saturating_sub(if body.is_whole() { 0 } else { TAIL });
                    let mut reader = Reader {
                        redactor: self,
                        secrets,
                    };
                    reader.content(headers, &content, cap.min(known), 0)
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
}

/// Reads decoded content.
struct Reader<'r> {
    redactor: &'r Redactor,
    secrets: &'r mut KnownSecrets,
}

impl Reader<'_> {
    /// The text of decoded content, as far as `shown` bytes of it, and whether something is left out.
    fn content(
        &mut self,
        headers: &Headers,
        content: &[u8],
        shown: usize,
        depth: usize,
    ) -> Option<(String, bool)> {
        let kind = media::kind(headers);
        if kind == Kind::Multipart {
            return self.parts(headers, content, shown, depth);
        }
        if kind == Kind::Grpc {
            return self.messages(headers, content, shown);
        }
        let text = as_text(content)?;
        let kind = match kind {
            Kind::Unknown if text.trim_start().starts_with(['{', '[']) => Kind::Json,
            kind => kind,
        };
        Some(match kind {
            Kind::Json => self.json(text, shown),
            Kind::Lines => self.lines(text, shown),
            Kind::Events => self.events(text, shown),
            Kind::Form => {
                let mut out = String::new();
                let whole = form::replace(text, shown, self.redactor, form::Values::Json, &mut out);
                (out, !whole)
            }
            Kind::Bytes | Kind::Grpc | Kind::Multipart => return None,
            Kind::Xml | Kind::Html => markup::replace(text, shown, self.redactor, self.secrets),
            Kind::Text if is_rows(headers) => csv::replace(text, shown, self.redactor, self.secrets),
            Kind::Text | Kind::Unknown => self.plain(text, shown),
        })
    }

    /// Messages of gRPC as JSON, one per line. They are never all of the content: it cannot be made from them again.
    fn messages(&mut self, headers: &Headers, content: &[u8], shown: usize) -> Option<(String, bool)> {
        let documents = grpc::documents(headers, content, self.redactor.message.as_ref())?;
        let text = String::from_utf8(documents.join(&b"\n"[..])).ok()?;
        Some((self.lines(&text, shown).0, true))
    }

    /// One JSON text per line.
    fn lines(&mut self, text: &str, shown: usize) -> (String, bool) {
        let mut out = String::new();
        let mut read = 0usize;
        for line in text.split_inclusive(['\n', '\u{1e}']) {
            let room = shown.saturating_sub(read);
            if room == 0 || out.len() > shown.saturating_mul(json::GROWTH) {
                return (out, true);
            }
            out.push_str(&self.json(line, room).0);
            read = read.saturating_add(line.len());
        }
        (out, read > shown)
    }

    /// Server-sent events: the data lines of an event are one text.
    fn events(&mut self, text: &str, shown: usize) -> (String, bool) {
        let mut out = String::new();
        let mut read = 0usize;
        let mut data = String::new();
        let mut data_at = 0usize;
        for line in events::stream_lines(text.as_bytes()).chain([&b""[..]]) {
            let line = String::from_utf8_lossy(line);
            if let Some(value) = line.strip_prefix("data:") {
                if data.is_empty() {
                    data_at = read;
                }
                data.push_str(value.strip_prefix(' ').unwrap_or(value));
                data.push('\n');
            } else {
                self.event(&data, shown.saturating_sub(data_at), &mut out);
                data.clear();
                if read >= shown || out.len() > shown.saturating_mul(json::GROWTH) {
                    return (out, read < text.len());
                }
                out.push_str(&self.redactor.by_detectors(&line, shown));
                out.push('\n');
            }
            read = read.saturating_add(line.len()).saturating_add(1);
        }
        (out, false)
    }

    fn event(&mut self, data: &str, room: usize, out: &mut String) {
        let Some(data) = data.strip_suffix('\n') else {
            return;
        };
        let redacted = if data.trim_start().starts_with(['{', '[']) {
            self.json(data, room).0
        } else {
            self.redactor.by_detectors(data, room)
        };
        for line in redacted.split('\n') {
            out.push_str("data: ");
            out.push_str(line);
            out.push('\n');
        }
    }

    /// Multipart content: heads and contents of its parts, with the agent's own order and boundary.
    fn parts(
        &mut self,
        headers: &Headers,
        content: &[u8],
        shown: usize,
        depth: usize,
    ) -> Option<(String, bool)> {
        let parts = multipart::parts(headers, content).filter(|_| depth < MAX_NESTED)?;
        let mut out = String::new();
        let mut cut = false;
        for part in parts {
            let room = shown.saturating_sub(part.at.start);
            if room == 0 || out.len() > shown.saturating_mul(json::GROWTH) {
                cut = true;
                break;
            }
            out.push_str("--part\r\n");
            for (name, value) in self.redactor.headers(&part.headers) {
                for text in [&name, ": ", &value, "\r\n"] {
                    out.push_str(text);
                }
            }
            out.push_str("\r\n");
            let name = part.name.as_deref().map(String::from_utf8_lossy);
            let secret = name.is_some_and(|name| {
                let says = self.redactor.names.parameter(&name);
                says.hides(&String::from_utf8_lossy(part.content))
            });
            let text = self
                .content(&part.headers, part.content, room, depth.saturating_add(1))
                .filter(|_| !secret);
            let (text, part_cut) = text.unwrap_or_else(|| (self.redactor.hash_bytes(part.content), false));
            cut |= part_cut;
            out.push_str(&text);
            out.push_str("\r\n");
        }
        out.push_str("--part--\r\n");
        Some((out, cut))
    }

    fn json(&mut self, text: &str, cap: usize) -> (String, bool) {
        let json::Replaced { text, cut } =
            json::replace(text, cap, json::Start::root(self.redactor), self.secrets);
        (text, cut)
    }

    fn plain(&mut self, text: &str, cap: usize) -> (String, bool) {
        let out = self.redactor.by_detectors(text, cap);
        (out, shortened(text, cap).1)
    }
}

/// Whether the content is a table.
fn is_rows(headers: &Headers) -> bool {
    let kind = headers.get("content-type").unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    [&b"text/csv"[..], b"text/tab-separated-values"]
        .iter()
        .any(|table| kind.trim_ascii().eq_ignore_ascii_case(table))
}

/// Content as UTF-8, even when it was cut inside a character.
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
