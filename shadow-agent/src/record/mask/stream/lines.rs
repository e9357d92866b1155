//! Lines: start lines, fields, chunk sizes.

use super::{Line, MASK, Message, Method, NAME, Place, Side, State, Stream};
use crate::record::{Redact, mask::Masks};

/// Header fields whose values are kept when everything else is masked: framing, types and caching, which hold no
/// secrets.
const HARMLESS: [&str; 20] = [
    "accept",
    "accept-encoding",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "range",
    "server",
    "transfer-encoding",
    "vary",
    "upgrade",
];

impl Stream {
    pub(super) fn start_line(&mut self, side: Side, byte: &mut u8, masks: &Masks) {
        let seen = *byte;
        if self.ends(byte) {
            self.line = Line::default();
            self.state = State::Fields { trailer: false };
            return;
        }
        match side {
            Side::Requests => self.request_line(byte, masks),
            Side::Responses => self.status_line(seen),
        }
        self.line.last = seen;
    }

    pub(super) fn status_line(&mut self, byte: u8) {
        // `HTTP/1.1 200 `: three digits from the tenth byte on.
        if let (10..=12, b'0'..=b'9') = (self.line.bytes, byte) {
            self.message.status = self.message.status * 10 + u16::from(byte - b'0');
        }
    }

    pub(super) fn request_line(&mut self, byte: &mut u8, masks: &Masks) {
        let Line {
            name, place, mask, ..
        } = &mut self.line;
        match (*place, *byte) {
            (Place::Name, b' ') => {
                self.message.method = match &**name {
                    b"HEAD" => Method::Head,
                    b"CONNECT" => Method::Connect,
                    _ => Method::Other,
                };
                name.clear();
                *place = Place::Value;
            }
            (Place::Name, seen) if name.len() < NAME => name.push(seen),
            (Place::Value | Place::Parameter | Place::Rest, b' ' | b'\r') => {
                *mask = false;
                *place = Place::Value;
                // What follows is the version.
                name.push(b' ');
            }
            (Place::Value, b'?') => {
                name.clear();
                *place = Place::Parameter;
                *mask = false;
            }
            // Anything but a path may name a user: `http://user:password@host/`.
            (Place::Value, seen) if name.is_empty() => {
                *mask = !matches!(seen, b'/' | b'*');
                name.push(b'/');
            }
            (Place::Parameter | Place::Rest, b'&' | b';') => {
                name.clear();
                *place = Place::Parameter;
                *mask = false;
                return;
            }
            (Place::Parameter, b'=') => {
                *mask = masks.redact == Redact::All || masks.is_secret_parameter(name);
                *place = Place::Rest;
                return;
            }
            (Place::Parameter, seen) if name.len() < NAME => name.push(seen),
            // A parameter without a value is one itself.
            (Place::Parameter, _) => *mask = true,
            (Place::Name | Place::Value | Place::Rest, _) => {}
        }
        if self.line.mask && !matches!(*byte, b' ' | b'\r') {
            *byte = MASK;
        }
    }

    pub(super) fn field(
        &mut self,
        side: Side,
        byte: &mut u8,
        trailer: bool,
        masks: &Masks,
    ) -> Option<super::Found> {
        let seen = *byte;
        if self.ends(byte) {
            let empty = self.line.bytes == 2;
            let line = std::mem::take(&mut self.line);
            if empty {
                return self.head_ends(side, byte, trailer);
            }
            if line.place == Place::Name || !trailer && !self.message.note(&line) {
                self.fail(byte);
            }
            return None;
        }
        if self.is_lost() {
            return None;
        }
        let Line {
            name,
            value,
            place,
            mask,
            bytes,
            ..
        } = &mut self.line;
        match (*place, seen) {
            (Place::Name, b':') => {
                name.make_ascii_lowercase();
                *mask = masks.is_secret_field(name);
                *place = Place::Value;
            }
            (Place::Name, b'\r') if *bytes == 1 => {}
            // Folded lines and white space before the colon have two readings.
            (Place::Name, seen) if !is_token(seen) => {
                self.fail(byte);
                return None;
            }
            (Place::Name, seen) if name.len() < NAME => name.push(seen),
            (Place::Name, _) => name.push(b'.'),
            (_, b'\r' | b' ' | b'\t') => {}
            (_, seen) => {
                if value.len() < NAME {
                    value.push(seen.to_ascii_lowercase());
                }
                if *mask {
                    *byte = MASK;
                }
            }
        }
        self.line.last = seen;
        // A name of any length would be held otherwise.
        if self.line.name.len() > 4 * NAME {
            self.fail(byte);
        }
        None
    }

    pub(super) fn chunk_size(&mut self, byte: &mut u8, masks: &Masks) {
        let seen = *byte;
        let ended = self.ends(byte);
        let State::ChunkSize {
            size,
            digits,
            extension,
        } = &mut self.state
        else {
            return;
        };
        if ended {
            self.state = match (*digits, *size) {
                (0, _) => return self.fail(byte),
                (_, 0) => {
                    self.line = Line::default();
                    State::Fields { trailer: true }
                }
                (_, size) => State::Chunk(size),
            };
            return;
        }
        let digit = char::from(seen).to_digit(16);
        match (*extension, seen, digit) {
            (_, b'\r', _) => {}
            (true, _, _) => {
                if masks.redact == Redact::All {
                    *byte = MASK;
                }
            }
            (false, b';' | b' ' | b'\t', _) => *extension = true,
            (false, _, Some(digit)) if *digits < 15 => {
                *size = *size * 16 + u64::from(digit);
                *digits += 1;
            }
            _ => return self.fail(byte),
        }
        self.line.last = seen;
    }
}

impl Message {
    /// Takes the framing fields in; `false` when they cannot be understood.
    pub(super) fn note(&mut self, line: &Line) -> bool {
        match &*line.name {
            b"content-length" => {
                let text = str::from_utf8(&line.value).unwrap_or_default();
                let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let Some(length) = text.parse().ok().filter(|_| plain) else {
                    return false;
                };
                self.twice |= self.length.is_some_and(|before| before != length);
                self.length = Some(length);
                true
            }
            b"transfer-encoding" => {
                self.twice |= self.chunked;
                self.chunked = true;
                line.value == b"chunked"
            }
            _ => true,
        }
    }
}

impl Masks {
    fn is_secret_field(&self, name: &[u8]) -> bool {
        let Ok(name) = str::from_utf8(name) else {
            return true;
        };
        match self.redact {
            Redact::None => false,
            Redact::Headers => name.len() >= NAME || self.redactor.is_secret_field(name),
            Redact::All => !HARMLESS.contains(&name),
        }
    }

    fn is_secret_parameter(&self, name: &[u8]) -> bool {
        str::from_utf8(name).map_or(true, |name| {
            name.len() >= NAME || self.redactor.is_secret_parameter(name)
        })
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
