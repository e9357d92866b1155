//! One direction of a connection: which of its bytes are secret.
//!
//! Reads byte by byte, so that a head or a chunk may be cut anywhere between segments. Bounds: a name, a number and a
//! few flags; never a body, never a value. Bias: whatever has two readings ends in [`State::Lost`], where nothing is
//! kept, because a byte that is kept must be known not to be secret.

use super::{Masks, Redact};

/// What stands in the place of a byte that is not kept.
pub(super) const MASK: u8 = b'*';

/// Longer names of fields and parameters are known to nobody, and are not kept track of.
const NAME: usize = 64;
/// A longer line or head is no message that the agent would read either.
const HEAD: usize = 256 << 10;

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

/// Which way a direction goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Requests,
    Responses,
}

/// What was found while a segment was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// A request's last head byte; whether its answer has no content whatever its fields say (HEAD).
    Request { head: bool },
    /// A response's head begins here: whose answer is it?
    Response,
    /// The head of a final response ended.
    Answered,
    /// The connection is no HTTP/1 any more.
    Over,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    state: State,
    line: Line,
    /// Of the message at hand.
    message: Message,
    head_bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Nothing is known of where messages begin; nothing is kept.
    #[default]
    Lost,
    /// Between two messages.
    Start,
    /// In a start line.
    StartLine,
    /// In a field line; `trailer` behind the last chunk.
    Fields { trailer: bool },
    /// In content with so many bytes left.
    Content(u64),
    /// In a chunk-size line, with the size so far.
    ChunkSize { size: u64, digits: u8, extension: bool },
    /// In a chunk with so many bytes left.
    Chunk(u64),
    /// Behind a chunk.
    ChunkEnd,
    /// In content that ends with the connection.
    UntilClose,
}

#[derive(Clone, Copy, Debug, Default)]
struct Message {
    length: Option<u64>,
    chunked: bool,
    /// Fields contradict themselves.
    twice: bool,
    status: u16,
    is_head: bool,
    is_connect: bool,
    /// For a response: the method that it answers is known, and whether it is HEAD.
    answers: Option<bool>,
}

/// The line at hand, as far as it matters.
#[derive(Clone, Debug, Default)]
struct Line {
    name: Vec<u8>,
    value: Vec<u8>,
    place: Place,
    bytes: usize,
    last: u8,
    mask: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    /// In the field name, or the first word of a start line.
    #[default]
    Name,
    /// In the field value, or the target's path.
    Value,
    /// In the name of a query parameter.
    Parameter,
    /// Behind what is secret.
    Rest,
}

impl Stream {
    /// Nothing will be kept until [`Stream::begin`].
    pub(super) fn lose(&mut self) {
        self.state = State::Lost;
    }

    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// The next byte begins a message.
    pub(super) fn begin(&mut self) {
        self.state = self.next_message();
    }

    /// Whose answer the response that was found is; `None` when nobody knows.
    pub(super) fn answers(&mut self, head: Option<bool>) {
        self.message.answers = head;
    }

    /// Masks what is secret from `from` on. Stops at what the caller has to know, with the place behind it.
    pub(super) fn read(
        &mut self,
        side: Side,
        payload: &mut [u8],
        from: usize,
        masks: &Masks,
    ) -> Option<(usize, Found)> {
        let mut at = from;
        while at < payload.len() {
            if let Some(bytes) = self.content(payload, at, masks) {
                at += bytes;
                continue;
            }
            if self.state == State::Start && side == Side::Responses {
                // Once for each response, before its first byte.
                self.enter_start_line();
                return Some((at, Found::Response));
            }
            let byte = payload.get_mut(at)?;
            at += 1;
            if let Some(found) = self.byte(side, byte, masks) {
                return Some((at, found));
            }
        }
        None
    }

    /// Content in one go: how many bytes at `at` belong to it.
    fn content(&mut self, payload: &mut [u8], at: usize, masks: &Masks) -> Option<usize> {
        let rest = payload.get_mut(at..)?;
        let all = rest.len();
        let take = match self.state {
            State::Lost | State::UntilClose => all,
            State::Content(left) | State::Chunk(left) => all.min(usize::try_from(left).unwrap_or(usize::MAX)),
            _ => return None,
        };
        if masks.redact == Redact::All || self.state == State::Lost {
            rest.get_mut(..take)?.fill(MASK);
        }
        self.state = match self.state {
            State::Content(left) if left > take as u64 => State::Content(left - take as u64),
            State::Content(_) => self.next_message(),
            State::Chunk(left) if left > take as u64 => State::Chunk(left - take as u64),
            State::Chunk(_) => State::ChunkEnd,
            other => other,
        };
        Some(take)
    }

    fn next_message(&mut self) -> State {
        self.message = Message::default();
        State::Start
    }

    fn enter_start_line(&mut self) {
        self.state = State::StartLine;
        self.message = Message::default();
        self.line = Line::default();
        self.head_bytes = 0;
    }

    fn byte(&mut self, side: Side, byte: &mut u8, masks: &Masks) -> Option<Found> {
        match self.state {
            State::Start => {
                // Empty lines before a request (RFC 9112 section 2.2).
                if !matches!(*byte, b'\r' | b'\n') {
                    self.enter_start_line();
                    self.start_line(side, byte, masks);
                }
                None
            }
            State::StartLine => {
                self.start_line(side, byte, masks);
                None
            }
            State::Fields { trailer } => self.field(side, byte, trailer, masks),
            State::ChunkSize { .. } => {
                self.chunk_size(byte, masks);
                None
            }
            State::ChunkEnd => {
                match *byte {
                    b'\r' => {}
                    b'\n' => self.enter_chunk_size(),
                    _ => self.fail(byte),
                }
                None
            }
            State::Lost | State::Content(_) | State::Chunk(_) | State::UntilClose => None,
        }
    }

    /// Two readings are possible: this byte and what follows is not kept.
    fn fail(&mut self, byte: &mut u8) {
        *byte = MASK;
        self.lose();
    }

    /// Whether a line ends here; a line feed without a carriage return is ambiguous.
    fn ends(&mut self, byte: &mut u8) -> bool {
        self.head_bytes += 1;
        self.line.bytes += 1;
        if self.head_bytes > HEAD || *byte == b'\n' && self.line.last != b'\r' {
            self.fail(byte);
            return false;
        }
        *byte == b'\n'
    }

    fn start_line(&mut self, side: Side, byte: &mut u8, masks: &Masks) {
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

    fn status_line(&mut self, byte: u8) {
        // `HTTP/1.1 200 `: three digits from the tenth byte on.
        if let (10..=12, b'0'..=b'9') = (self.line.bytes, byte) {
            self.message.status = self.message.status * 10 + u16::from(byte - b'0');
        }
    }

    fn request_line(&mut self, byte: &mut u8, masks: &Masks) {
        let Line {
            name, place, mask, ..
        } = &mut self.line;
        match (*place, *byte) {
            (Place::Name, b' ') => {
                self.message.is_head = name == b"HEAD";
                self.message.is_connect = name == b"CONNECT";
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

    fn field(&mut self, side: Side, byte: &mut u8, trailer: bool, masks: &Masks) -> Option<Found> {
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

    fn head_ends(&mut self, side: Side, byte: &mut u8, trailer: bool) -> Option<Found> {
        if trailer {
            self.state = self.next_message();
            return None;
        }
        let message = self.message;
        if message.twice || message.chunked && message.length.is_some() {
            self.fail(byte);
            return None;
        }
        let content = match (message.chunked, message.length) {
            (true, _) => None,
            (false, Some(0)) => Some(State::Start),
            (false, Some(length)) => Some(State::Content(length)),
            (false, None) if side == Side::Requests => Some(State::Start),
            (false, None) => Some(State::UntilClose),
        };
        let none = match (side, message.status, message.answers) {
            (Side::Requests, _, _) => false,
            (Side::Responses, 101, _) => {
                self.lose();
                return Some(Found::Over);
            }
            (Side::Responses, 100..=199 | 204 | 304, _) | (Side::Responses, _, Some(true)) => true,
            (Side::Responses, _, Some(false)) => false,
            // Perhaps there is content, perhaps the next message: not kept until one begins for certain.
            (Side::Responses, _, None) => {
                self.lose();
                return None;
            }
        };
        let interim = (100..=199).contains(&message.status);
        match content {
            _ if none => self.state = self.next_message(),
            Some(State::Start) => self.state = self.next_message(),
            Some(state) => self.state = state,
            None => self.enter_chunk_size(),
        }
        match side {
            Side::Requests if message.is_connect => {
                self.lose();
                Some(Found::Over)
            }
            Side::Requests => Some(Found::Request {
                head: message.is_head,
            }),
            Side::Responses => (!interim).then_some(Found::Answered),
        }
    }

    fn enter_chunk_size(&mut self) {
        self.line = Line::default();
        self.head_bytes = 0;
        self.state = State::ChunkSize {
            size: 0,
            digits: 0,
            extension: false,
        };
    }

    fn chunk_size(&mut self, byte: &mut u8, masks: &Masks) {
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
    fn note(&mut self, line: &Line) -> bool {
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
            Redact::Headers => name.len() >= NAME || self.redactor.is_secret(name),
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
