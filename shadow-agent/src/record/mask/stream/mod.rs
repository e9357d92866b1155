//! One direction of a connection: which of its bytes are secret.
//!
//! Reads byte by byte, so that a head or a chunk may be cut anywhere between segments. Bounds: a name, a number and a
//! few flags; never a body, never a value. Bias: whatever has two readings ends in [`State::Lost`], where nothing is
//! kept, because a byte that is kept must be known not to be secret.

mod lines;

use super::{Masks, Redact};

/// What stands in the place of a byte that is not kept.
pub(super) const MASK: u8 = b'*';

/// Longer names of fields and parameters are known to nobody, and are not kept track of.
const NAME: usize = 64;
/// A longer line or head is no message that the agent would read either.
const HEAD: usize = 256 << 10;

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
    method: Method,
    /// For a response: the method that it answers is known, and whether it is HEAD.
    answers: Option<bool>,
}

/// The methods that change what follows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Method {
    Head,
    Connect,
    #[default]
    Other,
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
            Side::Requests if message.method == Method::Connect => {
                self.lose();
                Some(Found::Over)
            }
            Side::Requests => Some(Found::Request {
                head: message.method == Method::Head,
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
}
