//! The chunked transfer coding (RFC 9112 section 7.1).

use super::{
    body::{Content, Progress},
    head::{HeadBuffer, HeadStep, RawHead},
    roles::Roles,
};
use crate::{exchange::Incomplete, ranges::Role};

/// Longest chunk-size line; extensions are skipped, not kept.
const LONGEST_LINE: usize = 4 << 10;

/// Decodes chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    trailer: HeadBuffer,
    parsed: Option<RawHead<'static>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size {
        value: u64,
        digits: usize,
    },
    /// White space after the digits: only an extension or the end of the line may follow.
    Blank {
        value: u64,
        length: usize,
    },
    /// Extensions, up to the line's CR.
    Extension {
        value: u64,
        length: usize,
    },
    SizeFeed(u64),
    Data(u64),
    DataReturn,
    DataFeed,
    Trailer,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl Chunked {
    pub(crate) fn read(
        &mut self,
        input: &[u8],
        content: &mut Content,
        trailer_limit: usize,
        roles: &mut Roles<'_>,
    ) -> Result<(usize, Progress), Incomplete> {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let part = rest.get(..take).unwrap_or_default();
                    content.push(part);
                    roles.read(used, Role::Content, part);
                    let left = left.saturating_sub(take as u64);
                    self.state = if left == 0 {
                        State::DataReturn
                    } else {
                        State::Data(left)
                    };
                    used += take;
                }
                State::Trailer => {
                    let (taken, step) = self.trailer.push(rest, trailer_limit);
                    used += taken;
                    match step {
                        HeadStep::More => {}
                        HeadStep::TooLarge => return Err(Incomplete::HeadTooLarge),
                        HeadStep::Complete(raw) => {
                            roles.trailers(used, &raw.bytes);
                            self.parsed = Some(raw.into_owned());
                            return Ok((used, Progress::Done));
                        }
                    }
                }
                state => {
                    if let Some(byte) = rest.first() {
                        self.state = line(state, *byte)?;
                        let role = match state {
                            State::Extension { .. } if *byte != b'\r' => Role::Extension,
                            _ => Role::Framing,
                        };
                        roles.read(used, role, core::slice::from_ref(byte));
                        used += 1;
                    }
                }
            }
        }
        Ok((used, Progress::More))
    }

    /// Bytes of the current chunk's data still to come.
    pub(crate) fn data_left(&mut self) -> Option<&mut u64> {
        match &mut self.state {
            State::Data(left) => Some(left),
            _ => None,
        }
    }

    pub(crate) fn buffered(&self) -> usize {
        self.trailer.buffered()
    }

    pub(crate) fn into_trailer(self) -> Option<RawHead<'static>> {
        self.parsed
    }
}

/// Reads one byte of a chunk's framing. Everything that two readers could read as different sizes is ambiguous: a
/// missing or signed size, a size that does not fit 64 bits, a line that does not end with CR LF.
fn line(state: State, byte: u8) -> Result<State, Incomplete> {
    const AMBIGUOUS: Incomplete = Incomplete::AmbiguousFraming;
    /// 64 bits in hexadecimal; longer sizes have caused overflows in other parsers.
    const MOST_DIGITS: usize = 16;
    match (state, byte) {
        (State::Size { value, digits }, byte) if byte.is_ascii_hexdigit() => {
            let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
            if digits == MOST_DIGITS {
                return Err(AMBIGUOUS);
            }
            Ok(State::Size {
                value: value << 4 | digit,
                digits: digits + 1,
            })
        }
        (State::Size { digits: 0, .. }, _) => Err(AMBIGUOUS),
        (State::Size { value, .. } | State::Blank { value, .. } | State::Extension { value, .. }, b'\r') => {
            Ok(State::SizeFeed(value))
        }
        (State::Size { value, .. }, b' ' | b'\t') => Ok(State::Blank { value, length: 1 }),
        (State::Size { value, .. } | State::Blank { value, .. }, b';') => {
            Ok(State::Extension { value, length: 1 })
        }
        (State::Extension { .. }, b'\n') => Err(AMBIGUOUS),
        (State::Blank { length, .. } | State::Extension { length, .. }, _) if length >= LONGEST_LINE => {
            Err(Incomplete::HeadTooLarge)
        }
        (State::Blank { value, length }, b' ' | b'\t') => Ok(State::Blank {
            value,
            length: length + 1,
        }),
        (State::Extension { value, length }, _) => Ok(State::Extension {
            value,
            length: length + 1,
        }),
        (State::SizeFeed(0), b'\n') => Ok(State::Trailer),
        (State::SizeFeed(size), b'\n') => Ok(State::Data(size)),
        (State::DataReturn, b'\r') => Ok(State::DataFeed),
        (State::DataFeed, b'\n') => Ok(State::default()),
        _ => Err(AMBIGUOUS),
    }
}
