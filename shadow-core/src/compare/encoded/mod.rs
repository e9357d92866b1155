//! Documents in a binary encoding as JSON, so that alignment, rules, noise and redaction apply to them as to JSON.
//!
//! Owns: CBOR (RFC 8949) and MessagePack; messages of Protocol Buffers outside gRPC are read by [`grpc`]. The encoding
//! is that of the media type. Numbers of another width are the same number. Bytes are shown by length and digest,
//! extension types and tags as members. A name that is no text begins with `#`, so that 1 and "1" differ. Bounds:
//! [`MAX_DEPTH`], and the length of the JSON ([`GROWTH`]). Bias: content that cannot be read as a whole is compared by
//! length and digest.

mod cbor;
mod msgpack;
#[cfg(test)]
mod tests;

use core::fmt::Write as _;

use shadow_proto::exchange::Headers;

use super::{grpc, media};

/// Nested arrays and maps.
const MAX_DEPTH: usize = 64;

/// Largest ratio of the length of the JSON to that of the content.
const GROWTH: usize = 16;

/// A binary encoding of documents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Cbor,
    MessagePack,
    Protobuf,
}

impl Encoding {
    /// The encoding by the Content-Type field.
    pub(super) fn of(headers: &Headers) -> Option<Self> {
        let essence = media::essence(headers);
        let subtype = essence.strip_prefix(b"application/")?;
        let suffix = subtype.rsplit(|byte| *byte == b'+').next()?;
        match suffix {
            b"cbor" | b"cbor-seq" => Some(Self::Cbor),
            b"msgpack" | b"x-msgpack" | b"vnd.msgpack" => Some(Self::MessagePack),
            b"protobuf" | b"x-protobuf" | b"vnd.google.protobuf" | b"x-google-protobuf" => {
                Some(Self::Protobuf)
            }
            _ => None,
        }
    }

    /// Two contents as JSON; `None` if one of them cannot be read.
    pub(super) fn documents(self, production: &[u8], shadow: &[u8]) -> Option<[Vec<u8>; 2]> {
        match self {
            Self::Protobuf => grpc::messages([production, shadow]),
            _ => Some([self.document(production)?, self.document(shadow)?]),
        }
    }

    /// One content as JSON: its document, or an array of several.
    pub(super) fn document(self, content: &[u8]) -> Option<Vec<u8>> {
        let read = match self {
            Self::Cbor => cbor::value,
            Self::MessagePack => msgpack::value,
            Self::Protobuf => {
                let [document, _] = grpc::messages([content, &[]])?;
                return Some(document);
            }
        };
        let (mut rest, mut documents) = (Bytes(content), 0usize);
        let mut out = Json {
            text: String::from("["),
            most: content.len().saturating_mul(GROWTH).saturating_add(1024),
        };
        while !rest.0.is_empty() {
            if documents > 0 {
                out.text.push(',');
            }
            read(&mut rest, 0, &mut out)?;
            documents = documents.saturating_add(1);
        }
        let text = if documents == 1 {
            out.text.split_off(1)
        } else {
            out.text.push(']');
            out.text
        };
        (documents > 0).then(|| text.into_bytes())
    }
}

/// Content that was not read yet.
struct Bytes<'c>(&'c [u8]);

impl<'c> Bytes<'c> {
    fn take(&mut self, length: usize) -> Option<&'c [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// An unsigned number of 1, 2, 4 or 8 bytes, the first one the highest.
    fn number(&mut self, width: usize) -> Option<u64> {
        let bytes = self.take(width)?;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }
}

/// The JSON that is written, up to a length.
struct Json {
    text: String,
    most: usize,
}

impl Json {
    fn put(&mut self, text: &str) -> Option<()> {
        self.text.push_str(text);
        (self.text.len() <= self.most).then_some(())
    }

    fn integer(&mut self, number: i128) -> Option<()> {
        // Writing to a String does not fail.
        write!(self.text, "{number}").ok()?;
        self.put("")
    }

    /// A finite number as a decimal; the others, which JSON does not have, as a member.
    fn float(&mut self, number: f64) -> Option<()> {
        if number.is_finite() {
            write!(self.text, "{number:?}").ok()?;
        } else {
            write!(self.text, "{{\"float\":\"{number}\"}}").ok()?;
        }
        self.put("")
    }

    fn string(&mut self, text: &[u8]) -> Option<()> {
        let text = core::str::from_utf8(text).ok()?;
        self.put(&serde_json::to_string(text).ok()?)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.put("{\"bytes\":")?;
        self.string(grpc::digest(bytes).as_bytes())?;
        self.put("}")
    }

    /// A value with the number of its type.
    fn typed(&mut self, kind: &str, number: i128, value: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        write!(self.text, "{{\"{kind} {number}\":").ok()?;
        value(self)?;
        self.put("}")
    }

    /// A name, from the JSON of a value.
    fn name(&mut self, value: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let start = self.text.len();
        value(self)?;
        let written = self.text.split_off(start);
        match written.strip_prefix('"') {
            // A text that begins like the name of another value.
            Some(text) if text.starts_with('#') => self.put(&format!("\"#{text}"))?,
            Some(_) => self.put(&written)?,
            None => self.string(format!("#{written}").as_bytes())?,
        }
        self.put(":")
    }

    /// Elements or members, one by one until `next` is false.
    fn list(
        &mut self,
        [open, close]: [&str; 2],
        mut next: impl FnMut(&mut Self, usize) -> Option<bool>,
    ) -> Option<()> {
        self.put(open)?;
        let mut number = 0usize;
        loop {
            let before = self.text.len();
            if number > 0 {
                self.put(",")?;
            }
            if !next(self, number)? {
                self.text.truncate(before);
                return self.put(close);
            }
            number = number.saturating_add(1);
        }
    }
}
